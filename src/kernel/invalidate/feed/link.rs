//! The life of a connection: greeting, silence, loss, the way back.

use super::{
    super::position::{Epoch, Position},
    Feed, Role,
    effect::Effect,
    time::{Now, Pace},
    topics::Keep,
};
use crate::{
    error::ErrorKind,
    kernel::protocol::{ClientFrame, Limits, VERSION},
};
use std::collections::BTreeMap;

/// A connection that was live for this long, in milliseconds, was a good one: the next wait is
/// short again.
const STABLE_MS: u64 = 10_000;
/// Gaps in a row that are worth a resume; then the connection is not worth keeping.
pub(super) const GAPS_MAX: u32 = 3;
/// The longest wait that a hub may ask for, in milliseconds.
const RETRY_MS_MAX: u64 = 3_600_000;
#[derive(Debug)]
pub(super) enum Link {
    /// No connection; the engine was asked for one, unless the app is offline.
    Down,
    /// The hub asked not to come back.
    Stopped,
    /// `hello` is sent.
    Greeting { since: Now },
    /// The hub answered.
    Open(Box<Open>),
}

/// How this client's position stands to the hub's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Footing {
    /// In the same log.
    Level,
    /// The hub's log is another: positions do not compare.
    Alien,
    /// The hub's log is shorter than what this client has seen of it: restored, or another
    /// node that is behind.
    Ahead,
}

#[derive(Debug)]
pub(super) struct Open {
    /// Which connection this is.
    pub(super) link: u64,
    pub(super) since: Now,
    pub(super) epoch: Epoch,
    pub(super) head: u64,
    pub(super) limits: Limits,
    pub(super) footing: Footing,
    /// The connection's position: where the next frame must go on.
    pub(super) chain: u64,
    /// When the last frame came that went on from there.
    pub(super) heard: Now,
    pub(super) requests: BTreeMap<u64, Request>,
    pub(super) rid: u64,
    pub(super) pace: Pace,
    /// A resume is outstanding: the cursor stays.
    pub(super) restoring: bool,
    /// Continuity is proven, and what proves it is applied.
    pub(super) restored: bool,
    /// The lease ended; only an answer can renew it.
    pub(super) lapsed: bool,
    /// Gaps in a row.
    pub(super) gaps: u32,
    pub(super) acked: u64,
    pub(super) acked_at: Now,
}

/// A question to the hub.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) sent: Now,
    pub(super) resume: bool,
    /// Continuity waits for the answer.
    pub(super) restores: bool,
    pub(super) topics: Vec<(String, Option<u64>)>,
    pub(super) keep: Keep,
}

impl Link {
    /// Milliseconds until something is overdue. Clocks that went back make it due now.
    pub(super) fn due_in(&self, answer_ms: u64, lease_ms: u64, now: Now) -> Option<u64> {
        let left = |mark, limit: u64| limit.saturating_add(1).saturating_sub(now.since(mark));
        match self {
            Self::Down | Self::Stopped => None,
            Self::Greeting { since } => Some(left(*since, answer_ms)),
            Self::Open(open) => {
                let answers = open.requests.values().map(|r| left(r.sent, answer_ms));
                Some(answers.fold(left(open.heard, lease_ms), u64::min))
            }
        }
    }
}

impl Feed {
    /// A connection is open: greets the hub.
    #[must_use]
    pub fn on_connected(&mut self, token: Option<String>, now: Now) -> Vec<Effect> {
        let mut out = Vec::new();
        let wanted = matches!(self.role, Role::Leader(Link::Down)) && !self.offline;
        if wanted {
            self.pay_debts(&mut out);
            self.role = Role::Leader(Link::Greeting { since: now });
            out.push(Effect::Send(ClientFrame::Hello {
                v: VERSION,
                client: self.config.client.clone(),
                device: self.config.device.clone(),
                caps: Vec::new(),
                token,
            }));
        } else {
            out.push(Effect::Disconnect);
        }
        self.finish(now, &mut out);
        out
    }

    /// A new token, for [`Effect::Authenticate`].
    #[must_use]
    pub fn on_token(&mut self, token: String, now: Now) -> Vec<Effect> {
        let mut out = Vec::new();
        if let Role::Leader(Link::Open(_)) = self.role {
            out.push(Effect::Send(ClientFrame::Auth { token }));
            // It may allow what the old one did not.
            self.topics.allow_again();
            self.ask(now, &mut out);
        }
        self.finish(now, &mut out);
        out
    }

    /// The connection ended, frames were lost on it, or none could be opened.
    #[must_use]
    pub fn on_lost(&mut self, now: Now) -> Vec<Effect> {
        let mut out = Vec::new();
        if matches!(self.role, Role::Leader(ref link) if !matches!(link, Link::Stopped))
            && !self.offline
        {
            self.lost(now, &mut out);
        }
        self.finish(now, &mut out);
        out
    }

