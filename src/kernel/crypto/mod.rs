//! Keys and ciphers: secrets, nonces, key derivation, blind names, sealing.

mod blind_map;
mod keyring;
mod nonce;
mod secret;
mod xaes;

pub(crate) use blind_map::{BlindMap, BlindSet};
pub use keyring::{BlindKey, BlindTag, KeyRing, Place, VaultKey, derive_slot_key, opaque_name};
pub use nonce::Nonce;
pub use secret::Secret;
pub(crate) use xaes::{TAG_LEN, Xaes};
