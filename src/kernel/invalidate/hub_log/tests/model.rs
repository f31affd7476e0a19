//! Random lives of a log and one client, held against a plain list of everything published.
//!
//! Each record names a key of its own, so it is known which record an operation came from. What
//! must hold: frames never leave a gap; whatever a covered topic's records said since the cover
//! began was delivered or stands behind a reset at least as hard; nothing is told to a client
//! that did not ask for it.

use super::*;
use crate::kernel::protocol::{OpMode, ResetMode, ResetScope};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const TOPICS: [&str; 4] = ["a", "b", "c", "d"];

#[derive(Clone, Debug)]
enum Step {
    Publish {
        topics: u8,
        mode: u8,
        everyone: bool,
    },
    Sub {
        topic: usize,
        back: Option<u64>,
    },
    Unsub {
        topic: usize,
    },
    Advance {
        stalled: bool,
    },
    Beat,
    Resume,
    Reconnect,
    Trim {
        records: u64,
        topics: u64,
    },
    NewEpoch,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..16_u8, 0..3_u8, prop::bool::weighted(0.05))
            .prop_map(|(topics, mode, everyone)| Step::Publish { topics, mode, everyone }),
        4 => (0..4_usize, prop::option::of(0..30_u64))
            .prop_map(|(topic, back)| Step::Sub { topic, back }),
        1 => (0..4_usize).prop_map(|topic| Step::Unsub { topic }),
        4 => any::<bool>().prop_map(|stalled| Step::Advance { stalled }),
        2 => Just(Step::Beat),
        1 => Just(Step::Resume),
        2 => Just(Step::Reconnect),
        2 => (0..20_u64, 0..30_u64).prop_map(|(records, topics)| Step::Trim { records, topics }),
        1 => Just(Step::NewEpoch),
    ]
}

struct Published {
    topics: BTreeSet<&'static str>,
    everyone: bool,
    rank: u8,
}

const fn rank_of_op(mode: OpMode) -> u8 {
    match mode {
        OpMode::Purge => 2,
        OpMode::Remove => 1,
        _ => 0,
    }
}

const fn rank_of_reset(mode: ResetMode) -> u8 {
    match mode {
        ResetMode::Purge => 2,
        ResetMode::Drop => 1,
        ResetMode::Revalidate => 0,
    }
}

/// A client that believes what the protocol says, and remembers why.
struct World {
    log: Log,
    life: u8,
    published: Vec<Published>,
    wire: Wire,
    /// The life of the log as the client knows it.
    known: u8,
    /// The end of the chain of frames.
    chain: u64,
    cover: BTreeMap<&'static str, u64>,
    /// Records that are accounted for, by topic.
    settled: BTreeSet<(&'static str, u64)>,
}

impl World {
    fn new(limits: PeerLimits) -> Self {
        let log = log(1);
        Self {
            wire: Wire::open_with(&log, limits),
            log,
            life: 1,
            known: 1,
            published: Vec::new(),
            chain: 0,
            cover: BTreeMap::new(),
            settled: BTreeSet::new(),
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Publish {
                topics,
                mode,
                everyone,
            } => self.publish(topics, mode, everyone),
            Step::Sub { topic, back } => {
                let topic = TOPICS[topic];
                let since = back.map(|back| self.log.window().head.saturating_sub(back));
                let frames = self.wire.sub(&self.log, &[(topic, since)]);
                let from = self.hear(frames, &[topic]);
                let from = from.get(topic).copied().expect("nothing is denied here");
                let held = self.cover.get(topic).copied();
                self.cover
                    .insert(topic, held.map_or(from, |held| held.min(from)));
            }
            Step::Unsub { topic } => {
                let topic = TOPICS[topic];
                self.cover.remove(topic);
                let frame = ClientFrame::Unsub {
                    rid: 1,
                    topics: vec![TopicSince {
                        t: topic.into(),
                        since: None,
                    }],
                };
                let frames = frames(&self.wire.say(&self.log, &frame));
                self.hear(frames, &[]);
            }
            Step::Advance { stalled } => {
                let (_, frames) = self.wire.advance(&self.log, stalled);
                self.hear(frames, &[]);
                if !self.wire.peer.is_open() {
                    self.reconnect();
                }
            }
            Step::Beat => {
                let (_, out) = self
                    .wire
                    .view(&self.log, &|_| true, |peer, _, out| peer.beat(7, out));
                self.hear(frames(&out), &[]);
            }
            Step::Resume => self.resume(),
            Step::Reconnect => self.reconnect(),
            Step::Trim { records, topics } => {
                let head = self.log.window().head;
                trim(
                    &mut self.log,
                    head.saturating_sub(records),
                    head.saturating_sub(topics),
                );
            }
            Step::NewEpoch => {
                self.life += 1;
                self.log = log(self.life);
                self.published.clear();
            }
        }
        // Requests are not what is tested here.
        self.wire.now.mono_ms += 60_000;
        self.check();
    }

