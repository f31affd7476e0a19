//! A small world for property tests: one hub, one link that misbehaves, one tab with a store
//! that may be slow, fail or crash, and an oracle that sees everything.

use super::{shadow::Shadow, *};
use crate::kernel::protocol::{ResetMode, ResetScope};
use proptest::prelude::*;
use std::collections::{HashMap, VecDeque};

pub(super) const TOPICS: [&str; 4] = ["a", "b", "c", "d"];
/// The longest that a link delays a frame while time passes in small steps, in milliseconds.
const DELAY_MS: u64 = 60_000;

/// How many worlds: few by default, `PROPTEST_CASES` for a soak.
pub(super) fn cases() -> u32 {
    let cases = std::env::var("PROPTEST_CASES").ok();
    cases.and_then(|cases| cases.parse().ok()).unwrap_or(128)
}

/// What a hub sent.
pub(super) struct Outgoing {
    pub(super) text: String,
    /// Part of the chain: a later frame tells that it is missing, so the link may harm it.
    pub(super) chained: bool,
}

/// A hub with one connection.
pub(super) trait Hub {
    fn connect(&mut self);
    fn hear(&mut self, text: &str) -> Vec<Outgoing>;
    fn publish(&mut self, topic: &str);
    /// Publishes a record of everything, for everybody; `false` where that is not built.
    fn publish_all(&mut self) -> bool {
        false
    }
    /// Sends what was published.
    fn flush(&mut self) -> Vec<Outgoing>;
    fn beat(&mut self) -> Vec<Outgoing>;
    /// Forgets the older half of the records.
    fn compact(&mut self);
    /// Begins a new log.
    fn wipe(&mut self, epoch: Epoch);
    fn head(&self) -> Position;
    /// From now on the client may not hear of a topic; with `told`, the hub looks at once.
    fn scope(&mut self, denied: Option<usize>, told: bool) -> Vec<Outgoing> {
        let _ = (denied, told);
        Vec::new()
    }
    fn at(&mut self, now: Now) {
        let _ = now;
    }
}

#[derive(Clone, Debug)]
pub(super) enum Action {
    Publish(usize),
    PublishAll,
    Flush,
    Beat,
    ToHub,
    ToClient(u8),
    Drop,
    Repeat,
    Swap,
    Cut,
    Connect,
    /// Topics as bits; how far behind the head the origin was.
    Fill(u8, u64),
    Commit,
    Fail,
    Crash,
    Pass(u64),
    /// The monotonic clock sleeps too, or not.
    Sleep(bool),
    SetBack,
    Timer,
    Forget(usize),
    Compact,
    Wipe,
    Scope(Option<usize>, bool),
    /// The second tab takes messages.
    Follow(u8),
    LoseRelay,
    /// The second tab reads an entry.
    Load(usize),
    /// A reading of the second tab ends.
    Read,
    /// What the second tab says reaches the leader, or is lost.
    Answer(bool),
}

pub(super) fn action() -> impl Strategy<Value = Action> {
    use Action::*;
    prop_oneof![
        12 => (0..TOPICS.len()).prop_map(Publish),
        1 => Just(PublishAll),
        8 => Just(Flush),
        6 => Just(Beat),
        20 => Just(ToHub),
        20 => (1..6_u8).prop_map(ToClient),
        2 => Just(Drop),
        2 => Just(Repeat),
        2 => Just(Swap),
        1 => Just(Cut),
        8 => Just(Connect),
        10 => (1..16_u8, prop_oneof![3 => Just(0), 1 => 1..6_u64]).prop_map(|(t, lag)| Fill(t, lag)),
        20 => Just(Commit),
        1 => Just(Fail),
        1 => Just(Crash),
        6 => prop_oneof![3 => 1..2_000_u64, 1 => 5_000..20_000_u64].prop_map(Pass),
        1 => any::<bool>().prop_map(Sleep),
        1 => Just(SetBack),
        3 => Just(Timer),
        1 => (0..TOPICS.len()).prop_map(Forget),
        1 => Just(Compact),
        1 => Just(Wipe),
        14 => (1..8_u8).prop_map(Follow),
        1 => Just(LoseRelay),
        8 => any::<usize>().prop_map(Load),
        8 => Just(Read),
        10 => prop::bool::weighted(0.9).prop_map(Answer),
        2 => (prop::option::of(0..TOPICS.len()), any::<bool>()).prop_map(|(t, told)| Scope(t, told)),
    ]
}

/// A record as the oracle knows it.
pub(super) struct Published {
    pub(super) at: Position,
    /// One topic, or everything.
    topic: Option<usize>,
    when: Now,
}

