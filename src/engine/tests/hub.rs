//! A hub for tests: a log, its answers, and nothing else. Written from the protocol's page, not
//! from the real hub.

use crate::{
    kernel::{
        invalidate::{Epoch, Position},
        protocol::{
            ClientFrame, HubFrame, Limits, Op, OpKind, OpMode, ResetMode, ResetScope, TopicFrom,
            VERSION,
        },
    },
    testkit::{Sim, SimPeer, SimTransport},
};
use std::collections::BTreeSet;

pub(super) const HB_MS: u64 = 10_000;

struct Connection {
    peer: SimPeer,
    told: u64,
    topics: BTreeSet<String>,
}

pub(super) struct Hub {
    sim: Sim,
    pub(super) transport: SimTransport,
    epoch: Epoch,
    log: Vec<Op>,
    connections: Vec<Connection>,
}

impl Hub {
    pub(super) fn new(sim: &Sim) -> Self {
        Self {
            sim: sim.clone(),
            transport: SimTransport::new(),
            epoch: Epoch::from_bytes([1; 16]),
            log: Vec::new(),
            connections: Vec::new(),
        }
    }

    pub(super) fn head(&self) -> Position {
        Position::new(self.epoch.clone(), self.log.len() as u64)
    }

    /// Runs the world until neither side has anything to say.
    pub(super) fn settle(&mut self) {
        let mut rounds = 0;
        loop {
            self.sim.run_until_stalled();
            rounds += 1;
            assert!(rounds < 1_000, "client and hub talk without end");
            let mut heard = false;
            while let Some(peer) = self.transport.accept() {
                heard = true;
                self.connections.push(Connection {
                    peer,
                    told: 0,
                    topics: BTreeSet::new(),
                });
            }
            for at in 0..self.connections.len() {
                while let Some(text) = self.connections[at].peer.received() {
                    heard = true;
                    if let Ok(frame) = serde_json::from_str(&text) {
                        self.answer(at, frame);
                    }
                }
            }
            if !heard {
                return;
            }
        }
    }

    fn answer(&mut self, at: usize, frame: ClientFrame) {
        let head = self.head();
        match frame {
            ClientFrame::Hello { .. } => {
                self.connections[at].told = head.seq;
                self.send(
                    at,
                    &HubFrame::Welcome {
                        v: VERSION,
                        session: "s".into(),
                        epoch: head.epoch,
                        head: head.seq,
                        floor: 0,
                        index_floor: 0,
                        hb_ms: HB_MS,
                        limits: Limits {
                            topics: 1000,
                            frame_bytes: 1 << 20,
                        },
                    },
                );
            }
            ClientFrame::Sub { rid, topics } => {
                let told = self.connections[at].told;
                let mut from = Vec::new();
                for topic in topics {
                    // What happened since the entry was read is told again.
                    let since = topic.since.unwrap_or(head.seq);
                    for seq in since + 1..=told {
                        let op = self.log[seq as usize - 1].clone();
                        if topic_of(&op) == topic.t {
                            let (prev, ops) = (seq, vec![op]);
                            self.send(at, &HubFrame::Inv { prev, seq, ops });
                        }
                    }
                    from.push(TopicFrom {
                        t: topic.t.clone(),
                        from: since,
                    });
                    self.connections[at].topics.insert(topic.t);
                }
                self.send(
                    at,
                    &HubFrame::SubOk {
                        rid,
                        from: head.seq,
                        topics: from,
                        denied: Vec::new(),
                    },
                );
            }
            ClientFrame::Resume {
                rid,
                epoch,
                seq,
                topics,
            } => {
                self.connections[at].topics.extend(topics);
                let seq = if epoch == self.epoch {
                    seq
                } else {
                    self.reset(at);
                    self.reset_gone(at);
                    head.seq
                };
                self.connections[at].told = seq;
                self.tell(at);
                self.send(
                    at,
                    &HubFrame::SubOk {
                        rid,
                        from: seq,
                        topics: Vec::new(),
                        denied: Vec::new(),
                    },
                );
            }
            _ => {}
        }
    }

