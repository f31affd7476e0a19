//! Everything that a vault key gives: sealing keys, blind names, the key's identity.

use super::{nonce::Nonce, secret::Secret, xaes::Xaes};
use crate::{
    error::{Error, ErrorKind, Result},
    kernel::codec::put_lp,
};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt;

/// The vault key: 32 random bytes a user and device, the root of everything sealed.
pub type VaultKey = Secret<[u8; 32]>;

/// What a record is stored under: a keyed hash of its logical key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlindKey(pub [u8; 32]);

/// A keyed hash of a tag.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlindTag(pub [u8; 16]);

// Blind names are stable identifiers of a patient's rows: they stay out of logs too.
impl fmt::Debug for BlindKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlindKey(..)")
    }
}

impl fmt::Debug for BlindTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlindTag(..)")
    }
}

/// Whose vault it is, and where: bound into every key and every sealed row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The organisation; empty where there is only one.
    pub tenant: String,
    /// The user of the vault; `*` for a server's own.
    pub user: String,
    /// The installation, or a server's cluster.
    pub device: String,
    /// The database.
    pub database: String,
}

/// The keys of one open vault and key generation. Dropping it zeroes them.
pub struct KeyRing {
    seal: Xaes,
    index: Hmac<Sha256>,
    key_id: [u8; 16],
    key_gen: u32,
    /// SHA-256 of the place: four strings of the associated data as 32 bytes.
    place: [u8; 32],
}

const SUITE_LABEL: &[u8] = b"clinicache/v1";

impl KeyRing {
    /// Derives the keys of a generation (HKDF-SHA256, RFC 5869).
    ///
    /// # Errors
    /// [`Internal`](ErrorKind::Internal) if the derivation refuses its fixed lengths; it cannot.
    pub fn new(vault_key: &VaultKey, place: &Place, key_gen: u32) -> Result<Self> {
        let mut bound = Vec::with_capacity(128);
        for part in [&place.tenant, &place.user, &place.device, &place.database] {
            put_lp(&mut bound, part.as_bytes());
        }
        // The root of the derivation.
        let hkdf = Hkdf::<Sha256>::new(None, vault_key.expose());
        let seal: Secret<[u8; 32]> = expand(&hkdf, b"seal", &bound, key_gen)?;
        let index: Secret<[u8; 32]> = expand(&hkdf, b"index", &bound, key_gen)?;
        let key_id: Secret<[u8; 16]> = expand(&hkdf, b"key id", &bound, key_gen)?;
        Ok(Self {
            seal: Xaes::new(&seal),
            // The keyed state replaces the key's bytes.
            index: Hmac::new_from_slice(index.expose())
                .map_err(|_| Error::new(ErrorKind::Internal, "index key length"))?,
            // An identity, stored in every row.
            key_id: *key_id.expose(),
            key_gen,
            place: Sha256::digest(&bound).into(),
        })
    }

    /// Where a record of this logical key is stored. Two SHA-256 blocks.
    #[must_use]
    pub fn blind_key(&self, logical: &str) -> BlindKey {
        BlindKey(self.blind(1, logical))
    }

    /// The blind form of a tag.
    #[must_use]
    pub fn blind_tag(&self, tag: &str) -> BlindTag {
        let mut short = [0; 16];
        short.copy_from_slice(&self.blind(2, tag)[..16]);
        BlindTag(short)
    }

