//! From heard to applied: what a frame says counts only once the store has it (rule R2).
//!
//! Each frame becomes a step. A step that gives something up carries a ticket and waits for its
//! store transaction; one that only moves the cursor waits for the steps before it. The applied
//! cursor, the lease and the cover move when a step settles, never when a frame arrives. So a
//! crash or a failed transaction between the two costs a replay and no truth.

use super::{
    super::position::Position,
    Feed, Link, Role,
    effect::{Effect, ResetReason, Ticket},
    relay::Body,
    time::Now,
    topics::Keep,
};
use crate::kernel::protocol::{ClientFrame, Op, OpMode, ResetMode, ResetScope};
use std::sync::Arc;

/// Most steps that wait for the store; a store that is slower than that is not keeping up.
const STEPS_MAX: usize = 1_024;
/// An acknowledgement is sent at least this far apart, in milliseconds, purges aside.
const ACK_MS: u64 = 30_000;

/// Something heard and not yet applied.
#[derive(Debug)]
pub(super) struct Step {
    /// The transaction that must succeed first, if it has not.
    pub(super) ticket: Option<Ticket>,
    /// The cursor once this is applied.
    pub(super) cursor: Position,
    /// When the frame was heard that proves the cache up to `cursor`, if it does.
    pub(super) heard: Option<Now>,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// A frame or heartbeat.
    Moved { at: u64, ops: Arc<[Op]> },
    /// A reset.
    Reset(Reset),
    /// Answers to requests.
    Granted(Vec<Grant>),
    /// The continuity of this connection is proven.
    Restored { link: u64 },
    /// The topics were saved.
    Topics { dropped: Vec<String> },
}

/// What failed and must not be forgotten.
#[derive(Debug, Default)]
pub(super) struct Owed {
    resets: Vec<Reset>,
    topics: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Reset {
    pub(super) scope: ResetScope,
    pub(super) mode: ResetMode,
    pub(super) upto: Position,
    pub(super) reason: ResetReason,
}

#[derive(Debug)]
pub(super) struct Grant {
    pub(super) topic: String,
    pub(super) since: Option<u64>,
    pub(super) from: u64,
    pub(super) keep: Keep,
}

impl Feed {
    /// The transaction of this ticket succeeded. One whose step was dropped meanwhile says
    /// nothing.
    #[must_use]
    pub fn on_applied(&mut self, ticket: Ticket, now: Now) -> Vec<Effect> {
        let mut out = Vec::new();
        let mut steps = self.steps.iter_mut();
        if let Some(step) = steps.find(|step| step.ticket == Some(ticket)) {
            step.ticket = None;
        }
        self.reloaded(Some(ticket), now, &mut out);
        self.finish(now, &mut out);
        out
    }

    /// A transaction failed, and nothing of it is in the store. Discard the effects with a
    /// ticket that were not performed yet: the feed drops the connection and resumes, after a
    /// wait, from what is applied. Resets are owed and come again with the next connection.
    #[must_use]
    pub fn on_apply_failed(&mut self, now: Now) -> Vec<Effect> {
        let mut out = Vec::new();
        for step in std::mem::take(&mut self.steps) {
            self.owed.topics |= matches!(step.what, What::Reset(_) | What::Topics { .. });
            if let What::Reset(reset) = step.what {
                self.owed.resets.push(reset);
            }
        }
        self.reloaded(None, now, &mut out);
        let epoch = |position: &Option<Position>| position.as_ref().map(|at| at.epoch.clone());
        if epoch(&self.tail) != epoch(&self.cursor) {
            // The move to another log failed: cover counts in positions that are not ours yet.
            self.topics.uncover();
        }
        self.tail.clone_from(&self.cursor);
        if matches!(
            self.role,
            Role::Leader(Link::Greeting { .. } | Link::Open(_))
        ) {
            self.reconnect(now, &mut out);
        }
        if matches!(self.role, Role::Leader(_)) {
            // What the dropped steps would have told the other tabs.
            self.relay_snapshot(now, &mut out);
        }
        self.finish(now, &mut out);
        out
    }

