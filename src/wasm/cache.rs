//! The cache handle of a page.

use super::{
    convert::{Fields, key, key_source, object},
    host::error_value,
    promise,
    session::RawSession,
};
use crate::{
    engine::{Cache, CacheState, ClassStats, Event, Invalidate, Purpose, Stats},
    error::{Error, Result},
    kernel::invalidate::feed::FeedState,
};
use futures_util::StreamExt;
use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;

/// See the package's `Cache`.
#[wasm_bindgen]
#[derive(Debug)]
pub struct RawCache {
    cache: Cache,
}

impl RawCache {
    pub(super) const fn new(cache: Cache) -> Self {
        Self { cache }
    }
}

#[wasm_bindgen]
impl RawCache {
    /// Begins a session.
    pub fn session(&self, options: &JsValue) -> Result<RawSession, JsValue> {
        let begin = || {
            let options = Fields::of(options, &["user", "purpose", "scopes"])?;
            if options.get("scopes").is_some() {
                return Err(Error::invalid(
                    "scopes",
                    "are not supported yet: they would be accepted and not enforced",
                ));
            }
            let user = options
                .string("user")?
                .ok_or_else(|| Error::invalid("user", "is required"))?;
            let purpose = options
                .string("purpose")?
                .ok_or_else(|| Error::invalid("purpose", "is required"))?;
            self.cache.session(&user, purpose.parse::<Purpose>()?)
        };
        begin()
            .map(RawSession::new)
            .map_err(|error| error_value(&error))
    }

