//! One connection, whatever it runs over: timers, sends that block, tokens that end.

use super::{
    authorise::{Grant, Refusal},
    shared::{Registration, Shared, count},
};
use crate::{
    kernel::invalidate::hub_log::{CloseCode, Moment, Out, Peer, View},
    platform::{BoxFuture, EntropyExt},
};
use std::{future::Future, sync::Arc};

/// How long before its end a token's client is warned, in milliseconds.
const WARN_MS: u64 = 60_000;
/// Reconnect no sooner than this after a token ended or a policy was away, in milliseconds.
const RETRY_MS: u64 = 1_000;
/// How long a closed connection waits for the other side to close too, in milliseconds.
const LINGER_MS: u64 = 1_000;
/// The longest sleep; what is due later is looked at again then.
const SLEEP_MS_MAX: u64 = 60_000;

/// What comes in.
pub(super) enum Incoming {
    /// A text frame.
    Text(String),
    /// A sign of life without content.
    Alive,
    /// Something that is no frame of the protocol.
    Garbage,
    /// The end.
    Closed,
}

/// The two directions of a connection.
pub(super) trait Pipe: Send {
    /// Waits for what comes in. May be dropped at any time without losing anything.
    fn receive(&mut self) -> impl Future<Output = Incoming> + Send;
    /// Hands frames over in order, waiting for room; `false` when there is nobody.
    fn send(&mut self, frames: Vec<String>) -> impl Future<Output = bool> + Send;
    /// Asks for a sign of life, where the medium knows such a thing.
    fn ping(&mut self) -> impl Future<Output = bool> + Send;
    /// Whether silence means that the other side is gone.
    fn pings(&self) -> bool;
    /// Closes.
    fn close(&mut self, code: CloseCode) -> impl Future<Output = ()> + Send;
}

/// Who the other side is.
pub(super) enum Caller {
    /// A client that must show a token.
    Stranger,
    /// This very process.
    Own,
}

enum Credentials {
    None,
    Granted(Grant),
    Own,
}

impl Credentials {
    fn allow(&self, shared: &Shared, topic: &str) -> bool {
        match self {
            Self::None => false,
            Self::Granted(grant) => shared.policy.allows(grant, topic),
            Self::Own => true,
        }
    }

    const fn ends_ms(&self) -> Option<u64> {
        match self {
            Self::Granted(grant) => grant.ends_ms(),
            Self::None | Self::Own => None,
        }
    }
}

/// Serves one connection to its end.
pub(super) async fn serve<P: Pipe>(shared: Arc<Shared>, mut pipe: P, caller: Caller) {
    let Some(registration) = shared.register() else {
        return pipe.close(CloseCode::TryLater).await;
    };
    let now = moment(&shared);
    let session = shared.platform.entropy.bytes::<8>().unwrap_or_default();
    let session = session.iter().map(|byte| format!("{byte:02x}")).collect();
    let connection = Connection {
        peer: Peer::new(shared.config.peer, session, now.mono_ms),
        registration,
        pipe,
        credentials: Credentials::None,
        caller,
        beat_at: now.mono_ms.saturating_add(shared.config.hello_ms),
        heard_at: now.mono_ms,
        warned: false,
        stalled: false,
        ping: false,
        shared,
    };
    connection.run().await;
}

fn moment(shared: &Shared) -> Moment {
    Moment {
        mono_ms: shared.platform.clock.mono_ms(),
        wall_ms: shared.platform.clock.wall_ms(),
    }
}

struct Connection<P> {
    shared: Arc<Shared>,
    registration: Registration,
    pipe: P,
    peer: Peer,
    credentials: Credentials,
    caller: Caller,
    /// Until the greeting, when it must have come; then, when the next heartbeat goes out.
    beat_at: u64,
    heard_at: u64,
    warned: bool,
    /// The last send took long.
    stalled: bool,
    /// The next send ends with a ping.
    ping: bool,
}

enum Event {
    Incoming(Incoming),
    Wake,
    Timer,
    Closing,
}