    pub(super) fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// Queues a frame's operations and the move of the cursor.
    pub(super) fn step_moved(
        &mut self,
        cursor: Position,
        at: u64,
        ops: Vec<Op>,
        heard: Option<Now>,
        out: &mut Vec<Effect>,
    ) {
        let ops: Arc<[Op]> = ops.into();
        let ticket = (!ops.is_empty()).then(|| self.ticket());
        if let Some(ticket) = ticket {
            out.push(Effect::Apply {
                ticket,
                ops: ops.clone(),
                at: Position::new(cursor.epoch.clone(), at),
                cursor: cursor.clone(),
            });
        } else if let Some(last) = self.steps.back_mut()
            && last.ticket.is_none()
            && let What::Moved { at: last_at, ops } = &mut last.what
            && ops.is_empty()
        {
            // Heartbeats that wait for one transaction are one step.
            *last_at = at;
            last.heard = heard.or(last.heard);
            self.tail = Some(cursor.clone());
            last.cursor = cursor;
            return;
        }
        self.push(Step {
            ticket,
            cursor,
            heard,
            what: What::Moved { at, ops },
        });
    }

    /// Queues a reset. Cover is taken back at once: it may only be given late.
    pub(super) fn step_reset(&mut self, reset: Reset, cursor: Position, out: &mut Vec<Effect>) {
        let alien = self
            .tail
            .as_ref()
            .is_none_or(|tail| tail.epoch != reset.upto.epoch);
        self.topics.reset(&reset.scope, reset.upto.seq, alien);
        if alien {
            self.recount_answers(reset.upto.seq);
        }
        self.topics.after_purge(&reset.scope, reset.mode);
        if let (ResetScope::Topics(names), ResetMode::Purge) = (&reset.scope, reset.mode) {
            self.void_grants_of(names);
        }
        let ticket = self.ticket();
        out.push(Effect::Reset {
            ticket,
            scope: reset.scope.clone(),
            mode: reset.mode,
            upto: reset.upto.clone(),
            cursor: cursor.clone(),
            reason: reset.reason,
        });
        self.push(Step {
            ticket: Some(ticket),
            cursor,
            heard: None,
            what: What::Reset(reset),
        });
    }

    /// Queues the saving of the topics, ahead of any cursor that no longer speaks for all.
    pub(super) fn step_topics(&mut self, dropped: Vec<String>, out: &mut Vec<Effect>) {
        let Some(cursor) = self.tail.clone() else {
            return;
        };
        let ticket = self.ticket();
        out.push(Effect::Topics { ticket });
        self.push(Step {
            ticket: Some(ticket),
            cursor,
            heard: None,
            what: What::Topics { dropped },
        });
    }

    pub(super) fn push(&mut self, step: Step) {
        self.tail = Some(step.cursor.clone());
        self.steps.push_back(step);
    }

    /// Settles what waits for nothing.
    pub(super) fn drain(&mut self, now: Now, out: &mut Vec<Effect>) {
        while self.steps.front().is_some_and(|step| step.ticket.is_none()) {
            self.settle_first(now, out);
        }
    }

    /// Whether more waits for the store than may.
    pub(super) fn is_swamped(&self) -> bool {
        self.steps.len() > STEPS_MAX
    }

    /// A connection ended: what it delivered stays, what it granted and has not settled is
    /// void, because the next connection will not know that it must go on covering it.
    pub(super) fn void_grants(&mut self) {
        self.steps
            .retain(|step| !matches!(step.what, What::Granted(_)));
    }

    /// Another log: the hub holds the same topics for this client, and their cover begins at
    /// `upto`, whatever was asked or answered in positions of the old log.
    fn recount_answers(&mut self, upto: u64) {
        for step in &mut self.steps {
            if let What::Granted(grants) = &mut step.what {
                for grant in grants {
                    (grant.since, grant.from, grant.keep) = (None, upto, Keep::Never);
                }
            }
        }
        if let Role::Leader(Link::Open(open)) = &mut self.role {
            let requests = open.requests.values_mut();
            for (_, since) in requests.flat_map(|request| &mut request.topics) {
                *since = None;
            }
        }
    }