impl Published {
    /// Whether an entry must be given up for it.
    pub(super) fn concerns(&self, entry: &Entry) -> bool {
        self.topic.is_none_or(|topic| entry.topics.contains(&topic))
            && self.at.epoch == entry.position.epoch
            && self.at.seq > entry.position.seq
    }
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) topics: Vec<usize>,
    pub(super) position: Position,
}

impl Entry {
    pub(super) fn is_named(&self, op: &Op) -> bool {
        match op.kind {
            OpKind::All => op.id.is_empty(),
            _ => self.topics.iter().any(|topic| op.id == TOPICS[*topic]),
        }
    }
}

/// A store transaction that is not committed.
struct Pending {
    ticket: Ticket,
    effect: Effect,
}

pub(super) struct World<H> {
    pub(super) hub: H,
    feed: Feed,
    now: Now,
    generation: u64,
    epochs: u8,
    connected: bool,
    connect_due: bool,
    to_hub: VecDeque<String>,
    to_client: VecDeque<Outgoing>,
    pending: VecDeque<Pending>,
    saved: (Option<Position>, Vec<(String, u64)>),
    entries: Vec<Entry>,
    /// The newest positions at which topics were given up, as the store has them.
    marks: HashMap<(Epoch, usize), u64>,
    published: Vec<Published>,
    /// Time jumped in a way that tells nothing about how old frames in the link are.
    slept: bool,
    /// How often an entry was found covered.
    pub(super) covered: u64,
    pub(super) shadow: Shadow,
    /// How often something was purged.
    pub(super) purges: u64,
    topics_max: usize,
}

impl<H: Hub> World<H> {
    /// A world whose tab holds at most so many topics.
    pub(super) fn new(hub: H, topics_max: usize) -> Self {
        let now = Now {
            wall_ms: 1_000_000_000,
            mono_ms: 1_000,
        };
        let config = FeedConfig::new("test", "device", 3);
        let mut world = Self {
            hub,
            feed: Feed::new(config, None, []),
            now,
            generation: 0,
            epochs: 1,
            connected: false,
            connect_due: false,
            to_hub: VecDeque::new(),
            to_client: VecDeque::new(),
            pending: VecDeque::new(),
            saved: (None, Vec::new()),
            entries: Vec::new(),
            marks: HashMap::new(),
            published: Vec::new(),
            slept: false,
            covered: 0,
            shadow: Shadow::new(now),
            purges: 0,
            topics_max,
        };
        world.crash();
        world
    }

    pub(super) fn act(&mut self, action: &Action) {
        match *action {
            Action::Publish(topic) => {
                self.hub.publish(TOPICS[topic]);
                let at = self.hub.head();
                let when = self.now;
                let topic = Some(topic);
                self.published.push(Published { at, topic, when });
            }
            Action::PublishAll => {
                if self.hub.publish_all() {
                    self.published.push(Published {
                        at: self.hub.head(),
                        topic: None,
                        when: self.now,
                    });
                }
            }
            Action::Flush => {
                let sent = self.hub.flush();
                self.send(sent);
            }
            Action::Beat => {
                let sent = self.hub.beat();
                self.send(sent);
            }
            Action::ToHub => self.deliver_to_hub(),
            Action::ToClient(count) => {
                for _ in 0..count {
                    self.deliver_to_client();
                }
            }
            Action::Drop => {
                if self.to_client.front().is_some_and(|frame| frame.chained) {
                    self.to_client.pop_front();
                }
            }
            Action::Repeat => {
                if let Some(frame) = self.to_client.front().filter(|frame| frame.chained) {
                    let text = frame.text.clone();
                    let chained = true;
                    self.to_client.push_back(Outgoing { text, chained });
                }
            }
            Action::Swap => {
                if self
                    .to_client
                    .iter()
                    .take(2)
                    .filter(|frame| frame.chained)
                    .count()
                    == 2
                {
                    self.to_client.swap(0, 1);
                }
            }
            Action::Cut => self.cut(true),
            Action::Connect => self.connect(),
            Action::Fill(topics, lag) => self.fill(topics, lag),
            Action::Commit => self.commit(),
            Action::Fail => {
                if !self.pending.is_empty() {
                    self.pending.clear();
                    let effects = self.feed.on_apply_failed(self.now);
                    self.perform(effects);
                }
            }
            Action::Crash => self.crash(),
            Action::Pass(ms) => self.pass(ms, ms),
            Action::Sleep(mono_too) => {
                self.slept = true;
                self.pass(9 * 3_600_000, if mono_too { 0 } else { 9 * 3_600_000 });
            }
            Action::SetBack => {
                self.slept = true;
                self.now.wall_ms -= 50;
            }
            Action::Timer => {
                let effects = self.feed.on_timer(self.now);
                self.perform(effects);
            }
            Action::Forget(topic) => {
                let effects = self.feed.forget(TOPICS[topic], self.now);
                self.perform(effects);
            }
            Action::Compact => self.hub.compact(),
            Action::Wipe => {
                self.epochs += 1;
                self.hub.wipe(epoch(self.epochs));
            }
            Action::Follow(count) => {
                for _ in 0..count {
                    self.shadow.hear(&self.entries, self.now);
                }
            }
            Action::LoseRelay => {
                self.shadow.channel.pop_front();
            }
            Action::Load(which) => self.load(which),
            Action::Read => self.shadow.read(&self.entries, self.now),
            Action::Answer(arrives) => self.answer(arrives),
            Action::Scope(denied, told) => {
                let sent = self.hub.scope(denied, told);
                self.send(sent);
            }
        }
        self.check();
    }

