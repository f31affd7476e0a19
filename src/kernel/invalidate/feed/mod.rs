//! A client of the feed, as a state machine: frames and moments in, effects out.
//!
//! The feed knows what the cache may claim. It holds a cursor, a position in the hub's log up
//! to which everything that concerns this cache is applied, and for each topic the position
//! from which entries are covered. An entry is verified when the feed is live, all its topics
//! are covered from its own position or earlier, and both count in the same log:
//! [`Feed::covers`].
//!
//! # How it is driven
//! One task owns the feed. It calls an `on_…` method for everything that happens and performs
//! the returned effects in order. [`Effect::Apply`], [`Effect::Reset`] and [`Effect::Topics`]
//! carry a ticket: the task commits them to the store, each in one transaction that also saves
//! the cursor, and reports the ticket, or that it failed. Only then does the feed move its own cursor, acknowledge
//! to the hub and relay to other tabs. [`Feed::next_deadline`] says when to call
//! [`Feed::on_timer`].
//!
//! # The rules it keeps
//! - **Order.** Each frame says from which position it goes on. At the cursor: applied. Before
//!   it: applied again, which is harmless because an operation gives up only what was filled
//!   before it. After it: something is missing, so nothing is covered until a `resume` is
//!   answered. While that is outstanding, operations are applied and the cursor stays.
//! - **Lease.** Nothing is live for longer than `2 · hb_ms + 1 s` after the last frame that
//!   moved or confirmed the cursor, by the clock that says more. It is computed when asked, so
//!   a tab that was frozen is suspect before it runs any other code. A lease that ended is not
//!   renewed by a frame that may have lain in a buffer: only by the answer to a question.
//! - **Cover.** Given when the hub has answered and everything before the answer is in the
//!   store; taken back at once. The saved topics never claim more than the saved cursor keeps.
//! - **Strangers.** An unknown operation or frame gives up everything it may touch. A frame
//!   that cannot be read ends the connection, with a typed fault and a growing wait.
//! - **Tabs.** One tab leads and owns the connection. Others follow what it relays; see
//!   [`Relay`].

mod answers;
mod asks;
mod commit;
mod effect;
mod frames;
mod link;
mod relay;
mod relay_bytes;
mod time;
mod topics;

#[cfg(test)]
mod tests;

pub use effect::{Effect, FeedState, ResetReason, Ticket};
pub use relay::{Body, Led, Relay};
pub use time::Now;

use super::position::Position;
use commit::{Owed, Step};
use link::{Footing, Link};
use relay::Follow;
use std::{collections::VecDeque, fmt};
use time::Backoff;
use topics::Topics;

/// What a feed is told once.
#[derive(Clone, Debug)]
pub struct FeedConfig {
    /// The client program and its version, told to the hub.
    pub client: String,
    /// The installation: random, per device.
    pub device: String,
    /// Most topics at a time; the hub may allow fewer. Beyond them those that were wanted
    /// longest ago make room, and their entries are unverified until they are wanted again.
    /// Default 2,048.
    pub topics_max: usize,
    /// How long an answer of the hub may take, in milliseconds. Default 10,000.
    pub answer_ms: u64,
    /// The first wait before a reconnect, in milliseconds; it doubles. Default 1,000.
    pub wait_min_ms: u64,
    /// The longest wait before a reconnect, in milliseconds. Default 10,000.
    pub wait_max_ms: u64,
    /// Random, so that clients do not come back in one wave.
    pub seed: u64,
}

impl FeedConfig {
    /// The defaults.
    #[must_use]
    pub fn new(client: impl Into<String>, device: impl Into<String>, seed: u64) -> Self {
        Self {
            client: client.into(),
            device: device.into(),
            topics_max: 2_048,
            answer_ms: 10_000,
            wait_min_ms: 1_000,
            wait_max_ms: 10_000,
            seed,
        }
    }
}

enum Role {
    Leader(Link),
    Follower(Follow),
}

