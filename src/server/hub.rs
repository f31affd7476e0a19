//! The invalidation hub: an axum router over a sealed log.
//!
//! One task, the sequencer, gives out positions and stores records before anybody hears of
//! them. Each connection is a task that follows the log at its own pace: what waits for a slow
//! client is the log itself, so a slow client costs no memory.

mod authorise;
mod connection;
mod feed;
mod router;
mod sequencer;
mod shared;
mod storage;

pub use authorise::{AllowEveryone, Authorise, Grant, Refusal};
pub use feed::HubFeed;

use crate::{
    error::{Error, ErrorKind, Result},
    kernel::{
        crypto::KeyRing,
        invalidate::{
            Position,
            hub_log::{Invalidation, PeerLimits, Retention},
        },
    },
    platform::{BoxStore, Platform, Store},
};
use axum::Router;
use sequencer::Publish;
use shared::{Config, OriginCheck, Shared, count};
use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use storage::Storage;
use tokio::sync::{mpsc, oneshot, watch};

/// Publishes that wait for the sequencer before `publish` itself waits.
const QUEUE_MAX: usize = 1024;
/// How long `shutdown` waits for connections, in milliseconds.
const SHUTDOWN_MS: u64 = 5_000;

/// A hub: keeps the log, serves clients, takes what the server publishes.
///
/// Cheap to clone. The hub closes with [`shutdown`](Self::shutdown), or when the last handle is
/// dropped.
///
/// ```no_run
/// # async fn example(keys: std::sync::Arc<clinicache::kernel::crypto::KeyRing>) -> clinicache::Result<()> {
/// use clinicache::server::{AllowEveryone, Embedded, Hub, Invalidation};
///
/// let hub = Hub::builder()
///     .store(Embedded::open("state/hub")?)
///     .keys(keys)
///     .authorise(AllowEveryone)
///     .open()
///     .await?;
/// let app: axum::Router = axum::Router::new().merge(hub.router());
/// let position = hub.position(); // before reading what a data response will hold
/// hub.publish(Invalidation::tag("patient/123")).await?; // after the change is committed
/// # drop((app, position)); Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Hub {
    shared: Arc<Shared>,
    done: watch::Receiver<bool>,
    /// Closes the hub with the last handle; tasks hold only what is shared.
    _last: Arc<CloseOnDrop>,
}

struct CloseOnDrop(Arc<Shared>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.closing.send_replace(true);
    }
}

/// Numbers of a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubStats {
    /// Open connections.
    pub connections: usize,
    /// Connections since the hub opened.
    pub connections_opened: u64,
    /// The newest position.
    pub head: u64,
    /// Records that can be replayed.
    pub records: u64,
    /// Topics in the index.
    pub topics: usize,
    /// Records published since the hub opened.
    pub published: u64,
    /// Frames sent since the hub opened.
    pub frames: u64,
    /// Sends that took long since the hub opened.
    pub stalled: u64,
    /// Purges that clients of ended connections said they have done.
    pub purges_acked: u64,
}

impl Hub {
    /// Begins to describe a hub.
    pub fn builder() -> HubBuilder {
        HubBuilder::default()
    }

    /// Gives a change its position and tells it to every client whom it concerns. Call it once
    /// the change is committed where it belongs. When it returns, the record is on the disk and
    /// on its way; calls that wait at the same time share one flush.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) for an invalidation that nobody would
    /// hear of or that is too large; [`QuotaExceeded`](ErrorKind::QuotaExceeded) or
    /// [`Unavailable`](ErrorKind::Unavailable) when the store fails, and then nobody was told;
    /// [`Closed`](ErrorKind::Closed) after a shutdown.
    ///
    /// # Cancel safety
    /// A publish that was handed over happens even when its future is dropped.
    pub async fn publish(&self, invalidation: Invalidation) -> Result<Position> {
        let item = invalidation.check()?;
        let closed = || Error::new(ErrorKind::Closed, "the hub is closed");
        let (answer, outcome) = oneshot::channel();
        self.shared
            .jobs
            .send(Publish { item, answer })
            .await
            .map_err(|_| closed())?;
        let position = outcome.await.map_err(|_| closed())??;
        count(&self.shared.counters.published, 1);
        Ok(position)
    }

