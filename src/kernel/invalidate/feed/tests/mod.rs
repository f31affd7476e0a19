//! One client, frames by hand. Scenario numbers are those of `docs/protocol.md`.

mod follower;
mod joint;
mod property;
mod rules;
mod shadow;
mod topics;
mod trust;
mod world;

use super::*;
use crate::kernel::{
    invalidate::{Epoch, Position},
    protocol::{ClientFrame, HubFrame, Limits, Op, OpKind, OpMode, TopicDenied, TopicFrom},
};

pub(super) const HB_MS: u64 = 10_000;
pub(super) const LEASE_MS: u64 = 2 * HB_MS + 1_000;

pub(super) fn epoch(n: u8) -> Epoch {
    Epoch::from_bytes([n; 16])
}

pub(super) fn pos(seq: u64) -> Position {
    Position::new(epoch(1), seq)
}

pub(super) fn tag(name: &str) -> Op {
    Op {
        kind: OpKind::Tag,
        id: name.into(),
        mode: OpMode::Expire,
        ver: None,
    }
}

pub(super) fn text(frame: &HubFrame) -> String {
    serde_json::to_string(frame).expect("a frame has a text form")
}

/// A feed with an engine that commits at once, unless told to hold.
pub(super) struct Tab {
    pub(super) feed: Feed,
    pub(super) now: Now,
    /// Every effect so far.
    pub(super) log: Vec<Effect>,
    /// Tickets that were not committed because of `hold`.
    pub(super) held: Vec<Ticket>,
    pub(super) hold: bool,
    /// What the store saved: cursor and topics.
    pub(super) saved: (Option<Position>, Vec<(String, u64)>),
}

impl Tab {
    /// A tab with a saved cursor and saved topics that leads already.
    pub(super) fn new(cursor: Option<Position>, topics: &[(&str, u64)]) -> Self {
        let topics: Vec<(String, u64)> =
            topics.iter().map(|(t, f)| ((*t).to_owned(), *f)).collect();
        let now = Now {
            wall_ms: 1_000_000,
            mono_ms: 5_000,
        };
        let mut config = FeedConfig::new("test", "device", 7);
        config.topics_max = 64;
        let mut tab = Self {
            feed: Feed::new(config, cursor.clone(), topics.clone()),
            now,
            log: Vec::new(),
            held: Vec::new(),
            hold: false,
            saved: (cursor.clone(), topics.clone()),
        };
        let effects = tab.feed.lead(1, cursor, topics, now);
        tab.perform(effects);
        tab
    }

    /// A tab that is connected, resumed at its saved cursor, and live.
    pub(super) fn live(cursor: u64, topics: &[(&str, u64)]) -> Self {
        let mut tab = Self::new(Some(pos(cursor)), topics);
        tab.greet(epoch(1), cursor);
        tab.sub_ok(1, cursor);
        assert_eq!(tab.state(), FeedState::Live);
        tab.log.clear();
        tab
    }

    pub(super) fn perform(&mut self, effects: Vec<Effect>) {
        let mut todo: VecDeque<Effect> = effects.into();
        while let Some(effect) = todo.pop_front() {
            let ticket = match &effect {
                Effect::Apply { ticket, cursor, .. } => Some((*ticket, Some(cursor.clone()))),
                Effect::Reset { ticket, cursor, .. } => Some((*ticket, Some(cursor.clone()))),
                Effect::Topics { ticket } => Some((*ticket, None)),
                _ => None,
            };
            let topics_too = matches!(effect, Effect::Reset { .. } | Effect::Topics { .. });
            self.log.push(effect);
            let Some((ticket, cursor)) = ticket else {
                continue;
            };
            if self.hold {
                self.held.push(ticket);
                continue;
            }
            if let Some(cursor) = cursor {
                self.saved.0 = Some(cursor);
            }
            if topics_too {
                self.saved.1 = self.topics();
            }
            todo.extend(self.feed.on_applied(ticket, self.now));
        }
    }

    pub(super) fn topics(&self) -> Vec<(String, u64)> {
        self.feed.topics().map(|(t, f)| (t.to_owned(), f)).collect()
    }

    pub(super) fn commit_held(&mut self) {
        self.hold = false;
        for ticket in std::mem::take(&mut self.held) {
            let effects = self.feed.on_applied(ticket, self.now);
            self.perform(effects);
        }
    }

    pub(super) fn greet(&mut self, epoch: Epoch, head: u64) {
        let effects = self.feed.on_connected(None, self.now);
        self.perform(effects);
        self.hear(&welcome(epoch, head));
    }

