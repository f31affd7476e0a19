//! One client of a hub: its frames in, frames for it out.

mod deliver;
mod requests;

use super::{bucket::Bucket, index::TopicHash, log::Log};
use crate::kernel::{
    invalidate::{Epoch, Position, SEQ_MAX},
    protocol::{
        ClientFrame, FRAME_BYTES_MAX, HubFrame, Limits, NAME_BYTES_MAX, ResetMode, ResetScope,
        TOPICS_PER_FRAME_MAX, VERSION,
    },
};
use std::{collections::HashMap, fmt, sync::Arc};

/// Units of the request bucket, and how many come back each second. A frame costs one, 64
/// topics one more, a resume eight more, and each 4 KiB of replay one more.
const BUCKET_UNITS: u32 = 256;
const BUCKET_PER_SECOND: u32 = 16;
/// Refused requests after which the connection ends.
const REFUSALS_MAX: u32 = 16;

/// A moment on both clocks, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moment {
    /// The monotonic clock: for limits.
    pub mono_ms: u64,
    /// The wall clock: told in heartbeats.
    pub wall_ms: u64,
}

/// What a peer is shown at each call.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The log.
    pub log: &'a Log,
    /// Whether the client's current token may hear of a topic.
    pub allows: &'a dyn Fn(&str) -> bool,
    /// Now.
    pub now: Moment,
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// Limits of one connection.
#[derive(Clone, Copy, Debug)]
pub struct PeerLimits {
    /// Topics.
    pub topics: usize,
    /// Bytes of frames that wait for the socket.
    pub budget_bytes: usize,
    /// Bytes of one replay; above it the client is told which topics changed instead.
    pub replay_bytes: usize,
    /// The longest time between heartbeats, told to the client, in milliseconds.
    pub hb_ms: u64,
}

/// Why a connection ends, as a WebSocket close code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseCode {
    /// The hub goes away.
    GoingAway,
    /// A frame that is none, or at the wrong time.
    Protocol,
    /// The client may not, or asks too much.
    Policy,
    /// The client may come back later.
    TryLater,
}

impl CloseCode {
    /// The number of RFC 6455 and its registry.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::Protocol => 1002,
            Self::Policy => 1008,
            Self::TryLater => 1013,
        }
    }
}

/// What the shell has to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// Send this frame.
    Send(String),
    /// Wake this peer when a record touches the topic.
    Listen(Arc<str>),
    /// No more.
    Unlisten(Arc<str>),
    /// Ask the policy about this token, then call [`Peer::authenticated`].
    Authenticate(Option<String>),
    /// Close the connection after what was sent.
    Close(CloseCode),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Greeting,
    Proving,
    Open,
    Gone,
}

/// One connection.
///
/// The peer's position is what the client was told: every frame names the position before it,
/// so a client that misses one sees the gap at the next. `seen` runs ahead of it over records
/// that are not for this client.
#[derive(Debug)]
pub struct Peer {
    limits: PeerLimits,
    session: String,
    stage: Stage,
    epoch: Option<Epoch>,
    told: u64,
    seen: u64,
    topics: HashMap<Arc<str>, TopicHash>,
    bucket: Bucket,
    refusals: u32,
    acked: u64,
    purged: u64,
}

impl Peer {
    /// A connection that has not spoken yet. `session` labels it for the client.
    #[must_use]
    pub fn new(limits: PeerLimits, session: String, now_ms: u64) -> Self {
        Self {
            limits,
            session,
            stage: Stage::Greeting,
            epoch: None,
            told: 0,
            seen: 0,
            topics: HashMap::new(),
            bucket: Bucket::new(BUCKET_UNITS, BUCKET_PER_SECOND, now_ms),
            refusals: 0,
            acked: 0,
            purged: 0,
        }
    }

    /// Whether the client was welcomed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// The newest position that the client says it has applied.
    #[must_use]
    pub const fn acked(&self) -> u64 {
        self.acked
    }

    /// How many purges the client says it has done.
    #[must_use]
    pub const fn purges_acked(&self) -> u64 {
        self.purged
    }

