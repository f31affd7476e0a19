//! Key slots: wrapped copies of the vault key, one for each way to unlock.
//!
//! The header of a slot is readable, because it says how to make the slot key; all of it is
//! associated data of the wrapping. Its numbers are held to floors and ceilings here, so that
//! storage cannot talk a client into a weak or endless derivation.

use super::{
    codec::{Reader, put_lp, put_u32},
    crypto::{Nonce, Place, Secret, TAG_LEN, VaultKey, Xaes},
};
use crate::error::{Error, ErrorKind, Result};

/// Fewest PBKDF2 rounds of a passphrase slot (OWASP, 2023, for HMAC-SHA256).
pub const ROUNDS_MIN: u32 = 600_000;
/// Most rounds: more would be a way to hang a client.
pub const ROUNDS_MAX: u32 = 10_000_000;
/// Shortest passphrase, in characters.
pub const PASSPHRASE_CHARS_MIN: usize = 8;
/// Length of a slot's salt.
pub const SALT_LEN: usize = 32;

const MAGIC: [u8; 4] = *b"cls\x01";
const VERSION: u8 = 1;

/// How the slot key is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotKind {
    /// PBKDF2-HMAC-SHA256 of a passphrase.
    Passphrase {
        /// Rounds, from [`ROUNDS_MIN`] to [`ROUNDS_MAX`].
        rounds: u32,
    },
    /// HKDF-SHA256 of 32 bytes that the app keeps.
    Bytes,
}

/// The readable part of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotHeader {
    /// How the slot key is made.
    pub kind: SlotKind,
    /// The salt of that.
    pub salt: [u8; SALT_LEN],
    /// The generation of the vault key inside.
    pub key_gen: u32,
}

impl SlotHeader {
    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        out.extend_from_slice(&MAGIC);
        out.push(VERSION);
        let (kind, rounds) = match self.kind {
            SlotKind::Passphrase { rounds } => (1, rounds),
            SlotKind::Bytes => (2, 0),
        };
        out.push(kind);
        put_u32(&mut out, rounds);
        put_u32(&mut out, self.key_gen);
        out.extend_from_slice(&self.salt);
        out
    }

    fn aad(&self, place: &Place) -> Vec<u8> {
        let mut aad = Vec::with_capacity(160);
        put_lp(&mut aad, b"clinicache/v1 slot");
        put_lp(&mut aad, &self.bytes());
        for part in [&place.tenant, &place.user, &place.device, &place.database] {
            put_lp(&mut aad, part.as_bytes());
        }
        aad
    }

    /// Reads the header of a stored slot.
    ///
    /// # Errors
    /// [`Incompatible`](ErrorKind::Incompatible) for another version or kind,
    /// [`Tampered`](ErrorKind::Tampered) when cut short or below the floors.
    pub fn parse(row: &[u8]) -> Result<Self> {
        Ok(split(row)?.0)
    }
}

fn split(row: &[u8]) -> Result<(SlotHeader, [u8; Nonce::LEN], &[u8])> {
    let short = || Error::new(ErrorKind::Tampered, "a key slot is cut short");
    let other = || Error::new(ErrorKind::Incompatible, "a key slot has an unknown form");
    let mut reader = Reader::new(row);
    if reader.array::<4>().ok_or_else(short)? != MAGIC || reader.u8().ok_or_else(short)? != VERSION
    {
        return Err(other());
    }
    let kind = reader.u8().ok_or_else(short)?;
    let rounds = reader.u32().ok_or_else(short)?;
    let key_gen = reader.u32().ok_or_else(short)?;
    let salt = reader.array().ok_or_else(short)?;
    let kind = match kind {
        1 if (ROUNDS_MIN..=ROUNDS_MAX).contains(&rounds) => SlotKind::Passphrase { rounds },
        1 => {
            return Err(Error::new(
                ErrorKind::Tampered,
                "a key slot asks for a derivation outside of the allowed bounds",
            ));
        }
        2 => SlotKind::Bytes,
        _ => return Err(other()),
    };
    let nonce = reader.array().ok_or_else(short)?;
    let header = SlotHeader {
        kind,
        salt,
        key_gen,
    };
    Ok((header, nonce, reader.rest()))
}

