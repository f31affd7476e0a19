//! Ways to unlock a vault.

use crate::{
    error::{Error, ErrorKind, Result},
    kernel::{
        crypto::{Secret, derive_slot_key},
        slot::{PASSPHRASE_CHARS_MIN, SlotHeader, SlotKind},
    },
    platform::Platform,
};
use std::fmt;

/// What opens a vault.
#[non_exhaustive]
pub enum KeySource {
    /// A passphrase, stretched by PBKDF2-HMAC-SHA256. At least 8 characters where it makes a
    /// vault. Survives a reload, and what protects a stolen disk is its entropy.
    Passphrase(Secret<Vec<u8>>),
    /// 32 bytes that the app keeps somewhere safe.
    Bytes(Secret<[u8; 32]>),
    /// A random key that is never stored: the vault ends with the realm, and opening one
    /// removes whatever an earlier one left.
    Ephemeral,
}

impl KeySource {
    /// A passphrase.
    #[must_use]
    pub fn passphrase(text: &str) -> Self {
        Self::Passphrase(Secret::new(text.as_bytes().to_vec()))
    }

    /// A key of the app.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) when it is not 32 bytes long or all zero.
    pub fn bytes(key: &[u8]) -> Result<Self> {
        let key: [u8; 32] = key
            .try_into()
            .map_err(|_| Error::invalid("keys.bytes", "must be 32 bytes long"))?;
        if key == [0; 32] {
            return Err(Error::invalid("keys.bytes", "must not be all zero"));
        }
        Ok(Self::Bytes(Secret::new(key)))
    }

    /// Checks what makes a new vault: an existing one is opened by whatever made it.
    pub(super) fn check_for_new_vault(&self) -> Result<()> {
        match self {
            // Shown to count its characters.
            Self::Passphrase(secret) => match std::str::from_utf8(secret.expose()) {
                Ok(text) if text.chars().count() >= PASSPHRASE_CHARS_MIN => Ok(()),
                Ok(_) => Err(Error::invalid(
                    "keys.passphrase",
                    "must be at least 8 characters long",
                )),
                Err(_) => Err(Error::invalid("keys.passphrase", "must be UTF-8 text")),
            },
            Self::Bytes(_) | Self::Ephemeral => Ok(()),
        }
    }

    /// Makes the key of a slot; `None` when the slot is of another kind.
    pub(super) async fn slot_key(
        &self,
        header: &SlotHeader,
        platform: &Platform,
    ) -> Result<Option<Secret<[u8; 32]>>> {
        match (self, header.kind) {
            (Self::Passphrase(secret), SlotKind::Passphrase { rounds }) => {
                // A copy for the derivation, which zeroes it.
                let copy = Secret::new(secret.expose().clone());
                let salt = header.salt.to_vec();
                platform
                    .kdf
                    .pbkdf2_sha256(copy, salt, rounds)
                    .await
                    .map(Some)
            }
            (Self::Bytes(key), SlotKind::Bytes) => {
                // The input of the derivation.
                derive_slot_key(key.expose(), &header.salt, b"slot bytes").map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The kind of slot that this source makes.
    pub(super) fn new_slot_kind(&self, rounds: u32) -> Result<SlotKind> {
        match self {
            Self::Passphrase(_) => Ok(SlotKind::Passphrase { rounds }),
            Self::Bytes(_) => Ok(SlotKind::Bytes),
            Self::Ephemeral => Err(Error::new(
                ErrorKind::Internal,
                "an ephemeral key has no slot",
            )),
        }
    }
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passphrase(_) => "Passphrase(..)",
            Self::Bytes(_) => "Bytes(..)",
            Self::Ephemeral => "Ephemeral",
        })
    }
}
