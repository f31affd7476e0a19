//! The cache handle and the state behind it.

use super::{
    event::{Event, EventStream, Listeners},
    flight::Flights,
    keys::KeySource,
    session::{Purpose, Session},
    stats::{Counters, Stats},
    time::{TimeKeeper, now},
    writer::Queue,
};
use crate::{
    error::{Error, ErrorKind, Result},
    kernel::{
        class::Classes,
        control::Head,
        crypto::{KeyRing, Place},
        invalidate::{
            Position,
            feed::{Feed, FeedState, Now},
            fence::Fence,
        },
        table::Table,
    },
    platform::{BoxFuture, BoxStore, Bytes, Platform, TokenSource, Transport},
};
use futures_channel::{mpsc, oneshot};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Whether a cache can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheState {
    /// Readable.
    Open,
    /// Only ciphertext is here.
    Locked,
    /// Closed for good.
    Closed,
}

/// An open cache. A cheap handle: clones are the same cache. Dropping the last clone and the last
/// session locks it and ends its tasks; [`close`](Self::close) also waits for what is queued.
#[derive(Clone)]
pub struct Cache {
    pub(super) core: Arc<Core>,
    pub(super) handle: Arc<Handle>,
}

/// Shared by everything that an app holds of a cache: when the last of it is gone, so are the
/// keys. The background tasks hold the core alone and end with the vault.
pub(super) struct Handle(Arc<Core>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// What never changes while a cache lives.
pub(super) struct Core {
    pub(super) platform: Platform,
    pub(super) store: BoxStore,
    pub(super) transport: Option<Arc<dyn Transport>>,
    pub(super) token: Option<TokenSource>,
    pub(super) classes: Classes,
    pub(super) place: Place,
    pub(super) memory_bytes_max: usize,
    pub(super) feed_wait_ms: u64,
    pub(super) full_retention: bool,
    pub(super) auto_lock_ms: Option<u64>,
    state: Mutex<State>,
}

/// What changes.
pub(super) struct State {
    pub(super) phase: Phase,
    /// Grows with every lock, unlock and wipe: nothing that began before crosses it.
    pub(super) generation: u64,
    pub(super) listeners: Listeners,
    pub(super) counters: Counters,
    pub(super) offline: bool,
    /// Siblings told something while the vault was not open.
    pub(super) missed: bool,
}

pub(super) enum Phase {
    Locked,
    Open(Box<Open>),
    Closed,
}

/// Everything that a lock destroys.
pub(super) struct Open {
    pub(super) ring: Arc<KeyRing>,
    pub(super) table: Table,
    pub(super) fence: Fence,
    pub(super) head: Head,
    /// The head row as the store has it: every write guards on it.
    pub(super) head_row: Option<Bytes>,
    /// The tick of the fence row as the store has it: another one in memory must be written
    /// together with the next head.
    pub(super) fence_row_tick: u64,
    /// What the transaction under way gives up: counted again when the control rows are read
    /// meanwhile.
    pub(super) writing: Vec<super::writer::Mark>,
    pub(super) time: TimeKeeper,
    pub(super) feed: Feed,
    /// Wakes the task that owns the feed's connection.
    pub(super) pump: mpsc::UnboundedSender<super::pump::Command>,
    pub(super) leader: bool,
    pub(super) has_feed: bool,
    pub(super) flights: Flights,
    pub(super) queue: Queue,
    pub(super) write_seq: u64,
    /// Grows when own, not yet stored invalidations had to be counted anew: fills from before
    /// cannot be ordered against other tabs' any more.
    pub(super) era: u64,
    pub(super) waiters: Vec<oneshot::Sender<()>>,
    pub(super) ephemeral: bool,
    /// The pessimistic time of the last call of a session.
    pub(super) used_at: u64,
    /// Dropped with the rest: ends the background tasks.
    pub(super) alive: Vec<oneshot::Sender<()>>,
}

pub(super) const fn locked() -> Error {
    Error::fixed(ErrorKind::Locked, "the vault is locked")
}

pub(super) const fn closed() -> Error {
    Error::fixed(ErrorKind::Closed, "the cache is closed")
}

impl State {
    pub(super) fn open(&mut self) -> Result<&mut Open> {
        match &mut self.phase {
            Phase::Open(open) => Ok(open),
            Phase::Locked => Err(locked()),
            Phase::Closed => Err(closed()),
        }
    }

    /// The open vault, if it is still the same one as when the caller began.
    pub(super) fn same(&mut self, generation: u64) -> Result<&mut Open> {
        if self.generation == generation {
            self.open()
        } else {
            match self.phase {
                Phase::Closed => Err(closed()),
                _ => Err(locked()),
            }
        }
    }
}

impl Open {
    /// A number for the next write: grows in this tab, and between tabs by the clock.
    pub(super) fn next_write_seq(&mut self, wall_ms: u64) -> u64 {
        self.write_seq = (self.write_seq + 1).max(wall_ms << 12);
        self.write_seq
    }

    /// Tells every waiting strong read to look again.
    pub(super) fn wake_waiters(&mut self) {
        for waiter in self.waiters.drain(..) {
            // A waiter that gave up needs no word.
            let _ = waiter.send(());
        }
    }
}

impl Core {
    #[expect(
        clippy::too_many_arguments,
        reason = "one caller, the builder, names each"
    )]
    pub(super) fn new(
        platform: Platform,
        store: BoxStore,
        transport: Option<Arc<dyn Transport>>,
        token: Option<TokenSource>,
        classes: Classes,
        place: Place,
        memory_bytes_max: usize,
        feed_wait_ms: u64,
        full_retention: bool,
        auto_lock_ms: Option<u64>,
    ) -> Self {
        Self {
            platform,
            store,
            transport,
            token,
            classes,
            place,
            memory_bytes_max,
            feed_wait_ms,
            full_retention,
            auto_lock_ms,
            state: Mutex::new(State {
                phase: Phase::Locked,
                generation: 0,
                listeners: Listeners::default(),
                counters: Counters::default(),
                offline: false,
                missed: false,
            }),
        }
    }

    /// The state. Never held across an await or a call into an app's code.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change; if something did, going on with a
        // consistent-by-construction state beats failing every later call.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Now {
        now(&*self.platform.clock)
    }

    pub(super) fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.platform.spawn.spawn(task);
    }

    /// Reports something that went wrong where nobody waits for an answer.
    pub(super) fn report(&self, error: &Error) {
        let event = match error.kind() {
            ErrorKind::Tampered => Event::Tampered,
            ErrorKind::QuotaExceeded => Event::Quota,
            ErrorKind::Locked | ErrorKind::Closed => return,
            kind => Event::Fault(kind),
        };
        self.state().listeners.tell(&event);
    }
}

