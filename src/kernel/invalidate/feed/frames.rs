//! What the hub says.

use super::{
    super::position::{Epoch, Position, SEQ_MAX},
    Feed, Role,
    commit::Reset,
    effect::{Effect, ResetReason},
    link::{Footing, GAPS_MAX, Link, Open},
    time::{Now, Pace},
};
use crate::{
    error::ErrorKind,
    kernel::{
        json::Json,
        protocol::{
            FRAME_BYTES_MAX, HubFrame, Limits, Op, OpKind, OpMode, ResetMode, ResetScope, VERSION,
        },
    },
};
use std::collections::BTreeMap;

/// A lease is never shorter than this heartbeat makes it, nor longer, in milliseconds.
const HB_MS: std::ops::RangeInclusive<u64> = 1_000..=120_000;

/// The types that a frame must have its fields for.
const KNOWN: &[&str] = &[
    "welcome",
    "sub_ok",
    "denied",
    "inv",
    "hb",
    "reset",
    "auth_expiring",
    "go_away",
];

impl Feed {
    /// Handles one text frame of the hub, as received.
    #[must_use]
    pub fn on_text(&mut self, text: &str, now: Now) -> Vec<Effect> {
        let mut out = Vec::new();
        if matches!(
            self.role,
            Role::Leader(Link::Greeting { .. } | Link::Open(_))
        ) {
            if text.len() > FRAME_BYTES_MAX {
                self.garbage("the hub sent a frame that is too long", now, &mut out);
            } else {
                let json = Json::parse(text).unwrap_or(Json::Null);
                match HubFrame::read(&json) {
                    Some(frame) => self.frame(frame, now, &mut out),
                    // Not a frame of this version: what can be said without knowing it?
                    None => self.stranger(&json, now, &mut out),
                }
            }
            if self.is_swamped() {
                let detail = "the store does not keep up with the feed";
                self.give_up(ErrorKind::Busy, detail, now, &mut out);
            }
        }
        self.finish(now, &mut out);
        out
    }

    fn frame(&mut self, frame: HubFrame, now: Now, out: &mut Vec<Effect>) {
        if let Role::Leader(Link::Greeting { .. }) = self.role {
            match frame {
                HubFrame::Welcome { v, .. } if v != VERSION => self.incompatible(now, out),
                HubFrame::Welcome {
                    epoch,
                    head,
                    hb_ms,
                    limits,
                    ..
                } if head <= SEQ_MAX => {
                    self.lease_ms = 2 * hb_ms.clamp(*HB_MS.start(), *HB_MS.end()) + 1_000;
                    self.welcome(Position::new(epoch, head), limits, now, out);
                }
                HubFrame::GoAway {
                    retry_ms,
                    reconnect,
                    ..
                } => self.refused(retry_ms, reconnect, out),
                _ => self.garbage("the hub sent a frame out of turn", now, out),
            }
            return;
        }
        match frame {
            HubFrame::Inv { prev, seq, ops } => self.moved(prev, seq, ops, now, out),
            HubFrame::Hb { prev, upto, .. } => self.moved(prev, upto, Vec::new(), now, out),
            HubFrame::Reset {
                scope,
                mode,
                epoch,
                upto,
                ..
            } => {
                self.reset(scope, mode, Position::new(epoch, upto), now, out);
                // An answer that is on its way may grant what a purge took back.
                if matches!(&self.role, Role::Leader(Link::Open(open)) if !open.restoring) {
                    self.ask(now, out);
                }
            }
            HubFrame::SubOk {
                rid,
                from,
                topics,
                denied,
            } => self.sub_ok(rid, from, &topics, &denied, now, out),
            HubFrame::Denied { rid, code } => self.denied(rid, &code, now, out),
            HubFrame::AuthExpiring { .. } => out.push(Effect::Authenticate),
            HubFrame::GoAway {
                retry_ms,
                reconnect,
                ..
            } => self.refused(retry_ms, reconnect, out),
            HubFrame::Welcome { .. } => {
                self.garbage("the hub sent a frame out of turn", now, out);
            }
        }
    }

    pub(super) fn garbage(&mut self, detail: &'static str, now: Now, out: &mut Vec<Effect>) {
        self.give_up(ErrorKind::Incompatible, detail, now, out);
    }

    fn incompatible(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.backoff.fail_for_long();
        self.garbage(
            "the hub speaks a version that this build does not",
            now,
            out,
        );
    }

    fn refused(&mut self, retry_ms: u64, reconnect: bool, out: &mut Vec<Effect>) {
        self.go_away(retry_ms, reconnect, out);
    }