/// Wraps the vault key under a slot key.
///
/// # Errors
/// [`Internal`](ErrorKind::Internal) if the cipher refuses 32 bytes; it cannot.
pub fn wrap(
    header: &SlotHeader,
    place: &Place,
    slot_key: &Secret<[u8; 32]>,
    vault_key: &VaultKey,
    nonce: Nonce,
) -> Result<Vec<u8>> {
    let mut row = header.bytes();
    row.extend_from_slice(nonce.bytes());
    // The copy that becomes ciphertext in place.
    let mut wrapped = *vault_key.expose();
    let tag = Xaes::new(slot_key)
        .seal(&nonce, &header.aad(place), &mut wrapped)
        .ok_or_else(|| Error::new(ErrorKind::Internal, "wrapping a key failed"))?;
    row.extend_from_slice(&wrapped);
    row.extend_from_slice(&tag);
    Ok(row)
}

/// Unwraps the vault key.
///
/// # Errors
/// [`WrongKey`](ErrorKind::WrongKey) when the slot key is not the right one (or the slot was
/// edited: the two cannot be told apart), and the errors of [`SlotHeader::parse`].
pub fn unwrap(row: &[u8], place: &Place, slot_key: &Secret<[u8; 32]>) -> Result<VaultKey> {
    let (header, nonce, sealed) = split(row)?;
    let (text, tag) = sealed
        .split_last_chunk::<TAG_LEN>()
        .ok_or_else(|| Error::new(ErrorKind::Tampered, "a key slot is cut short"))?;
    let text: [u8; 32] = text
        .try_into()
        .map_err(|_| Error::new(ErrorKind::Tampered, "a key slot has a wrong length"))?;
    let mut key = Secret::new(text);
    Xaes::new(slot_key)
        .open(&nonce, &header.aad(place), key.expose_mut(), tag)
        .ok_or_else(|| Error::new(ErrorKind::WrongKey, "the key does not open this vault"))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            tenant: String::new(),
            user: "u".into(),
            device: "d".into(),
            database: "b".into(),
        }
    }

    fn slot(rounds: u32) -> (SlotHeader, Vec<u8>) {
        let header = SlotHeader {
            kind: SlotKind::Passphrase { rounds },
            salt: [5; SALT_LEN],
            key_gen: 1,
        };
        let nonce = Nonce::from_entropy([1; Nonce::LEN]);
        let row = wrap(
            &header,
            &place(),
            &Secret::new([2; 32]),
            &Secret::new([3; 32]),
            nonce,
        );
        (header, row.unwrap())
    }

    #[test]
    fn the_right_key_opens_a_slot_and_another_does_not() {
        let (header, row) = slot(ROUNDS_MIN);
        assert_eq!(SlotHeader::parse(&row).unwrap(), header);
        let key = unwrap(&row, &place(), &Secret::new([2; 32])).unwrap();
        assert_eq!(key.expose(), &[3; 32]);
        let wrong = unwrap(&row, &place(), &Secret::new([4; 32])).unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::WrongKey);
    }

    #[test]
    fn a_slot_of_another_place_does_not_open() {
        let (_, row) = slot(ROUNDS_MIN);
        let other = Place {
            user: "v".into(),
            ..place()
        };
        assert!(unwrap(&row, &other, &Secret::new([2; 32])).is_err());
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let (_, row) = slot(ROUNDS_MIN);
        for at in 0..row.len() {
            let mut row = row.clone();
            row[at] ^= 1;
            assert!(
                unwrap(&row, &place(), &Secret::new([2; 32])).is_err(),
                "byte {at}"
            );
        }
        for len in 0..row.len() {
            assert!(unwrap(&row[..len], &place(), &Secret::new([2; 32])).is_err());
        }
    }

    #[test]
    fn storage_cannot_lower_the_rounds() {
        let (_, row) = slot(ROUNDS_MIN - 1);
        assert_eq!(
            SlotHeader::parse(&row).unwrap_err().kind(),
            ErrorKind::Tampered
        );
    }
}
