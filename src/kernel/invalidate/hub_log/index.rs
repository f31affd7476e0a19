//! When each topic was last touched, for weeks, long after its records are gone.

use crate::kernel::protocol::ResetMode;
use std::collections::HashMap;

/// A topic's keyed hash: the index outlives the records, and must not name anybody.
pub type TopicHash = [u8; 16];

/// The newest positions at which something was touched, by how much a client must give up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// The newest of all.
    pub last: u64,
    /// The newest that removed or purged.
    pub dropped: u64,
    /// The newest that purged.
    pub purged: u64,
    /// The hub's wall clock at `last`, in milliseconds.
    pub ts_ms: u64,
}

impl Touched {
    pub(super) fn at(seq: u64, ts_ms: u64, mode: ResetMode) -> Self {
        let reached = |needed| {
            if super::coalesce::rank(mode) >= super::coalesce::rank(needed) {
                seq
            } else {
                0
            }
        };
        Self {
            last: seq,
            dropped: reached(ResetMode::Drop),
            purged: reached(ResetMode::Purge),
            ts_ms,
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.last = self.last.max(other.last);
        self.dropped = self.dropped.max(other.dropped);
        self.purged = self.purged.max(other.purged);
        self.ts_ms = self.ts_ms.max(other.ts_ms);
    }

    /// What a client must do that knows everything up to `seq`.
    pub(super) const fn since(&self, seq: u64) -> Option<ResetMode> {
        if self.last <= seq {
            None
        } else if self.purged > seq {
            Some(ResetMode::Purge)
        } else if self.dropped > seq {
            Some(ResetMode::Drop)
        } else {
            Some(ResetMode::Revalidate)
        }
    }
}

/// Topic hash to last touch.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    pub(super) topics: HashMap<TopicHash, Touched>,
    /// Records for everybody.
    pub(super) everyone: Touched,
    /// The newest of what was left out of the index: a topic that is not in it was not touched
    /// after this.
    pub(super) gone: Touched,
}

impl Index {
    pub(super) fn touch(&mut self, topic: TopicHash, touched: Touched) {
        self.topics.entry(topic).or_default().merge(touched);
    }

    /// Whether every topic, known or not, counts as changed after `seq`, and how.
    pub(super) fn all_since(&self, seq: u64) -> Option<ResetMode> {
        let mut touched = self.everyone;
        // A topic that came back may have left a purge behind when it went.
        touched.merge(self.gone);
        touched.since(seq)
    }

    /// Whether a topic changed after `seq`, and how. Exact at and above the floor; below it a
    /// topic that is not known counts as changed.
    pub(super) fn since(&self, topic: &TopicHash, seq: u64) -> Option<ResetMode> {
        let mut touched = self.everyone;
        touched.merge(self.gone);
        touched.merge(self.topics.get(topic).copied().unwrap_or_default());
        touched.since(seq)
    }

    /// What would leave so that at most `keep` topics stay, none touched before `oldest_ms`:
    /// the new floor, when it rises.
    pub(super) fn trim_to(&self, keep: usize, oldest_ms: u64) -> Option<u64> {
        let aged = self
            .topics
            .values()
            .filter(|touched| touched.ts_ms < oldest_ms)
            .map(|touched| touched.last)
            .max();
        let crowded = self.topics.len().checked_sub(keep).filter(|over| *over > 0);
        let crowded = crowded.and_then(|over| {
            let mut lasts: Vec<u64> = self.topics.values().map(|touched| touched.last).collect();
            // A tenth more than needed, so that a full index is not sorted at every append.
            let cut = (over + keep / 10).min(lasts.len()).saturating_sub(1);
            (cut < lasts.len()).then(|| *lasts.select_nth_unstable(cut).1)
        });
        aged.max(crowded)
    }

    /// The topics that leave when the floor rises to `floor`.
    pub(super) fn leaving(&self, floor: u64) -> Vec<TopicHash> {
        self.topics
            .iter()
            .filter(|(_, touched)| touched.last <= floor)
            .map(|(topic, _)| *topic)
            .collect()
    }

    pub(super) fn remove(&mut self, topics: &[TopicHash]) {
        for topic in topics {
            if let Some(touched) = self.topics.remove(topic) {
                self.gone.merge(touched);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: TopicHash = [1; 16];
    const B: TopicHash = [2; 16];

    #[test]
    fn a_topic_changed_after_its_last_touch_only() {
        let mut index = Index::default();
        index.touch(A, Touched::at(5, 0, ResetMode::Revalidate));
        assert_eq!(index.since(&A, 4), Some(ResetMode::Revalidate));
        assert_eq!(index.since(&A, 5), None);
        assert_eq!(index.since(&B, 0), None, "nothing was ever left out");
    }

    #[test]
    fn the_hardest_change_that_was_missed_counts_and_no_older_one() {
        let mut index = Index::default();
        index.touch(A, Touched::at(3, 0, ResetMode::Purge));
        index.touch(A, Touched::at(5, 0, ResetMode::Drop));
        index.touch(A, Touched::at(7, 0, ResetMode::Revalidate));
        let since = |seq| index.since(&A, seq);
        assert_eq!(since(2), Some(ResetMode::Purge));
        assert_eq!(since(3), Some(ResetMode::Drop));
        assert_eq!(since(5), Some(ResetMode::Revalidate));
        assert_eq!(since(7), None);
    }

    #[test]
    fn what_left_the_index_is_unknown_below_its_floor() {
        let mut index = Index::default();
        index.touch(A, Touched::at(3, 0, ResetMode::Purge));
        index.touch(B, Touched::at(9, 0, ResetMode::Revalidate));
        let gone = index.leaving(3);
        assert_eq!(gone, [A]);
        index.remove(&gone);
        assert_eq!(index.since(&A, 2), Some(ResetMode::Purge));
        assert_eq!(index.since(&A, 3), None);
        index.touch(A, Touched::at(11, 0, ResetMode::Revalidate));
        assert_eq!(
            index.since(&A, 2),
            Some(ResetMode::Purge),
            "the purge is not forgotten"
        );
        assert_eq!(index.since(&A, 3), Some(ResetMode::Revalidate));
        assert_eq!(index.since(&B, 9), None);
    }

    #[test]
    fn a_record_for_everyone_touches_every_topic() {
        let mut index = Index::default();
        index.touch(A, Touched::at(3, 0, ResetMode::Revalidate));
        index.everyone.merge(Touched::at(6, 0, ResetMode::Drop));
        assert_eq!(index.since(&A, 5), Some(ResetMode::Drop));
        assert_eq!(index.since(&B, 5), Some(ResetMode::Drop));
        assert_eq!(index.since(&B, 6), None);
    }

    #[test]
    fn age_and_crowding_raise_the_floor() {
        let mut index = Index::default();
        for n in 1..=20_u8 {
            index.touch(
                [n; 16],
                Touched::at(n.into(), u64::from(n) * 10, ResetMode::Revalidate),
            );
        }
        assert_eq!(index.trim_to(20, 0), None);
        assert_eq!(index.trim_to(20, 51), Some(5));
        let floor = index.trim_to(10, 0);
        assert_eq!(floor, Some(11));
        let gone = index.leaving(floor.unwrap_or_default());
        index.remove(&gone);
        assert_eq!((index.topics.len(), index.gone.last), (9, 11));
    }
}