    /// A frame of a later version. What it gives up is unknown, so everything is (rule R11).
    fn stranger(&mut self, frame: &Json, now: Now, out: &mut Vec<Effect>) {
        let number = |name: &str| frame.get(name).whole();
        let unreadable = "the hub sent a frame that cannot be read";
        let Some(kind) = frame.get("type").text() else {
            self.garbage(unreadable, now, out);
            return;
        };
        if kind == "welcome" && number("v") != Some(u64::from(VERSION)) {
            self.incompatible(now, out);
            return;
        }
        let Role::Leader(Link::Open(open)) = &mut self.role else {
            self.garbage("the hub sent a frame out of turn", now, out);
            return;
        };
        if kind == "reset" {
            // Of a scope or mode that only a later version knows: the widest, and for good.
            let epoch = frame.get("epoch").string().unwrap_or_default();
            if let (Ok(epoch), Some(upto)) = (Epoch::try_from(epoch), number("upto")) {
                let upto = Position::new(epoch, upto);
                self.reset(ResetScope::All, ResetMode::Drop, upto, now, out);
                return;
            }
        }
        if KNOWN.contains(&kind) {
            self.garbage(unreadable, now, out);
            return;
        }
        if open.footing != Footing::Level {
            return;
        }
        // Where it says its place in the chain it is a link of it; else it speaks of something
        // that comes after all that was heard.
        let upto = match (number("prev"), number("seq").or_else(|| number("upto"))) {
            (Some(prev), Some(upto)) if prev <= open.chain && upto <= SEQ_MAX => {
                open.chain = open.chain.max(upto);
                open.chain
            }
            _ => (open.chain + 1).min(SEQ_MAX),
        };
        let reset = Reset {
            scope: ResetScope::All,
            mode: ResetMode::Revalidate,
            upto: Position::new(open.epoch.clone(), upto),
            reason: ResetReason::Unknown,
        };
        if let Some(cursor) = self.heard_to() {
            self.step_reset(reset, cursor, out);
        }
    }

    fn welcome(&mut self, head: Position, limits: Limits, now: Now, out: &mut Vec<Effect>) {
        self.links += 1;
        if self.tail.is_none() {
            // Nothing was ever verified: begin here.
            let reset = Reset {
                scope: ResetScope::All,
                mode: ResetMode::Revalidate,
                upto: head.clone(),
                reason: ResetReason::First,
            };
            self.step_reset(reset, head.clone(), out);
        }
        let tail = self.tail.as_ref().unwrap_or(&head);
        let footing = match () {
            () if tail.epoch != head.epoch => Footing::Alien,
            () if tail.seq > head.seq => Footing::Ahead,
            () => Footing::Level,
        };
        let open = Open {
            link: self.links,
            since: now,
            chain: tail.seq,
            epoch: head.epoch,
            head: head.seq,
            limits,
            footing,
            heard: now,
            requests: BTreeMap::new(),
            rid: 0,
            pace: Pace::new(now),
            restoring: false,
            restored: false,
            lapsed: false,
            gaps: 0,
            acked: 0,
            acked_at: now,
        };
        self.topics.limit(open.capacity(self.config.topics_max));
        self.role = Role::Leader(Link::Open(Box::new(open)));
        self.resume(true, now, out);
        self.ask(now, out);
    }

    /// The cursor that a frame just heard leads to: the end of the chain, unless a resume is
    /// outstanding.
    fn heard_to(&self) -> Option<Position> {
        match &self.role {
            Role::Leader(Link::Open(open)) if !open.restoring => Some(open.position()),
            _ => self.tail.clone(),
        }
    }

    /// `inv` and `hb`: everything that matches in `(prev, seq]`.
    fn moved(&mut self, prev: u64, seq: u64, ops: Vec<Op>, now: Now, out: &mut Vec<Effect>) {
        if prev > seq || seq > SEQ_MAX {
            self.garbage("the hub sent an impossible position", now, out);
            return;
        }
        let lease_ms = self.lease_ms;
        let Role::Leader(Link::Open(open)) = &mut self.role else {
            return;
        };
        if open.footing != Footing::Level {
            // Its positions do not count in the log of the cursor.
            return;
        }
        if prev > open.chain {
            if !open.restoring {
                self.gap(now, out);
            }
            // What it gives up is given up, but it says nothing of what lies before it.
            self.give_up_at(seq, ops, None, out);
            return;
        }
        let news = seq >= open.chain;
        if news {
            let lapsed = now.since(open.heard) > lease_ms;
            open.chain = seq;
            if lapsed {
                // It may have lain in a buffer for as long as this tab slept.
                self.lapse(now, out);
            } else {
                open.heard = now;
            }
        }
        let Role::Leader(Link::Open(open)) = &mut self.role else {
            return;
        };
        if news && !open.restoring {
            open.gaps = 0;
            self.give_up_at(seq, ops, Some(now), out);
        } else {
            self.give_up_at(seq, ops, None, out);
        }
    }

