//! Between the tabs of one vault: the leader repeats what it applied, the others follow
//! (rule R13).
//!
//! A leader relays a frame only after the store took it, so a follower that drops its memory
//! and reads the store again never finds what was given up. Every message carries the leader's
//! generation and a running number: a follower that misses one knows it at the next, trusts
//! nothing, and asks for a snapshot.

use super::{
    super::position::Position,
    Feed, Role,
    effect::{Effect, FeedState, Ticket},
    time::Now,
};
use crate::kernel::protocol::{Op, ResetMode, ResetScope, TopicSince};
use std::{collections::BTreeMap, sync::Arc};

/// How long a follower waits for a snapshot before it asks again, in milliseconds.
const ASK_MS: u64 = 1_000;

/// A message between tabs. Its bytes hold identifiers: seal them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Relay {
    /// A follower asks the leader for a snapshot.
    Ask,
    /// A follower filled entries with these topics.
    Want(Vec<TopicSince>),
    /// The leader tells.
    Led(Led),
}

/// What a leader tells its followers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Led {
    /// The leader's generation: a lower one was robbed and has not noticed.
    pub leader: u64,
    /// Counts the leader's messages. A snapshot repeats the number of the last one.
    pub n: u64,
    /// The wall clock, shared by all tabs of a device, when the leader heard the frame that
    /// proves this: a message that lay in a frozen tab's queue is as old as it is.
    pub heard_wall_ms: u64,
    /// What.
    pub body: Body,
}

/// What a leader tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// A frame or heartbeat was applied and took the cursor from `prev` to `upto`.
    Moved {
        /// The cursor before.
        prev: Position,
        /// The cursor after.
        upto: Position,
        /// The position of the operations.
        at: u64,
        /// What was given up.
        ops: Arc<[Op]>,
    },
    /// A reset was applied.
    Reset {
        /// How much.
        scope: ResetScope,
        /// What was done.
        mode: ResetMode,
        /// Fills from before this position are refused.
        upto: Position,
        /// The cursor after.
        cursor: Position,
    },
    /// Cover began, moved or ended.
    Topics {
        /// Topics and where their cover starts.
        covered: Vec<(String, u64)>,
        /// Topics that are no longer covered.
        dropped: Vec<String>,
    },
    /// The leader's state changed.
    State {
        /// The new one.
        state: FeedState,
        /// How long a heard frame proves it, in milliseconds.
        lease_ms: u64,
    },
    /// Everything a follower needs.
    Snapshot {
        /// The cursor.
        cursor: Option<Position>,
        /// Topics and where their cover starts.
        covered: Vec<(String, u64)>,
        /// The leader's state.
        state: FeedState,
        /// How long a heard frame proves it, in milliseconds.
        lease_ms: u64,
    },
}

/// A follower's side.
#[derive(Debug)]
pub(super) struct Follow {
    /// The highest generation heard of.
    leader: u64,
    /// The number of the last message; `None` until a snapshot is in.
    last: Option<u64>,
    /// What the leader says about itself.
    pub(super) state: FeedState,
    /// The memory tier is not read again yet.
    pub(super) reloading: Option<Ticket>,
    /// When a snapshot was last asked for.
    asked: Option<Now>,
    /// What the leader was told to want and has not answered.
    wanted: BTreeMap<String, Option<u64>>,
}

impl Follow {
    pub(super) const fn new(leader: u64) -> Self {
        Self {
            leader,
            last: None,
            state: FeedState::Off,
            reloading: None,
            asked: None,
            wanted: BTreeMap::new(),
        }
    }

    /// Whether every message of the leader since its snapshot is in.
    pub(super) const fn synced(&self) -> bool {
        self.last.is_some()
    }

    /// Milliseconds until a snapshot should be asked for again.
    pub(super) fn ask_in(&self, now: Now) -> Option<u64> {
        match (self.last, self.asked) {
            (None, Some(asked)) => Some(ASK_MS.saturating_sub(now.since(asked))),
            _ => None,
        }
    }

