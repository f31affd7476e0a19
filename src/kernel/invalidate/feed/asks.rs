//! What the client asks: topics, and what was missed of them.

use super::{
    super::position::Position,
    Feed, Role,
    effect::Effect,
    link::{Footing, Link, Open, Request},
    time::Now,
    topics::Keep,
};
use crate::kernel::protocol::{ClientFrame, FRAME_BYTES_MAX, TOPICS_PER_FRAME_MAX, TopicSince};

/// A frame of a client is never held to less than this, in bytes.
const FRAME_BYTES_MIN: usize = 16 << 10;

impl Feed {
    /// An entry with this topic exists, filled at `since`, or is about to be read (rule R6):
    /// subscribes unless the topic is covered from there.
    #[must_use]
    pub fn want(&mut self, topic: &str, since: Option<Position>, now: Now) -> Vec<Effect> {
        self.want_all([(topic.to_owned(), since)], now)
    }

    /// [`Self::want`] for many, in as few frames as possible.
    #[must_use]
    pub fn want_all(
        &mut self,
        topics: impl IntoIterator<Item = (String, Option<Position>)>,
        now: Now,
    ) -> Vec<Effect> {
        let mut out = Vec::new();
        self.want_each(topics.into_iter(), now, &mut out);
        self.finish(now, &mut out);
        out
    }

    /// No entry has this topic any more.
    #[must_use]
    pub fn forget(&mut self, topic: &str, now: Now) -> Vec<Effect> {
        let mut out = Vec::new();
        if matches!(self.role, Role::Leader(_)) {
            self.drop_topics(vec![topic.to_owned()], now, &mut out);
            // There may be room for another now.
            self.ask(now, &mut out);
        }
        self.finish(now, &mut out);
        out
    }

    fn drop_topics(&mut self, names: Vec<String>, now: Now, out: &mut Vec<Effect>) {
        // An answer that is on its way speaks of a subscription that ends here.
        self.void_grants_of(&names);
        let mut held = Vec::new();
        let mut covered = Vec::new();
        for name in names {
            let (was_held, was_covered) = self.topics.forget(&name);
            if let Role::Leader(Link::Open(open)) = &mut self.role {
                for request in open.requests.values_mut() {
                    request.topics.retain(|(asked, _)| *asked != name);
                }
            }
            if was_held {
                held.push(name.clone());
            }
            if was_covered {
                covered.push(name);
            }
        }
        if !covered.is_empty() {
            self.step_topics(covered, out);
        }
        if let Role::Leader(Link::Open(open)) = &mut self.role {
            for part in chunks(held, open.frame_bytes(), String::as_str) {
                open.rid += 1;
                open.pace.spend(1 + part.len() as u64 / 64, now);
                let topics = part.into_iter().map(|t| TopicSince { t, since: None });
                out.push(Effect::Send(ClientFrame::Unsub {
                    rid: open.rid,
                    topics: topics.collect(),
                }));
            }
        }
    }

    pub(super) fn want_each(
        &mut self,
        topics: impl Iterator<Item = (String, Option<Position>)>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let leads = matches!(self.role, Role::Leader(_));
        let here = if leads { &self.tail } else { &self.cursor };
        let epoch = here.as_ref().map(|here| here.epoch.clone());
        // A position in another log says nothing.
        let since = |at: Option<Position>| at.filter(|at| Some(&at.epoch) == epoch.as_ref());
        let topics = topics.map(|(topic, at)| (topic, since(at).map(|at| at.seq)));
        if leads {
            self.topics.begin_call();
            for (topic, since) in topics {
                let displaced = self.topics.displaced_by(&topic);
                if !displaced.is_empty() {
                    self.drop_topics(displaced, now, out);
                }
                self.topics.want(&topic, since);
            }
            self.ask(now, out);
        } else {
            self.want_from_leader(topics, out);
        }
    }