    fn publish(&mut self, topics: u8, mode: u8, everyone: bool) {
        let mode = [OpMode::Expire, OpMode::Remove, OpMode::Purge][usize::from(mode)];
        let seq = self.log.window().head + 1;
        let named: BTreeSet<&'static str> = TOPICS
            .iter()
            .enumerate()
            .filter(|(at, _)| topics & (1 << at) != 0)
            .map(|(_, topic)| *topic)
            .collect();
        let mut item = if everyone {
            Invalidation::everything().and_key(seq.to_string())
        } else {
            // Long enough that a few dozen do not fit a budget.
            Invalidation::key(format!("{seq}:{}", "x".repeat(2_000)))
        };
        item = named
            .iter()
            .fold(item.mode(mode), |item, topic| item.topic(*topic));
        publish(&mut self.log, item, seq);
        self.published.push(Published {
            topics: named,
            everyone,
            rank: rank_of_op(mode),
        });
    }

    fn reconnect(&mut self) {
        self.wire = Wire::open_with(&self.log, self.wire.limits);
        self.resume();
    }

    fn resume(&mut self) {
        // A connection learns of a new epoch from its first frames; a client names its own.
        let (life, chain) = (self.known, self.chain);
        let topics: Vec<&'static str> = self.cover.keys().copied().collect();
        let frames = self.wire.resume(&self.log, epoch(life), chain, &topics);
        let from = self.hear(frames, &topics);
        for (topic, from) in from {
            if from > chain || life != self.life {
                self.cover.insert(topic, from);
            }
        }
    }

    /// Takes frames as a client does; gives what the answer among them says of each topic.
    fn hear(
        &mut self,
        frames: Vec<HubFrame>,
        asked: &[&'static str],
    ) -> BTreeMap<&'static str, u64> {
        let mut answer = BTreeMap::new();
        for frame in frames {
            match frame {
                HubFrame::Inv { prev, seq, ops } => {
                    assert_eq!(self.known, self.life, "records of a life not announced");
                    assert!(prev <= self.chain, "a gap: {prev} after {}", self.chain);
                    assert!(prev <= seq && seq <= self.log.window().head);
                    self.chain = self.chain.max(seq);
                    for op in ops {
                        if !op.id.is_empty() {
                            self.hear_op(&op.id, op.mode, seq, asked);
                        }
                    }
                }
                HubFrame::Hb { prev, upto, .. } => {
                    assert!(prev <= self.chain, "a gap: {prev} after {}", self.chain);
                    self.chain = self.chain.max(upto);
                }
                HubFrame::Reset {
                    scope,
                    mode,
                    epoch,
                    upto,
                    ..
                } => {
                    self.hear_reset(&scope, mode, &epoch, upto);
                }
                HubFrame::SubOk {
                    from,
                    topics,
                    denied,
                    ..
                } => {
                    assert!(denied.is_empty());
                    for topic in asked {
                        let own = topics.iter().find(|own| own.t == *topic);
                        answer.insert(*topic, own.map_or(from, |own| own.from));
                    }
                }
                HubFrame::GoAway { code, .. } => assert_eq!(code, "slow"),
                frame => panic!("{frame:?}"),
            }
        }
        answer
    }

    fn hear_op(&mut self, id: &str, mode: OpMode, seq: u64, asked: &[&'static str]) {
        let number = id.split(':').next().and_then(|n| n.parse::<u64>().ok());
        let number = number.expect("an operation of this test");
        assert!(number <= seq, "told before it happened");
        let record = &self.published[usize::try_from(number).expect("small") - 1];
        assert!(rank_of_op(mode) >= record.rank, "milder than published");
        let asked = |topic| self.cover.contains_key(topic) || asked.contains(topic);
        assert!(
            record.everyone || record.topics.iter().any(asked),
            "told to a client that did not ask"
        );
        for topic in TOPICS {
            if record.everyone || record.topics.contains(topic) {
                self.settled.insert((topic, number));
            }
        }
    }

    fn hear_reset(&mut self, scope: &ResetScope, mode: ResetMode, of: &Epoch, upto: u64) {
        if *of != epoch(self.known) {
            assert_eq!((scope, of), (&ResetScope::All, &epoch(self.life)));
            self.known = self.life;
            self.chain = upto;
            self.settled.clear();
            self.cover.values_mut().for_each(|from| *from = upto);
            return;
        }
        if *scope == ResetScope::All {
            self.chain = self.chain.max(upto);
        }
        for topic in TOPICS {
            let named = match scope {
                ResetScope::All => true,
                ResetScope::Topics(topics) => topics.iter().any(|named| named == topic),
            };
            for (number, record) in (1..=upto).zip(&self.published) {
                if named && rank_of_reset(mode) >= record.rank {
                    self.settled.insert((topic, number));
                }
            }
        }
    }

    fn check(&self) {
        if self.known != self.life {
            return;
        }
        for (topic, from) in &self.cover {
            for (number, record) in (1..=self.chain).zip(&self.published) {
                let concerns = record.everyone || record.topics.contains(topic);
                assert!(
                    number <= *from || !concerns || self.settled.contains(&(*topic, number)),
                    "record {number} of {topic}, covered from {from}, is lost at {}",
                    self.chain
                );
            }
        }
    }
}

/// How many lives; `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    let cases = std::env::var("PROPTEST_CASES").ok();
    cases.and_then(|cases| cases.parse().ok()).unwrap_or(256)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    #[test]
    fn no_covered_record_is_ever_lost(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new(LIMITS);
        for step in steps {
            world.run(step);
        }
        // In the end everything is delivered, and stays so.
        for frames in [world.wire.drain(&world.log), world.wire.drain(&world.log)] {
            world.hear(frames, &[]);
        }
        if world.wire.peer.is_open() {
            world.run(Step::Beat);
            assert_eq!(world.chain, world.log.window().head);
        }
    }
}
