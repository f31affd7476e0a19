//! Topics: what is wanted, what was asked, and from where each is covered.

use crate::kernel::protocol::{NAME_BYTES_MAX, ResetMode, ResetScope};
use std::collections::BTreeMap;

/// What an answer says about a topic that was covered before the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// It is covered without a break: the cover may only grow.
    Always,
    /// The connection is new; what was missed since this position is replayed. The old cover
    /// holds if the hub begins there or earlier.
    Since(u64),
    /// It speaks of another log.
    Never,
}

#[derive(Debug, Default)]
struct Topic {
    /// Entries filled at or after this position are covered.
    from: Option<u64>,
    /// A reset forbids cover from before this position (rule R10).
    floor: u64,
    /// Something to ask for: cover from now on, or since a position.
    want: Option<Option<u64>>,
    /// What was asked on this connection and is not answered.
    asked: Option<Option<u64>>,
    /// The connection has, or was asked for, this topic.
    held: bool,
    /// The hub refused; not asked again on this connection.
    denied: bool,
    /// The hub could not cover from this position.
    refused: Option<u64>,
    /// The call that last wanted it.
    used: u64,
}

impl Topic {
    fn covers(&self, since: Option<u64>) -> bool {
        self.from
            .is_some_and(|from| since.is_none_or(|since| from <= since))
    }

    fn is_useless(&self, since: Option<u64>) -> bool {
        let refused = |since| self.refused.is_some_and(|refused| since <= refused);
        self.covers(since) || (self.from.is_some() && since.is_some_and(refused))
    }
}

/// All topics of a feed.
#[derive(Debug, Default)]
pub(super) struct Topics {
    map: BTreeMap<String, Topic>,
    /// A reset of everything forbids cover from before this position.
    floor: u64,
    max: usize,
    /// Counts calls that want something.
    calls: u64,
}

impl Topics {
    pub(super) fn new(max: usize, covered: impl IntoIterator<Item = (String, u64)>) -> Self {
        let mut topics = Self {
            max,
            ..Self::default()
        };
        topics.replace(covered);
        topics
    }

    /// Whether entries of a topic filled at `seq` are covered.
    pub(super) fn covers(&self, topic: &str, seq: u64) -> bool {
        self.map
            .get(topic)
            .is_some_and(|topic| topic.covers(Some(seq)))
    }

    /// From where a topic is covered.
    pub(super) fn from(&self, topic: &str) -> Option<u64> {
        self.map.get(topic)?.from
    }

    pub(super) fn covered(&self) -> impl Iterator<Item = (&str, u64)> {
        self.map
            .iter()
            .filter_map(|(name, topic)| Some((name.as_str(), topic.from?)))
    }

    /// Whether asking for a topic could help.
    pub(super) fn wants(&self, name: &str, since: Option<u64>) -> bool {
        (1..=NAME_BYTES_MAX).contains(&name.len())
            && match self.map.get(name) {
                Some(topic) => !topic.is_useless(since),
                None => true,
            }
    }

    /// At most so many topics from now on: the hub takes no more.
    pub(super) fn limit(&mut self, max: usize) {
        self.max = max;
    }

    /// A new call begins: what it wants stays until the next one.
    pub(super) fn begin_call(&mut self) {
        self.calls += 1;
    }

    /// Topics that make room for another one, where there is none: a sixteenth of all, those
    /// that were wanted longest ago. Entries of theirs that are read again want them again.
    pub(super) fn displaced_by(&self, name: &str) -> Vec<String> {
        if self.map.len() < self.max || self.map.contains_key(name) {
            return Vec::new();
        }
        let mut idle: Vec<(u64, &String)> = self
            .map
            .iter()
            .filter(|(_, topic)| topic.used < self.calls)
            .map(|(name, topic)| (topic.used, name))
            .collect();
        idle.sort_unstable();
        idle.truncate(self.map.len() - self.max + 1 + self.max / 16);
        idle.into_iter().map(|(_, name)| name.clone()).collect()
    }