    fn blind(&self, domain: u8, name: &str) -> [u8; 32] {
        let mut mac = self.index.clone();
        mac.update(&[domain]);
        mac.update(&len(name.len()));
        mac.update(name.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// The key's identity: stored in every row, so that a row of another key is told apart from
    /// a damaged one, and no row opens under two keys.
    #[must_use]
    pub const fn key_id(&self) -> &[u8; 16] {
        &self.key_id
    }

    /// The key generation.
    #[must_use]
    pub const fn key_gen(&self) -> u32 {
        self.key_gen
    }

    /// Encrypts `buffer[header_len..]` in place under the header before it and appends the tag.
    pub(crate) fn seal_after(
        &self,
        table: &str,
        key: &[u8],
        header_len: usize,
        buffer: &mut Vec<u8>,
        nonce: &Nonce,
    ) -> Result<()> {
        let (header, text) = buffer.split_at_mut(header_len);
        let aad = self.aad(table, key, header);
        let tag = self
            .seal
            .seal(nonce, &aad, text)
            .ok_or_else(|| Error::invalid("value", "is too large to be sealed"))?;
        buffer.extend_from_slice(&tag);
        Ok(())
    }

    /// Opens `text` in place.
    pub(crate) fn open_in_place(
        &self,
        table: &str,
        key: &[u8],
        header: &[u8],
        nonce: &[u8; Nonce::LEN],
        text: &mut [u8],
        tag: &[u8; 16],
    ) -> Option<()> {
        self.seal
            .open(nonce, &self.aad(table, key, header), text, tag)
    }

    /// Binds a row to its vault, table, key and header. Recomputed, never stored.
    fn aad(&self, table: &str, key: &[u8], header: &[u8]) -> Vec<u8> {
        let mut aad = Vec::with_capacity(96 + table.len() + key.len() + header.len());
        for part in [SUITE_LABEL, &self.place, table.as_bytes(), key, header] {
            put_lp(&mut aad, part);
        }
        aad
    }
}

fn expand<const N: usize>(
    hkdf: &Hkdf<Sha256>,
    purpose: &[u8],
    bound: &[u8],
    key_gen: u32,
) -> Result<Secret<[u8; N]>> {
    let mut info = Vec::with_capacity(64 + bound.len());
    put_lp(&mut info, SUITE_LABEL);
    put_lp(&mut info, purpose);
    info.extend_from_slice(bound);
    info.extend_from_slice(&key_gen.to_le_bytes());
    let mut out = Secret::new([0; N]);
    hkdf.expand(&info, out.expose_mut())
        .map_err(|_| Error::new(ErrorKind::Internal, "derived key length"))?;
    Ok(out)
}

/// Derives a slot key or another 32-byte key from a secret and a salt (HKDF-SHA256).
///
/// # Errors
/// [`Internal`](ErrorKind::Internal) if the derivation refuses its fixed length; it cannot.
pub fn derive_slot_key(secret: &[u8], salt: &[u8], label: &[u8]) -> Result<Secret<[u8; 32]>> {
    let hkdf = Hkdf::<Sha256>::new(Some(salt), secret);
    expand(&hkdf, label, &[], 0)
}

/// An opaque, stable name: the first 16 bytes of a keyed hash, in hexadecimal.
#[must_use]
pub fn opaque_name(salt: &[u8], parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    hash.update(len(salt.len()));
    hash.update(salt);
    for part in parts {
        hash.update(len(part.len()));
        hash.update(part.as_bytes());
    }
    hash.finalize()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

const fn len(len: usize) -> [u8; 4] {
    // Longer names are refused long before; the prefix only has to be unambiguous.
    (len as u32).to_le_bytes()
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(user: &str) -> Place {
        Place {
            tenant: String::new(),
            user: user.into(),
            device: "d".into(),
            database: "db".into(),
        }
    }

    fn ring(key: u8, user: &str, key_gen: u32) -> KeyRing {
        KeyRing::new(&Secret::new([key; 32]), &place(user), key_gen).unwrap()
    }

    #[test]
    fn every_part_of_the_place_and_the_generation_changes_every_key() {
        let base = ring(1, "a", 1);
        for other in [ring(2, "a", 1), ring(1, "b", 1), ring(1, "a", 2)] {
            assert_ne!(base.key_id(), other.key_id());
            assert_ne!(base.blind_key("k"), other.blind_key("k"));
            assert_ne!(base.blind_tag("k"), other.blind_tag("k"));
        }
    }

    #[test]
    fn keys_and_tags_of_one_name_are_unrelated() {
        let ring = ring(1, "a", 1);
        assert_ne!(ring.blind_key("x").0[..16], ring.blind_tag("x").0[..]);
    }

    #[test]
    fn opaque_names_do_not_run_together() {
        assert_ne!(
            opaque_name(b"s", &["ab", "c"]),
            opaque_name(b"s", &["a", "bc"])
        );
    }
}