    pub(super) fn hear(&mut self, frame: &HubFrame) {
        self.hear_text(&text(frame));
    }

    pub(super) fn hear_text(&mut self, text: &str) {
        let effects = self.feed.on_text(text, self.now);
        self.perform(effects);
    }

    pub(super) fn inv(&mut self, prev: u64, seq: u64, topics: &[&str]) {
        let ops = topics.iter().map(|topic| tag(topic)).collect();
        self.hear(&HubFrame::Inv { prev, seq, ops });
    }

    pub(super) fn hb(&mut self, prev: u64, upto: u64) {
        self.hear(&HubFrame::Hb { prev, upto, t: 0 });
    }

    pub(super) fn sub_ok(&mut self, rid: u64, from: u64) {
        self.hear(&HubFrame::SubOk {
            rid,
            from,
            topics: Vec::new(),
            denied: Vec::new(),
        });
    }

    pub(super) fn want(&mut self, topic: &str, since: Option<u64>) {
        let effects = self.feed.want(topic, since.map(pos), self.now);
        self.perform(effects);
    }

    pub(super) fn timer(&mut self) {
        let effects = self.feed.on_timer(self.now);
        self.perform(effects);
    }

    pub(super) fn lost(&mut self) {
        let effects = self.feed.on_lost(self.now);
        self.perform(effects);
    }

    /// Both clocks go on.
    pub(super) fn pass(&mut self, ms: u64) {
        self.now.wall_ms += ms;
        self.now.mono_ms += ms;
    }

    pub(super) fn state(&self) -> FeedState {
        self.feed.state(self.now)
    }

    pub(super) fn covers(&self, topic: &str, seq: u64) -> bool {
        self.feed.covers(&[topic], &pos(seq), self.now)
    }

    pub(super) fn cursor(&self) -> Option<u64> {
        self.feed.cursor().map(|cursor| cursor.seq)
    }

    /// The newest frame sent.
    pub(super) fn sent(&self) -> Option<&ClientFrame> {
        self.log.iter().rev().find_map(|effect| match effect {
            Effect::Send(frame) => Some(frame),
            _ => None,
        })
    }

    /// The newest request.
    pub(super) fn sent_rid(&self) -> u64 {
        let rid = self.log.iter().rev().find_map(|effect| match effect {
            Effect::Send(
                ClientFrame::Sub { rid, .. }
                | ClientFrame::Resume { rid, .. }
                | ClientFrame::Unsub { rid, .. },
            ) => Some(*rid),
            _ => None,
        });
        rid.expect("a request was sent")
    }

    /// From where the newest resume goes on.
    pub(super) fn resumed_at(&self) -> Option<u64> {
        self.log.iter().rev().find_map(|effect| match effect {
            Effect::Send(ClientFrame::Resume { seq, .. }) => Some(*seq),
            _ => None,
        })
    }

    /// Positions and ids of everything that was given up by name.
    pub(super) fn applied(&self) -> Vec<(u64, String)> {
        let ops = self.log.iter().filter_map(|effect| match effect {
            Effect::Apply { ops, at, .. } => Some(ops.iter().map(|op| (at.seq, op.id.clone()))),
            _ => None,
        });
        ops.flatten().collect()
    }

    pub(super) fn resets(&self) -> Vec<(ResetReason, u64)> {
        let resets = self.log.iter().filter_map(|effect| match effect {
            Effect::Reset { reason, upto, .. } => Some((*reason, upto.seq)),
            _ => None,
        });
        resets.collect()
    }

    pub(super) fn faults(&self) -> Vec<crate::ErrorKind> {
        let faults = self.log.iter().filter_map(|effect| match effect {
            Effect::Fault(kind, _) => Some(*kind),
            _ => None,
        });
        faults.collect()
    }

    pub(super) fn reconnects_after(&self) -> Option<u64> {
        self.log.iter().rev().find_map(|effect| match effect {
            Effect::Connect { after_ms } => Some(*after_ms),
            _ => None,
        })
    }
}

pub(super) fn welcome(epoch: Epoch, head: u64) -> HubFrame {
    HubFrame::Welcome {
        v: 1,
        session: "s".into(),
        epoch,
        head,
        floor: 0,
        index_floor: 0,
        hb_ms: HB_MS,
        limits: Limits {
            topics: 64,
            frame_bytes: 1 << 20,
        },
    }
}
