//! A session: the only way to a record.

use super::{
    core::{Core, Handle},
    entry::{Entry, Fetched, Fill},
    event::Subscription,
};
use crate::{
    error::{Error, Result},
    kernel::{
        class::{ClassId, Classes},
        envelope::Body,
        key::Key,
    },
    platform::MaybeSend,
};
use std::{fmt, str::FromStr, sync::Arc};

/// Why a session reads (HL7 v3 PurposeOfUse, the part that a cache meets).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// `TREAT`: care of the patient.
    #[default]
    Treatment,
    /// `HPAYMT`: payment.
    Payment,
    /// `HOPERAT`: running the institution.
    Operations,
    /// `PATRQT`: the patient's own request.
    PatientRequest,
}

impl FromStr for Purpose {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "treatment" => Ok(Self::Treatment),
            "payment" => Ok(Self::Payment),
            "operations" => Ok(Self::Operations),
            "patient-request" => Ok(Self::PatientRequest),
            _ => Err(Error::invalid(
                "purpose",
                "must be treatment, payment, operations or patient-request",
            )),
        }
    }
}

/// A cheap handle; it outlives a lock and works again after unlocking.
#[derive(Clone)]
pub struct Session {
    core: Arc<Core>,
    #[expect(dead_code, reason = "its drop is what it is for")]
    handle: Arc<Handle>,
    purpose: Purpose,
}

impl Session {
    pub(super) const fn new(core: Arc<Core>, handle: Arc<Handle>, purpose: Purpose) -> Self {
        Self {
            core,
            handle,
            purpose,
        }
    }

    /// Why it reads.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The class table.
    #[must_use]
    pub fn classes(&self) -> &Classes {
        &self.core.classes
    }

    /// A key of a class by name.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for an unknown class or malformed
    /// parts; the field is named, the value is not.
    pub fn key(&self, class: &str, parts: &[&str]) -> Result<Key> {
        self.core.classes.key(self.core.classes.id(class)?, parts)
    }

    /// A key of a class by id.
    ///
    /// # Errors
    /// As [`key`](Self::key).
    pub fn key_of(&self, class: ClassId, parts: &[&str]) -> Result<Key> {
        self.core.classes.key(class, parts)
    }

    /// What memory holds, at once. Never waits, never asks the store or the origin.
    ///
    /// # Errors
    /// [`Locked`](crate::ErrorKind::Locked), [`Closed`](crate::ErrorKind::Closed),
    /// [`Tampered`](crate::ErrorKind::Tampered) when the row failed authentication: it is
    /// removed, and the next read is a miss.
    pub fn peek(&self, key: &Key) -> Result<Option<Entry>> {
        self.core.touch()?;
        self.core.peek(key)
    }

    /// What memory or the store holds. One store transaction where memory has nothing.
    ///
    /// # Errors
    /// As [`peek`](Self::peek), and those of the store.
    pub async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        self.core.touch()?;
        self.core.get(key).await
    }

    /// As [`get`](Self::get) for many keys, in at most one store transaction. Answers stand in
    /// the order of `keys`, each with its own result.
    ///
    /// # Errors
    /// [`Locked`](crate::ErrorKind::Locked), [`Closed`](crate::ErrorKind::Closed), those of the
    /// store.
    pub async fn get_many(&self, keys: &[Key]) -> Result<Vec<Result<Option<Entry>>>> {
        self.core.touch()?;
        self.core.get_many(keys).await
    }

    /// The entry, from the origin when what is held does not answer: when it is missing or
    /// stale, or of a strong class and not verified. One call to the origin for everybody who
    /// asks meanwhile.
    ///
    /// While the feed is still proving itself, a strong read waits for it, by default up to
    /// 500 ms. When the origin fails, what is held is given, marked as what it is, if the class
    /// allows it.
    ///
    /// # Cancel safety
    /// Dropping the future gives up this caller's interest. The fetcher's future is dropped when
    /// nobody is interested any more.
    ///
    /// # Errors
    /// [`OriginFailed`](crate::ErrorKind::OriginFailed) with the cause,
    /// [`Unavailable`](crate::ErrorKind::Unavailable) offline without a readable copy, and those
    /// of [`get`](Self::get).
    pub async fn get_or_fetch<F, Fut>(&self, key: &Key, fetch: F) -> Result<Entry>
    where
        F: FnOnce() -> Fut + MaybeSend + 'static,
        Fut: Future<Output = Result<Fetched>> + MaybeSend + 'static,
    {
        self.get_or_fetch_tagged(key, Vec::new(), fetch).await
    }

    /// As [`get_or_fetch`](Self::get_or_fetch), with compartments that are known before the
    /// origin answers.
    ///
    /// # Errors
    /// As [`get_or_fetch`](Self::get_or_fetch), and
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for malformed tags.
    pub async fn get_or_fetch_tagged<F, Fut>(
        &self,
        key: &Key,
        tags: Vec<String>,
        fetch: F,
    ) -> Result<Entry>
    where
        F: FnOnce() -> Fut + MaybeSend + 'static,
        Fut: Future<Output = Result<Fetched>> + MaybeSend + 'static,
    {
        self.core.touch()?;
        self.core
            .get_or_fetch(key, tags, || Box::pin(fetch()))
            .await
    }

    /// Stores a value. Resolves when the transaction is complete; puts that start together share
    /// one. Without a position the entry is unverified.
    ///
    /// # Errors
    /// [`QuotaExceeded`](crate::ErrorKind::QuotaExceeded) when there is no room even after
    /// eviction, [`Conflict`](crate::ErrorKind::Conflict) when the entry was given up while it
    /// was being stored, and those of [`get`](Self::get).
    pub async fn put(&self, key: &Key, body: Body, fill: Fill) -> Result<()> {
        self.core.touch()?;
        self.core.put(key, body, fill).await
    }

    /// Stores values, each with its own result, in as few transactions as fit.
    ///
    /// # Errors
    /// [`Locked`](crate::ErrorKind::Locked), [`Closed`](crate::ErrorKind::Closed).
    pub async fn put_many(&self, items: Vec<(Key, Body, Fill)>) -> Result<Vec<Result<()>>> {
        self.core.touch()?;
        self.core.put_many(items).await
    }

    /// Deletes the entry, in memory and in the store; fills under way are not stored.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn remove(&self, key: &Key) -> Result<()> {
        self.core.touch()?;
        self.core.remove(key).await
    }

    /// Wakes when the entry may have changed, in this tab or another, or its standing did.
    ///
    /// # Errors
    /// [`Locked`](crate::ErrorKind::Locked), [`Closed`](crate::ErrorKind::Closed).
    pub fn subscribe(&self, key: &Key) -> Result<Subscription> {
        let mut state = self.core.state();
        let blind = state.open()?.ring.blind_key(key.as_str());
        Ok(state.listeners.subscribe(blind))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}
