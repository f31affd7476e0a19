//! Locking a vault that nobody uses.

use super::core::{Core, locked};
use crate::error::Result;
use futures_util::future::{Either, select};
use std::sync::Arc;

impl Core {
    /// Notes that a session is used, and locks first when it was idle for too long: timers stop
    /// while a device sleeps, clocks do not.
    pub(super) fn touch(&self) -> Result<()> {
        let Some(auto_lock_ms) = self.auto_lock_ms else {
            return Ok(());
        };
        {
            let now = self.now();
            let mut state = self.state();
            let open = state.open()?;
            let time = open.time.observe(now);
            if time.saturating_sub(open.used_at) < auto_lock_ms {
                open.used_at = time;
                return Ok(());
            }
        }
        self.lock(true);
        Err(locked())
    }

    pub(super) fn start_auto_lock(self: &Arc<Self>, generation: u64) {
        let (Some(auto_lock_ms), Some(mut dead)) =
            (self.auto_lock_ms, self.end_with_vault(generation))
        else {
            return;
        };
        let core = Arc::downgrade(self);
        let clock = self.platform.clock.clone();
        self.spawn(Box::pin(async move {
            loop {
                let left = {
                    let Some(core) = core.upgrade() else {
                        return;
                    };
                    let now = core.now();
                    let mut state = core.state();
                    let Ok(open) = state.same(generation) else {
                        return;
                    };
                    let idle = open.time.observe(now).saturating_sub(open.used_at);
                    auto_lock_ms.saturating_sub(idle)
                };
                if left == 0 {
                    if let Some(core) = core.upgrade() {
                        core.lock(true);
                    }
                    return;
                }
                if let Either::Left(_) = select(&mut dead, clock.sleep(left)).await {
                    return;
                }
            }
        }));
    }
}