    fn pass(&mut self, wall: u64, mono: u64) {
        self.now.wall_ms += wall;
        self.now.mono_ms += mono;
        self.hub.at(self.now);
    }

    fn load(&mut self, which: usize) {
        if let Some(at) = which.checked_rem(self.entries.len()) {
            let entry = self.entries[at].clone();
            self.shadow.load(&entry, &self.entries, self.now);
        }
    }

    fn answer(&mut self, arrives: bool) {
        if let Some(relay) = self.shadow.answers.pop_front().filter(|_| arrives) {
            let effects = self.feed.on_relay(relay, self.now);
            self.perform(effects);
        }
    }

    fn send(&mut self, frames: Vec<Outgoing>) {
        if self.connected {
            self.to_client.extend(frames);
        }
    }

    fn deliver_to_hub(&mut self) {
        if let Some(text) = self.to_hub.pop_front() {
            let sent = self.hub.hear(&text);
            self.send(sent);
        }
    }

    fn deliver_to_client(&mut self) {
        if let Some(frame) = self.to_client.pop_front() {
            let effects = self.feed.on_text(&frame.text, self.now);
            self.perform(effects);
        }
    }

    fn cut(&mut self, told: bool) {
        let was = std::mem::take(&mut self.connected);
        self.to_hub.clear();
        self.to_client.clear();
        if told && was {
            let effects = self.feed.on_lost(self.now);
            self.perform(effects);
        }
    }

    fn connect(&mut self) {
        if std::mem::take(&mut self.connect_due) {
            self.cut(false);
            self.hub.connect();
            self.connected = true;
            let effects = self.feed.on_connected(None, self.now);
            self.perform(effects);
        }
    }

