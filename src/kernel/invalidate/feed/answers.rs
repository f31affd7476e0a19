//! What the hub answers to a request: cover given, cover refused, continuity proven.

use super::{
    super::position::{Position, SEQ_MAX},
    Feed, Role,
    commit::{Grant, Step, What},
    effect::Effect,
    link::{Footing, Link},
    time::Now,
};
use crate::{
    error::ErrorKind,
    kernel::protocol::{ResetMode, ResetScope, TopicDenied, TopicFrom},
};
use std::collections::BTreeMap;

impl Feed {
    pub(super) fn sub_ok(
        &mut self,
        rid: u64,
        from: u64,
        topics: &[TopicFrom],
        denied: &[TopicDenied],
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        if from > SEQ_MAX || topics.iter().any(|topic| topic.from > SEQ_MAX) {
            self.garbage("the hub sent an impossible position", now, out);
            return;
        }
        let Role::Leader(Link::Open(open)) = &mut self.role else {
            return;
        };
        // An answer to nothing that was asked here covers nothing.
        let Some(request) = open.requests.remove(&rid) else {
            return;
        };
        if request.resume && open.footing == Footing::Ahead {
            let detail = "the hub's log is behind this client's position";
            self.give_up(ErrorKind::Conflict, detail, now, out);
            return;
        }
        if request.resume && open.footing == Footing::Alien {
            // The hub should have said so; that it did not changes nothing.
            let head = Position::new(open.epoch.clone(), open.head.max(from));
            self.reset(ResetScope::All, ResetMode::Revalidate, head, now, out);
        }
        // Where a topic's own cover starts; none where it is refused.
        let mut own: BTreeMap<&str, Option<u64>> = BTreeMap::new();
        own.extend(topics.iter().map(|t| (t.t.as_str(), Some(t.from))));
        own.extend(denied.iter().map(|t| (t.t.as_str(), None)));
        let mut grants = Vec::new();
        let mut dropped = Vec::new();
        for (topic, since) in request.topics {
            let own = own.get(topic.as_str()).copied();
            let lost = if own == Some(None) {
                self.topics.deny(&topic)
            } else {
                let from = own.flatten().unwrap_or(from);
                let keep = request.keep;
                let lost = self.topics.break_off(&topic, from, keep);
                grants.push(Grant {
                    topic: topic.clone(),
                    since,
                    from,
                    keep,
                });
                lost
            };
            if lost {
                dropped.push(topic);
            }
        }
        if !dropped.is_empty() {
            self.step_topics(dropped, out);
        }
        if let (false, Some(cursor)) = (grants.is_empty(), self.tail.clone()) {
            self.push(Step {
                ticket: None,
                cursor,
                heard: None,
                what: What::Granted(grants),
            });
        }
        self.answered(request.restores, request.sent);
        // Grants that settle may leave wishes for more.
        self.drain(now, out);
        self.ask(now, out);
    }

    /// One answer less to wait for. With the last one that continuity waits for, the cursor
    /// moves to the end of the chain, proven since the question was sent.
    fn answered(&mut self, restores: bool, sent: Now) {
        let Role::Leader(Link::Open(open)) = &mut self.role else {
            return;
        };
        if !restores || open.requests.values().any(|request| request.restores) {
            return;
        }
        open.restoring = false;
        let (link, cursor) = (open.link, open.position());
        self.push(Step {
            ticket: None,
            cursor,
            heard: Some(sent),
            what: What::Restored { link },
        });
    }

    /// A request was refused as a whole.
    pub(super) fn denied(&mut self, rid: u64, code: &str, now: Now, out: &mut Vec<Effect>) {
        let Role::Leader(Link::Open(open)) = &mut self.role else {
            return;
        };
        let Some(request) = open.requests.remove(&rid) else {
            return;
        };
        if request.restores {
            let detail = "the hub refuses to resume";
            self.give_up(ErrorKind::Unavailable, detail, now, out);
            return;
        }
        let too_often = code == "rate";
        if too_often {
            open.pace.exhaust(now);
        }
        let mut dropped = Vec::new();
        for (topic, _) in request.topics {
            if too_often {
                self.topics.ask_later(&topic);
                continue;
            }
            // A wish for more of what is covered anyway costs nothing when it is refused.
            if self.topics.from(&topic).is_some() {
                self.topics.give_up_asking(&topic);
            } else if self.topics.deny(&topic) {
                dropped.push(topic);
            }
        }
        if !dropped.is_empty() {
            self.step_topics(dropped, out);
        }
    }
}
