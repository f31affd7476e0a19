//! Bringing values in: sealing them, judging them, storing them.

use super::{
    core::{Core, Open},
    entry::{Entry, Fill, Freshness, Source},
    give_up::check_tag,
    read::Memory,
    writer::{Change, Job, Mark, Put, Terms},
};
use crate::{
    error::{Error, Result},
    kernel::{
        class::{Class, Consistency},
        codec::sort_short,
        crypto::{BlindKey, BlindTag, KeyRing, Nonce},
        envelope::{Body, Meta, TAGS_MAX},
        invalidate::{
            Position,
            fence::{Target, Verdict},
        },
        key::Key,
        table::Row,
    },
    platform::EntropyExt,
};
use futures_channel::oneshot;
use std::sync::Arc;

/// How long values are sealed at a stretch, in milliseconds.
const SEAL_SLICE_MS: u64 = 20;

/// What is known when a fill starts: everything that could change meanwhile is captured.
#[derive(Clone)]
pub(super) struct Start {
    pub(super) generation: u64,
    pub(super) ring: Arc<KeyRing>,
    pub(super) tick: u64,
    era: u64,
    /// The feed's cursor: a lower bound for what the origin will have seen.
    cursor: Option<Position>,
}

/// A sealed value before it is judged.
struct Sealed {
    blind: BlindKey,
    row: Row,
    meta: Arc<Meta>,
    tags: Arc<[BlindTag]>,
    terms: Terms,
}

fn too_many_tags() -> Error {
    Error::invalid("tags", "must be at most 32, those of the key among them")
}

impl Core {
    /// Captures the start of a fill.
    pub(super) fn start_fill(&self) -> Result<Start> {
        let mut state = self.state();
        let generation = state.generation;
        let open = state.open()?;
        Ok(Start {
            generation,
            ring: open.ring.clone(),
            tick: open.fence.tick(),
            era: open.era,
            cursor: open.feed.cursor().cloned(),
        })
    }

    /// All tags of an entry: the key's and the caller's.
    pub(super) fn tags(&self, key: &Key, extra: &[String]) -> Result<Vec<String>> {
        if extra.len() > TAGS_MAX {
            return Err(too_many_tags());
        }
        let mut tags = key.tags(&self.classes);
        for tag in extra {
            check_tag(tag)?;
            tags.push(tag.clone());
        }
        sort_short(&mut tags);
        tags.dedup();
        // A row names at most so many; giving up one that it does not name would miss it.
        if tags.len() > TAGS_MAX {
            return Err(too_many_tags());
        }
        Ok(tags)
    }

    /// How long an entry is kept: never past the ceiling; "there is none" only while fresh, and
    /// a signed URL only while it opens something.
    const fn keep_ms(&self, class: &Class, body: &Body, fresh_ms: u64) -> u64 {
        match body {
            Body::Absent => fresh_ms,
            _ if class.signed_url => fresh_ms,
            _ if self.full_retention => class.keep_ms,
            _ => class.device_keep_ms,
        }
    }

    fn seal(
        &self,
        start: &Start,
        key: &Key,
        body: &Body,
        fill: &Fill,
        lease: bool,
    ) -> Result<Sealed> {
        let class = self.classes.get(key.class());
        let tags: Arc<[Arc<str>]> = self
            .tags(key, &fill.tags)?
            .iter()
            .map(|tag| Arc::from(tag.as_str()))
            .collect();
        let (position, leased) = match (&fill.position, &start.cursor) {
            (Some(position), _) => (Some(position), false),
            (None, Some(cursor)) if lease => (Some(cursor), true),
            (None, _) => (None, false),
        };
        let now = self.now();
        let [jitter] = match class.consistency {
            Consistency::Strong => [0],
            _ => self.platform.entropy.bytes::<1>()?,
        };
        let (stored_at, write_seq) = {
            let mut state = self.state();
            let open = state.same(start.generation)?;
            (open.time.observe(now), open.next_write_seq(now.wall_ms))
        };
        let fresh_ms = fresh_ms(class, key, body, fill, now.wall_ms, jitter);
        let meta = Arc::new(Meta {
            key: key.as_str().into(),
            class: class.name.clone(),
            schema: class.schema_version,
            write_seq,
            position: position.map(|position| (position.epoch.clone(), position.seq)),
            tick: start.tick,
            stored_at,
            fresh_until: stored_at.saturating_add(fresh_ms),
            keep_until: stored_at.saturating_add(self.keep_ms(class, body, fresh_ms)),
            version: fill.version.clone(),
            tags,
        });
        let blind = start.ring.blind_key(key.as_str());
        let nonce: Nonce = self.platform.entropy.nonce()?;
        let compress = !matches!(body, Body::Bytes(_));
        let blind_tags: Arc<[BlindTag]> = start.ring.blind_tags(&meta).into();
        let row: Row = start
            .ring
            .seal_tagged(&blind, &blind_tags, &meta, body, compress, nonce)?
            .into();
        Ok(Sealed {
            tags: blind_tags,
            blind,
            row,
            meta,
            terms: Terms {
                leased,
                era: start.era,
            },
        })
    }