    /// The newest position of the log. A server captures it **before** it reads what a data
    /// response will hold, and sends it as [`Position::HEADER`].
    #[must_use]
    pub fn position(&self) -> Position {
        self.shared.log().position()
    }

    /// `GET /clinicache` (WebSocket, subprotocol `clinicache.v1`) and `POST /clinicache/inv`.
    pub fn router(&self) -> Router {
        router::router(Arc::clone(&self.shared))
    }

    /// Links for a cache in this process.
    #[must_use]
    pub fn feed(&self) -> HubFeed {
        HubFeed {
            shared: Arc::downgrade(&self.shared),
        }
    }

    /// Numbers.
    #[must_use]
    pub fn stats(&self) -> HubStats {
        let log = self.shared.log();
        let window = log.window();
        let counters = &self.shared.counters;
        HubStats {
            connections: *self.shared.open.borrow(),
            connections_opened: counters.opened.load(Ordering::Relaxed),
            head: window.head,
            records: window.head - window.floor,
            topics: log.topics_len(),
            published: counters.published.load(Ordering::Relaxed),
            frames: counters.frames.load(Ordering::Relaxed),
            stalled: counters.stalled.load(Ordering::Relaxed),
            purges_acked: counters.purges_acked.load(Ordering::Relaxed),
        }
    }

    /// Closes: tells every client to come back in a moment, stores what was handed over, and
    /// waits for both, at most five seconds. Later publishes are
    /// [`Closed`](ErrorKind::Closed). The store stays open.
    pub async fn shutdown(&self) {
        self.shared.closing.send_replace(true);
        let mut done = self.done.clone();
        let mut open = self.shared.open.subscribe();
        let drained = async {
            // An error means that the other side is gone, which is as good.
            let _ = done.wait_for(|done| *done).await;
            let _ = open.wait_for(|open| *open == 0).await;
        };
        tokio::select! {
            () = drained => {}
            () = self.shared.platform.clock.sleep(SHUTDOWN_MS) => {}
        }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("stats", &self.stats()).finish()
    }
}

/// A hub that is not open yet.
#[must_use = "a hub exists once it is opened"]
pub struct HubBuilder {
    store: Option<BoxStore>,
    keys: Option<Arc<KeyRing>>,
    policy: Option<Arc<dyn Authorise>>,
    platform: Option<Platform>,
    origins: Option<OriginCheck>,
    retention: Retention,
    heartbeat: Duration,
    connections_max: usize,
    topics_max: usize,
    budget_bytes: usize,
    replay_bytes: usize,
    fresh_log: bool,
}

impl Default for HubBuilder {
    fn default() -> Self {
        Self {
            store: None,
            keys: None,
            policy: None,
            platform: None,
            origins: None,
            retention: Retention::default(),
            heartbeat: Duration::from_secs(10),
            connections_max: 20_000,
            topics_max: 10_000,
            budget_bytes: 64 << 10,
            replay_bytes: 256 << 10,
            fresh_log: false,
        }
    }
}

impl HubBuilder {
    /// Where the log is kept. Required.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// The keys that the log is sealed with. Required: nothing readable is ever on the disk.
    pub fn keys(mut self, keys: impl Into<Arc<KeyRing>>) -> Self {
        self.keys = Some(keys.into());
        self
    }

    /// Who may hear what. Required; [`AllowEveryone`] where that is meant.
    pub fn authorise(mut self, policy: impl Authorise) -> Self {
        self.policy = Some(Arc::new(policy));
        self
    }

    /// The longest time between heartbeats; ten seconds unless told, and at least one. A client
    /// mistrusts what it holds after twice this and a second.
    pub const fn heartbeat(mut self, every: Duration) -> Self {
        self.heartbeat = every;
        self
    }