    /// Locks the vault in every tab.
    pub fn lock(&self) -> Promise {
        let cache = self.cache.clone();
        promise(async move {
            cache.lock();
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Opens a locked vault.
    pub fn unlock(&self, keys: JsValue) -> Promise {
        let cache = self.cache.clone();
        promise(async move {
            cache.unlock(key_source(&keys)?).await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Ends the cache.
    pub fn close(&self) -> Promise {
        let cache = self.cache.clone();
        promise(async move {
            cache.close().await;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Destroys the vault.
    pub fn wipe(&self) -> Promise {
        let cache = self.cache.clone();
        promise(async move {
            let report = cache.wipe().await?;
            Ok(object(&[
                ("rowsErased", report.rows_erased.into()),
                ("shredded", report.shredded.into()),
            ]))
        })
    }

    /// Gives up copies.
    pub fn invalidate(&self, target: JsValue) -> Promise {
        let cache = self.cache.clone();
        promise(async move {
            cache.invalidate(&target_of(&cache, &target)?).await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> JsValue {
        stats_value(&self.cache.stats())
    }

    /// `open`, `locked` or `closed`.
    #[must_use]
    pub fn state(&self) -> String {
        state_name(self.cache.state()).to_owned()
    }

    /// `off`, `connecting`, `live`, `suspect` or `offline`.
    #[wasm_bindgen(js_name = feedState)]
    #[must_use]
    pub fn feed_state(&self) -> String {
        feed_name(self.cache.feed_state()).to_owned()
    }

    /// Pauses or resumes the feed and the calls to origins.
    #[wasm_bindgen(js_name = setOffline)]
    pub fn set_offline(&self, offline: bool) {
        self.cache.set_offline(offline);
    }

    /// Calls a function for each event, from a microtask.
    pub fn listen(&self, listener: Function) {
        let mut events = self.cache.events();
        let cache = self.cache.clone();
        wasm_bindgen_futures::spawn_local(async move {
            while let Some(event) = events.next().await {
                let closed = event == Event::Closed;
                for name in event_names(&event, &cache) {
                    let mut fields = vec![("type", name.into())];
                    if let Event::Fault(kind) = event {
                        fields.push(("code", kind.code().into()));
                    }
                    let value = object(&fields);
                    // The package's own dispatcher: it reports what its listeners throw.
                    let _ = listener.call1(&JsValue::UNDEFINED, &value);
                }
                if closed {
                    return;
                }
            }
        });
    }
}

fn event_names(event: &Event, cache: &Cache) -> Vec<&'static str> {
    match event {
        Event::Change => vec!["change"],
        Event::Lock => vec!["lock"],
        Event::Unlock => vec!["unlock"],
        Event::Feed => match cache.feed_state() {
            FeedState::Off => Vec::new(),
            state => vec![feed_name(state)],
        },
        Event::Reset => vec!["reset"],
        Event::Tampered => vec!["tampered"],
        Event::ColdStart => vec!["coldstart"],
        Event::Quota => vec!["evict"],
        Event::Closed => vec!["closed"],
        // Whoever missed events looks at everything again, whatever it was.
        Event::Lagged => vec!["change", "reset"],
        Event::Fault(_) => vec!["fault"],
    }
}

fn target_of(cache: &Cache, target: &JsValue) -> Result<Invalidate> {
    let fields = Fields::of(target, &["key", "tag", "class", "all"])
        .map_err(|_| Error::invalid("target", "must be one of key, tag, class, all"))?;
    let classes = cache.classes();
    let given: Vec<_> = ["key", "tag", "class", "all"]
        .into_iter()
        .filter(|name| fields.get(name).is_some())
        .collect();
    let [given] = given[..] else {
        return Err(Error::invalid(
            "target",
            "must be exactly one of key, tag, class, all",
        ));
    };
    let text = |name| fields.string(name).map(Option::unwrap_or_default);
    match given {
        "key" => {
            let path: js_sys::Array = fields
                .get("key")
                .and_then(|value| value.dyn_into().ok())
                .ok_or_else(|| {
                    Error::invalid("key", "must be an array: the class, then the parts")
                })?;
            let class = path
                .shift()
                .as_string()
                .ok_or_else(|| Error::invalid("class", "must be a string"))?;
            key(classes, classes.id(&class)?, &path).map(Invalidate::Key)
        }
        "tag" => text("tag").map(Invalidate::Tag),
        "class" => Ok(Invalidate::Class(classes.id(&text("class")?)?)),
        _ if fields.bool("all")? == Some(true) => Ok(Invalidate::All),
        _ => Err(Error::invalid("all", "must be true")),
    }
}

const fn state_name(state: CacheState) -> &'static str {
    match state {
        CacheState::Open => "open",
        CacheState::Locked => "locked",
        CacheState::Closed => "closed",
    }
}

const fn feed_name(state: FeedState) -> &'static str {
    match state {
        FeedState::Off => "off",
        FeedState::Connecting => "connecting",
        FeedState::Live => "live",
        FeedState::Suspect => "suspect",
        FeedState::Offline => "offline",
    }
}

fn stats_value(stats: &Stats) -> JsValue {
    let classes: Vec<_> = stats
        .classes
        .iter()
        .map(|(name, class)| (&**name, class_value(class)))
        .collect();
    object(&[
        ("state", state_name(stats.state).into()),
        ("feed", feed_name(stats.feed).into()),
        ("leader", stats.leader.into()),
        ("offlineUnlock", stats.offline_unlock.into()),
        ("entries", size(stats.entries)),
        ("entriesInMemory", size(stats.entries_in_memory)),
        ("memoryBytes", size(stats.memory_bytes)),
        ("evicted", count(stats.evicted)),
        ("commits", count(stats.commits)),
        ("quotaErrors", count(stats.quota_errors)),
        ("invalidations", count(stats.invalidations)),
        ("resumes", count(stats.resumes)),
        ("resets", count(stats.resets)),
        ("topics", size(stats.topics)),
        ("classes", object(&classes)),
    ])
}

fn class_value(stats: &ClassStats) -> JsValue {
    object(&[
        ("hitsMemory", count(stats.hits_memory)),
        ("hitsStore", count(stats.hits_store)),
        ("misses", count(stats.misses)),
        ("originCalls", count(stats.origin_calls)),
        ("sharedCalls", count(stats.shared_calls)),
        ("originErrors", count(stats.origin_errors)),
        ("stale", count(stats.stale)),
        ("unverified", count(stats.unverified)),
        ("fenced", count(stats.fenced)),
        ("tampered", count(stats.tampered)),
        ("stored", count(stats.stored)),
    ])
}

/// As the number that JavaScript counts with.
fn count(number: u64) -> JsValue {
    JsValue::from_f64(number as f64)
}

fn size(number: usize) -> JsValue {
    JsValue::from_f64(number as f64)
}