    /// Notes that entries of a topic exist that were filled at `since`.
    pub(super) fn want(&mut self, name: &str, since: Option<u64>) {
        let calls = self.calls;
        if let Some(topic) = self.map.get_mut(name) {
            topic.used = calls;
        }
        let room = self.map.len() < self.max || self.map.contains_key(name);
        if !room || !self.wants(name, since) {
            return;
        }
        let topic = self.map.entry(name.to_owned()).or_default();
        topic.used = calls;
        let enough = |have: Option<Option<u64>>| match (have, since) {
            (None, _) | (Some(None), Some(_)) => false,
            (Some(_), None) => true,
            (Some(Some(have)), Some(since)) => have <= since,
        };
        if !enough(topic.asked) && !enough(topic.want) {
            topic.want = Some(since);
        }
    }

    /// Whether there is something to ask now, where the connection may hold `capacity` topics.
    pub(super) fn has_asks(&self, capacity: usize) -> bool {
        let room = self.held() < capacity;
        self.map.values().any(|topic| {
            topic.want.is_some() && topic.asked.is_none() && !topic.denied && (topic.held || room)
        })
    }

    fn held(&self) -> usize {
        self.map.values().filter(|topic| topic.held).count()
    }

    /// Takes what is to be asked now.
    pub(super) fn take_asks(&mut self, capacity: usize) -> Vec<(String, Option<u64>)> {
        let mut held = self.held();
        let mut asks = Vec::new();
        for (name, topic) in &mut self.map {
            let room = topic.held || held < capacity;
            if topic.denied || topic.asked.is_some() || !room {
                continue;
            }
            if let Some(since) = topic.want.take() {
                held += usize::from(!topic.held);
                topic.held = true;
                topic.asked = Some(since);
                asks.push((name.clone(), since));
            }
        }
        asks
    }

    /// Which topics to resume: the covered ones, and those that this connection holds or was
    /// asked for, because frames that passed meanwhile are not looked at. Also which others
    /// lost their cover because a connection may only hold `capacity`.
    pub(super) fn take_resume(&mut self, capacity: usize) -> (Vec<String>, Vec<String>) {
        let mut resume = Vec::new();
        let mut dropped = Vec::new();
        for (name, topic) in &mut self.map {
            if topic.from.is_none() && !topic.held {
                continue;
            }
            if resume.len() < capacity {
                topic.held = true;
                resume.push(name.clone());
            } else {
                topic.from = None;
                topic.want = Some(None);
                dropped.push(name.clone());
            }
        }
        (resume, dropped)
    }

    /// The connection is gone, and with it what it held.
    pub(super) fn disconnected(&mut self) {
        for topic in self.map.values_mut() {
            if let Some(unanswered) = topic.asked.take() {
                topic.want = lower(topic.want, unanswered);
            } else if topic.from.is_none() {
                topic.want = lower(topic.want, None);
            }
            topic.held = false;
            topic.denied = false;
        }
    }

    /// An answer: entries filled at or after `from` are covered.
    pub(super) fn grant(&mut self, name: &str, since: Option<u64>, from: u64, keep: Keep) {
        let floor = self.floor;
        // Forgotten meanwhile: nothing to cover.
        let Some(topic) = self.map.get_mut(name) else {
            return;
        };
        let granted = match (topic.from, keep) {
            (Some(held), Keep::Always) => held.min(from),
            (Some(held), Keep::Since(seq)) if from <= seq => held,
            // What began later than this answer, after a reset, stays.
            (Some(held), _) => held.max(from),
            (None, _) => from,
        };
        let from = granted.max(floor).max(topic.floor);
        topic.from = Some(from);
        topic.held = true;
        topic.asked = None;
        if let Some(since) = since
            && since < from
        {
            topic.refused = topic.refused.max(Some(since));
        }
        if topic.want.is_some_and(|want| topic.is_useless(want)) {
            topic.want = None;
        }
    }

    /// Takes cover back where an answer breaks it; [`Self::grant`] gives it anew. Says whether
    /// cover was lost.
    pub(super) fn break_off(&mut self, name: &str, from: u64, keep: Keep) -> bool {
        let continuous = match keep {
            Keep::Always => true,
            Keep::Since(seq) => from <= seq,
            Keep::Never => false,
        };
        match self.map.get_mut(name) {
            Some(topic) if !continuous && topic.from.is_some_and(|held| held < from) => {
                topic.from = None;
                true
            }
            _ => false,
        }
    }

