//! A second tab beside the one of [`super::world`]: it follows whoever leads, over a channel
//! that loses and delays messages, and vouches for copies of its own.

use super::{
    world::{Entry, Published, TOPICS},
    *,
};
use crate::kernel::protocol::{ResetMode, ResetScope};
use std::collections::VecDeque;

pub(super) struct Shadow {
    feed: Feed,
    /// From the leader, not delivered.
    pub(super) channel: VecDeque<Relay>,
    /// To the leader.
    pub(super) answers: VecDeque<Relay>,
    /// Copies in memory.
    memory: Vec<Entry>,
    /// A reading of the store that is under way, and what it will find.
    reading: Option<(Ticket, Vec<Entry>)>,
    pub(super) covered: u64,
}

impl Shadow {
    pub(super) fn new(now: Now) -> Self {
        let mut shadow = Self {
            feed: Feed::new(FeedConfig::new("test", "device", 9), None, []),
            channel: VecDeque::new(),
            answers: VecDeque::new(),
            memory: Vec::new(),
            reading: None,
            covered: 0,
        };
        let effects = shadow.feed.follow(now);
        shadow.perform(effects, &[]);
        shadow
    }

    /// Takes one message.
    pub(super) fn hear(&mut self, store: &[Entry], now: Now) {
        if let Some(relay) = self.channel.pop_front() {
            let effects = self.feed.on_relay(relay, now);
            self.perform(effects, store);
        }
    }

    pub(super) fn timer(&mut self, store: &[Entry], now: Now) {
        let effects = self.feed.on_timer(now);
        self.perform(effects, store);
    }

    /// Reads an entry of the store into memory, and depends on its topics from now on.
    pub(super) fn load(&mut self, entry: &Entry, store: &[Entry], now: Now) {
        self.memory.push(entry.clone());
        let wants = entry
            .topics
            .iter()
            .map(|topic| (TOPICS[*topic].to_owned(), Some(entry.position.clone())));
        let effects = self.feed.want_all(wants.collect::<Vec<_>>(), now);
        self.perform(effects, store);
    }

    /// Ends a reading of the store.
    pub(super) fn read(&mut self, store: &[Entry], now: Now) {
        if let Some((ticket, found)) = self.reading.take() {
            self.memory = found;
            let effects = self.feed.on_applied(ticket, now);
            self.perform(effects, store);
        }
    }

    fn perform(&mut self, effects: Vec<Effect>, store: &[Entry]) {
        for effect in effects {
            match effect {
                Effect::Relay(relay) => self.answers.push_back(relay),
                Effect::Reload { ticket } => {
                    self.memory.clear();
                    self.reading = Some((ticket, store.to_vec()));
                }
                Effect::Follow { ops, at } => {
                    let given_up = |entry: &Entry| {
                        entry.position.epoch == at.epoch
                            && entry.position.seq < at.seq
                            && ops.iter().any(|op| entry.is_named(op))
                    };
                    self.memory.retain(|entry| !given_up(entry));
                    if let Some((_, found)) = &mut self.reading {
                        found.retain(|entry| !given_up(entry));
                    }
                }
                Effect::FollowReset {
                    scope: ResetScope::All,
                    mode: ResetMode::Purge,
                    ..
                } => self.memory.clear(),
                _ => {}
            }
        }
    }

    /// I1 for what this tab vouches for.
    pub(super) fn check(&mut self, published: &[Published], now: Now) {
        for entry in &self.memory {
            let topics: Vec<&str> = entry.topics.iter().map(|topic| TOPICS[*topic]).collect();
            if !self.feed.covers(&topics, &entry.position, now) {
                continue;
            }
            self.covered += 1;
            let cursor = self
                .feed
                .cursor()
                .expect("there is a cursor where there is cover");
            let missed = published
                .iter()
                .find(|record| record.concerns(entry) && record.at.seq <= cursor.seq);
            if let Some(record) = missed {
                panic!(
                    "a follower covers an entry at {} at cursor {}, but a record at {} was missed",
                    entry.position.seq, cursor.seq, record.at.seq,
                );
            }
        }
    }

    pub(super) fn check_quiet(&self, topics: &[&str], head: &Position, now: Now) {
        assert_eq!(self.feed.state(now), FeedState::Live);
        assert_eq!(self.feed.cursor(), Some(head));
        assert!(self.feed.covers(topics, head, now));
    }
}