    fn ask(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.asked.is_none_or(|asked| now.since(asked) >= ASK_MS) {
            self.asked = Some(now);
            out.push(Effect::Relay(Relay::Ask));
        }
    }
}

impl Feed {
    /// Handles a message of another tab. A leader answers questions; a follower follows.
    #[must_use]
    pub fn on_relay(&mut self, relay: Relay, now: Now) -> Vec<Effect> {
        let mut out = Vec::new();
        match (&self.role, relay) {
            (Role::Leader(_), Relay::Ask) => out.push(Effect::Relay(self.snapshot(now))),
            (Role::Leader(_), Relay::Want(topics)) => {
                let epoch = self.tail.as_ref().map(|tail| tail.epoch.clone());
                self.want_each(
                    topics.into_iter().map(|topic| {
                        let since = epoch.clone().zip(topic.since);
                        (topic.t, since.map(|(epoch, seq)| Position::new(epoch, seq)))
                    }),
                    now,
                    &mut out,
                );
            }
            (Role::Follower(_), Relay::Led(led)) => self.led(led, now, &mut out),
            _ => {}
        }
        self.finish(now, &mut out);
        out
    }

    /// What a follower needs to begin: sent when one asks.
    #[must_use]
    pub fn snapshot(&self, now: Now) -> Relay {
        Relay::Led(self.tell(self.relayed, self.whole(now)))
    }

    /// Leader: makes every follower begin anew.
    pub(super) fn relay_snapshot(&mut self, now: Now, out: &mut Vec<Effect>) {
        let whole = self.whole(now);
        self.relay(whole, out);
    }

    fn whole(&self, now: Now) -> Body {
        let covered = self.topics().map(|(t, from)| (t.to_owned(), from));
        Body::Snapshot {
            cursor: self.cursor.clone(),
            covered: covered.collect(),
            state: self.state(now),
            lease_ms: self.lease_ms,
        }
    }

    fn tell(&self, n: u64, body: Body) -> Led {
        Led {
            leader: self.generation,
            n,
            heard_wall_ms: self.verified.map_or(0, |verified| verified.wall_ms),
            body,
        }
    }

    /// Leader: one more numbered message.
    pub(super) fn relay(&mut self, body: Body, out: &mut Vec<Effect>) {
        self.relayed += 1;
        out.push(Effect::Relay(Relay::Led(self.tell(self.relayed, body))));
    }

    /// Follower: tells the leader what entries of this tab depend on.
    pub(super) fn want_from_leader(
        &mut self,
        topics: impl Iterator<Item = (String, Option<u64>)>,
        out: &mut Vec<Effect>,
    ) {
        let Role::Follower(follow) = &mut self.role else {
            return;
        };
        let mut news = Vec::new();
        for (t, since) in topics {
            let told = follow.wanted.get(&t);
            let new = match (told, since) {
                (None, _) | (Some(None), Some(_)) => true,
                (Some(Some(told)), Some(since)) => since < *told,
                (Some(_), None) => false,
            };
            if new && self.topics.wants(&t, since) {
                follow.wanted.insert(t.clone(), since);
                news.push(TopicSince { t, since });
            }
        }
        if !news.is_empty() {
            out.push(Effect::Relay(Relay::Want(news)));
        }
    }

