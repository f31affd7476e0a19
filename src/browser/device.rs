//! The installation: who this browser profile is to a hub, and how its databases are named.

use super::Idb;
use crate::{
    error::{Error, ErrorKind, Result},
    kernel::crypto::opaque_name,
    platform::{Batch, Durability, Entropy, EntropyExt, GuardName, Store, StoreError, Table},
};

/// The database that holds nothing but the installation's random identity.
const DATABASE: &str = "clinicache";
const ROW: &[u8] = b"device";

/// Random, made once for a browser profile and origin.
#[derive(Debug, Clone)]
pub struct Device {
    /// Told to the hub and bound into every key.
    pub id: String,
    salt: [u8; 16],
}

impl Device {
    /// Finds the identity or makes it. Two tabs that make one at once end with the same.
    ///
    /// # Errors
    /// Those of the store; [`Unavailable`](ErrorKind::Unavailable) without IndexedDB.
    pub async fn load(entropy: &dyn Entropy) -> Result<Self> {
        let store = Idb::open(DATABASE).await?;
        let loaded = Self::load_from(&store, entropy).await;
        store.close().await;
        loaded
    }

    async fn load_from(store: &Idb, entropy: &dyn Entropy) -> Result<Self> {
        for _ in 0..2 {
            if let Some(row) = store.get(Table::Control, ROW).await? {
                return Self::decode(&row);
            }
            let row: [u8; 32] = entropy.bytes()?;
            let mut batch = Batch {
                durability: Durability::Strict,
                ..Batch::new()
            };
            batch.expect(GuardName::Row, Table::Control, ROW, None);
            batch.put(Table::Control, ROW, row);
            match store.commit(batch).await {
                Ok(()) => return Self::decode(&row),
                Err(StoreError::Guard { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "another tab is making this installation",
        ))
    }

    /// An identity that dies with the realm.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) without a secure random source.
    pub fn ephemeral(entropy: &dyn Entropy) -> Result<Self> {
        Self::decode(&entropy.bytes::<32>()?)
    }

    fn decode(row: &[u8]) -> Result<Self> {
        let (id, salt) = row.split_at_checked(16).unwrap_or_default();
        Ok(Self {
            id: id.iter().map(|byte| format!("{byte:02x}")).collect(),
            salt: salt.try_into().map_err(|_| {
                Error::new(
                    ErrorKind::Tampered,
                    "the identity of this installation is damaged",
                )
            })?,
        })
    }

    /// The name of a vault's database: says nothing, but whoever has the disk can confirm a
    /// guessed user.
    #[must_use]
    pub fn database(&self, name: &str, tenant: &str, user: &str) -> String {
        format!(
            "clinicache-{}",
            opaque_name(&self.salt, &[name, tenant, user])
        )
    }
}
