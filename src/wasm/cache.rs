//! The cache handle of a page.

use super::{
    convert::{Fields, key, key_source},
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
use serde::Serialize;
use std::collections::BTreeMap;
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
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Report {
            rows_erased: bool,
            shredded: bool,
        }
        let cache = self.cache.clone();
        promise(async move {
            let report = cache.wipe().await?;
            to_value(&Report {
                rows_erased: report.rows_erased,
                shredded: report.shredded,
            })
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
    pub fn stats(&self) -> Result<JsValue, JsValue> {
        to_value(&JsStats::from(self.cache.stats())).map_err(|error| error_value(&error))
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
                    let value = to_value(&JsEvent { r#type: name });
                    if let Ok(value) = value {
                        // The package's own dispatcher: it reports what its listeners throw.
                        let _ = listener.call1(&JsValue::UNDEFINED, &value);
                    }
                }
                if closed {
                    return;
                }
            }
        });
    }
}

#[derive(Serialize)]
struct JsEvent {
    r#type: &'static str,
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
        Event::Fault(_) => Vec::new(),
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

pub(super) fn to_value<T: Serialize>(value: &T) -> Result<JsValue> {
    value
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(|_| {
            Error::new(
                crate::ErrorKind::Internal,
                "a result could not be converted",
            )
        })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsStats {
    state: &'static str,
    feed: &'static str,
    leader: bool,
    offline_unlock: bool,
    entries: usize,
    entries_in_memory: usize,
    memory_bytes: usize,
    evicted: u64,
    commits: u64,
    quota_errors: u64,
    invalidations: u64,
    resumes: u64,
    resets: u64,
    topics: usize,
    classes: BTreeMap<String, JsClassStats>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsClassStats {
    hits_memory: u64,
    hits_store: u64,
    misses: u64,
    origin_calls: u64,
    shared_calls: u64,
    origin_errors: u64,
    stale: u64,
    unverified: u64,
    fenced: u64,
    tampered: u64,
    stored: u64,
}

impl From<Stats> for JsStats {
    fn from(stats: Stats) -> Self {
        Self {
            state: state_name(stats.state),
            feed: feed_name(stats.feed),
            leader: stats.leader,
            offline_unlock: stats.offline_unlock,
            entries: stats.entries,
            entries_in_memory: stats.entries_in_memory,
            memory_bytes: stats.memory_bytes,
            evicted: stats.evicted,
            commits: stats.commits,
            quota_errors: stats.quota_errors,
            invalidations: stats.invalidations,
            resumes: stats.resumes,
            resets: stats.resets,
            topics: stats.topics,
            classes: stats
                .classes
                .into_iter()
                .map(|(name, class)| (name.to_string(), class.into()))
                .collect(),
        }
    }
}

impl From<ClassStats> for JsClassStats {
    fn from(stats: ClassStats) -> Self {
        Self {
            hits_memory: stats.hits_memory,
            hits_store: stats.hits_store,
            misses: stats.misses,
            origin_calls: stats.origin_calls,
            shared_calls: stats.shared_calls,
            origin_errors: stats.origin_errors,
            stale: stats.stale,
            unverified: stats.unverified,
            fenced: stats.fenced,
            tampered: stats.tampered,
            stored: stats.stored,
        }
    }
}
