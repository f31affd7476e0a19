//! Live delivery: what the log has for this client, within its budget.

use super::{
    super::{
        log::Log,
        replay::{self, Replay},
    },
    CloseCode, Out, Peer, View, send,
};
use crate::kernel::protocol::{HubFrame, ResetMode, ResetScope};

/// Records looked at in one step: it bounds how long the log is held.
const STEP_RECORDS: usize = 4096;

impl Peer {
    /// Delivers what the log has for this client, at most one budget's worth; `true` when there
    /// is more. With `stalled`, the socket did not keep up: what does not fit the budget is
    /// united, else replaced by resets and the end of the connection.
    pub fn advance(&mut self, view: View<'_>, stalled: bool, out: &mut Vec<Out>) -> bool {
        let log = view.log;
        if !self.is_open() {
            return false;
        }
        if self.epoch.as_ref() != Some(log.epoch()) {
            self.restart(log, "epoch", out);
            return false;
        }
        if self.seen < log.floor() {
            self.skip(log, "window", view.now.wall_ms, out);
            return false;
        }
        if stalled && self.overflows(view) {
            self.unite(view, out);
            return false;
        }
        let (mut bytes, before) = (0, self.seen);
        for record in log.records(self.seen, log.head()).take(STEP_RECORDS) {
            let lost: Vec<_> = record
                .topics
                .iter()
                .filter(|topic| self.topics.contains_key(*topic) && !(view.allows)(topic))
                .cloned()
                .collect();
            self.lose(&lost, log, out);
            if let Some(ops) = replay::visible(record, |topic| self.topics.contains_key(topic)) {
                bytes += inv(self.told, record.seq, &ops, out);
                self.told = record.seq;
            }
            self.seen = record.seq;
            if bytes >= self.limits.budget_bytes {
                break;
            }
        }
        // A step that got nowhere is not worth another one.
        self.seen < log.head() && self.seen > before
    }

    /// Whether more waits than the connection may hold.
    fn overflows(&self, view: View<'_>) -> bool {
        let log = view.log;
        let mut bytes = 0;
        for record in log.records(self.seen, log.head()) {
            let hears = |topic: &str| self.topics.contains_key(topic) && (view.allows)(topic);
            bytes += replay::visible(record, hears).map_or(0, |ops| ops.len() + 64);
            if bytes > self.limits.budget_bytes {
                return true;
            }
        }
        false
    }

    /// One frame for all that waits; else resets, and the connection ends.
    fn unite(&mut self, view: View<'_>, out: &mut Vec<Out>) {
        let log = view.log;
        let budget = self.limits.budget_bytes;
        let hears = |_: &_, topic: &str| self.topics.contains_key(topic) && (view.allows)(topic);
        match replay::replay(log, self.seen, log.head(), budget, hears) {
            Replay::Records(frames) => {
                for (seq, ops) in frames {
                    inv(self.told, seq, &ops, out);
                    self.told = seq;
                }
                self.seen = log.head();
            }
            Replay::TooMuch => {
                self.skip(log, "slow", view.now.wall_ms, out);
                self.leave("slow", Some(1_000), CloseCode::TryLater, out);
            }
        }
    }

    /// Jumps to the head over records that cannot be told: the index says which topics changed.
    fn skip(&mut self, log: &Log, reason: &str, wall_ms: u64, out: &mut Vec<Out>) {
        let from = self.seen;
        self.seen = log.head();
        let (frames, _) = replay::resets(log, self.topics.iter(), from, self.seen, reason);
        for frame in &frames {
            send(frame, out);
        }
        self.beat_from(self.told, wall_ms, out);
    }

    /// The log began a new life. What it has removed or purged since is told as such: a client of
    /// an earlier life may hold it.
    pub(super) fn restart(&mut self, log: &Log, reason: &str, out: &mut Vec<Out>) {
        self.epoch = Some(log.epoch().clone());
        self.seen = log.head();
        self.told = self.seen;
        send(
            &HubFrame::Reset {
                scope: ResetScope::All,
                mode: ResetMode::Revalidate,
                reason: reason.into(),
                epoch: log.epoch().clone(),
                upto: self.told,
            },
            out,
        );
        let (frames, _) = replay::resets(log, self.topics.iter(), 0, self.seen, reason);
        for frame in &frames {
            if !matches!(
                frame,
                HubFrame::Reset {
                    mode: ResetMode::Revalidate,
                    ..
                }
            ) {
                send(frame, out);
            }
        }
    }
}

/// Appends an `inv` around operations that are encoded already; tells its length.
pub(super) fn inv(prev: u64, seq: u64, ops: &str, out: &mut Vec<Out>) -> usize {
    let frame = format!(r#"{{"type":"inv","prev":{prev},"seq":{seq},"ops":{ops}}}"#);
    let bytes = frame.len();
    out.push(Out::Send(frame));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::protocol::{Op, OpKind, OpMode};

    #[test]
    fn an_inv_put_together_by_hand_is_the_frame_of_the_protocol() {
        let ops = vec![Op {
            kind: OpKind::Tag,
            id: "a\"b".into(),
            mode: OpMode::Remove,
            ver: None,
        }];
        let text = serde_json::to_string(&ops).unwrap_or_default();
        let mut out = Vec::new();
        inv(3, 5, &text, &mut out);
        let mut expected = Vec::new();
        send(
            &HubFrame::Inv {
                prev: 3,
                seq: 5,
                ops,
            },
            &mut expected,
        );
        assert_eq!(out, expected);
    }
}