    /// An entry read from an origin that may lag behind the hub.
    fn fill(&mut self, topics: u8, lag: u64) {
        let head = self.hub.head();
        let position = Position::new(head.epoch, head.seq.saturating_sub(lag));
        let topics: Vec<usize> = (0..TOPICS.len())
            .filter(|n| topics & (1 << n) != 0)
            .collect();
        let wants = topics
            .iter()
            .map(|topic| (TOPICS[*topic].to_owned(), Some(position.clone())));
        let effects = self.feed.want_all(wants.collect::<Vec<_>>(), self.now);
        self.perform(effects);
        // The fence of the store refuses what it has given up since.
        let stale = |topic: &usize| {
            let mark = self.marks.get(&(position.epoch.clone(), *topic));
            mark.is_some_and(|mark| position.seq < *mark)
        };
        if !topics.iter().any(stale) {
            self.entries.push(Entry { topics, position });
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Apply { ticket, .. }
                | Effect::Reset { ticket, .. }
                | Effect::Topics { ticket } => self.pending.push_back(Pending { ticket, effect }),
                // Saved when it happens to be convenient: here, if nothing else waits.
                Effect::Advance(cursor) if self.pending.is_empty() && cursor.seq % 2 == 0 => {
                    self.saved.0 = Some(cursor);
                }
                Effect::Send(frame) if self.connected => {
                    let text = serde_json::to_string(&frame).expect("a frame has a text form");
                    self.to_hub.push_back(text);
                }
                Effect::Relay(relay) => self.shadow.channel.push_back(relay),
                Effect::Connect { .. } => self.connect_due = true,
                Effect::Disconnect => {
                    self.connect_due = false;
                    self.cut(false);
                }
                _ => {}
            }
        }
    }

    fn commit(&mut self) {
        let Some(Pending { ticket, effect }) = self.pending.pop_front() else {
            return;
        };
        match effect {
            Effect::Apply {
                ops, at, cursor, ..
            } => {
                for (topic, name) in TOPICS.iter().enumerate() {
                    let all = |op: &Op| op.kind == OpKind::All && op.id.is_empty();
                    if ops.iter().any(|op| all(op) || op.id == *name) {
                        let mark = self.marks.entry((at.epoch.clone(), topic)).or_default();
                        *mark = at.seq.max(*mark);
                    }
                }
                self.entries.retain(|entry| {
                    entry.position.epoch != at.epoch
                        || entry.position.seq >= at.seq
                        || !ops.iter().any(|op| entry.is_named(op))
                });
                self.saved.0 = Some(cursor);
            }
            Effect::Reset {
                scope,
                mode,
                upto,
                cursor,
                ..
            } => {
                // Entries stay, so that the oracle sees whether the feed still covers them;
                // what is purged goes.
                if mode == ResetMode::Purge {
                    self.purges += 1;
                    self.entries.retain(|entry| {
                        let named = match &scope {
                            ResetScope::All => true,
                            ResetScope::Topics(names) => {
                                let mut topics = entry.topics.iter();
                                topics.any(|topic| names.iter().any(|name| name == TOPICS[*topic]))
                            }
                        };
                        let before =
                            entry.position.epoch != upto.epoch || entry.position.seq < upto.seq;
                        !(named && before)
                    });
                }
                self.saved.0 = Some(cursor);
                self.save_topics();
            }
            _ => self.save_topics(),
        }
        let effects = self.feed.on_applied(ticket, self.now);
        self.perform(effects);
    }

    fn save_topics(&mut self) {
        self.saved.1 = self
            .feed
            .topics()
            .map(|(t, from)| (t.to_owned(), from))
            .collect();
    }

    /// The tab dies; another one takes over from what was saved.
    fn crash(&mut self) {
        self.cut(false);
        self.pending.clear();
        self.connect_due = false;
        self.generation += 1;
        let mut config = FeedConfig::new("test", "device", self.generation);
        config.topics_max = self.topics_max;
        let (cursor, topics) = self.saved.clone();
        self.feed = Feed::new(config, cursor.clone(), topics.clone());
        let effects = self.feed.lead(self.generation, cursor, topics, self.now);
        self.perform(effects);
    }

    /// I1: nothing that the feed vouches for was missed. I4: nor is it older than declared.
    fn check(&mut self) {
        let now = self.now;
        self.shadow.check(&self.published, now);
        for entry in &self.entries {
            let topics: Vec<&str> = entry.topics.iter().map(|topic| TOPICS[*topic]).collect();
            if !self.feed.covers(&topics, &entry.position, now) {
                continue;
            }
            self.covered += 1;
            let cursor = self
                .feed
                .cursor()
                .expect("there is a cursor where there is cover");
            for record in &self.published {
                let concerns = record.concerns(entry);
                let applied = record.at.seq <= cursor.seq;
                let old = !self.slept && now.since(record.when) > LEASE_MS + DELAY_MS;
                assert!(
                    !concerns || !(applied || old),
                    "an entry at {} is covered at cursor {}, but a record at {} was missed",
                    entry.position.seq,
                    cursor.seq,
                    record.at.seq,
                );
            }
        }
    }

    /// Everything is delivered and nothing more goes wrong.
    pub(super) fn settle(&mut self) {
        for _ in 0..60 {
            self.pass(200, 200);
            self.connect();
            for _ in 0..8 {
                self.deliver_to_hub();
                self.deliver_to_client();
                self.commit();
                self.answer(true);
                self.shadow.hear(&self.entries, self.now);
                self.shadow.hear(&self.entries, self.now);
                self.shadow.read(&self.entries, self.now);
            }
            self.shadow.timer(&self.entries, self.now);
            let sent = self.hub.beat();
            self.send(sent);
            let effects = self.feed.on_timer(self.now);
            self.perform(effects);
            self.check();
        }
    }

    /// Entries that were not given up.
    pub(super) fn held(&self) -> usize {
        self.entries.len()
    }

    /// I2 and liveness: after quiet the feed is live and at the head, nothing that was given up
    /// is held as good, and what is filled now is covered.
    pub(super) fn check_quiet(&mut self) {
        let _ = self.hub.scope(None, false);
        self.cut(true);
        self.settle();
        assert_eq!(self.feed.state(self.now), FeedState::Live);
        assert_eq!(self.feed.cursor(), Some(&self.hub.head()));
        // A purge forbids cover up to the head of its time, and beyond.
        self.act(&Action::Publish(0));
        self.settle();
        // As many topics as fit.
        let fit = self.topics_max.min(TOPICS.len());
        self.fill((1 << fit) - 1, 0);
        self.settle();
        let head = self.hub.head();
        let covered = self.feed.covers(&TOPICS[..fit], &head, self.now);
        let topics: Vec<_> = self.feed.topics().collect();
        assert!(
            covered,
            "what is filled when all is quiet is covered: {topics:?}"
        );
        self.shadow.check_quiet(&TOPICS[..fit], &head, self.now);
    }
}
