//! Housekeeping: what has expired goes, and the fence stays small.

use super::{
    core::Core,
    writer::{Change, Mark},
};
use crate::{error::Result, kernel::table::Found};
use futures_channel::oneshot;
use futures_util::future::{Either, select};
use std::sync::Arc;

/// How often expired rows are looked for, in milliseconds.
const SWEEP_MS: u64 = 60_000;
/// Every so many turns the store is swept too: rows that are not in memory expire as well. The
/// first sweep waits a turn, so that it is not in the way of the first screen.
const SWEEP_TURNS: u64 = 60;
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
            for turn in 0.. {
                match core.upgrade() {
                    Some(core) => {
                        if let Err(error) = core.maintain(generation, turn).await {
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

    async fn maintain(self: &Arc<Self>, generation: u64, turn: u64) -> Result<()> {
        let overfull = {
            let now = self.now();
            let mut state = self.state();
            let open = state.same(generation)?;
            let time = open.time.observe(now);
            let mut overdue = Vec::new();
            for key in open.table.expired(time, SLICE_ROWS) {
                // Rows that only the store has are the sweep's.
                if let Found::Row { row, meta, .. } = open.table.find(&key) {
                    // The bucket stands outside of the seal: it is believed once the seal is
                    // checked. A row that fails leaves memory only; a reader finds it in the
                    // store and reports it.
                    if meta.is_some() || open.ring.open_record(&key, &row).is_ok() {
                        overdue.push((key, row));
                    }
                }
                open.table.remove(&key);
            }
            if !overdue.is_empty() {
                self.erase(open, generation, overdue);
            }
            open.fence.is_overfull()
        };
        if overfull || turn % SWEEP_TURNS == 1 {
            self.sweep_store(generation, false).await?;
        }
        if overfull {
            // Every row that a mark gives up is gone: the mark may go too.
            let change = Change {
                marks: vec![Mark::Floor],
                ..Change::default()
            };
            self.change(generation, change).await?;
        }
        Ok(())
    }
}
