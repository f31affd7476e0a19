//! A log with peers, driven by hand.

mod limits;
mod model;
mod restore;
mod rules;

use super::{Blind, Invalidation, Log, Moment, Out, Peer, PeerLimits, Retention, TopicHash, View};
use crate::kernel::{
    invalidate::Epoch,
    protocol::{ClientFrame, HubFrame, TopicFrom, TopicSince, VERSION},
};
use std::sync::Arc;

/// A stand-in for the keyed hash.
struct Plain;

impl Blind for Plain {
    fn blind(&self, topic: &str) -> TopicHash {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        topic.hash(&mut hasher);
        let mut hash = [0; 16];
        hash[..8].copy_from_slice(&hasher.finish().to_le_bytes());
        hash
    }
}

const LIMITS: PeerLimits = PeerLimits {
    topics: 100,
    budget_bytes: 32 << 10,
    replay_bytes: 32 << 10,
    hb_ms: 1_000,
};

fn epoch(n: u8) -> Epoch {
    Epoch::from_bytes([n; 16])
}

fn log(n: u8) -> Log {
    Log::new(epoch(n), Arc::new(Plain))
}

fn publish(log: &mut Log, item: Invalidation, now_ms: u64) -> u64 {
    let item = item.check().expect("a valid invalidation");
    let growth = log.grow(vec![item], now_ms).expect("room in the log");
    log.apply(&growth);
    log.window().head
}

/// Keeps records above `floor` only, and index entries above `index_floor`.
fn trim(log: &mut Log, floor: u64, index_floor: u64) {
    // Records carry their own position as their time, so that ages are positions.
    let retention = Retention {
        record_age_ms: 0,
        record_bytes: usize::MAX,
        topic_age_ms: 0,
        topics: usize::MAX,
    };
    let keep_all = Retention {
        record_age_ms: u64::MAX,
        topic_age_ms: u64::MAX,
        ..retention
    };
    let records = Retention {
        record_age_ms: 0,
        ..keep_all
    };
    let topics = Retention {
        topic_age_ms: 0,
        ..keep_all
    };
    for (at, retention) in [(floor + 1, records), (index_floor + 1, topics)] {
        if let Some(plan) = log.compact(at, &retention) {
            log.trim(&plan);
        }
    }
}

/// A connection and what came out of it.
struct Wire {
    peer: Peer,
    limits: PeerLimits,
    now: Moment,
}

impl Wire {
    fn silent(limits: PeerLimits) -> Self {
        Self {
            peer: Peer::new(limits, "s".into(), 0),
            limits,
            now: Moment {
                mono_ms: 0,
                wall_ms: 7,
            },
        }
    }

    /// A connection that was welcomed.
    fn open(log: &Log) -> Self {
        Self::open_with(log, LIMITS)
    }

    fn open_with(log: &Log, limits: PeerLimits) -> Self {
        let mut wire = Self::silent(limits);
        let out = wire.say(log, &hello(VERSION));
        assert_eq!(out, [Out::Authenticate(None)]);
        let welcome = wire.accept(log, &|_| true);
        assert!(
            matches!(frames(&welcome)[..], [HubFrame::Welcome { .. }]),
            "{welcome:?}"
        );
        wire
    }

    fn view<T>(
        &mut self,
        log: &Log,
        allows: &dyn Fn(&str) -> bool,
        act: impl FnOnce(&mut Peer, View<'_>, &mut Vec<Out>) -> T,
    ) -> (T, Vec<Out>) {
        let mut out = Vec::new();
        let view = View {
            log,
            allows,
            now: self.now,
        };
        (act(&mut self.peer, view, &mut out), out)
    }

    fn text(&mut self, log: &Log, text: &str) -> Vec<Out> {
        self.view(log, &|_| true, |peer, view, out| {
            peer.on_text(text, view, out)
        })
        .1
    }

    fn say(&mut self, log: &Log, frame: &ClientFrame) -> Vec<Out> {
        let text = serde_json::to_string(frame).expect("a frame");
        self.text(log, &text)
    }

    fn accept(&mut self, log: &Log, allows: &dyn Fn(&str) -> bool) -> Vec<Out> {
        self.view(log, allows, |peer, view, out| peer.authenticated(view, out))
            .1
    }

    fn sub(&mut self, log: &Log, topics: &[(&str, Option<u64>)]) -> Vec<HubFrame> {
        frames(&self.say(log, &sub(topics)))
    }

    fn resume(&mut self, log: &Log, epoch: Epoch, seq: u64, topics: &[&str]) -> Vec<HubFrame> {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        frames(&self.say(
            log,
            &ClientFrame::Resume {
                rid: 1,
                epoch,
                seq,
                topics,
            },
        ))
    }

    fn advance(&mut self, log: &Log, stalled: bool) -> (bool, Vec<HubFrame>) {
        let (more, out) = self.view(log, &|_| true, |peer, view, out| {
            peer.advance(view, stalled, out)
        });
        (more, frames(&out))
    }

    /// Everything that the log has for the client.
    fn drain(&mut self, log: &Log) -> Vec<HubFrame> {
        let mut all = Vec::new();
        loop {
            let (more, frames) = self.advance(log, false);
            all.extend(frames);
            if !more {
                return all;
            }
        }
    }
}

fn hello(v: u32) -> ClientFrame {
    ClientFrame::Hello {
        v,
        client: "test".into(),
        device: "device".into(),
        caps: Vec::new(),
        token: None,
    }
}

fn sub(topics: &[(&str, Option<u64>)]) -> ClientFrame {
    let topics = topics.iter().map(|(t, since)| TopicSince {
        t: (*t).to_owned(),
        since: *since,
    });
    ClientFrame::Sub {
        rid: 1,
        topics: topics.collect(),
    }
}

/// The frames among what a peer wants done.
fn frames(out: &[Out]) -> Vec<HubFrame> {
    let frame = |out: &Out| match out {
        Out::Send(text) => Some(serde_json::from_str(text).expect("a frame of the protocol")),
        _ => None,
    };
    out.iter().filter_map(frame).collect()
}

fn from(t: &str, from: u64) -> TopicFrom {
    TopicFrom { t: t.into(), from }
}