impl<P: Pipe> Connection<P> {
    async fn run(mut self) {
        let mut closing = self.shared.closing.subscribe();
        // Frames still to be delivered are fetched without waiting for another reason.
        let mut more = false;
        loop {
            let event = if *closing.borrow() {
                Event::Closing
            } else if more {
                Event::Wake
            } else {
                let sleep = self.sleep();
                tokio::select! {
                    _ = closing.changed() => Event::Closing,
                    incoming = self.pipe.receive() => Event::Incoming(incoming),
                    () = self.registration.waker.notified() => Event::Wake,
                    () = sleep => Event::Timer,
                }
            };
            more = false;
            let mut out = Vec::new();
            match event {
                Event::Incoming(Incoming::Closed) => return,
                Event::Incoming(incoming) => self.incoming(incoming, &mut out),
                Event::Wake => more = self.advance(&mut out),
                Event::Timer => more = self.timer(&mut out),
                Event::Closing => {
                    let retry_ms = self.shared.jitter(250, 2_000);
                    self.peer
                        .leave("shutdown", Some(retry_ms), CloseCode::GoingAway, &mut out);
                }
            }
            match self.perform(out).await {
                Next::Go => {}
                Next::Advance => more = true,
                Next::Close(code) => return self.close(code).await,
                Next::Gone => return,
            }
        }
    }

    /// Closes politely. A socket that is dropped with unread bytes in it takes back what it
    /// sent last, and that was the word on why.
    async fn close(mut self, code: CloseCode) {
        self.pipe.close(code).await;
        let answered = async { while !matches!(self.pipe.receive().await, Incoming::Closed) {} };
        tokio::select! {
            () = answered => {}
            () = self.shared.platform.clock.sleep(LINGER_MS) => {}
        }
    }

