//! Counters, without a key or an identifier among them.

use super::core::CacheState;
use crate::kernel::{class::Classes, invalidate::feed::FeedState};
use std::sync::Arc;

/// Counters of one class since the cache was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClassStats {
    /// Reads that memory answered.
    pub hits_memory: u64,
    /// Reads that the store answered.
    pub hits_store: u64,
    /// Reads that nobody here could answer.
    pub misses: u64,
    /// Calls to the origin.
    pub origin_calls: u64,
    /// Reads that shared a call to the origin with another one.
    pub shared_calls: u64,
    /// Calls to the origin that failed.
    pub origin_errors: u64,
    /// Values handed out past their time to live.
    pub stale: u64,
    /// Values handed out without proof that nothing changed.
    pub unverified: u64,
    /// Fills that the fence refused.
    pub fenced: u64,
    /// Rows that failed authentication.
    pub tampered: u64,
    /// Values stored.
    pub stored: u64,
}

/// A snapshot of everything that is counted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// Open, locked or closed.
    pub state: CacheState,
    /// The feed.
    pub feed: FeedState,
    /// Whether this tab holds the connection.
    pub leader: bool,
    /// Whether this vault can be opened again after a reload without the network.
    pub offline_unlock: bool,
    /// Rows known, in memory or in the store.
    pub entries: usize,
    /// Rows in memory.
    pub entries_in_memory: usize,
    /// Bytes of sealed rows in memory.
    pub memory_bytes: usize,
    /// Rows that left memory for lack of room.
    pub evicted: u64,
    /// Store transactions that wrote.
    pub commits: u64,
    /// Times that the store had no room.
    pub quota_errors: u64,
    /// Invalidations applied from the feed.
    pub invalidations: u64,
    /// Times that a connection continued where it was.
    pub resumes: u64,
    /// Times that continuity was lost, for some topics or all.
    pub resets: u64,
    /// Topics that the feed covers.
    pub topics: usize,
    /// Counters of every class that was used, by class name.
    pub classes: Vec<(Arc<str>, ClassStats)>,
}

/// The counters while they run.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) classes: Vec<ClassStats>,
    pub(super) commits: u64,
    pub(super) quota_errors: u64,
    pub(super) invalidations: u64,
    pub(super) resumes: u64,
    pub(super) resets: u64,
}

impl Counters {
    pub(super) fn class(&mut self, index: usize) -> &mut ClassStats {
        if self.classes.len() <= index {
            self.classes.resize(index + 1, ClassStats::default());
        }
        &mut self.classes[index]
    }

    pub(super) fn by_name(&self, classes: &Classes) -> Vec<(Arc<str>, ClassStats)> {
        classes
            .iter()
            .zip(&self.classes)
            .filter(|(_, stats)| **stats != ClassStats::default())
            .map(|(class, stats)| (class.name.clone(), stats.clone()))
            .collect()
    }
}