    /// An answer: no. Says whether cover was lost.
    pub(super) fn deny(&mut self, name: &str) -> bool {
        self.map.get_mut(name).is_some_and(|topic| {
            topic.asked = None;
            topic.held = false;
            topic.denied = true;
            topic.from.take().is_some()
        })
    }

    /// Takes the cover of purged topics back until the hub grants it anew: it may not hold them
    /// for this client any more (rule R8).
    pub(super) fn after_purge(&mut self, scope: &ResetScope, mode: ResetMode) {
        let (ResetScope::Topics(names), ResetMode::Purge) = (scope, mode) else {
            return;
        };
        for name in names {
            if let Some(topic) = self.map.get_mut(name) {
                topic.from = None;
                topic.held = false;
                topic.want = lower(topic.want, None);
            }
        }
    }

    /// The hub was asked too often: the wish stays.
    pub(super) fn ask_later(&mut self, name: &str) {
        if let Some(topic) = self.map.get_mut(name)
            && let Some(since) = topic.asked.take()
        {
            topic.want = lower(topic.want, since);
        }
    }

    /// What was refused may be asked for again.
    pub(super) fn allow_again(&mut self) {
        for topic in self.map.values_mut().filter(|topic| topic.denied) {
            topic.denied = false;
            topic.want = lower(topic.want, None);
        }
    }

    /// A wish for more cover was refused; what is covered stays.
    pub(super) fn give_up_asking(&mut self, name: &str) {
        if let Some(topic) = self.map.get_mut(name)
            && let Some(since) = topic.asked.take()
        {
            topic.refused = topic.refused.max(since);
        }
    }

    /// Drops a topic. Says whether the connection held it and whether cover was lost.
    pub(super) fn forget(&mut self, name: &str) -> (bool, bool) {
        self.map
            .remove(name)
            .map_or((false, false), |topic| (topic.held, topic.from.is_some()))
    }

    /// Entries of `scope` filled before `upto` are never covered again; with `alien`, neither
    /// is anything that was filled by the positions of another log.
    pub(super) fn reset(&mut self, scope: &ResetScope, upto: u64, alien: bool) {
        if alien {
            self.floor = upto;
            for topic in self.map.values_mut() {
                topic.from = topic.from.map(|_| upto);
                topic.floor = 0;
                topic.refused = None;
                topic.want = topic.want.map(|_| None);
                topic.asked = topic.asked.map(|_| None);
            }
            return;
        }
        let raise = |topic: &mut Topic| {
            topic.floor = topic.floor.max(upto);
            topic.from = topic.from.map(|from| from.max(upto));
        };
        match scope {
            ResetScope::All => {
                self.floor = self.floor.max(upto);
                self.map.values_mut().for_each(raise);
            }
            ResetScope::Topics(names) => {
                for name in names {
                    self.map.get_mut(name).map(raise);
                }
            }
        }
    }

    /// Nothing is covered any more: there is no position that could say so.
    pub(super) fn uncover(&mut self) {
        for topic in self.map.values_mut() {
            topic.from = None;
            topic.want = Some(None);
        }
    }

    /// Takes another's word for everything.
    pub(super) fn replace(&mut self, covered: impl IntoIterator<Item = (String, u64)>) {
        self.map.clear();
        self.floor = 0;
        self.mirror(covered, &[]);
    }

    /// Takes another's word for some topics.
    pub(super) fn mirror(
        &mut self,
        covered: impl IntoIterator<Item = (String, u64)>,
        dropped: &[String],
    ) {
        for name in dropped {
            self.map.remove(name);
        }
        for (name, from) in covered {
            self.map.entry(name).or_default().from = Some(from);
        }
    }
}

/// Two wishes as one: the one that goes back further.
fn lower(have: Option<Option<u64>>, other: Option<u64>) -> Option<Option<u64>> {
    match (have.flatten(), other) {
        (Some(a), Some(b)) => Some(Some(a.min(b))),
        (a, b) => Some(a.or(b)),
    }
}