    /// Which pages may connect, by their `Origin`. Without it, those of the hub's own host.
    pub fn origins(mut self, allowed: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.origins = Some(Arc::new(allowed));
        self
    }

    /// How long records and topics are kept: 48 hours or 64 MiB, and four weeks or a million,
    /// unless told.
    pub const fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Connections at a time; 20,000 unless told.
    pub const fn connections_max(mut self, connections: usize) -> Self {
        self.connections_max = connections;
        self
    }

    /// Topics of one connection; 10,000 unless told.
    pub const fn topics_max(mut self, topics: usize) -> Self {
        self.topics_max = topics;
        self
    }

    /// Bytes that may wait for one socket; 64 KiB unless told, and at least 32 KiB, so that the
    /// largest record fits.
    pub const fn budget_bytes(mut self, bytes: usize) -> Self {
        self.budget_bytes = bytes;
        self
    }

    /// Bytes of one replay, above which the client is told which topics changed instead;
    /// 256 KiB unless told, and at least 32 KiB.
    pub const fn replay_bytes(mut self, bytes: usize) -> Self {
        self.replay_bytes = bytes;
        self
    }

    /// Begins a new log under a new epoch although the old one can be read. To be called once
    /// after the store was restored from a backup: the restored log would give out positions
    /// again that clients already know, and nothing in it can tell.
    pub const fn fresh_log(mut self) -> Self {
        self.fresh_log = true;
        self
    }

    /// Time, randomness and tasks; the operating system's unless told, and then the hub needs a
    /// tokio runtime.
    pub fn platform(mut self, platform: Platform) -> Self {
        self.platform = Some(platform);
        self
    }

    /// Reads the log and begins to serve. A log whose continuity cannot be proven (wrong key,
    /// missing or edited rows) is replaced by a new one under a new epoch, and every client
    /// then revalidates what it holds.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) when a required part is missing or a
    /// value is out of range; [`Incompatible`](ErrorKind::Incompatible) when a newer version
    /// wrote the log, which is left untouched; otherwise what the store says.
    pub async fn open(self) -> Result<Hub> {
        let store = self.store.ok_or_else(|| missing("store"))?;
        let keys = self.keys.ok_or_else(|| missing("keys"))?;
        let policy = self.policy.ok_or_else(|| missing("authorise"))?;
        if self.budget_bytes < 32 << 10 || self.replay_bytes < 32 << 10 {
            return Err(Error::invalid("budget", "must be at least 32 KiB"));
        }
        let hb_ms = u64::try_from(self.heartbeat.as_millis()).unwrap_or(u64::MAX);
        if !(1_000..=120_000).contains(&hb_ms) {
            return Err(Error::invalid("heartbeat", "must be 1 to 120 seconds"));
        }
        let platform = self.platform.unwrap_or_else(Platform::system);
        let mut storage = Storage::new(store, keys, Arc::clone(&platform.entropy));
        let mut log = storage.load().await?;
        if self.fresh_log {
            log = storage.begin().await?;
        }
        let config = Config {
            peer: PeerLimits {
                topics: self.topics_max,
                budget_bytes: self.budget_bytes,
                replay_bytes: self.replay_bytes,
                hb_ms,
            },
            hello_ms: 10_000,
            stall_ms: 1_000,
            dead_ms: 2 * hb_ms + 1_000,
            connections: self.connections_max,
        };
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let spawn = Arc::clone(&platform.spawn);
        let shared = Arc::new(Shared::new(
            log,
            policy,
            platform,
            config,
            jobs,
            self.origins,
        ));
        let (finished, done) = watch::channel(false);
        spawn.spawn(Box::pin(sequencer::run(
            Arc::clone(&shared),
            storage,
            queue,
            self.retention,
            finished,
        )));
        Ok(Hub {
            _last: Arc::new(CloseOnDrop(Arc::clone(&shared))),
            shared,
            done,
        })
    }
}

fn missing(field: &'static str) -> Error {
    Error::invalid(field, "is required")
}

impl fmt::Debug for HubBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HubBuilder")
    }
}
