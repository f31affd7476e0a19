//! A client against a simple hub, through a link that drops, repeats, swaps, delays and ends.

use super::{
    world::{Action, Hub, Outgoing, World, action, cases},
    *,
};
use crate::kernel::protocol::{ResetMode, ResetScope, TopicSince};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// The protocol in its plainest form.
struct Plain {
    epoch: Epoch,
    floor: u64,
    log: Vec<String>,
    open: bool,
    topics: BTreeSet<String>,
    told: u64,
}

impl Plain {
    fn new() -> Self {
        Self {
            epoch: epoch(1),
            floor: 0,
            log: Vec::new(),
            open: false,
            topics: BTreeSet::new(),
            told: 0,
        }
    }

    fn end(&self) -> u64 {
        self.log.len() as u64
    }

    /// Records after a position, with theirs.
    fn after(&self, seq: u64) -> impl Iterator<Item = (u64, &String)> {
        (1..).zip(&self.log).filter(move |(at, _)| *at > seq)
    }

    fn inv(prev: u64, seq: u64, topic: &str, chained: bool) -> Outgoing {
        let ops = vec![tag(topic)];
        Outgoing {
            text: text(&HubFrame::Inv { prev, seq, ops }),
            chained,
        }
    }

    fn hb(prev: u64, upto: u64) -> Outgoing {
        Outgoing {
            text: text(&HubFrame::Hb { prev, upto, t: 0 }),
            chained: true,
        }
    }

    fn plain(frame: &HubFrame) -> Outgoing {
        Outgoing {
            text: text(frame),
            chained: false,
        }
    }

    fn answer(rid: u64, from: u64, topics: BTreeMap<String, u64>) -> Outgoing {
        Self::plain(&HubFrame::SubOk {
            rid,
            from,
            topics: topics
                .into_iter()
                .map(|(t, from)| TopicFrom { t, from })
                .collect(),
            denied: Vec::new(),
        })
    }

    fn reset(&self, scope: ResetScope) -> Outgoing {
        Self::plain(&HubFrame::Reset {
            scope,
            mode: ResetMode::Revalidate,
            reason: "test".into(),
            epoch: self.epoch.clone(),
            upto: self.end(),
        })
    }

    fn resume(&mut self, rid: u64, of: &Epoch, seq: u64, topics: Vec<String>) -> Vec<Outgoing> {
        let head = self.end();
        let asked: BTreeSet<String> = topics.into_iter().collect();
        self.topics.extend(asked.iter().cloned());
        self.told = head;
        if *of != self.epoch || seq > head {
            let answer = Self::answer(rid, head, BTreeMap::new());
            return vec![self.reset(ResetScope::All), answer];
        }
        let missed = self.after(seq).filter(|(_, topic)| asked.contains(*topic));
        let mut out = Vec::new();
        let mut own = BTreeMap::new();
        let mut prev = seq;
        if seq < self.floor {
            let changed: BTreeSet<&String> = missed.map(|(_, topic)| topic).collect();
            own.extend(changed.iter().map(|topic| ((*topic).clone(), head)));
            if !own.is_empty() {
                out.push(self.reset(ResetScope::Topics(own.keys().cloned().collect())));
            }
        } else {
            for (at, topic) in missed {
                out.push(Self::inv(prev, at, topic, true));
                prev = at;
            }
        }
        if prev < head {
            out.push(Self::hb(prev, head));
        }
        out.push(Self::answer(rid, seq, own));
        out
    }

    fn subscribe(&mut self, rid: u64, topics: Vec<TopicSince>) -> Vec<Outgoing> {
        let mut out = self.beat();
        let head = self.end();
        let mut own = BTreeMap::new();
        for TopicSince { t, since } in topics {
            self.topics.insert(t.clone());
            let Some(since) = since.filter(|since| *since < head) else {
                continue;
            };
            let missed = self.after(since).filter(|(_, topic)| **topic == t);
            let missed: Vec<u64> = missed.map(|(at, _)| at).collect();
            if since >= self.floor || missed.is_empty() {
                out.extend(missed.iter().map(|at| Self::inv(*at, *at, &t, false)));
                own.insert(t, since);
            }
        }
        out.push(Self::answer(rid, head, own));
        out
    }
}

