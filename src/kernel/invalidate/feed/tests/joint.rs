//! A client against the hub's own state machine, through a link that misbehaves.

use super::{
    world::{Action, Hub, Outgoing, TOPICS, World, action, cases},
    *,
};
use crate::kernel::invalidate::hub_log::{
    Blind, Invalidation, Log, Moment, Out, Peer, PeerLimits, Retention, TopicHash, View,
};
use proptest::prelude::*;
use std::sync::Arc;

struct Plainly;

impl Blind for Plainly {
    fn blind(&self, topic: &str) -> TopicHash {
        let mut hash = TopicHash::default();
        for (to, byte) in hash.iter_mut().zip(topic.bytes()) {
            *to = byte;
        }
        hash
    }
}

/// A hub of one connection.
struct Real {
    log: Log,
    peer: Peer,
    /// What the client's token does not allow.
    denied: Option<usize>,
    now: Now,
    /// The log's own clock: one record, one tick.
    ticks: u64,
}

fn limits() -> PeerLimits {
    PeerLimits {
        topics: 8,
        budget_bytes: 4_096,
        // So little that a replay is united, or goes by the index.
        replay_bytes: 160,
        hb_ms: HB_MS,
    }
}

impl Real {
    fn new() -> Self {
        Self {
            log: Log::new(epoch(1), Arc::new(Plainly)),
            peer: Peer::new(limits(), "s".into(), 0),
            denied: None,
            now: Now {
                wall_ms: 0,
                mono_ms: 0,
            },
            ticks: 0,
        }
    }

    fn look(&mut self, act: impl FnOnce(&mut Peer, View<'_>, &mut Vec<Out>)) -> Vec<Out> {
        let denied = self.denied.map(|topic| TOPICS[topic]);
        let view = View {
            log: &self.log,
            allows: &|topic| Some(topic) != denied,
            now: Moment {
                mono_ms: self.now.mono_ms,
                wall_ms: self.now.wall_ms,
            },
        };
        let mut out = Vec::new();
        act(&mut self.peer, view, &mut out);
        out
    }

    /// What the shell would do; everything here is allowed in but topics.
    fn send(&mut self, out: Vec<Out>, chained: bool) -> Vec<Outgoing> {
        let mut sent = Vec::new();
        for out in out {
            match out {
                Out::Send(text) => {
                    let links = ["{\"type\":\"inv\"", "{\"type\":\"hb\""];
                    let chained = chained && links.iter().any(|link| text.starts_with(link));
                    sent.push(Outgoing { text, chained });
                }
                Out::Authenticate(_) => {
                    let out = self.look(Peer::authenticated);
                    sent.extend(self.send(out, false));
                }
                Out::Listen(_) | Out::Unlisten(_) | Out::Close(_) => {}
            }
        }
        sent
    }
}

impl Hub for Real {
    fn connect(&mut self) {
        self.peer = Peer::new(limits(), "s".into(), self.now.mono_ms);
    }

    fn hear(&mut self, text: &str) -> Vec<Outgoing> {
        // What a `sub` replays is not part of the chain.
        let chained = !text.contains("\"type\":\"sub\"");
        let out = self.look(|peer, view, out| peer.on_text(text, view, out));
        self.send(out, chained)
    }

    fn publish(&mut self, topic: &str) {
        self.ticks += 1;
        let item = Invalidation::tag(topic)
            .check()
            .expect("a topic is a topic");
        let growth = self
            .log
            .grow(vec![item], self.ticks)
            .expect("there is room");
        self.log.apply(&growth);
    }

    fn publish_all(&mut self) -> bool {
        self.ticks += 1;
        let item = Invalidation::everything()
            .check()
            .expect("everything is something");
        let growth = self
            .log
            .grow(vec![item], self.ticks)
            .expect("there is room");
        self.log.apply(&growth);
        true
    }

    fn flush(&mut self) -> Vec<Outgoing> {
        let mut all = Vec::new();
        loop {
            let mut more = false;
            all.extend(self.look(|peer, view, out| more = peer.advance(view, false, out)));
            if !more {
                return self.send(all, true);
            }
        }
    }

    fn beat(&mut self) -> Vec<Outgoing> {
        let mut sent = self.flush();
        let wall_ms = self.now.wall_ms;
        let out = self.look(|peer, _, out| peer.beat(wall_ms, out));
        sent.extend(self.send(out, true));
        sent
    }

    fn compact(&mut self) {
        let window = self.log.window();
        let retention = Retention {
            record_age_ms: (window.head - window.floor) / 2,
            topic_age_ms: u64::MAX,
            topics: 3,
            ..Retention::default()
        };
        if let Some(trim) = self.log.compact(self.ticks, &retention) {
            self.log.trim(&trim);
        }
    }

    fn wipe(&mut self, epoch: Epoch) {
        self.log = Log::new(epoch, Arc::new(Plainly));
    }

    fn scope(&mut self, denied: Option<usize>, told: bool) -> Vec<Outgoing> {
        self.denied = denied;
        if !told || !self.peer.is_open() {
            return Vec::new();
        }
        let out = self.look(Peer::authenticated);
        self.send(out, false)
    }

    fn head(&self) -> Position {
        self.log.position()
    }

    fn at(&mut self, now: Now) {
        self.now = now;
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// I1, I2 and I4 between the two halves as they are.
    #[test]
    fn client_and_hub_together_miss_nothing(
        actions in prop::collection::vec(action(), 1..250),
        topics_max in prop_oneof![3 => Just(8_usize), 1 => Just(2)],
    ) {
        let mut world = World::new(Real::new(), topics_max);
        for action in &actions {
            world.act(action);
        }
        world.check_quiet();
    }
}

/// S31, S33: a scope that was lost while the client was away is purged before anything is read.
#[test]
fn a_topic_that_is_denied_after_a_reconnect_is_purged() {
    let mut world = World::new(Real::new(), 8);
    world.act(&Action::Fill(1, 0));
    world.act(&Action::Fill(2, 0));
    world.settle();
    assert_eq!(world.held(), 2);
    world.act(&Action::Cut);
    world.act(&Action::Scope(Some(0), false));
    world.settle();
    assert_eq!((world.purges, world.held()), (1, 1));
}
