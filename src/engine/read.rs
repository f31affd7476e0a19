//! Reading: memory, then the store, then the origin.

use super::{
    core::Core,
    entry::{Entry, Fetched, Freshness, Source},
    event::Event,
    fill::Start,
    writer::{Change, Job},
};
use crate::{
    error::{Error, ErrorKind, Result},
    kernel::{
        class::{Class, Consistency, Offline},
        crypto::{BlindKey, BlindTag, KeyRing},
        envelope::Meta,
        invalidate::{
            feed::{FeedState, Now},
            fence::{Filled, Verdict},
        },
        key::Key,
        table::{Found, Row},
    },
    platform::{BoxFuture, MaybeSend, Table as Rows},
};
use futures_channel::oneshot;
use futures_util::future::{Either, select};
use std::sync::Arc;

/// How often a row that changes while it is read is read again.
const LOADS_MAX: usize = 4;

/// What memory says.
pub(super) enum Memory {
    /// A readable entry.
    Entry(Box<Entry>),
    /// Nothing readable, and the store cannot have it either.
    Nothing,
    /// The store has to be asked. The revision tells whether it changed meanwhile.
    AskStore { blind: BlindKey, revision: u64 },
}

struct Held {
    ring: Arc<KeyRing>,
    generation: u64,
    blind: BlindKey,
    row: Row,
    /// What opening this very row taught before.
    meta: Option<Arc<Meta>>,
    tags: Arc<[BlindTag]>,
    source: Source,
}

/// A fetcher's future.
pub(super) type Fetching = BoxFuture<'static, Result<Fetched>>;

