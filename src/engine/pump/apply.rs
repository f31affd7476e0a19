//! What a frame gives up, in this vault's terms.

use super::Pump;
use crate::{
    engine::{
        event::Event,
        writer::{Change, Mark},
    },
    kernel::{
        invalidate::{Position, feed::ResetReason, fence::Target},
        protocol::{Op, ResetMode, ResetScope},
    },
};

impl Pump {
    pub(super) fn applied(&self, ops: &[Op], at: &Position, cursor: Position) -> Option<Change> {
        let mut state = self.core.state();
        let open = state.same(self.generation).ok()?;
        let blind = open.blind_ops(ops);
        for key in &blind.gone {
            open.table.remove(key);
        }
        state.counters.invalidations += 1;
        state
            .listeners
            .changed(blind.gone.iter().chain(&blind.touched));
        Some(Change {
            marks: vec![
                Mark::Adopt(at.epoch.clone()),
                Mark::At(at.seq, blind.targets),
            ],
            delete: blind.gone,
            cursor: Some(cursor),
            ..Change::default()
        })
    }

    /// Follower: what the leader has stored already counts here before the rows are read again.
    pub(super) fn preview(&self, ops: &[Op], seq: u64) {
        let mut state = self.core.state();
        let Ok(open) = state.same(self.generation) else {
            return;
        };
        let blind = open.blind_ops(ops);
        for key in &blind.gone {
            open.table.remove(key);
        }
        open.fence.preview_at(seq, blind.targets);
        state.counters.invalidations += 1;
        state
            .listeners
            .changed(blind.gone.iter().chain(&blind.touched));
    }

    pub(super) fn reset(
        &mut self,
        scope: &ResetScope,
        mode: ResetMode,
        upto: &Position,
        cursor: Position,
        reason: ResetReason,
    ) -> Option<Change> {
        let mut state = self.core.state();
        let open = state.same(self.generation).ok()?;
        let hard = mode != ResetMode::Revalidate;
        let (mark, delete) = match scope {
            _ if open.fence.epoch() != Some(&upto.epoch) => {
                let delete = if hard {
                    open.table.keys().copied().collect()
                } else {
                    Vec::new()
                };
                (Mark::Enter(upto.epoch.clone(), upto.seq, hard), delete)
            }
            ResetScope::All => {
                let delete = if hard {
                    open.table.keys().copied().collect()
                } else {
                    Vec::new()
                };
                (Mark::At(upto.seq, vec![(Target::All, hard, None)]), delete)
            }
            ResetScope::Topics(topics) => {
                let mut delete = Vec::new();
                let targets = topics
                    .iter()
                    .map(|topic| {
                        let tag = open.ring.blind_tag(topic);
                        if hard {
                            delete.extend(open.table.tagged(&tag));
                        }
                        (Target::Tag(tag), hard, None)
                    })
                    .collect();
                (Mark::At(upto.seq, targets), delete)
            }
        };
        for key in &delete {
            open.table.remove(key);
        }
        if reason != ResetReason::First {
            self.was_reset = true;
            state.counters.resets += 1;
            state.listeners.tell(&Event::Reset);
        }
        state.listeners.all_changed();
        Some(Change {
            marks: vec![mark],
            delete,
            cursor: Some(cursor),
            topics: true,
            ..Change::default()
        })
    }
}