    fn led(&mut self, led: Led, now: Now, out: &mut Vec<Effect>) {
        let Role::Follower(follow) = &mut self.role else {
            return;
        };
        if led.leader < follow.leader {
            return;
        }
        if led.leader > follow.leader {
            // Another leader counts anew and may hold other topics.
            let wanted = std::mem::take(&mut follow.wanted);
            *follow = Follow::new(led.leader);
            follow.wanted = wanted;
        }
        let snapshot = matches!(led.body, Body::Snapshot { .. });
        match follow.last {
            Some(last) if led.n <= last => return,
            Some(last) if !snapshot && led.n == last + 1 => follow.last = Some(led.n),
            _ if snapshot => follow.last = Some(led.n),
            _ => {
                self.unfollow(now, out);
                return;
            }
        }
        // The monotonic clock can only count from here; the leader's wall clock knows better
        // if this message lay in a queue.
        let heard = Now {
            wall_ms: led.heard_wall_ms,
            mono_ms: now.mono_ms,
        };
        match led.body {
            Body::Snapshot {
                cursor,
                covered,
                state,
                lease_ms,
            } => {
                self.tickets += 1;
                let ticket = Ticket(self.tickets);
                follow.state = state;
                follow.reloading = Some(ticket);
                follow.asked = None;
                let wanted = std::mem::take(&mut follow.wanted);
                self.lease_ms = lease_ms;
                self.cursor = cursor;
                self.topics.replace(covered);
                out.push(Effect::Reload { ticket });
                // A leader that was not there yet has not heard of them.
                self.want_from_leader(wanted.into_iter(), out);
            }
            Body::Moved {
                prev,
                upto,
                at,
                ops,
            } => {
                // The running number says that nothing is missing; R1 must say so too.
                if self.cursor.as_ref() != Some(&prev) {
                    self.unfollow(now, out);
                    return;
                }
                let at = Position::new(upto.epoch.clone(), at);
                self.cursor = Some(upto);
                if !ops.is_empty() {
                    out.push(Effect::Follow { ops, at });
                }
            }
            Body::Reset {
                scope,
                mode,
                upto,
                cursor,
            } => {
                let alien = self
                    .cursor
                    .as_ref()
                    .is_none_or(|held| held.epoch != upto.epoch);
                self.topics.reset(&scope, upto.seq, alien);
                self.topics.after_purge(&scope, mode);
                self.cursor = Some(cursor);
                out.push(Effect::FollowReset { scope, mode, upto });
            }
            Body::Topics { covered, dropped } => {
                for (topic, _) in &covered {
                    follow.wanted.remove(topic);
                }
                self.topics.mirror(covered, &dropped);
                out.push(Effect::Wake);
            }
            Body::State { state, lease_ms } => {
                follow.state = state;
                self.lease_ms = lease_ms;
                if state == FeedState::Live {
                    out.push(Effect::Wake);
                }
            }
        }
        self.tail.clone_from(&self.cursor);
        self.verified = Some(heard);
    }

    /// Follower: the memory tier was read again, or could not be.
    pub(super) fn reloaded(&mut self, ticket: Option<Ticket>, now: Now, out: &mut Vec<Effect>) {
        let Role::Follower(follow) = &mut self.role else {
            return;
        };
        if ticket.is_none() && follow.reloading.is_some() {
            self.unfollow(now, out);
        } else if follow.reloading == ticket {
            follow.reloading = None;
            out.push(Effect::Wake);
        }
    }

    /// Follower that becomes the leader: what it told another to want.
    pub(super) fn take_wanted(&mut self) -> BTreeMap<String, Option<u64>> {
        match &mut self.role {
            Role::Follower(follow) => std::mem::take(&mut follow.wanted),
            Role::Leader(_) => BTreeMap::new(),
        }
    }

    /// A message is missing: nothing is known until a snapshot is in.
    fn unfollow(&mut self, now: Now, out: &mut Vec<Effect>) {
        if let Role::Follower(follow) = &mut self.role {
            follow.last = None;
            follow.reloading = None;
            follow.state = FeedState::Connecting;
            follow.ask(now, out);
        }
    }

    /// Follower: asks for a snapshot where one is due.
    pub(super) fn follow_on(&mut self, now: Now, out: &mut Vec<Effect>) {
        if let Role::Follower(follow) = &mut self.role
            && !follow.synced()
        {
            follow.ask(now, out);
        }
    }
}
