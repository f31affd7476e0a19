//! Destroying a vault: keys first, then rows.

use super::core::{Cache, Core};
use crate::{
    error::Result,
    kernel::control,
    platform::{Batch, Durability, Table as Rows},
};

/// What a wipe did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WipeReport {
    /// Whether every row is erased from the store.
    pub rows_erased: bool,
    /// Whether no key that opens the old bytes exists any more, so that remnants on the disk
    /// are unreadable for everybody. Only an ephemeral key is known to be gone: whoever has the
    /// old disk and the passphrase or the app's key can still open what the disk kept.
    pub shredded: bool,
}

impl Cache {
    /// Locks every tab, removes the key slots durably, then every row. The cache stays locked;
    /// unlocking makes a new, empty vault. Works on a locked cache too.
    ///
    /// # Errors
    /// Those of the store; what was reached is then known to be locked, and another wipe goes on.
    pub async fn wipe(&self) -> Result<WipeReport> {
        let ephemeral = self.core.is_ephemeral();
        self.core.lock(true);
        self.core.erase_slots().await?;
        self.core.store.wipe().await?;
        Ok(WipeReport {
            rows_erased: true,
            shredded: ephemeral,
        })
    }
}

impl Core {
    fn is_ephemeral(&self) -> bool {
        self.state().open().is_ok_and(|open| open.ephemeral)
    }

    async fn erase_slots(&self) -> Result<()> {
        let rows = self.store.scan(Rows::Control, None, 1_024).await?;
        let mut batch = Batch {
            durability: Durability::Strict,
            ..Batch::new()
        };
        for (name, _) in rows {
            if name.starts_with(control::SLOT_PREFIX) {
                batch.delete(Rows::Control, name);
            }
        }
        self.store.commit(batch).await.map_err(Into::into)
    }
}