    fn sleep(&self) -> BoxFuture<'static, ()> {
        let now = moment(&self.shared);
        let mut wait = self.beat_at.saturating_sub(now.mono_ms);
        if let Some(ends_ms) = self.credentials.ends_ms() {
            let left = ends_ms.saturating_sub(now.wall_ms);
            let next = if self.warned {
                left
            } else {
                left.saturating_sub(WARN_MS)
            };
            wait = wait.min(next.max(1));
        }
        self.shared.platform.clock.sleep(wait.min(SLEEP_MS_MAX))
    }

    fn incoming(&mut self, incoming: Incoming, out: &mut Vec<Out>) {
        self.heard_at = moment(&self.shared).mono_ms;
        match incoming {
            // What a token does not cover any more is not answered in its last moment either.
            Incoming::Text(_) if self.expire(out) => {}
            Incoming::Text(text) => {
                self.look(out, |peer, view, out| peer.on_text(&text, view, out))
            }
            Incoming::Garbage => self.peer.leave("protocol", None, CloseCode::Protocol, out),
            Incoming::Alive | Incoming::Closed => {}
        }
    }

    fn advance(&mut self, out: &mut Vec<Out>) -> bool {
        if self.expire(out) {
            return false;
        }
        let stalled = self.stalled;
        let mut more = false;
        self.look(out, |peer, view, out| {
            more = peer.advance(view, stalled, out)
        });
        more
    }

    /// What is due; `true` when more waits to be delivered.
    fn timer(&mut self, out: &mut Vec<Out>) -> bool {
        if self.expire(out) {
            return false;
        }
        let now = moment(&self.shared);
        if now.mono_ms < self.beat_at {
            return false;
        }
        let config = &self.shared.config;
        if !self.peer.is_open() {
            self.peer
                .leave("hello", Some(RETRY_MS), CloseCode::Policy, out);
            return false;
        }
        let hb_ms = config.peer.hb_ms;
        if self.pipe.pings()
            && now.mono_ms.saturating_sub(self.heard_at) > 3 * hb_ms + config.dead_ms
        {
            self.peer
                .leave("silent", Some(RETRY_MS), CloseCode::TryLater, out);
            return false;
        }
        self.beat_at = now.mono_ms + self.shared.jitter(hb_ms - hb_ms / 5, hb_ms);
        let more = self.advance(out);
        // It counts what was looked at, and nothing of what still waits: a hub that is busy for
        // long does not fall silent.
        self.peer.beat(now.wall_ms, out);
        self.ping = true;
        more
    }

    /// Ends the connection with its token, and warns before.
    fn expire(&mut self, out: &mut Vec<Out>) -> bool {
        let Some(ends_ms) = self.credentials.ends_ms() else {
            return false;
        };
        let left = ends_ms.saturating_sub(moment(&self.shared).wall_ms);
        if left == 0 {
            self.peer
                .leave("token_expired", Some(RETRY_MS), CloseCode::Policy, out);
            return true;
        }
        if left <= WARN_MS && !self.warned {
            self.warned = true;
            self.peer.expiring(left / 1000, out);
        }
        false
    }

    /// Shows the peer the log and what the current token allows.
    fn look(&mut self, out: &mut Vec<Out>, act: impl FnOnce(&mut Peer, View<'_>, &mut Vec<Out>)) {
        let now = moment(&self.shared);
        let (credentials, shared) = (&self.credentials, &*self.shared);
        let log = shared.log();
        let view = View {
            log: &log,
            allows: &|topic| credentials.allow(shared, topic),
            now,
        };
        act(&mut self.peer, view, out);
    }

    async fn perform(&mut self, out: Vec<Out>) -> Next {
        let mut frames = Vec::new();
        let mut next = Next::Go;
        let mut queue = std::collections::VecDeque::from(out);
        while let Some(out) = queue.pop_front() {
            match out {
                Out::Send(frame) => frames.push(frame),
                Out::Listen(topic) => {
                    self.registration.listen(topic);
                    // A record may have come between the look at the log and this.
                    next = Next::Advance;
                }
                Out::Unlisten(topic) => self.registration.unlisten(&topic),
                Out::Authenticate(token) => {
                    let mut more = Vec::new();
                    self.authenticate(token, &mut more).await;
                    queue.extend(more);
                }
                Out::Close(code) => {
                    next = Next::Close(code);
                    break;
                }
            }
        }
        if frames.is_empty() || self.hand_over(frames).await {
            next
        } else {
            Next::Gone
        }
    }

    async fn authenticate(&mut self, token: Option<String>, out: &mut Vec<Out>) {
        let first = !self.peer.is_open();
        let outcome = match self.caller {
            Caller::Own => Ok(None),
            Caller::Stranger => tokio::select! {
                outcome = self.shared.policy.authenticate(token) => outcome.map(Some),
                () = self.shared.platform.clock.sleep(self.shared.config.hello_ms) => {
                    Err(Refusal::Unavailable)
                }
            },
        };
        let grant = match outcome {
            Ok(grant) => grant,
            Err(Refusal::Denied) => return self.peer.refused(None, out),
            Err(Refusal::Unavailable) => return self.peer.refused(Some(RETRY_MS), out),
        };
        if let Some(grant) = &grant
            && first
            && !self.shared.admits(grant.subject())
        {
            return self
                .peer
                .leave("rate", Some(30_000), CloseCode::Policy, out);
        }
        self.credentials = grant.map_or(Credentials::Own, Credentials::Granted);
        self.warned = false;
        if first {
            let hb_ms = self.shared.config.peer.hb_ms;
            let wait = self.shared.jitter(hb_ms - hb_ms / 5, hb_ms);
            self.beat_at = moment(&self.shared).mono_ms + wait;
        }
        self.look(out, |peer, view, out| peer.authenticated(view, out));
    }

    /// Sends, and notes whether that took long. A client that takes nothing for `dead_ms` is
    /// given up: what waits for it is bounded by this one budget.
    async fn hand_over(&mut self, frames: Vec<String>) -> bool {
        let clock = &self.shared.platform.clock;
        count(&self.shared.counters.frames, frames.len() as u64);
        let began = clock.mono_ms();
        let ping = std::mem::take(&mut self.ping);
        let pipe = &mut self.pipe;
        let sending = async { pipe.send(frames).await && (!ping || pipe.ping().await) };
        let sent = tokio::select! {
            biased;
            sent = sending => sent,
            () = clock.sleep(self.shared.config.dead_ms) => false,
        };
        let took = clock.mono_ms().saturating_sub(began);
        self.stalled = took >= self.shared.config.stall_ms;
        count(&self.shared.counters.stalled, u64::from(self.stalled));
        sent
    }
}

enum Next {
    Go,
    Advance,
    Close(CloseCode),
    Gone,
}

impl<P> Drop for Connection<P> {
    fn drop(&mut self) {
        count(&self.shared.counters.purges_acked, self.peer.purges_acked());
    }
}
