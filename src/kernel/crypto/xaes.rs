//! XAES-256-GCM (C2SP): AES-256-GCM with 192-bit nonces, by a key derived for each message.
//!
//! Random nonces are safe for 2⁸⁰ messages under one key, so tabs and restored profiles can
//! share a key without sharing a counter. Two AES blocks a message derive the inner key.

use aes_gcm::{
    AeadInOut, Aes256Gcm, KeyInit, Tag,
    aes::{
        Aes256, Block,
        cipher::{BlockCipherEncrypt, inout::InOutBuf},
    },
};
use zeroize::Zeroize;

use super::{nonce::Nonce, secret::Secret};

/// Length of the authentication tag in bytes.
pub(crate) const TAG_LEN: usize = 16;

/// A key of XAES-256-GCM with its schedule. The schedule is zeroed on drop.
pub(crate) struct Xaes {
    cipher: Aes256,
    /// CMAC's first subkey: `AES_K(0)` doubled in GF(2¹²⁸).
    subkey: [u8; 16],
}

impl Xaes {
    pub(crate) fn new(key: &Secret<[u8; 32]>) -> Self {
        // The key schedule needs the key's bytes.
        let cipher = Aes256::new(key.expose().into());
        let mut block = Block::default();
        cipher.encrypt_block(&mut block);
        let mut subkey = [0; 16];
        let mut carry = 0;
        for (out, byte) in subkey.iter_mut().zip(&block).rev() {
            *out = (byte << 1) | carry;
            carry = byte >> 7;
        }
        subkey[15] ^= carry * 0x87;
        block.as_mut_slice().zeroize();
        Self { cipher, subkey }
    }

    /// The inner key of one message: two CMAC blocks over a counter and half of the nonce.
    fn inner(&self, nonce: &[u8; Nonce::LEN]) -> Aes256Gcm {
        let mut blocks = [Block::default(), Block::default()];
        for (counter, block) in (1u8..).zip(&mut blocks) {
            block[..4].copy_from_slice(&[0, counter, b'X', 0]);
            block[4..].copy_from_slice(&nonce[..12]);
            for (byte, key) in block.iter_mut().zip(&self.subkey) {
                *byte ^= key;
            }
        }
        self.cipher.encrypt_blocks(&mut blocks);
        let mut key = [0; 32];
        key[..16].copy_from_slice(&blocks[0]);
        key[16..].copy_from_slice(&blocks[1]);
        let inner = Aes256Gcm::new(&key.into());
        key.zeroize();
        blocks
            .iter_mut()
            .for_each(|block| block.as_mut_slice().zeroize());
        inner
    }

    /// Encrypts `buffer` in place and gives the tag. `None` only above the cipher's length limit.
    #[must_use]
    pub(crate) fn seal(&self, nonce: &Nonce, aad: &[u8], buffer: &mut [u8]) -> Option<[u8; 16]> {
        let nonce = nonce.bytes();
        let tag = self
            .inner(nonce)
            .encrypt_inout_detached(&tail(nonce).into(), aad, InOutBuf::from(buffer))
            .ok()?;
        Some(tag.into())
    }

    /// Decrypts `buffer` in place; `None`, and the buffer unusable, when anything was changed.
    #[must_use]
    pub(crate) fn open(
        &self,
        nonce: &[u8; Nonce::LEN],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Option<()> {
        self.inner(nonce)
            .decrypt_inout_detached(
                &tail(nonce).into(),
                aad,
                InOutBuf::from(buffer),
                &Tag::from(*tag),
            )
            .ok()
    }
}

fn tail(nonce: &[u8; Nonce::LEN]) -> [u8; 12] {
    let mut tail = [0; 12];
    tail.copy_from_slice(&nonce[12..]);
    tail
}

impl Drop for Xaes {
    fn drop(&mut self) {
        self.subkey.zeroize();
    }
}

impl std::fmt::Debug for Xaes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Xaes(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(key: u8, aad: &[u8]) -> Vec<u8> {
        let xaes = Xaes::new(&Secret::new([key; 32]));
        let nonce = Nonce::from_entropy(*b"ABCDEFGHIJKLMNOPQRSTUVWX");
        let mut text = b"XAES-256-GCM".to_vec();
        let tag = xaes.seal(&nonce, aad, &mut text).unwrap_or_default();
        text.extend(tag);
        text
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The two vectors of the C2SP document: the subkey's top bit clear and set.
    #[test]
    fn it_equals_the_published_vectors() {
        assert_eq!(
            hex(&seal(1, b"")),
            "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"
        );
        assert_eq!(
            hex(&seal(3, b"c2sp.org/XAES-256-GCM")),
            "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"
        );
    }

    #[test]
    fn it_opens_what_it_sealed_and_nothing_else() {
        let xaes = Xaes::new(&Secret::new([3; 32]));
        let sealed = seal(3, b"place");
        let (text, tag) = sealed.split_at(12);
        let tag: [u8; 16] = tag.try_into().unwrap_or_default();
        let nonce = *b"ABCDEFGHIJKLMNOPQRSTUVWX";
        let mut buffer = text.to_vec();
        assert!(xaes.open(&nonce, b"place", &mut buffer, &tag).is_some());
        assert_eq!(buffer, b"XAES-256-GCM");
        for flip in 0..24 {
            let mut nonce = nonce;
            nonce[flip] ^= 1;
            assert!(
                xaes.open(&nonce, b"place", &mut text.to_vec(), &tag)
                    .is_none()
            );
        }
        assert!(
            xaes.open(&nonce, b"plac", &mut text.to_vec(), &tag)
                .is_none()
        );
    }
}