    /// Subscribes to what is wanted and fits.
    pub(super) fn ask(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Role::Leader(Link::Open(open)) = &mut self.role else {
            return;
        };
        // Positions mean nothing before it is known which log they count in.
        if open.footing != Footing::Level {
            return;
        }
        if open.pace.ready_in(now) > 0 {
            // The timer comes back to it, and what is wanted by then goes in one frame.
            return;
        }
        let asks = self.topics.take_asks(open.capacity(self.config.topics_max));
        let bytes_max = open.frame_bytes();
        for topics in chunks(asks, bytes_max, |(name, _)| name) {
            open.pace.spend(1 + topics.len() as u64 / 64, now);
            out.push(open.sub(topics, Keep::Always, false, now));
        }
    }

    /// Asks what was missed since the chain broke, for all covered topics. Nothing is covered
    /// until that is answered.
    pub(super) fn resume(&mut self, fresh: bool, now: Now, out: &mut Vec<Effect>) {
        let (Some(tail), Role::Leader(Link::Open(open))) = (self.tail.clone(), &mut self.role)
        else {
            return;
        };
        open.restoring = true;
        open.restored = false;
        let capacity = open.capacity(self.config.topics_max);
        let (names, dropped) = self.topics.take_resume(capacity);
        let seq = if fresh { tail.seq } else { open.chain };
        let keep = if open.footing == Footing::Alien {
            Keep::Never
        } else {
            Keep::Since(seq)
        };
        let mut parts = chunks(names, open.frame_bytes(), String::as_str).into_iter();
        let first = parts.next().unwrap_or_default();
        open.rid += 1;
        out.push(Effect::Send(ClientFrame::Resume {
            rid: open.rid,
            epoch: tail.epoch,
            seq,
            topics: first.clone(),
        }));
        let request = Request {
            sent: now,
            resume: true,
            restores: true,
            topics: first.into_iter().map(|name| (name, None)).collect(),
            keep,
        };
        open.requests.insert(open.rid, request);
        for part in parts {
            let since = (keep != Keep::Never).then_some(seq);
            let topics = part.into_iter().map(|name| (name, since)).collect();
            out.push(open.sub(topics, keep, true, now));
        }
        if !dropped.is_empty() {
            self.step_topics(dropped, out);
        }
    }
}

impl Open {
    /// Topics that this connection may hold.
    pub(super) fn capacity(&self, max: usize) -> usize {
        max.min(self.limits.topics)
    }

    /// Half of what the hub takes: its answer names the topics again, and more.
    fn frame_bytes(&self) -> usize {
        self.limits
            .frame_bytes
            .clamp(FRAME_BYTES_MIN, FRAME_BYTES_MAX)
            / 2
    }

    fn sub(
        &mut self,
        topics: Vec<(String, Option<u64>)>,
        keep: Keep,
        restores: bool,
        now: Now,
    ) -> Effect {
        self.rid += 1;
        let asked = topics.iter().map(|(t, since)| TopicSince {
            t: t.clone(),
            since: *since,
        });
        let frame = ClientFrame::Sub {
            rid: self.rid,
            topics: asked.collect(),
        };
        let request = Request {
            sent: now,
            resume: false,
            restores,
            topics,
            keep,
        };
        self.requests.insert(self.rid, request);
        Effect::Send(frame)
    }
}

/// Cuts topics into frames.
fn chunks<T>(items: Vec<T>, bytes_max: usize, name: impl Fn(&T) -> &str) -> Vec<Vec<T>> {
    // Around each topic: its object, its position. Around all: the frame.
    const AROUND: usize = 64;
    let mut parts: Vec<Vec<T>> = Vec::new();
    let mut bytes = usize::MAX;
    for item in items {
        let more = json_len(name(&item)) + AROUND;
        match parts.last_mut() {
            Some(part)
                if part.len() < TOPICS_PER_FRAME_MAX
                    && bytes.saturating_add(more) <= bytes_max - 4 * AROUND =>
            {
                bytes += more;
                part.push(item);
            }
            _ => {
                bytes = more;
                parts.push(vec![item]);
            }
        }
    }
    parts
}

/// Bytes of a text in JSON, at most.
fn json_len(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(escaped).sum()
}
