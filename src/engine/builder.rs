//! From options to an open cache.

use super::{
    core::{Cache, Core},
    keys::KeySource,
};
use crate::{
    error::{Error, Result},
    kernel::{
        class::{ClassDef, Classes, Tighten},
        crypto::Place,
    },
    platform::{BoxStore, Platform, Store, TokenSource, Transport},
    store::Memory,
};
use std::{fmt, sync::Arc};

/// Longest name of an application, tenant or user, in bytes.
const NAME_MAX: usize = 256;
/// Smallest memory budget, in bytes.
const MEMORY_MIN: usize = 64 << 10;
/// Default memory budget, in bytes.
const MEMORY_DEFAULT: usize = 16 << 20;
/// Default wait of a strong read for a feed that is proving itself, in milliseconds.
const FEED_WAIT_MS: u64 = 500;
/// Shortest idle time before a lock, in milliseconds.
const AUTO_LOCK_MS_MIN: u64 = 1_000;
/// Longest such wait.
const FEED_WAIT_MS_MAX: u64 = 10_000;

/// Options of a cache. There is no default for keys: plaintext is not an option.
pub struct CacheBuilder {
    platform: Platform,
    place: Place,
    classes: Classes,
    key: Option<KeySource>,
    store: Option<BoxStore>,
    transport: Option<Arc<dyn Transport>>,
    token: Option<TokenSource>,
    memory_bytes_max: usize,
    feed_wait_ms: u64,
    full_retention: bool,
    auto_lock_ms: Option<u64>,
    fault: Option<Error>,
}

impl Cache {
    /// Begins a cache of an application's name, on a platform.
    #[must_use]
    pub fn builder(name: impl Into<String>, platform: Platform) -> CacheBuilder {
        let name = name.into();
        CacheBuilder {
            platform,
            place: Place {
                tenant: String::new(),
                user: "*".into(),
                device: "server".into(),
                database: name,
            },
            classes: Classes::builtin(),
            key: None,
            store: None,
            transport: None,
            token: None,
            memory_bytes_max: MEMORY_DEFAULT,
            feed_wait_ms: FEED_WAIT_MS,
            full_retention: false,
            auto_lock_ms: None,
            fault: None,
        }
    }
}

impl CacheBuilder {
    /// The user of the vault. Default `*`, a server's own.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.place.user = user.into();
        self
    }

    /// The organisation. Default: none.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.place.tenant = tenant.into();
        self
    }

    /// The installation: random and kept by the device, or a cluster's name. Default `server`.
    #[must_use]
    pub fn device(mut self, device: impl Into<String>) -> Self {
        self.place.device = device.into();
        self
    }

    /// What opens the vault. Required.
    #[must_use]
    pub fn keys(mut self, key: KeySource) -> Self {
        self.key = Some(key);
        self
    }

    /// Where sealed rows are kept. Default: in memory.
    #[must_use]
    pub fn store(self, store: impl Store) -> Self {
        self.boxed_store(Arc::new(store))
    }

    /// As [`store`](Self::store), behind a pointer.
    #[must_use]
    pub fn boxed_store(mut self, store: BoxStore) -> Self {
        self.store = Some(store);
        self
    }

    /// The hub to follow. Without one, strong classes ask the origin at each read.
    #[must_use]
    pub fn feed(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// What proves to the hub who asks.
    #[must_use]
    pub fn token(mut self, token: TokenSource) -> Self {
        self.token = Some(token);
        self
    }

    /// Bytes of sealed rows in memory. Default 16 MiB, at least 64 KiB.
    #[must_use]
    pub const fn memory_bytes_max(mut self, bytes: usize) -> Self {
        self.memory_bytes_max = bytes;
        self
    }

    /// How long a strong read waits for a feed that is still proving itself, in milliseconds.
    /// Default 500, at most 10,000; 0 never waits.
    #[must_use]
    pub const fn feed_wait_ms(mut self, ms: u64) -> Self {
        self.feed_wait_ms = ms;
        self
    }

    /// Keeps entries for the whole retention of their class, as a server may; a device keeps
    /// them for the shorter ceiling.
    #[must_use]
    pub const fn full_retention(mut self) -> Self {
        self.full_retention = true;
        self
    }

    /// Locks after this long without a call of a session, in milliseconds, by whichever clock
    /// says more: a device that slept is locked at its first call. At least 1,000. Default:
    /// never.
    #[must_use]
    pub const fn auto_lock_ms(mut self, ms: u64) -> Self {
        self.auto_lock_ms = Some(ms);
        self
    }

    /// Tightens the rules of a class. Loosening is refused when the cache opens.
    #[must_use]
    pub fn tighten(mut self, class: &str, rules: &Tighten) -> Self {
        if let Err(error) = self.classes.tighten(class, rules) {
            self.fault.get_or_insert(error);
        }
        self
    }

    /// Adds a class.
    #[must_use]
    pub fn define(mut self, class: ClassDef) -> Self {
        if let Err(error) = self.classes.define(class) {
            self.fault.get_or_insert(error);
        }
        self
    }

    fn check(&mut self) -> Result<()> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let names = [
            ("name", &self.place.database),
            ("user", &self.place.user),
            ("device", &self.place.device),
        ];
        for (field, text) in names {
            if text.is_empty() {
                return Err(Error::invalid(field, "must not be empty"));
            }
        }
        for (field, text) in names.into_iter().chain([("tenant", &self.place.tenant)]) {
            if text.len() > NAME_MAX || text.chars().any(char::is_control) {
                return Err(Error::invalid(
                    field,
                    "must be at most 256 bytes long, without control characters",
                ));
            }
        }
        if self.memory_bytes_max < MEMORY_MIN {
            return Err(Error::invalid("memoryBytesMax", "must be at least 65,536"));
        }
        if self.auto_lock_ms.is_some_and(|ms| ms < AUTO_LOCK_MS_MIN) {
            return Err(Error::invalid("autoLockMs", "must be at least 1,000"));
        }
        if self.feed_wait_ms > FEED_WAIT_MS_MAX {
            return Err(Error::invalid("feedWaitMs", "must be at most 10,000"));
        }
        Ok(())
    }

    /// Opens the cache: unlocks or makes the vault, warms the memory tier by one bulk read,
    /// starts the feed.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) naming the option,
    /// [`WrongKey`](crate::ErrorKind::WrongKey), and those of the store.
    pub async fn open(mut self) -> Result<Cache> {
        self.check()?;
        let key = self
            .key
            .take()
            .ok_or_else(|| Error::invalid("keys", "is required: there is no plaintext mode"))?;
        let core = Arc::new(Core::new(
            self.platform,
            self.store.unwrap_or_else(|| Arc::new(Memory::new())),
            self.transport,
            self.token,
            self.classes,
            self.place,
            self.memory_bytes_max,
            self.feed_wait_ms,
            self.full_retention,
            self.auto_lock_ms,
        ));
        core.listen_to_siblings();
        match core.unlock(key).await {
            Ok(()) => Ok(Cache::over(core)),
            Err(error) => {
                core.close().await;
                Err(error)
            }
        }
    }
}

impl fmt::Debug for CacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CacheBuilder")
    }
}
