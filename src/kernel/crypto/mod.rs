//! Keys and ciphers: secrets, nonces, key derivation, blind names, sealing.

mod nonce;
mod secret;

pub use nonce::Nonce;
pub use secret::Secret;
