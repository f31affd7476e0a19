//! Keys and ciphers: secrets, nonces, key derivation, blind names, sealing.

mod keyring;
mod nonce;
mod secret;
mod xaes;

pub use nonce::Nonce;
pub use secret::Secret;