impl Hub for Plain {
    fn connect(&mut self) {
        self.open = false;
        self.topics.clear();
    }

    fn hear(&mut self, text: &str) -> Vec<Outgoing> {
        match serde_json::from_str(text).expect("a client sends frames") {
            ClientFrame::Hello { .. } => {
                self.open = true;
                self.told = self.end();
                vec![Self::plain(&welcome(self.epoch.clone(), self.told))]
            }
            ClientFrame::Resume {
                rid,
                epoch,
                seq,
                topics,
            } => self.resume(rid, &epoch, seq, topics),
            ClientFrame::Sub { rid, topics } => self.subscribe(rid, topics),
            ClientFrame::Unsub { topics, .. } => {
                for topic in topics {
                    self.topics.remove(&topic.t);
                }
                Vec::new()
            }
            ClientFrame::Ack { .. } | ClientFrame::Auth { .. } => Vec::new(),
        }
    }

    fn publish(&mut self, topic: &str) {
        self.log.push(topic.to_owned());
    }

    fn flush(&mut self) -> Vec<Outgoing> {
        let mut prev = self.told;
        let mut out = Vec::new();
        if self.open {
            for (at, topic) in self.after(self.told) {
                if self.topics.contains(topic) {
                    out.push(Self::inv(prev, at, topic, true));
                    prev = at;
                }
            }
            self.told = prev;
        }
        out
    }

    fn beat(&mut self) -> Vec<Outgoing> {
        let mut out = self.flush();
        if self.open {
            out.push(Self::hb(self.told, self.end()));
            self.told = self.end();
        }
        out
    }

    fn compact(&mut self) {
        self.floor += (self.end() - self.floor) / 2;
    }

    fn wipe(&mut self, epoch: Epoch) {
        self.epoch = epoch;
        self.log.clear();
        self.floor = 0;
        // Whoever is connected is cut off.
        self.open = false;
    }

    fn head(&self) -> Position {
        Position::new(self.epoch.clone(), self.end())
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// I1, I2 and I4 under every kind of harm at once.
    #[test]
    fn what_is_covered_was_never_missed(
        actions in prop::collection::vec(action(), 1..250),
        topics_max in prop_oneof![3 => Just(8_usize), 1 => Just(2)],
    ) {
        let mut world = World::new(Plain::new(), topics_max);
        for action in &actions {
            world.act(action);
            if matches!(action, Action::Wipe) {
                world.act(&Action::Cut);
            }
        }
        world.check_quiet();
    }

    /// Any text at all is survived.
    #[test]
    fn no_text_breaks_a_feed(texts in prop::collection::vec(".{0,80}", 1..20), at in 0..3_u8) {
        let mut tab = Tab::new(Some(pos(10)), &[("a", 5)]);
        if at > 0 {
            tab.greet(epoch(1), 10);
        }
        if at > 1 {
            tab.sub_ok(1, 10);
        }
        for text in &texts {
            tab.hear_text(text);
        }
        prop_assert!(!tab.covers("a", 4));
    }
}

/// The property above says something: in a calm world most entries are covered.
#[test]
fn a_calm_world_is_covered() {
    let mut world = World::new(Plain::new(), 8);
    for round in 0..50_u8 {
        world.act(&Action::Fill(1 + round % 15, 0));
        world.act(&Action::Load(usize::from(round)));
        world.act(&Action::Publish(usize::from(round) % 4));
        world.settle();
    }
    assert!(world.covered > 2_000, "{}", world.covered);
    assert!(world.shadow.covered > 2_000, "{}", world.shadow.covered);
    world.check_quiet();
}
