//! Randomness as an argument.

use super::task::{MaybeSend, MaybeSync};
use crate::{error::Result, kernel::crypto::Nonce};

/// A source of cryptographic randomness.
///
/// # Contract
/// Either all of `buffer` is filled with unpredictable bytes or an error comes back; a short or
/// predictable answer breaks the sealing of every record.
pub trait Entropy: MaybeSend + MaybeSync {
    /// Fills `buffer`.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when the platform has no secure source.
    fn fill(&self, buffer: &mut [u8]) -> Result<()>;
}

/// What the engine draws from an [`Entropy`].
pub trait EntropyExt: Entropy {
    /// A fresh nonce. The only way to one outside the kernel's own tests.
    ///
    /// # Errors
    /// As [`Entropy::fill`].
    fn nonce(&self) -> Result<Nonce> {
        Ok(Nonce::from_entropy(self.bytes()?))
    }

    /// `N` random bytes.
    ///
    /// # Errors
    /// As [`Entropy::fill`].
    fn bytes<const N: usize>(&self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }
}

impl<E: Entropy + ?Sized> EntropyExt for E {}
