//! Housekeeping: what has expired goes, and the fence stays small.

use super::{
    core::Core,
    writer::{Change, Job, Mark},
};
use crate::{error::Result, kernel::table::Found};
use futures_channel::oneshot;
use futures_util::future::{Either, select};
use std::sync::Arc;

/// How often expired rows are looked for, in milliseconds.
const SWEEP_MS: u64 = 60_000;
/// Rows erased in one slice.
const SLICE_ROWS: usize = 256;

impl Core {
    pub(super) fn start_maintenance(self: &Arc<Self>, generation: u64) {
        let Some(mut dead) = self.end_with_vault(generation) else {
            return;
        };
        let core = Arc::downgrade(self);
        let clock = self.platform.clock.clone();
        self.spawn(Box::pin(async move {
            loop {
                match core.upgrade() {
                    Some(core) => {
                        if let Err(error) = core.maintain(generation).await {
                            core.report(&error);
                        }
                    }
                    None => return,
                }
                if let Either::Left(_) = select(&mut dead, clock.sleep(SWEEP_MS)).await {
                    return;
                }
            }
        }));
    }

    /// Resolves when the vault is locked or closed.
    pub(super) fn end_with_vault(&self, generation: u64) -> Option<oneshot::Receiver<()>> {
        let mut state = self.state();
        let open = state.same(generation).ok()?;
        let (alive, dead) = oneshot::channel();
        open.alive.push(alive);
        Some(dead)
    }

    async fn maintain(self: &Arc<Self>, generation: u64) -> Result<()> {
        let overfull = {
            let now = self.now();
            let mut state = self.state();
            let open = state.same(generation)?;
            let time = open.time.observe(now);
            let mut expired = open.table.expired(time, SLICE_ROWS);
            // The bucket stands outside of the seal: it is believed once the seal is checked. A
            // row that fails leaves memory only; a reader finds it in the store and reports it.
            expired.retain(|key| {
                let sound = match open.table.find(key) {
                    Found::Row { row, meta, .. } => {
                        meta.is_some() || open.ring.open_record(key, &row).is_ok()
                    }
                    Found::InStore | Found::Nowhere => true,
                };
                open.table.remove(key);
                sound
            });
            if !expired.is_empty() {
                let change = Change {
                    delete: expired,
                    ..Change::default()
                };
                self.enqueue(open, generation, Job::Change(Box::new(change)));
            }
            open.fence.is_overfull()
        };
        if overfull {
            // Every row that a mark gives up must be gone before the mark is.
            self.sweep_store(generation, false).await?;
            let change = Change {
                marks: vec![Mark::Floor],
                ..Change::default()
            };
            self.change(generation, change).await?;
        }
        Ok(())
    }
}