    /// Tells a connection what it has not heard, and that there is no more.
    fn tell(&mut self, at: usize) {
        let head = self.log.len() as u64;
        for seq in self.connections[at].told + 1..=head {
            let op = self.log[seq as usize - 1].clone();
            if self.connections[at].topics.contains(topic_of(&op)) {
                let prev = self.connections[at].told;
                let ops = vec![op];
                self.send(at, &HubFrame::Inv { prev, seq, ops });
                self.connections[at].told = seq;
            }
        }
        let prev = self.connections[at].told;
        self.send(
            at,
            &HubFrame::Hb {
                prev,
                upto: head,
                t: 0,
            },
        );
        self.connections[at].told = head;
    }

    fn send(&mut self, at: usize, frame: &HubFrame) {
        if let Ok(text) = serde_json::to_string(frame) {
            self.connections[at].peer.send(text);
        }
    }

    fn reset(&mut self, at: usize) {
        let Position { epoch, seq: upto } = self.head();
        self.connections[at].told = upto;
        self.send(
            at,
            &HubFrame::Reset {
                scope: ResetScope::All,
                mode: ResetMode::Revalidate,
                reason: "epoch".into(),
                epoch,
                upto,
            },
        );
    }

    /// Tells what this log has removed or purged to a client that comes from another one.
    fn reset_gone(&mut self, at: usize) {
        let Position { epoch, seq: upto } = self.head();
        let gone = self.log.iter().filter(|op| op.mode == OpMode::Purge);
        let gone: Vec<String> = gone.map(|op| op.id.clone()).collect();
        if !gone.is_empty() {
            self.send(
                at,
                &HubFrame::Reset {
                    scope: ResetScope::Topics(gone),
                    mode: ResetMode::Purge,
                    reason: "epoch".into(),
                    epoch,
                    upto,
                },
            );
        }
    }

    /// The log is lost and begins a new life.
    pub(super) fn begin_anew(&mut self, life: u8) {
        self.epoch = Epoch::from_bytes([life; 16]);
        self.log.clear();
        for at in 0..self.connections.len() {
            self.reset(at);
        }
        self.settle();
    }

    /// Gives a tag up and tells everybody.
    pub(super) fn publish(&mut self, tag: &str, mode: OpMode) -> Position {
        self.publish_silently(tag, mode);
        self.beat();
        self.head()
    }

    /// Gives a tag up and tells only the connection that was opened as the `at`th.
    pub(super) fn publish_to(&mut self, at: usize, tag: &str, mode: OpMode) {
        self.publish_silently(tag, mode);
        self.tell(at);
        self.settle();
    }

    /// Gives a tag up and tells nobody yet.
    pub(super) fn publish_silently(&mut self, tag: &str, mode: OpMode) {
        self.log.push(Op {
            kind: OpKind::Tag,
            id: tag.into(),
            mode,
            ver: None,
        });
    }

    /// Tells everybody what is new, at least that nothing is.
    pub(super) fn beat(&mut self) {
        for at in 0..self.connections.len() {
            self.tell(at);
        }
        self.settle();
    }

    /// The next frame to each client is lost without a trace.
    pub(super) fn lose_frame(&mut self) {
        for connection in &mut self.connections {
            connection.peer.drop_next(1);
        }
    }

    /// Cuts every connection and lets nobody back in until `connect`.
    pub(super) fn disconnect(&mut self) {
        self.transport.set_reachable(false);
        self.connections.clear();
        self.settle();
    }

    /// Lets clients in again and waits until they are back.
    pub(super) fn connect(&mut self) {
        self.transport.set_reachable(true);
        for _ in 0..30 {
            self.sim.advance(1_000);
            self.settle();
        }
        self.beat();
    }

    /// Lets time pass, with heartbeats.
    pub(super) fn live_on(&mut self, ms: u64) {
        let mut left = ms;
        while left > 0 {
            let step = left.min(HB_MS);
            self.sim.advance(step);
            self.beat();
            left -= step;
        }
    }
}

fn topic_of(op: &Op) -> &str {
    &op.id
}
