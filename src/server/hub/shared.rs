//! What all connections and the sequencer share.

use super::{authorise::Authorise, sequencer::Publish};
use crate::{
    kernel::invalidate::hub_log::{Bucket, Log, PeerLimits, Record},
    platform::{EntropyExt, Platform},
};
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::{Notify, mpsc, watch};

/// Subjects whose rate is remembered at a time.
const SUBJECTS_MAX: usize = 10_000;
/// Connections and pulls of one subject: a burst, and how many come back each second.
const VISITS: u32 = 60;
const VISITS_PER_SECOND: u32 = 2;

/// Tells whether pages of an origin may connect.
pub(super) type OriginCheck = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// The times and sizes of a hub.
#[derive(Clone, Copy, Debug)]
pub(super) struct Config {
    pub(super) peer: PeerLimits,
    /// How long a client may take to say hello, or a policy to answer, in milliseconds.
    pub(super) hello_ms: u64,
    /// A send that takes this long means a slow client, in milliseconds.
    pub(super) stall_ms: u64,
    /// A send that takes this long means a dead one, in milliseconds.
    pub(super) dead_ms: u64,
    /// Connections at a time.
    pub(super) connections: usize,
}

/// Counters of a hub since it opened.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) published: AtomicU64,
    pub(super) opened: AtomicU64,
    pub(super) frames: AtomicU64,
    pub(super) stalled: AtomicU64,
    pub(super) purges_acked: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

/// Who listens to what.
#[derive(Default)]
struct Listeners {
    next: u64,
    wakers: HashMap<u64, Arc<Notify>>,
    topics: HashMap<Arc<str>, HashSet<u64>>,
}

pub(super) struct Shared {
    pub(super) log: RwLock<Log>,
    pub(super) policy: Arc<dyn Authorise>,
    pub(super) platform: Platform,
    pub(super) config: Config,
    pub(super) jobs: mpsc::Sender<Publish>,
    pub(super) closing: watch::Sender<bool>,
    /// Open connections.
    pub(super) open: watch::Sender<usize>,
    pub(super) counters: Counters,
    pub(super) origins: Option<OriginCheck>,
    listeners: Mutex<Listeners>,
    visits: Mutex<HashMap<Arc<str>, Bucket>>,
}

impl Shared {
    pub(super) fn new(
        log: Log,
        policy: Arc<dyn Authorise>,
        platform: Platform,
        config: Config,
        jobs: mpsc::Sender<Publish>,
        origins: Option<OriginCheck>,
    ) -> Self {
        Self {
            log: RwLock::new(log),
            policy,
            platform,
            config,
            jobs,
            closing: watch::Sender::new(false),
            open: watch::Sender::new(0),
            counters: Counters::default(),
            origins,
            listeners: Mutex::default(),
            visits: Mutex::default(),
        }
    }

    pub(super) fn log(&self) -> RwLockReadGuard<'_, Log> {
        self.log.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those whom new records concern.
    pub(super) fn wake(&self, records: &[Arc<Record>]) {
        let listeners = self.listeners();
        for record in records {
            if record.everyone {
                listeners
                    .wakers
                    .values()
                    .for_each(|waker| waker.notify_one());
                return;
            }
            let ids = record
                .topics
                .iter()
                .filter_map(|topic| listeners.topics.get(topic));
            for waker in ids.flatten().filter_map(|id| listeners.wakers.get(id)) {
                waker.notify_one();
            }
        }
    }

    pub(super) fn wake_all(&self) {
        self.listeners()
            .wakers
            .values()
            .for_each(|waker| waker.notify_one());
    }

    /// Adds a connection; `None` when there are too many or the hub closes.
    pub(super) fn register(self: &Arc<Self>) -> Option<Registration> {
        if *self.closing.borrow() {
            return None;
        }
        let mut admitted = false;
        self.open.send_if_modified(|open| {
            admitted = *open < self.config.connections;
            *open += usize::from(admitted);
            admitted
        });
        if !admitted {
            return None;
        }
        count(&self.counters.opened, 1);
        let waker = Arc::new(Notify::new());
        let mut listeners = self.listeners();
        let id = listeners.next;
        listeners.next += 1;
        listeners.wakers.insert(id, Arc::clone(&waker));
        drop(listeners);
        Some(Registration {
            shared: Arc::clone(self),
            id,
            waker,
            topics: HashSet::new(),
        })
    }

    /// Whether somebody may come in now. Nameless visitors share no limit: there is nobody to
    /// hold to it.
    pub(super) fn admits(&self, subject: &str) -> bool {
        if subject.is_empty() {
            return true;
        }
        let now_ms = self.platform.clock.mono_ms();
        let mut visits = self.visits.lock().unwrap_or_else(PoisonError::into_inner);
        if visits.len() >= SUBJECTS_MAX && !visits.contains_key(subject) {
            visits.retain(|_, bucket| !bucket.is_full(now_ms));
            if visits.len() >= SUBJECTS_MAX {
                visits.clear();
            }
        }
        visits
            .entry(subject.into())
            .or_insert_with(|| Bucket::new(VISITS, VISITS_PER_SECOND, now_ms))
            .take(1, now_ms)
    }

    /// Somewhere between `least` and `most`: spreads what would else happen at once.
    pub(super) fn jitter(&self, least: u64, most: u64) -> u64 {
        // Without randomness everything happens at the latest moment: slower, never wrong.
        let random = self
            .platform
            .entropy
            .bytes()
            .map_or(u32::MAX, u32::from_le_bytes);
        let width = most.saturating_sub(least);
        least + ((u128::from(width) * u128::from(random)) >> 32) as u64
    }
}

/// A connection's entry; taken away on drop.
pub(super) struct Registration {
    pub(super) shared: Arc<Shared>,
    pub(super) waker: Arc<Notify>,
    id: u64,
    topics: HashSet<Arc<str>>,
}

impl Registration {
    pub(super) fn listen(&mut self, topic: Arc<str>) {
        let mut listeners = self.shared.listeners();
        listeners
            .topics
            .entry(Arc::clone(&topic))
            .or_default()
            .insert(self.id);
        self.topics.insert(topic);
    }

    pub(super) fn unlisten(&mut self, topic: &Arc<str>) {
        if self.topics.remove(topic) {
            self.shared.listeners().forget(topic, self.id);
        }
    }
}

impl Listeners {
    fn forget(&mut self, topic: &Arc<str>, id: u64) {
        if let Some(ids) = self.topics.get_mut(topic) {
            ids.remove(&id);
            if ids.is_empty() {
                self.topics.remove(topic);
            }
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut listeners = self.shared.listeners();
        listeners.wakers.remove(&self.id);
        for topic in &self.topics {
            listeners.forget(topic, self.id);
        }
        drop(listeners);
        self.shared
            .open
            .send_modify(|open| *open = open.saturating_sub(1));
    }
}