impl Cache {
    pub(super) fn over(core: Arc<Core>) -> Self {
        Self {
            handle: Arc::new(Handle(core.clone())),
            core,
        }
    }

    /// A session: the only way to a record. The user must be the vault's.
    ///
    /// # Errors
    /// [`AccessDenied`](ErrorKind::AccessDenied) for another user,
    /// [`Closed`](ErrorKind::Closed) after [`close`](Self::close).
    pub fn session(&self, user: &str, purpose: Purpose) -> Result<Session> {
        if matches!(self.core.state().phase, Phase::Closed) {
            return Err(closed());
        }
        if user != self.core.place.user {
            return Err(Error::new(
                ErrorKind::AccessDenied,
                "the session's user is not the user of this vault",
            ));
        }
        Ok(Session::new(
            self.core.clone(),
            self.handle.clone(),
            purpose,
        ))
    }

    /// Whether it can be read.
    #[must_use]
    pub fn state(&self) -> CacheState {
        match self.core.state().phase {
            Phase::Open(_) => CacheState::Open,
            Phase::Locked => CacheState::Locked,
            Phase::Closed => CacheState::Closed,
        }
    }

    /// What may be said about the cache's entries right now. Computed at the call.
    #[must_use]
    pub fn feed_state(&self) -> FeedState {
        let now = self.core.now();
        let mut state = self.core.state();
        if state.offline {
            return FeedState::Offline;
        }
        match state.open() {
            Ok(open) => self.core.feed_state(open, now),
            Err(_) => FeedState::Off,
        }
    }

    /// The position up to which everything is applied.
    #[must_use]
    pub fn cursor(&self) -> Option<Position> {
        self.core.state().open().ok()?.feed.cursor().cloned()
    }

    /// The class table of this cache.
    #[must_use]
    pub fn classes(&self) -> &Classes {
        &self.core.classes
    }

    /// What happens from now on. A listener that is more than 256 events behind gets
    /// [`Event::Lagged`] in place of the ones it missed.
    #[must_use]
    pub fn events(&self) -> EventStream {
        self.core.state().listeners.listen()
    }

    /// Locks the vault in every tab: keys, sealed rows and facts leave memory at once, and
    /// every read is [`Locked`](ErrorKind::Locked) until [`unlock`](Self::unlock).
    pub fn lock(&self) {
        self.core.lock(true);
    }

    /// Opens a locked vault again; nothing happens to one that is open.
    ///
    /// # Errors
    /// [`WrongKey`](ErrorKind::WrongKey), [`KeyUnavailable`](ErrorKind::KeyUnavailable), and
    /// those of the store.
    pub async fn unlock(&self, key: KeySource) -> Result<()> {
        self.core.unlock(key).await
    }

    /// Stops the feed and every call to an origin, or lets them go on: for an app that knows
    /// better than its sockets. Reads then answer as they do without a network.
    pub fn set_offline(&self, offline: bool) {
        self.core.set_offline(offline);
    }

    /// Ends the cache: locks it, lets go of the store. Later calls are
    /// [`Closed`](ErrorKind::Closed). What was acknowledged stays stored.
    pub async fn close(&self) {
        self.core.close().await;
    }

    /// A snapshot of the counters. Names classes, never keys.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let now = self.core.now();
        let cache_state = self.state();
        let feed = self.feed_state();
        let mut state = self.core.state();
        let classes = state.counters.by_name(&self.core.classes);
        let counters = &state.counters;
        let mut stats = Stats {
            state: cache_state,
            feed,
            leader: false,
            offline_unlock: false,
            entries: 0,
            entries_in_memory: 0,
            memory_bytes: 0,
            evicted: 0,
            commits: counters.commits,
            quota_errors: counters.quota_errors,
            invalidations: counters.invalidations,
            resumes: counters.resumes,
            resets: counters.resets,
            topics: 0,
            classes,
        };
        if let Ok(open) = state.open() {
            open.time.observe(now);
            stats.leader = open.leader;
            stats.offline_unlock = !open.ephemeral;
            stats.entries = open.table.len();
            stats.entries_in_memory = open.table.in_memory();
            stats.memory_bytes = open.table.bytes();
            stats.evicted = open.table.evicted();
            stats.topics = open.feed.topics().count();
        }
        stats
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