    /// Queues what a frame gives up at `seq`. One that was heard in its place takes the cursor to
    /// the end of the chain.
    fn give_up_at(&mut self, seq: u64, ops: Vec<Op>, heard: Option<Now>, out: &mut Vec<Effect>) {
        let (Some(tail), Role::Leader(Link::Open(open))) = (self.tail.clone(), &self.role) else {
            return;
        };
        let upto = Position::new(open.epoch.clone(), seq);
        let cursor = match heard {
            Some(_) => open.position(),
            None => tail.clone(),
        };
        let (ops, unknown) = known(ops);
        if !unknown {
            if !ops.is_empty() || heard.is_some() {
                self.step_moved(cursor, seq, ops, heard, out);
            }
            return;
        }
        if !ops.is_empty() {
            self.step_moved(tail, seq, ops, None, out);
        }
        let reset = Reset {
            scope: ResetScope::All,
            mode: ResetMode::Revalidate,
            upto,
            reason: ResetReason::Unknown,
        };
        self.step_reset(reset, cursor, out);
    }

    /// Something is missing between the chain and a frame (rule R1).
    fn gap(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Role::Leader(Link::Open(open)) = &mut self.role else {
            return;
        };
        open.gaps += 1;
        if open.gaps > GAPS_MAX {
            let detail = "the hub leaves gaps that a resume does not close";
            self.give_up(ErrorKind::Incompatible, detail, now, out);
        } else {
            self.resume(false, now, out);
        }
    }

    pub(super) fn reset(
        &mut self,
        scope: ResetScope,
        mode: ResetMode,
        upto: Position,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        if upto.seq > SEQ_MAX {
            self.garbage("the hub sent an impossible position", now, out);
            return;
        }
        let (Some(tail), Role::Leader(Link::Open(open))) = (self.tail.clone(), &mut self.role)
        else {
            return;
        };
        let alien = upto.epoch != tail.epoch;
        if !alien && open.footing == Footing::Alien {
            let detail = "the hub's log and its reset are of different lives";
            self.garbage(detail, now, out);
            return;
        }
        if alien && scope != ResetScope::All {
            // Continuity cannot hold for some topics where the log is another.
            let all = (ResetScope::All, ResetMode::Revalidate);
            self.reset(all.0, all.1, upto.clone(), now, out);
            self.reset(scope, mode, upto, now, out);
            return;
        }
        let mut reset = Reset {
            scope,
            mode,
            upto,
            reason: if alien {
                ResetReason::Epoch
            } else {
                ResetReason::Hub
            },
        };
        let all = reset.scope == ResetScope::All;
        let cursor = match open.footing {
            _ if alien => {
                open.epoch.clone_from(&reset.upto.epoch);
                open.chain = reset.upto.seq;
                reset.upto.clone()
            }
            Footing::Ahead if all => {
                // The log is shorter than what was seen of it. It goes on from its own end, but
                // what was filled at positions that it has not reached again is never covered.
                open.chain = reset.upto.seq;
                let cursor = reset.upto.clone();
                reset.upto.seq = reset.upto.seq.max((tail.seq + 1).min(SEQ_MAX));
                cursor
            }
            Footing::Level if all => {
                // Everything before is given up, so nothing before can be missed.
                open.chain = open.chain.max(reset.upto.seq);
                open.position()
            }
            // A heartbeat takes the chain over what it replaces.
            _ => tail,
        };
        if all {
            open.footing = Footing::Level;
        }
        self.step_reset(reset, cursor, out);
    }
}

/// The operations that this build knows, and whether there were others. A mode of a later
/// version at least expires what it names.
fn known(ops: Vec<Op>) -> (Vec<Op>, bool) {
    let all = ops.len();
    let known: Vec<Op> = ops
        .into_iter()
        .filter(|op| op.kind != OpKind::Unknown)
        .map(|op| Op {
            mode: match op.mode {
                OpMode::Unknown => OpMode::Expire,
                mode => mode,
            },
            ..op
        })
        .collect();
    let unknown = known.len() < all;
    (known, unknown)
}