    /// What was granted for these topics and has not settled is void.
    pub(super) fn void_grants_of(&mut self, topics: &[String]) {
        for step in &mut self.steps {
            if let What::Granted(grants) = &mut step.what {
                grants.retain(|grant| !topics.contains(&grant.topic));
            }
        }
    }

    /// Asks again for the transactions that failed, where they still make sense.
    pub(super) fn pay_debts(&mut self, out: &mut Vec<Effect>) {
        let owed = std::mem::take(&mut self.owed);
        let Some(tail) = self.tail.clone() else {
            return;
        };
        for reset in owed.resets {
            // Another log resets everything anyway.
            if reset.upto.epoch == tail.epoch {
                self.step_reset(reset, tail.clone(), out);
            }
        }
        if owed.topics {
            self.step_topics(Vec::new(), out);
        }
    }

    fn settle_first(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Some(step) = self.steps.pop_front() else {
            return;
        };
        let prev = self.cursor.replace(step.cursor.clone());
        if step.heard.is_some() {
            self.verified = step.heard;
        }
        match step.what {
            What::Moved { at, ops } => {
                let purged = ops.iter().any(|op| op.mode == OpMode::Purge);
                if ops.is_empty() && prev.as_ref() != Some(&step.cursor) {
                    out.push(Effect::Advance(step.cursor.clone()));
                }
                self.relay(
                    Body::Moved {
                        prev: prev.unwrap_or_else(|| step.cursor.clone()),
                        upto: step.cursor,
                        at,
                        ops,
                    },
                    out,
                );
                self.acknowledge(purged.then_some(at), now, out);
            }
            What::Reset(reset) => {
                let purged = (reset.mode == ResetMode::Purge).then_some(reset.upto.seq);
                self.relay(
                    Body::Reset {
                        scope: reset.scope,
                        mode: reset.mode,
                        upto: reset.upto,
                        cursor: step.cursor,
                    },
                    out,
                );
                self.acknowledge(purged, now, out);
            }
            What::Granted(grants) => self.granted(grants, out),
            What::Restored { link } => {
                if prev.as_ref() != Some(&step.cursor) {
                    out.push(Effect::Advance(step.cursor.clone()));
                }
                if let Role::Leader(Link::Open(open)) = &mut self.role
                    && open.link == link
                {
                    open.restored = !open.restoring;
                    open.lapsed &= open.restoring;
                }
                self.relay(
                    Body::Moved {
                        prev: prev.unwrap_or_else(|| step.cursor.clone()),
                        at: step.cursor.seq,
                        upto: step.cursor,
                        ops: Arc::new([]),
                    },
                    out,
                );
                out.push(Effect::Wake);
            }
            What::Topics { dropped } => {
                if !dropped.is_empty() {
                    let covered = Vec::new();
                    self.relay(Body::Topics { covered, dropped }, out);
                }
            }
        }
    }

    fn granted(&mut self, grants: Vec<Grant>, out: &mut Vec<Effect>) {
        for grant in &grants {
            self.topics
                .grant(&grant.topic, grant.since, grant.from, grant.keep);
        }
        let names = grants.into_iter().map(|grant| grant.topic);
        let covered: Vec<(String, u64)> = names
            .filter_map(|name| self.topics.from(&name).map(|from| (name, from)))
            .collect();
        if covered.is_empty() {
            return;
        }
        let dropped = Vec::new();
        self.relay(Body::Topics { covered, dropped }, out);
        self.step_topics(Vec::new(), out);
        out.push(Effect::Wake);
    }

    /// Tells the hub what is applied: at once after a purge, else now and then.
    fn acknowledge(&mut self, purged: Option<u64>, now: Now, out: &mut Vec<Effect>) {
        let (Some(cursor), Role::Leader(Link::Open(open))) = (&self.cursor, &mut self.role) else {
            return;
        };
        let due = cursor.seq > open.acked && now.since(open.acked_at) >= ACK_MS;
        if due || purged.is_some() {
            open.acked = cursor.seq;
            open.acked_at = now;
            out.push(Effect::Send(ClientFrame::Ack {
                seq: cursor.seq,
                purged: purged.into_iter().collect(),
            }));
        }
    }
}