    /// Something may be overdue.
    #[must_use]
    pub fn on_timer(&mut self, now: Now) -> Vec<Effect> {
        let mut out = Vec::new();
        let (answer_ms, lease_ms) = (self.config.answer_ms, self.lease_ms);
        match &self.role {
            Role::Leader(Link::Greeting { since }) if now.since(*since) > answer_ms => {
                self.give_up(ErrorKind::Timeout, "the hub does not answer", now, &mut out);
            }
            Role::Leader(Link::Open(open)) => {
                let silent = open.heard;
                let silent_for = now.since(silent);
                let mut sent = open.requests.values().map(|request| request.sent);
                if sent.any(|sent| now.since(sent) > answer_ms) {
                    self.give_up(ErrorKind::Timeout, "the hub does not answer", now, &mut out);
                } else if silent_for == u64::MAX {
                    // A clock was set back: how long it was silent is unknown, so ask.
                    self.lapse(now, &mut out);
                } else if silent_for > lease_ms {
                    self.give_up(ErrorKind::Timeout, "the hub is silent", now, &mut out);
                }
                self.ask(now, &mut out);
            }
            Role::Leader(_) => {}
            Role::Follower(_) => self.follow_on(now, &mut out),
        }
        self.finish(now, &mut out);
        out
    }

    /// The app, or the device, goes offline or comes back. Coming back tries at once, also
    /// after a hub asked to stay away.
    #[must_use]
    pub fn set_offline(&mut self, offline: bool, now: Now) -> Vec<Effect> {
        let mut out = Vec::new();
        let was = std::mem::replace(&mut self.offline, offline);
        if offline {
            self.disconnect(&mut out);
        } else if let Role::Leader(link) = &mut self.role
            && (was || matches!(link, Link::Stopped | Link::Down))
        {
            *link = Link::Down;
            self.backoff.reset();
            out.push(Effect::Connect { after_ms: 0 });
        }
        self.finish(now, &mut out);
        out
    }

    /// The lease ended while the connection looks open: asks for proof.
    pub(super) fn lapse(&mut self, now: Now, out: &mut Vec<Effect>) {
        if let Role::Leader(Link::Open(open)) = &mut self.role {
            open.heard = now;
            open.lapsed = true;
            open.restored = false;
            if !open.restoring {
                self.resume(false, now, out);
            }
        }
    }

    /// The hub is not to be trusted with this connection: says why, and tries another.
    pub(super) fn give_up(
        &mut self,
        kind: ErrorKind,
        detail: &'static str,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        out.push(Effect::Fault(kind, detail));
        self.reconnect(now, out);
    }

    /// Drops the connection and asks for another after a wait.
    pub(super) fn reconnect(&mut self, now: Now, out: &mut Vec<Effect>) {
        out.push(Effect::Disconnect);
        self.lost(now, out);
    }

    /// The hub closes the connection and says when to come back, if at all.
    pub(super) fn go_away(&mut self, retry_ms: u64, again: bool, out: &mut Vec<Effect>) {
        self.disconnect(out);
        if again {
            let retry_ms = retry_ms.min(RETRY_MS_MAX);
            let width = (retry_ms / 4).max(self.config.wait_min_ms);
            let after_ms = self.backoff.spread(retry_ms, width);
            out.push(Effect::Connect { after_ms });
        } else {
            self.role = Role::Leader(Link::Stopped);
            out.push(Effect::Fault(
                ErrorKind::Unavailable,
                "the hub closed the connection and asked not to come back",
            ));
        }
    }

    /// Drops the connection, or the wait for one.
    pub(super) fn disconnect(&mut self, out: &mut Vec<Effect>) {
        if matches!(self.role, Role::Leader(_)) {
            out.push(Effect::Disconnect);
            self.unlink();
        }
    }

    fn lost(&mut self, now: Now, out: &mut Vec<Effect>) {
        if let Role::Leader(Link::Open(open)) = &self.role
            && open.restored
            && now.since(open.since) >= STABLE_MS
        {
            self.backoff.reset();
        } else {
            self.backoff.fail();
        }
        self.unlink();
        let after_ms = self.backoff.wait_ms();
        out.push(Effect::Connect { after_ms });
    }

    fn unlink(&mut self) {
        self.role = Role::Leader(Link::Down);
        self.verified = None;
        self.topics.disconnected();
        self.void_grants();
    }
}

impl Open {
    pub(super) fn position(&self) -> Position {
        Position::new(self.epoch.clone(), self.chain)
    }
}