/// A client of the feed. See the [module's page](self).
pub struct Feed {
    config: FeedConfig,
    role: Role,
    /// Everything up to here is in the store.
    cursor: Option<Position>,
    /// Where the cursor will be once all steps are.
    tail: Option<Position>,
    steps: VecDeque<Step>,
    tickets: u64,
    owed: Owed,
    topics: Topics,
    /// When the frame was heard that last proved the cursor.
    verified: Option<Now>,
    /// How long that proves it, in milliseconds.
    lease_ms: u64,
    /// Counts connections.
    links: u64,
    backoff: Backoff,
    offline: bool,
    /// The state that was last told.
    told: FeedState,
    /// This leader's generation.
    generation: u64,
    /// Messages relayed as a leader.
    relayed: u64,
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Topics are identifiers: they stay out.
        f.debug_struct("Feed")
            .field("told", &self.told)
            .field("cursor", &self.cursor)
            .field("steps", &self.steps.len())
            .finish_non_exhaustive()
    }
}

impl Feed {
    /// A feed that is off, with what was saved: the cursor, and for each topic where its cover
    /// starts. Call [`Self::follow`] where there may be other tabs, and [`Self::lead`] once this
    /// one leads.
    pub fn new(
        config: FeedConfig,
        cursor: Option<Position>,
        topics: impl IntoIterator<Item = (String, u64)>,
    ) -> Self {
        Self {
            backoff: Backoff::new(config.wait_min_ms, config.wait_max_ms, config.seed),
            topics: Topics::new(config.topics_max, topics),
            config,
            role: Role::Follower(Follow::new(0)),
            tail: cursor.clone(),
            cursor,
            steps: VecDeque::new(),
            tickets: 0,
            owed: Owed::default(),
            verified: None,
            lease_ms: 0,
            links: 0,
            offline: false,
            told: FeedState::Off,
            generation: 0,
            relayed: 0,
        }
    }

    /// This tab leads from now on, under a generation that the store has taken, and goes on
    /// from what the store holds: a follower's memory of it is not enough.
    #[must_use]
    pub fn lead(
        &mut self,
        generation: u64,
        cursor: Option<Position>,
        topics: impl IntoIterator<Item = (String, u64)>,
        now: Now,
    ) -> Vec<Effect> {
        let mut out = Vec::new();
        let wanted = self.take_wanted();
        self.disconnect(&mut out);
        self.forget_steps();
        self.role = Role::Leader(Link::Down);
        self.tail.clone_from(&cursor);
        self.cursor = cursor;
        self.topics.replace(topics);
        if self.cursor.is_none() {
            // Without a position, cover says nothing.
            self.topics.uncover();
        }
        for (topic, since) in &wanted {
            self.topics.want(topic, *since);
        }
        self.verified = None;
        self.generation = generation;
        self.relayed = 0;
        self.backoff.reset();
        if !self.offline {
            out.push(Effect::Connect { after_ms: 0 });
        }
        self.finish(now, &mut out);
        out
    }

    /// This tab follows whoever leads, or no longer leads itself. What the store has not confirmed yet is not this tab's any
    /// more: discard effects with a ticket that were not performed.
    #[must_use]
    pub fn follow(&mut self, now: Now) -> Vec<Effect> {
        let mut out = Vec::new();
        self.disconnect(&mut out);
        self.forget_steps();
        self.tail.clone_from(&self.cursor);
        self.verified = None;
        self.role = Role::Follower(Follow::new(self.generation));
        self.follow_on(now, &mut out);
        self.finish(now, &mut out);
        out
    }

    fn forget_steps(&mut self) {
        self.steps.clear();
        self.owed = Owed::default();
    }

