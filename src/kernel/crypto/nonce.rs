//! The nonce of one sealing.

/// 192 random bits for one sealing. Only entropy makes one; it is used up by the seal, so it
/// cannot be used twice.
#[derive(Debug)]
pub struct Nonce([u8; Self::LEN]);

impl Nonce {
    /// Length in bytes.
    pub const LEN: usize = 24;

    /// A nonce from random bytes: for `platform::EntropyExt` and tests with fixed vectors.
    pub(crate) const fn from_entropy(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}
