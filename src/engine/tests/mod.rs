//! The cache as an app meets it, in a simulated world.

mod class_rules;
mod handles;
mod hub;
mod model;
mod reads;
mod tabs;
mod trust;
mod vault;

use super::{Cache, CacheBuilder, Entry, Fetched, Fill, KeySource, Purpose, Session};
use crate::{
    Error, ErrorKind, Result,
    kernel::{envelope::Body, invalidate::Position},
    platform::MaybeSend,
    store::Memory,
    testkit::{Sim, SimTransport, Started},
};
use futures_channel::oneshot;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

const USER: &str = "dr-lee";
const KEY: [u8; 32] = [7; 32];

fn key_source() -> Result<KeySource> {
    KeySource::bytes(&KEY)
}

/// Runs a call to its end. Every call settles, and none takes a simulated minute.
#[track_caller]
fn settled<F>(sim: &Sim, call: F) -> F::Output
where
    F: Future + MaybeSend + 'static,
    F::Output: MaybeSend + 'static,
{
    let started = sim.start(call);
    sim.run_until_stalled();
    for _ in 0..600 {
        if let Some(output) = started.take() {
            return output;
        }
        sim.advance(100);
    }
    panic!("a call did not settle within a minute")
}

/// One open cache and its world.
struct Ward {
    sim: Sim,
    cache: Cache,
    session: Session,
}

impl Ward {
    fn new(transport: Option<&SimTransport>) -> Result<Self> {
        let sim = Sim::new(7);
        let builder = Cache::builder("ward", sim.platform()).store(Memory::new());
        Self::open(&sim, builder, transport)
    }

    fn open(sim: &Sim, builder: CacheBuilder, transport: Option<&SimTransport>) -> Result<Self> {
        let mut builder = builder.user(USER).keys(key_source()?);
        if let Some(transport) = transport {
            builder = builder.feed(Arc::new(transport.clone()));
        }
        let cache = settled(sim, builder.open())?;
        let session = cache.session(USER, Purpose::Treatment)?;
        Ok(Self {
            sim: sim.clone(),
            cache,
            session,
        })
    }

    /// A read through, whose origin answers at once.
    fn read(&self, class: &str, parts: &[&str], fetched: Fetched) -> Result<Entry> {
        let key = self.session.key(class, parts)?;
        let session = self.session.clone();
        settled(&self.sim, async move {
            let fetch = || async { Ok(fetched) };
            session.get_or_fetch(&key, fetch).await
        })
    }

    fn fill(&self, class: &str, parts: &[&str], ttl_ms: Option<u64>) -> Result<()> {
        let mut fetched = value("1");
        fetched.fill.ttl_ms = ttl_ms;
        self.read(class, parts, fetched).map(drop)
    }

    fn get(&self, class: &str, parts: &[&str]) -> Result<Option<Entry>> {
        let key = self.session.key(class, parts)?;
        let session = self.session.clone();
        settled(&self.sim, async move { session.get(&key).await })
    }

    fn put(&self, class: &str, parts: &[&str], json: &str, fill: Fill) -> Result<()> {
        let key = self.session.key(class, parts)?;
        let (session, body) = (self.session.clone(), Body::Json(json.into()));
        settled(
            &self.sim,
            async move { session.put(&key, body, fill).await },
        )
    }

    /// A read whose origin cannot be reached.
    fn read_without_origin(&self, class: &str, parts: &[&str]) -> Result<Entry> {
        let key = self.session.key(class, parts)?;
        let session = self.session.clone();
        settled(&self.sim, async move {
            let fetch = || async { Err(Error::new(ErrorKind::OriginFailed, "unreachable")) };
            session.get_or_fetch(&key, fetch).await
        })
    }

    /// Begins a read whose origin answers when the test says so.
    fn begin_read(&self, class: &str, parts: &[&str], origin: &Origin) -> Result<Reading> {
        let key = self.session.key(class, parts)?;
        let (session, origin) = (self.session.clone(), origin.clone());
        let reading = self
            .sim
            .start(async move { session.get_or_fetch(&key, move || origin.call()).await });
        self.sim.run_until_stalled();
        Ok(reading)
    }
}

type Reading = Started<Result<Entry>>;

/// An origin that answers when the test says so.
#[derive(Clone, Default)]
struct Origin {
    calls: Arc<AtomicUsize>,
    waiting: Arc<std::sync::Mutex<Vec<oneshot::Sender<Result<Fetched>>>>>,
}

impl Origin {
    fn call(self) -> impl Future<Output = Result<Fetched>> + MaybeSend {
        let (sender, answer) = oneshot::channel();
        self.calls.fetch_add(1, Ordering::Relaxed);
        if let Ok(mut waiting) = self.waiting.lock() {
            waiting.push(sender);
        }
        async move {
            answer
                .await
                .unwrap_or_else(|_| Err(Error::new(ErrorKind::OriginFailed, "went away")))
        }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Calls without an answer, those of callers that gave up among them.
    fn waiting(&self) -> usize {
        self.waiting.lock().map_or(0, |waiting| waiting.len())
    }

    /// Answers the oldest call that waits.
    fn answer(&self, result: Result<Fetched>) {
        if let Ok(mut waiting) = self.waiting.lock()
            && !waiting.is_empty()
        {
            // A caller that gave up hears nothing.
            let _ = waiting.remove(0).send(result);
        }
    }
}

fn value(json: &str) -> Fetched {
    Fetched::new(Body::Json(json.into()))
}

fn value_at(json: &str, position: Position) -> Fetched {
    value(json).at(position)
}

fn json(entry: &Entry) -> &str {
    match &entry.body {
        Body::Json(text) => text,
        _ => "",
    }
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}