    /// Takes an origin's answer in: readable in memory at once, stored behind it. The caller
    /// gets the value either way, unless one is held that was read later: nobody goes back.
    pub(super) fn fill(
        self: &Arc<Self>,
        start: &Start,
        key: &Key,
        body: Body,
        fill: &Fill,
    ) -> Result<Entry> {
        let sealed = self.seal(start, key, &body, fill, true)?;
        let now = self.now();
        let mut state = self.state();
        let open = state.same(start.generation)?;
        let admitted = open.admits(&sealed.blind, &sealed.tags, &sealed.meta, sealed.terms)
            && !open.holds_newer(&sealed.blind, &sealed.meta);
        let worth =
            !matches!(body, Body::Absent) || sealed.meta.fresh_until > sealed.meta.stored_at;
        let mut entry = open.view(
            &sealed.blind,
            &sealed.tags,
            &sealed.meta,
            body,
            Source::Origin,
            now,
        );
        entry.verified &= self
            .classes
            .get(key.class())
            .tells_enough(&sealed.meta.tags);
        if admitted && worth {
            let Sealed {
                blind,
                row,
                meta,
                tags,
                terms,
            } = sealed;
            open.table
                .insert(blind, row.clone(), Some(meta.clone()), false)?;
            let effects = open.want(&meta, now);
            let put = Put {
                key: blind,
                class: key.class(),
                row,
                meta,
                tags,
                terms,
                ack: None,
            };
            self.enqueue(open, start.generation, Job::Put(Box::new(put)));
            self.queue_effects(open, effects);
            state.listeners.changed([&blind]);
        } else if !admitted {
            let overtaken = open.holds_later(&sealed.blind, &sealed.meta);
            state.counters.class(key.class().index()).fenced += 1;
            drop(state);
            if overtaken && let Memory::Entry(held) = self.read_memory(key, Source::Memory)? {
                return Ok(*held);
            }
        }
        Ok(entry)
    }

    /// Stores a value that the app brings. Resolves when it is stored.
    pub(super) async fn put(self: &Arc<Self>, key: &Key, body: Body, fill: Fill) -> Result<()> {
        let mut results = self.put_many(vec![(key.clone(), body, fill)]).await?;
        results.pop().unwrap_or(Ok(()))
    }

