//! What a client asks for: topics, with or without what it missed.

use super::{
    super::{
        index::TopicHash,
        log::Log,
        record::Record,
        replay::{self, Replay},
    },
    Out, Peer, View,
    deliver::inv,
    send,
};
use crate::kernel::{
    invalidate::Position,
    protocol::{
        FRAME_BYTES_MAX, HubFrame, ResetMode, ResetScope, TopicDenied, TopicFrom, TopicSince,
    },
};
use std::{collections::HashMap, sync::Arc};

/// The code of a topic that the token does not allow.
const FORBIDDEN: &str = "forbidden";

impl Peer {
    /// Adds a topic where there is room and the token allows it.
    fn admit(
        &mut self,
        topic: &str,
        view: View<'_>,
        out: &mut Vec<Out>,
    ) -> Result<(), &'static str> {
        if !(view.allows)(topic) {
            return Err(FORBIDDEN);
        }
        if self.topics.contains_key(topic) {
            return Ok(());
        }
        if self.topics.len() >= self.limits.topics {
            return Err("limit");
        }
        let topic: Arc<str> = topic.into();
        self.topics
            .insert(Arc::clone(&topic), view.log.blind(&topic));
        out.push(Out::Listen(topic));
        Ok(())
    }

    /// Adds topics; those with a position get what they missed since.
    pub(super) fn subscribe(
        &mut self,
        rid: u64,
        topics: Vec<TopicSince>,
        view: View<'_>,
        out: &mut Vec<Out>,
    ) {
        let log = view.log;
        let mut denied = Vec::new();
        let mut since: HashMap<String, u64> = HashMap::new();
        let mut ahead = Vec::new();
        for topic in topics {
            match self.admit(&topic.t, view, out) {
                Err(code) => denied.push(TopicDenied {
                    t: topic.t,
                    code: code.into(),
                }),
                Ok(()) => match topic.since {
                    Some(seq) if seq > log.head() => ahead.push(topic.t),
                    // What was read at the peer's own position or later is covered as it is.
                    Some(seq) if seq < self.seen => {
                        let least = since.entry(topic.t).or_insert(seq);
                        *least = seq.min(*least);
                    }
                    _ => {}
                },
            }
        }
        // The client's cursor must not lie behind the frames of the replay.
        if self.told < self.seen {
            self.beat_from(self.told, view.now.wall_ms, out);
        }
        let mut from = Vec::new();
        // Positions that this log never had: they are of another life, whatever they look like.
        if !ahead.is_empty() {
            self.reset_topics(ahead, ResetMode::Revalidate, "ahead", log, out);
        }
        self.replay_since(since, log, &mut from, out);
        let covered = self.seen;
        self.answer(rid, covered, from, denied, out);
    }

    /// Replays for topics that each have a position of their own.
    fn replay_since(
        &mut self,
        since: HashMap<String, u64>,
        log: &Log,
        from: &mut Vec<TopicFrom>,
        out: &mut Vec<Out>,
    ) {
        // Below the floor the index can only say whether there was a change.
        let (inside, below): (Vec<_>, Vec<_>) =
            since.into_iter().partition(|(_, seq)| *seq >= log.floor());
        let mut changed = Vec::new();
        for (t, seq) in below {
            match log.index().since(&log.blind(&t), seq) {
                None => from.push(TopicFrom { t, from: seq }),
                Some(mode) => changed.push((t, mode)),
            }
        }
        let inside: HashMap<String, u64> = inside.into_iter().collect();
        if let Some(start) = inside.values().copied().min() {
            let hears = |record: &Record, topic: &str| {
                inside.get(topic).is_some_and(|seq| *seq < record.seq)
            };
            match replay::replay(log, start, self.seen, self.limits.replay_bytes, hears) {
                Replay::Records(frames) => {
                    let bytes = frames.into_iter().fold(0, |bytes, (seq, ops)| {
                        // It is no link of the chain: it tells of these topics only, so a client
                        // that missed a frame must not think that it closes the gap.
                        bytes + inv(seq, seq, &ops, out)
                    });
                    self.charge(bytes);
                    from.extend(inside.into_iter().map(|(t, from)| TopicFrom { t, from }));
                }
                Replay::TooMuch => {
                    for (t, seq) in inside {
                        match log.index().since(&log.blind(&t), seq) {
                            None => from.push(TopicFrom { t, from: seq }),
                            Some(mode) => changed.push((t, mode)),
                        }
                    }
                }
            }
        }
        for mode in [ResetMode::Revalidate, ResetMode::Drop, ResetMode::Purge] {
            let same = |(t, held): &(String, ResetMode)| (*held == mode).then(|| t.clone());
            let topics: Vec<String> = changed.iter().filter_map(same).collect();
            if !topics.is_empty() {
                self.reset_topics(topics, mode, "window", log, out);
            }
        }
        from.sort_by(|a, b| a.t.cmp(&b.t));
    }

    /// Adds topics after a reconnect, with everything missed since the client's cursor.
    pub(super) fn resume(
        &mut self,
        rid: u64,
        cursor: &Position,
        topics: Vec<String>,
        view: View<'_>,
        out: &mut Vec<Out>,
    ) {
        let log = view.log;
        let seq = cursor.seq;
        let mut denied = Vec::new();
        let mut lost = Vec::new();
        let mut wanted: HashMap<Arc<str>, TopicHash> = HashMap::with_capacity(topics.len());
        for t in topics {
            match self.admit(&t, view, out) {
                Ok(()) => {
                    if let Some((topic, hash)) = self.topics.get_key_value(t.as_str()) {
                        wanted.insert(Arc::clone(topic), *hash);
                    }
                }
                Err(code) => {
                    if code == FORBIDDEN {
                        lost.push(t.as_str().into());
                    }
                    denied.push(TopicDenied {
                        t,
                        code: code.into(),
                    });
                }
            }
        }
        // A position that this log never reached is of another life, whatever its label says.
        if cursor.epoch != *log.epoch() || seq > log.head() {
            let reason = if cursor.epoch == *log.epoch() {
                "ahead"
            } else {
                "epoch"
            };
            self.restart(log, reason, out);
            self.lose(&lost, log, out);
            let from = self.seen;
            return self.answer(rid, from, Vec::new(), denied, out);
        }
        // Whoever resumes a topic holds something of it: what was lost while the client was
        // away goes before anything else is said.
        self.lose(&lost, log, out);
        let mut from = Vec::new();
        let mut told = seq;
        let replayed = if seq < log.floor() {
            Replay::TooMuch
        } else {
            let budget = self.limits.replay_bytes;
            let hears = |_: &_, topic: &str| wanted.contains_key(topic);
            replay::replay(log, seq, self.seen, budget, hears)
        };
        match replayed {
            Replay::Records(frames) => told = self.send_replay(seq, frames, out),
            Replay::TooMuch => {
                let (frames, changed) =
                    replay::resets(log, wanted.iter(), seq, self.seen, "window");
                for frame in &frames {
                    send(frame, out);
                }
                let upto = self.seen;
                from.extend(changed.into_iter().map(|topic| TopicFrom {
                    t: topic.to_string(),
                    from: upto,
                }));
                from.sort_by(|a, b| a.t.cmp(&b.t));
            }
        }
        // Frames from now on go on from here, so the client's cursor must get here.
        if told < self.seen {
            self.beat_from(told, view.now.wall_ms, out);
        }
        self.told = self.seen;
        self.answer(rid, seq.min(self.seen), from, denied, out);
    }

    /// Sends a replay that begins at `prev`, and charges it; tells where it ends.
    fn send_replay(&mut self, prev: u64, frames: Vec<(u64, String)>, out: &mut Vec<Out>) -> u64 {
        let (mut prev, mut bytes) = (prev, 0);
        for (seq, ops) in frames {
            bytes += inv(prev, seq, &ops, out);
            prev = seq;
        }
        self.charge(bytes);
        prev
    }

    fn charge(&mut self, bytes: usize) {
        self.bucket
            .charge(u32::try_from(bytes / 4096).unwrap_or(u32::MAX));
    }

    fn reset_topics(
        &self,
        topics: Vec<String>,
        mode: ResetMode,
        reason: &str,
        log: &Log,
        out: &mut Vec<Out>,
    ) {
        send(
            &HubFrame::Reset {
                scope: ResetScope::Topics(topics),
                mode,
                reason: reason.into(),
                epoch: log.epoch().clone(),
                upto: self.seen,
            },
            out,
        );
    }

    /// Answers a request. Names and codes come back in it, so it may outgrow a frame although
    /// the request did not.
    pub(super) fn answer(
        &mut self,
        rid: u64,
        from: u64,
        topics: Vec<TopicFrom>,
        denied: Vec<TopicDenied>,
        out: &mut Vec<Out>,
    ) {
        let frame = HubFrame::SubOk {
            rid,
            from,
            topics,
            denied,
        };
        match serde_json::to_string(&frame) {
            Ok(text) if text.len() <= FRAME_BYTES_MAX => out.push(Out::Send(text)),
            _ => {
                let code = "too_large".into();
                send(&HubFrame::Denied { rid, code }, out);
            }
        }
    }
}
