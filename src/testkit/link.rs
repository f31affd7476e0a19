//! Links without sockets.

use super::lock;
use crate::{
    error::{Error, ErrorKind, Result},
    platform::{BoxFuture, LINK_FRAMES_MAX, Link, LinkSink, LinkState, Transport},
};
use futures_channel::mpsc;
use futures_util::StreamExt;
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex},
};

/// A transport whose hub side is the test.
///
/// Each successful `connect` queues a [`SimPeer`], which the test takes by
/// [`SimTransport::accept`]. Clones share one hub.
#[derive(Clone, Default)]
pub struct SimTransport {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    unreachable: bool,
    refusals: usize,
    attempts: usize,
    peers: VecDeque<SimPeer>,
}

impl SimTransport {
    /// A hub that can be reached.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether `connect` works at all. Open links are not touched.
    pub fn set_reachable(&self, reachable: bool) {
        lock(&self.inner).unreachable = !reachable;
    }

    /// Refuses the next `count` attempts.
    pub fn refuse_next(&self, count: usize) {
        lock(&self.inner).refusals = count;
    }

    /// How often `connect` was tried, with whatever result.
    #[must_use]
    pub fn attempts(&self) -> usize {
        lock(&self.inner).attempts
    }

    /// The hub's end of the oldest link that the test has not taken yet.
    #[must_use]
    pub fn accept(&self) -> Option<SimPeer> {
        lock(&self.inner).peers.pop_front()
    }
}

impl Transport for SimTransport {
    fn connect(&self) -> BoxFuture<'static, Result<Link>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let mut inner = lock(&inner);
            inner.attempts += 1;
            let refused = inner.refusals > 0;
            inner.refusals = inner.refusals.saturating_sub(1);
            if inner.unreachable || refused {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "the simulated hub cannot be reached",
                ));
            }
            let (frames, received) = mpsc::channel(LINK_FRAMES_MAX);
            let (sink, events) = LinkSink::channel();
            inner.peers.push_back(SimPeer {
                received,
                sink: Some(sink),
                faults: Faults::default(),
            });
            Ok(Link { frames, events })
        })
    }
}

/// The hub's end of one link. Dropping it closes the link.
pub struct SimPeer {
    received: mpsc::Receiver<String>,
    sink: Option<LinkSink>,
    faults: Faults,
}

#[derive(Default)]
struct Faults {
    drop: usize,
    duplicate: usize,
    hold: bool,
    held: VecDeque<String>,
}

impl SimPeer {
    /// The next frame that the client has sent already.
    pub fn received(&mut self) -> Option<String> {
        self.received.try_recv().ok()
    }

    /// Waits for the next frame of the client; `None` when it closed the link.
    pub async fn receive(&mut self) -> Option<String> {
        self.received.next().await
    }

    /// Sends a frame to the client, through the faults that are set. `false` once the link is
    /// closed; a full buffer overflows and closes it.
    pub fn send(&mut self, frame: impl Into<String>) -> bool {
        let frame = frame.into();
        if self.faults.drop > 0 {
            self.faults.drop -= 1;
            return self.is_open();
        }
        let copies = if self.faults.duplicate > 0 {
            self.faults.duplicate -= 1;
            2
        } else {
            1
        };
        for _ in 0..copies {
            if self.faults.hold {
                self.faults.held.push_back(frame.clone());
            } else {
                self.deliver(frame.clone());
            }
        }
        self.is_open()
    }

    /// Loses the next `count` frames to the client without a trace.
    pub fn drop_next(&mut self, count: usize) {
        self.faults.drop = count;
    }

    /// Delivers each of the next `count` frames twice.
    pub fn duplicate_next(&mut self, count: usize) {
        self.faults.duplicate = count;
    }

    /// Keeps frames back from now on: a slow network.
    pub fn hold(&mut self) {
        self.faults.hold = true;
    }

    /// Delivers what was kept back, in order, and keeps nothing back any more.
    pub fn release(&mut self) {
        self.faults.hold = false;
        while let Some(frame) = self.faults.held.pop_front() {
            self.deliver(frame);
        }
    }

    /// Reports an overflow to the client, which ends the link.
    pub fn overflow(&mut self) {
        if let Some(mut sink) = self.sink.take() {
            sink.overflow();
        }
    }

    /// Ends the link; frames that were kept back are lost.
    pub fn close(&mut self) {
        self.sink = None;
        self.received.close();
    }

    /// Whether the hub's side still can send.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.sink.is_some()
    }

    fn deliver(&mut self, frame: String) {
        if let Some(sink) = &mut self.sink
            && sink.push(frame) == LinkState::Ended
        {
            self.sink = None;
        }
    }
}

impl fmt::Debug for SimTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimTransport")
            .field("attempts", &self.attempts())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SimPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimPeer")
            .field("open", &self.is_open())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{platform::LinkEvent, testkit::Sim};

    fn open() -> (Link, SimPeer) {
        let transport = SimTransport::new();
        let link = Sim::new(1).run(transport.connect()).unwrap();
        (link, transport.accept().unwrap())
    }

    fn events(link: &mut Link) -> Vec<LinkEvent> {
        std::iter::from_fn(|| link.events.try_recv().ok()).collect()
    }

    fn frame(text: &str) -> LinkEvent {
        LinkEvent::Frame(text.to_owned())
    }

    #[test]
    fn frames_travel_both_ways() {
        let (mut link, mut peer) = open();
        link.frames.try_send("up".to_owned()).unwrap();
        assert!(peer.send("down"));
        assert_eq!(peer.received().as_deref(), Some("up"));
        assert_eq!(events(&mut link), [frame("down")]);
    }

    #[test]
    fn frames_are_lost_doubled_and_delayed_on_command() {
        let (mut link, mut peer) = open();
        peer.drop_next(1);
        peer.send("a");
        peer.duplicate_next(1);
        peer.send("b");
        peer.hold();
        peer.send("c");
        assert_eq!(events(&mut link), [frame("b"), frame("b")]);
        peer.release();
        assert_eq!(events(&mut link), [frame("c")]);
    }

    #[test]
    fn a_refused_attempt_counts_and_leaves_no_peer() {
        let sim = Sim::new(1);
        let transport = SimTransport::new();
        transport.refuse_next(1);
        let error = sim.run(transport.connect()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(transport.accept().is_none());
        sim.run(transport.connect()).unwrap();
        assert_eq!(transport.attempts(), 2);
    }

    #[test]
    fn an_overflow_ends_the_link() {
        let (mut link, mut peer) = open();
        while peer.send("x") {}
        assert_eq!(events(&mut link).last(), Some(&LinkEvent::Overflow));
        assert!(!peer.is_open());
    }

    #[test]
    fn dropping_either_end_is_seen_by_the_other() {
        let sim = Sim::new(1);
        let (mut link, peer) = open();
        drop(peer);
        assert_eq!(sim.run(async move { link.events.next().await }), None);

        let (link, mut peer) = open();
        drop(link);
        assert!(!peer.send("x"));
        assert_eq!(sim.run(async move { peer.receive().await }), None);
    }
}