impl Core {
    /// Reads memory. The row is opened outside of the lock.
    pub(super) fn read_memory(self: &Arc<Self>, key: &Key, source: Source) -> Result<Memory> {
        let class = self.classes.get(key.class());
        let held = {
            let now = self.now();
            let mut state = self.state();
            let generation = state.generation;
            let offline = state.offline;
            let open = state.open()?;
            if class.offline == Offline::Refuse
                && (offline || self.feed_state(open, now) == FeedState::Offline)
            {
                return Ok(Memory::Nothing);
            }
            let blind = open.ring.blind_key(key.as_str());
            match open.table.find(&blind) {
                Found::Row {
                    row,
                    meta,
                    tags,
                    from_store,
                } => Held {
                    ring: open.ring.clone(),
                    generation,
                    blind,
                    row,
                    meta,
                    tags,
                    source: if from_store { Source::Store } else { source },
                },
                Found::InStore | Found::Nowhere => {
                    let revision = open.table.revision(&blind);
                    return Ok(Memory::AskStore { blind, revision });
                }
            }
        };
        let opened = match &held.meta {
            Some(meta) => held
                .ring
                .open_body(&held.blind, &held.row)
                .map(|body| (meta.clone(), body)),
            None => held
                .ring
                .open_record(&held.blind, &held.row)
                .map(|(meta, body)| (Arc::new(meta), body)),
        };
        let (meta, body) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                return Err(self.damaged(key, held.generation, (held.blind, held.row), error));
            }
        };
        let now = self.now();
        let mut state = self.state();
        let offline = state.offline;
        let open = state.same(held.generation)?;
        if open.is_gone(&held.blind, &held.tags, &meta, class, now) {
            self.erase(open, held.generation, vec![(held.blind, held.row)]);
            return Ok(Memory::Nothing);
        }
        if held.meta.is_none() {
            open.table.learn(&held.blind, &held.row, &meta);
        }
        let mut entry = open.view(&held.blind, &held.tags, &meta, body, held.source, now);
        entry.verified &= class.tells_enough(&meta.tags);
        let connected =
            !offline && (!open.has_feed || self.feed_state(open, now) == FeedState::Live);
        if class.offline == Offline::ServeNotCurrent && !connected {
            // A vital sign, an alert, a device's status: without a connection it is history.
            entry.freshness = Freshness::Stale;
        }
        if !entry.verified {
            // Entries of a row from the store are covered as soon as the hub says so.
            let effects = open.want(&meta, now);
            self.queue_effects(open, effects);
        }
        let counters = state.counters.class(key.class().index());
        match entry.source {
            Source::Store => counters.hits_store += 1,
            _ => counters.hits_memory += 1,
        }
        counters.stale += u64::from(entry.freshness == Freshness::Stale);
        counters.unverified += u64::from(!entry.verified);
        Ok(Memory::Entry(Box::new(entry)))
    }

    /// A row that failed authentication, or has not even the form of one: it goes, and everybody
    /// hears of it.
    fn damaged(
        self: &Arc<Self>,
        key: &Key,
        generation: u64,
        row: (BlindKey, Row),
        error: Error,
    ) -> Error {
        let mut state = self.state();
        state.counters.class(key.class().index()).tampered += 1;
        if let Ok(open) = state.same(generation) {
            self.erase(open, generation, vec![row]);
        }
        state.listeners.tell(&Event::Tampered);
        error
    }

    /// Forgets rows and removes them from the store in the background, unless other rows have
    /// taken their place.
    pub(super) fn erase(
        self: &Arc<Self>,
        open: &mut super::core::Open,
        generation: u64,
        rows: Vec<(BlindKey, Row)>,
    ) {
        for (key, row) in &rows {
            open.table.remove_exact(key, row);
        }
        let change = Change {
            erase: rows,
            ..Change::default()
        };
        self.enqueue(open, generation, Job::Change(Box::new(change)));
    }

    /// Memory only.
    pub(super) fn peek(self: &Arc<Self>, key: &Key) -> Result<Option<Entry>> {
        Ok(match self.read_memory(key, Source::Memory)? {
            Memory::Entry(entry) => Some(*entry),
            Memory::Nothing | Memory::AskStore { .. } => None,
        })
    }

    /// Memory and store.
    pub(super) async fn get(self: &Arc<Self>, key: &Key) -> Result<Option<Entry>> {
        let mut memory = self.read_memory(key, Source::Memory)?;
        for _ in 0..LOADS_MAX {
            match memory {
                Memory::Entry(entry) => return Ok(Some(*entry)),
                Memory::Nothing => break,
                Memory::AskStore { blind, revision } => {
                    self.load(key, (blind, revision)).await?;
                }
            }
            // Still to be asked only where the row changed while it was read.
            memory = self.read_memory(key, Source::Store)?;
            if let Memory::AskStore { blind, .. } = memory
                && !self.knows(&blind)?
            {
                break;
            }
        }
        self.state().counters.class(key.class().index()).misses += 1;
        Ok(None)
    }

    /// Memory and store for many keys: at most one store transaction.
    pub(super) async fn get_many(
        self: &Arc<Self>,
        keys: &[Key],
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let mut results = Vec::with_capacity(keys.len());
        let (mut ask, mut at) = (Vec::new(), Vec::new());
        for key in keys {
            results.push(match self.read_memory(key, Source::Memory) {
                Ok(Memory::Entry(entry)) => Ok(Some(*entry)),
                Ok(Memory::Nothing) => Ok(None),
                Ok(Memory::AskStore { blind, revision }) => {
                    at.push(results.len());
                    ask.push((blind, revision));
                    Ok(None)
                }
                // One damaged row fails its own read alone.
                Err(error) if is_damage(&error) => Err(error),
                Err(error) => return Err(error),
            });
        }
        if ask.is_empty() {
            return Ok(results);
        }
        let (generation, rows) = self.rows(&ask).await?;
        for ((index, asked), row) in at.into_iter().zip(&ask).zip(rows) {
            if let (Some(key), Some(result)) = (keys.get(index), results.get_mut(index)) {
                let read = self.after_load(key, generation, asked, row).await;
                *result = match read {
                    Err(error) if !is_damage(&error) => return Err(error),
                    read => read,
                };
            }
        }
        Ok(results)
    }

    /// Reads one of many rows before the next one comes: that may push it out of a small memory.
    async fn after_load(
        self: &Arc<Self>,
        key: &Key,
        generation: u64,
        asked: &(BlindKey, u64),
        row: Option<Row>,
    ) -> Result<Option<Entry>> {
        self.admit_row(key, generation, asked, row)?;
        match self.read_memory(key, Source::Store)? {
            Memory::Entry(entry) => return Ok(Some(*entry)),
            // It changed while it was read.
            Memory::AskStore { blind, .. } if self.knows(&blind)? => return self.get(key).await,
            Memory::Nothing | Memory::AskStore { .. } => {}
        }
        self.state().counters.class(key.class().index()).misses += 1;
        Ok(None)
    }

    fn knows(&self, blind: &BlindKey) -> Result<bool> {
        Ok(self.state().open()?.table.knows(blind))
    }

    /// Brings a row of the store into memory.
    async fn load(self: &Arc<Self>, key: &Key, asked: (BlindKey, u64)) -> Result<()> {
        let (generation, rows) = self.rows(&[asked]).await?;
        let row = rows.into_iter().next().flatten();
        self.admit_row(key, generation, &asked, row)
    }

    /// Reads rows of the store in one transaction.
    async fn rows(&self, ask: &[(BlindKey, u64)]) -> Result<(u64, Vec<Option<Row>>)> {
        let generation = self.state().generation;
        let names: Vec<_> = ask.iter().map(|(key, _)| key.0.to_vec()).collect();
        let rows = self.store.get_many(Rows::Records, &names).await?;
        Ok((generation, rows))
    }

    /// Takes a row that was read into memory, unless it changed meanwhile. One that has not the
    /// form of a row is damaged.
    fn admit_row(
        self: &Arc<Self>,
        key: &Key,
        generation: u64,
        (blind, revision): &(BlindKey, u64),
        row: Option<Row>,
    ) -> Result<()> {
        let mut state = self.state();
        let open = state.same(generation)?;
        if open.table.revision(blind) != *revision {
            return Ok(());
        }
        let Some(row) = row else {
            open.table.remove(blind);
            return Ok(());
        };
        let inserted = open.table.insert(*blind, row.clone(), None, true);
        drop(state);
        inserted.map_err(|error| self.damaged(key, generation, (*blind, row), error))
    }

    /// Memory, store, and the origin when needed. See [`Session::get_or_fetch`].
    ///
    /// [`Session::get_or_fetch`]: super::Session::get_or_fetch
    pub(super) async fn get_or_fetch<F>(
        self: &Arc<Self>,
        key: &Key,
        tags: Vec<String>,
        fetch: F,
    ) -> Result<Entry>
    where
        F: FnOnce() -> Fetching + MaybeSend + 'static,
    {
        let class = self.classes.get(key.class());
        let mut held = self.held(key).await?;
        if !self.is_offline() && held.as_ref().is_none_or(|entry| !answers(class, entry)) {
            let waits = class.consistency == Consistency::Strong
                && held
                    .as_ref()
                    .is_some_and(|entry| entry.freshness == Freshness::Fresh);
            if waits && self.wait_for_feed().await {
                held = self.held(key).await?;
            }
        }
        if let Some(entry) = held.take_if(|entry| answers(class, entry)) {
            return Ok(entry);
        }
        if self.is_offline() {
            return match held {
                Some(entry) if may_show(class) => Ok(entry),
                _ => Err(Error::new(
                    ErrorKind::Unavailable,
                    "there is no readable copy and no connection",
                )),
            };
        }
        let flight = self.fly(key, tags, fetch)?;
        let stale_while_revalidate = held.as_ref().is_some_and(|entry| {
            class.consistency == Consistency::Eventual
                && class.swr_at(key, entry.stored_at_ms)
                && entry.expires_at_ms.saturating_add(class.fresh_ms)
                    > entry.stored_at_ms + entry.age_ms
                && !self.is_given_up(key)
        });
        if let (true, Some(entry)) = (stale_while_revalidate, &held) {
            let entry = entry.clone();
            // The refresh outlives this read; its failure shows at the next one.
            self.spawn(Box::pin(async move { drop(flight.await) }));
            return Ok(entry);
        }
        match flight.await {
            Ok(entry) => Ok(Arc::unwrap_or_clone(entry)),
            Err(error) if error.kind() == ErrorKind::OriginFailed && may_show(class) => {
                // Read again: a purge that came meanwhile leaves nothing to show.
                match self.held(key).await? {
                    Some(entry) => Ok(entry),
                    None => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// What is held; a damaged row counts as nothing, because the origin can replace it.
    async fn held(self: &Arc<Self>, key: &Key) -> Result<Option<Entry>> {
        match self.get(key).await {
            Err(error) if matches!(error.kind(), ErrorKind::Tampered | ErrorKind::Incompatible) => {
                Ok(None)
            }
            other => other,
        }
    }

    fn is_given_up(&self, key: &Key) -> bool {
        let mut state = self.state();
        let Ok(open) = state.open() else {
            return true;
        };
        let blind = open.ring.blind_key(key.as_str());
        let Some(meta) = open.table.meta(&blind).cloned() else {
            return true;
        };
        let tags = open.ring.blind_tags(&meta);
        open.verdict(&blind, &tags, &meta) != Verdict::Stands
    }

    /// Joins the call for this entry or starts it.
    fn fly<F>(
        self: &Arc<Self>,
        key: &Key,
        tags: Vec<String>,
        fetch: F,
    ) -> Result<super::flight::Flight>
    where
        F: FnOnce() -> Fetching + MaybeSend + 'static,
    {
        let all_tags = self.tags(key, &tags)?;
        let start = self.start_fill()?;
        let now = self.now();
        let mut state = self.state();
        let open = state.same(start.generation)?;
        let blind = open.ring.blind_key(key.as_str());
        let blind_tags: Vec<BlindTag> = all_tags
            .iter()
            .map(|tag| open.ring.blind_tag(tag))
            .collect();
        let stands = |tick| {
            let begun = Filled {
                position: None,
                tick,
                version: None,
            };
            open.fence.verdict(&blind, &blind_tags, &begun) == Verdict::Stands
        };
        if let Some(flight) = open.flights.join(&blind, stands) {
            state.counters.class(key.class().index()).shared_calls += 1;
            return Ok(flight);
        }
        // Subscribe first, then read (protocol R6): the answer is covered when it is here.
        let effects = open.want_tags(&all_tags, None, now);
        let core = self.clone();
        let owned = key.clone();
        let tick = start.tick;
        let call = async move { core.call(start, owned, tags, fetch).await };
        let flight = open.flights.start(blind, tick, Box::pin(call));
        self.queue_effects(open, effects);
        state.counters.class(key.class().index()).origin_calls += 1;
        Ok(flight)
    }

    async fn call<F>(
        self: Arc<Self>,
        start: Start,
        key: Key,
        tags: Vec<String>,
        fetch: F,
    ) -> Result<Arc<Entry>>
    where
        F: FnOnce() -> Fetching + MaybeSend + 'static,
    {
        let Fetched { body, mut fill } = match fetch().await {
            Ok(fetched) => fetched,
            Err(error) => {
                self.state()
                    .counters
                    .class(key.class().index())
                    .origin_errors += 1;
                return Err(as_origin_error(error));
            }
        };
        fill.tags.extend(tags);
        self.fill(&start, &key, body, &fill).map(Arc::new)
    }

    /// Waits while the feed proves itself: one resume verifies everything that is held, which
    /// is cheaper than asking for each entry again. Whether the feed is live now.
    async fn wait_for_feed(&self) -> bool {
        if self.feed_wait_ms == 0 {
            return false;
        }
        let deadline = self.now().mono_ms + self.feed_wait_ms;
        loop {
            let (woken, left) = {
                let now = self.now();
                let mut state = self.state();
                let Ok(open) = state.open() else {
                    return false;
                };
                match self.feed_state(open, now) {
                    FeedState::Live => return true,
                    FeedState::Connecting if now.mono_ms < deadline => {}
                    _ => return false,
                }
                let (waiter, woken) = oneshot::channel();
                open.waiters.push(waiter);
                (woken, deadline - now.mono_ms)
            };
            if let Either::Right(_) = select(woken, self.platform.clock.sleep(left)).await {
                return false;
            }
        }
    }
}

/// Whether an error is about the row that was read and nothing else.
fn is_damage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Tampered | ErrorKind::Incompatible)
}

/// Whether a held entry answers a read that could ask the origin.
fn answers(class: &Class, entry: &Entry) -> bool {
    entry.freshness == Freshness::Fresh
        && (entry.verified || class.consistency == Consistency::Eventual)
}

/// Whether a stale or unverified entry may be shown when the origin cannot be reached.
fn may_show(class: &Class) -> bool {
    match class.offline {
        Offline::Serve | Offline::ServeNotCurrent => true,
        Offline::Refuse => false,
    }
}

fn as_origin_error(error: Error) -> Error {
    match error.kind() {
        // What the app's fetcher says about itself, and what is not about the origin at all.
        ErrorKind::OriginFailed
        | ErrorKind::Aborted
        | ErrorKind::Locked
        | ErrorKind::Closed
        | ErrorKind::InvalidArgument => error,
        _ => Error::new(ErrorKind::OriginFailed, "the origin could not be read")
            .with_source(Arc::new(error) as Arc<dyn std::error::Error + Send + Sync>),
    }
}

impl super::core::Open {
    /// Whether an opened row must not be shown: past keep-for, of another shape, or given up.
    fn is_gone(
        &mut self,
        key: &BlindKey,
        tags: &[BlindTag],
        meta: &Meta,
        class: &Class,
        now: Now,
    ) -> bool {
        let time = self.time.observe(now);
        time >= meta.keep_until
            || meta.schema != class.schema_version
            || meta.class != class.name
            || self.verdict(key, tags, meta) == Verdict::Gone
    }
}

impl Core {
    pub(super) fn is_offline(&self) -> bool {
        self.state().offline
    }
}
