//! Passphrase stretching, which a browser does best outside of wasm.

use super::task::{BoxFuture, MaybeSend, MaybeSync};
use crate::{error::Result, kernel::crypto::Secret};

/// PBKDF2-HMAC-SHA256 (RFC 8018), the passphrase slot's stretching.
///
/// # Contract
/// The answer equals the standard's for the same inputs on every platform. The secret is not
/// kept.
pub trait Kdf: MaybeSend + MaybeSync {
    /// Derives 32 bytes.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) outside a secure context.
    fn pbkdf2_sha256(
        &self,
        secret: Secret<Vec<u8>>,
        salt: Vec<u8>,
        rounds: u32,
    ) -> BoxFuture<'static, Result<Secret<[u8; 32]>>>;
}