    /// What may be said about the cache now.
    #[must_use]
    pub fn state(&self, now: Now) -> FeedState {
        match &self.role {
            _ if self.offline => FeedState::Offline,
            Role::Follower(follow) if follow.reloading.is_some() => FeedState::Connecting,
            Role::Follower(follow) => match follow.state {
                FeedState::Live if !self.in_lease(now) => FeedState::Suspect,
                state => state,
            },
            Role::Leader(Link::Open(open)) => match () {
                () if open.lapsed || (open.restored && !self.in_lease(now)) => FeedState::Suspect,
                () if open.restored && self.is_in_one_log() => FeedState::Live,
                () => FeedState::Connecting,
            },
            Role::Leader(Link::Greeting { .. }) => FeedState::Connecting,
            Role::Leader(Link::Down) if self.backoff.failures() == 0 => FeedState::Connecting,
            Role::Leader(Link::Down | Link::Stopped) => FeedState::Offline,
        }
    }

    /// The applied cursor: every record up to it that concerns a covered topic is in the store.
    #[must_use]
    pub const fn cursor(&self) -> Option<&Position> {
        self.cursor.as_ref()
    }

    /// Whether an entry with these tags, filled at this position, is verified (rule R12): the
    /// feed is live, and nothing up to the cursor that names one of the tags was missed since.
    /// An entry without tags never is.
    #[must_use]
    pub fn covers(&self, tags: &[impl AsRef<str>], position: &Position, now: Now) -> bool {
        !tags.is_empty()
            && self.state(now) == FeedState::Live
            && self.is_in_log(position)
            && tags
                .iter()
                .all(|tag| self.topics.covers(tag.as_ref(), position.seq))
    }

    /// The covered topics and where their cover starts, to save.
    pub fn topics(&self) -> impl Iterator<Item = (&str, u64)> {
        self.topics.covered()
    }

    /// Milliseconds from now until [`Self::on_timer`] should be called; `None` while nothing is
    /// due by itself.
    #[must_use]
    pub fn next_deadline(&self, now: Now) -> Option<u64> {
        match &self.role {
            Role::Leader(link) => {
                let lease =
                    (self.told == FeedState::Live).then(|| self.lease_left(now).saturating_add(1));
                let due = link.due_in(self.config.answer_ms, self.lease_ms, now);
                let asks = match link {
                    Link::Open(open) if open.footing == Footing::Level => {
                        let capacity = open.capacity(self.config.topics_max);
                        (self.topics.has_asks(capacity)).then(|| open.pace.ready_in(now))
                    }
                    _ => None,
                };
                due.into_iter().chain(asks).chain(lease).min()
            }
            Role::Follower(follow) => {
                let lease = (follow.state == FeedState::Live && self.told == FeedState::Live)
                    .then(|| self.lease_left(now).saturating_add(1));
                lease.into_iter().chain(follow.ask_in(now)).min()
            }
        }
    }

    /// Whether a position counts in the log of the cursor, and no other log is taking over.
    fn is_in_log(&self, position: &Position) -> bool {
        let same =
            |at: &Option<Position>| (at.as_ref()).is_some_and(|at| at.epoch == position.epoch);
        same(&self.cursor) && same(&self.tail)
    }

    /// Whether no other log is taking over.
    fn is_in_one_log(&self) -> bool {
        self.cursor
            .as_ref()
            .is_some_and(|cursor| self.is_in_log(cursor))
    }

    fn in_lease(&self, now: Now) -> bool {
        self.verified
            .is_some_and(|verified| now.since(verified) <= self.lease_ms)
    }

    fn lease_left(&self, now: Now) -> u64 {
        self.verified.map_or(0, |verified| {
            self.lease_ms.saturating_sub(now.since(verified))
        })
    }

    /// Settles what can be and tells a change of state: the end of every call.
    fn finish(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.drain(now, out);
        let state = self.state(now);
        if state == self.told {
            return;
        }
        self.told = state;
        out.push(Effect::State(state));
        if matches!(self.role, Role::Leader(_)) {
            let lease_ms = self.lease_ms;
            self.relay(Body::State { state, lease_ms }, out);
        }
    }
}