    /// Stores values in as few transactions as fit. Each has its own result.
    pub(super) async fn put_many(
        self: &Arc<Self>,
        items: Vec<(Key, Body, Fill)>,
    ) -> Result<Vec<Result<()>>> {
        let start = self.start_fill()?;
        let mut sealed = Vec::with_capacity(items.len());
        let mut since = self.now().mono_ms;
        for (key, body, fill) in &items {
            if !sealed.is_empty() && self.now().mono_ms.saturating_sub(since) >= SEAL_SLICE_MS {
                // Whoever shares the thread with this has its turn.
                self.platform.clock.sleep(0).await;
                since = self.now().mono_ms;
            }
            let one = self.seal(&start, key, body, fill, false);
            sealed.push(one.map(|sealed| (key.class(), sealed)));
        }
        drop(items);
        let mut waiting = Vec::with_capacity(sealed.len());
        {
            let now = self.now();
            let mut state = self.state();
            let open = state.same(start.generation)?;
            let mut effects = Vec::new();
            for sealed in sealed {
                waiting.push(sealed.map(
                    |(
                        class,
                        Sealed {
                            blind,
                            row,
                            meta,
                            tags,
                            terms,
                        },
                    )| {
                        let (ack, stored) = oneshot::channel();
                        effects.extend(open.want(&meta, now));
                        let ack = Some(ack);
                        let put = Put {
                            key: blind,
                            class,
                            row,
                            meta,
                            tags,
                            terms,
                            ack,
                        };
                        self.enqueue(open, start.generation, Job::Put(Box::new(put)));
                        stored
                    },
                ));
            }
            self.queue_effects(open, effects);
        }
        let mut results = Vec::with_capacity(waiting.len());
        for stored in waiting {
            results.push(match stored {
                Ok(stored) => match stored.await {
                    Ok(Ok(true)) => Ok(()),
                    Ok(Ok(false)) => Err(Error::new(
                        crate::ErrorKind::Conflict,
                        "the entry was given up while it was being stored",
                    )),
                    Ok(Err(error)) => Err(error),
                    Err(_) => Err(super::core::locked()),
                },
                Err(error) => Err(error),
            });
        }
        Ok(results)
    }

    /// Deletes an entry, everywhere in this vault.
    pub(super) async fn remove(self: &Arc<Self>, key: &Key) -> Result<()> {
        let (generation, blind) = {
            let mut state = self.state();
            let generation = state.generation;
            let open = state.open()?;
            let blind = open.ring.blind_key(key.as_str());
            open.table.remove(&blind);
            state.listeners.changed([&blind]);
            (generation, blind)
        };
        let change = Change {
            marks: vec![Mark::Local(vec![Target::Key(blind)])],
            delete: vec![blind],
            ..Change::default()
        };
        self.change(generation, change).await
    }
}

impl Open {
    /// Whether a value of a known newer version is held (protocol R3).
    fn holds_newer(&self, key: &BlindKey, meta: &Meta) -> bool {
        match (
            self.table.meta(key).and_then(|held| held.version.as_ref()),
            &meta.version,
        ) {
            (Some(held), Some(new)) => new.is_older_than(held),
            _ => false,
        }
    }

    /// Whether what is held was read from its origin at a later position of the same log.
    fn holds_later(&self, key: &BlindKey, meta: &Meta) -> bool {
        let held = self.table.meta(key).and_then(|held| held.position.as_ref());
        match (held, &meta.position) {
            (Some((held_epoch, held)), Some((epoch, seq))) => held_epoch == epoch && held > seq,
            _ => false,
        }
    }

    /// An entry as a reader sees it now.
    pub(super) fn view(
        &mut self,
        key: &BlindKey,
        tags: &[BlindTag],
        meta: &Meta,
        body: Body,
        source: Source,
        now: crate::kernel::invalidate::feed::Now,
    ) -> Entry {
        let time = self.time.observe(now);
        let stands = self.verdict(key, tags, meta) == Verdict::Stands;
        let verified = stands
            && meta.position.as_ref().is_some_and(|(epoch, seq)| {
                self.feed
                    .covers(&meta.tags, &Position::new(epoch.clone(), *seq), now)
            });
        Entry {
            body,
            freshness: if stands && time < meta.fresh_until {
                Freshness::Fresh
            } else {
                Freshness::Stale
            },
            verified,
            age_ms: time.saturating_sub(meta.stored_at),
            stored_at_ms: meta.stored_at,
            expires_at_ms: meta.fresh_until,
            version: meta.version.clone(),
            source,
        }
    }
}

/// How long an entry is fresh: the class's time to live or the caller's shorter one, shortened
/// by up to the class's jitter so that a day list does not expire in one second.
fn fresh_ms(class: &Class, key: &Key, body: &Body, fill: &Fill, wall_ms: u64, jitter: u8) -> u64 {
    let full = if matches!(body, Body::Absent) {
        class.negative_ms
    } else {
        class.fresh_ms_at(key, wall_ms)
    };
    let full = full.min(fill.ttl_ms.unwrap_or(u64::MAX));
    if class.consistency == Consistency::Strong {
        return full;
    }
    let most = full / 100 * u64::from(class.jitter_percent.min(100));
    full - most * u64::from(jitter) / 255
}