    /// What the peer listens to.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<str>> {
        self.topics.keys()
    }

    /// Takes a frame of the client.
    pub fn on_text(&mut self, text: &str, view: View<'_>, out: &mut Vec<Out>) {
        let now = view.now;
        if self.stage == Stage::Gone {
            return;
        }
        let Ok(frame) = serde_json::from_str::<ClientFrame>(text) else {
            return self.leave("protocol", None, CloseCode::Protocol, out);
        };
        // Whatever the client asks, it must know first that the log began a new life; what it
        // named of positions was of the old one.
        let reborn = self.follow_log(view.log, out);
        match (frame, self.stage) {
            (ClientFrame::Hello { v, token, .. }, Stage::Greeting) => {
                if v == VERSION {
                    self.stage = Stage::Proving;
                    out.push(Out::Authenticate(token));
                } else {
                    self.leave("version", None, CloseCode::Protocol, out);
                }
            }
            (ClientFrame::Sub { rid, mut topics }, Stage::Open) => {
                if reborn {
                    topics.iter_mut().for_each(|topic| topic.since = None);
                }
                if self.admits(rid, &topics, |topic| &topic.t, 1, now.mono_ms, out) {
                    self.subscribe(rid, topics, view, out);
                }
            }
            (
                ClientFrame::Resume {
                    rid,
                    epoch,
                    seq,
                    topics,
                },
                Stage::Open,
            ) => {
                if self.admits(rid, &topics, |topic| topic, 8, now.mono_ms, out) {
                    self.resume(rid, &Position::new(epoch, seq), topics, view, out);
                }
            }
            (ClientFrame::Unsub { rid, topics }, Stage::Open) => {
                if self.admits(rid, &topics, |topic| &topic.t, 1, now.mono_ms, out) {
                    for topic in topics {
                        if let Some((topic, _)) = self.topics.remove_entry(topic.t.as_str()) {
                            out.push(Out::Unlisten(topic));
                        }
                    }
                    let from = self.seen;
                    self.answer(rid, from, Vec::new(), Vec::new(), out);
                }
            }
            (ClientFrame::Ack { seq, purged }, Stage::Open) => {
                if self.bucket.take(1, now.mono_ms) {
                    self.acked = self.acked.max(seq.min(self.told));
                    self.purged += purged.len() as u64;
                } else {
                    self.refuse(out);
                }
            }
            (ClientFrame::Auth { token }, Stage::Open) => {
                if self.bucket.take(8, now.mono_ms) {
                    out.push(Out::Authenticate(Some(token)));
                } else {
                    self.refuse(out);
                }
            }
            _ => self.leave("protocol", None, CloseCode::Protocol, out),
        }
    }

    /// The policy accepted a token. The first one opens the connection; a later one takes away
    /// the topics that it does not allow, and what the client holds of them.
    pub fn authenticated(&mut self, view: View<'_>, out: &mut Vec<Out>) {
        self.follow_log(view.log, out);
        match self.stage {
            Stage::Proving => {
                self.stage = Stage::Open;
                let window = view.log.window();
                self.epoch = Some(window.epoch.clone());
                self.told = window.head;
                self.seen = window.head;
                send(
                    &HubFrame::Welcome {
                        v: VERSION,
                        session: self.session.clone(),
                        epoch: window.epoch,
                        head: window.head,
                        floor: window.floor,
                        index_floor: window.index_floor,
                        hb_ms: self.limits.hb_ms,
                        limits: Limits {
                            topics: self.limits.topics,
                            frame_bytes: FRAME_BYTES_MAX,
                        },
                    },
                    out,
                );
            }
            Stage::Open => {
                let lost = self.topics.keys().filter(|topic| !(view.allows)(topic));
                let lost: Vec<_> = lost.cloned().collect();
                self.lose(&lost, view.log, out);
            }
            Stage::Greeting | Stage::Gone => {}
        }
    }

    /// The policy refused a token, or could not be asked: then a retry may help.
    pub fn refused(&mut self, retry_ms: Option<u64>, out: &mut Vec<Out>) {
        match retry_ms {
            Some(_) => self.leave("unavailable", retry_ms, CloseCode::TryLater, out),
            None => self.leave("unauthorised", None, CloseCode::Policy, out),
        }
    }

    /// Ends the connection with a word on why; without `retry_ms` for good.
    pub fn leave(
        &mut self,
        code: &str,
        retry_ms: Option<u64>,
        close: CloseCode,
        out: &mut Vec<Out>,
    ) {
        if self.stage == Stage::Gone {
            return;
        }
        self.stage = Stage::Gone;
        send(
            &HubFrame::GoAway {
                retry_ms: retry_ms.unwrap_or(0),
                code: code.into(),
                reconnect: retry_ms.is_some(),
            },
            out,
        );
        out.push(Out::Close(close));
    }

    /// Tells the client that its token ends soon.
    pub fn expiring(&self, in_s: u64, out: &mut Vec<Out>) {
        if self.is_open() {
            send(&HubFrame::AuthExpiring { in_s }, out);
        }
    }

    /// A heartbeat: everything up to what the peer has looked at is told.
    pub fn beat(&mut self, wall_ms: u64, out: &mut Vec<Out>) {
        if self.is_open() {
            self.beat_from(self.told, wall_ms, out);
        }
    }

    /// Goes over to another log, where there is one: what the peer has looked at are positions of
    /// the old one.
    fn follow_log(&mut self, log: &Log, out: &mut Vec<Out>) -> bool {
        let reborn = self.is_open() && self.epoch.as_ref() != Some(log.epoch());
        if reborn {
            self.restart(log, "epoch", out);
        }
        reborn
    }

    /// Takes away topics that the token does not allow any more, with what the client holds.
    fn lose(&mut self, topics: &[Arc<str>], log: &Log, out: &mut Vec<Out>) {
        for part in topics.chunks(256) {
            for topic in part {
                self.topics.remove(topic);
                out.push(Out::Unlisten(Arc::clone(topic)));
            }
            let names = part.iter().map(|topic| topic.to_string()).collect();
            send(
                &HubFrame::Reset {
                    scope: ResetScope::Topics(names),
                    mode: ResetMode::Purge,
                    reason: "scope".into(),
                    epoch: log.epoch().clone(),
                    // No position of today is late enough to keep anything.
                    upto: (log.head() + 1).min(SEQ_MAX),
                },
                out,
            );
        }
    }

    /// Checks a request's size and pays for it.
    fn admits<T>(
        &mut self,
        rid: u64,
        topics: &[T],
        name: impl Fn(&T) -> &String,
        cost: u32,
        now_ms: u64,
        out: &mut Vec<Out>,
    ) -> bool {
        let named = |topic: &T| (1..=NAME_BYTES_MAX).contains(&name(topic).len());
        let units = u32::try_from(topics.len() / 64).unwrap_or(u32::MAX);
        let code = if topics.len() > TOPICS_PER_FRAME_MAX || !topics.iter().all(named) {
            "invalid"
        } else if !self.bucket.take(cost.saturating_add(units), now_ms) {
            "rate"
        } else {
            return true;
        };
        let code = code.into();
        send(&HubFrame::Denied { rid, code }, out);
        self.refuse(out);
        false
    }

    fn refuse(&mut self, out: &mut Vec<Out>) {
        self.refusals += 1;
        if self.refusals >= REFUSALS_MAX {
            self.leave("rate", Some(30_000), CloseCode::Policy, out);
        }
    }

    fn beat_from(&mut self, prev: u64, wall_ms: u64, out: &mut Vec<Out>) {
        self.told = self.seen;
        send(
            &HubFrame::Hb {
                prev,
                upto: self.told,
                t: wall_ms,
            },
            out,
        );
    }
}

/// Appends a frame. One that cannot be encoded does not exist: every frame is made here.
fn send(frame: &HubFrame, out: &mut Vec<Out>) {
    out.extend(serde_json::to_string(frame).ok().map(Out::Send));
}
