//! One class with typed keys and values.

use crate::{
    engine::{Entry, Fetched, Fill, Freshness, Session, Source, Subscription},
    error::{Error, Result},
    kernel::{
        envelope::Body,
        id::{
            AppointmentId, DepartmentId, DeviceId, DoctorId, EquipmentId, ImageId, PatientId,
            QueueId, ReportId, StudyId,
        },
        invalidate::Version,
        key::Key,
    },
    platform::MaybeSend,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt, marker::PhantomData};

/// The identifiers of a key.
pub trait Parts {
    /// How many.
    const COUNT: usize;
    /// Their texts, in the order of the class's key.
    fn with<R>(&self, then: impl FnOnce(&[&str]) -> R) -> R;
}

macro_rules! one_part {
    ($($id:ty),* $(,)?) => {$(
        impl Parts for $id {
            const COUNT: usize = 1;

            fn with<R>(&self, then: impl FnOnce(&[&str]) -> R) -> R {
                then(&[self.as_ref()])
            }
        }
    )*};
}

one_part!(
    AppointmentId,
    DepartmentId,
    DeviceId,
    DoctorId,
    EquipmentId,
    ImageId,
    PatientId,
    QueueId,
    ReportId,
    StudyId,
);

impl<A: AsRef<str>, B: AsRef<str>> Parts for (A, B) {
    const COUNT: usize = 2;

    fn with<R>(&self, then: impl FnOnce(&[&str]) -> R) -> R {
        then(&[self.0.as_ref(), self.1.as_ref()])
    }
}

/// A value of a type and what is known of it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Typed<T> {
    /// The value; `None` when the origin said that there is none.
    pub value: Option<T>,
    /// Fresh or stale.
    pub freshness: Freshness,
    /// Whether the feed proves that nothing changed since it was read from its origin.
    pub verified: bool,
    /// Milliseconds since it was stored.
    pub age_ms: u64,
    /// The origin's version.
    pub version: Option<Version>,
    /// Where it came from.
    pub source: Source,
}

impl<T: DeserializeOwned> Typed<T> {
    fn of(entry: &Entry) -> Result<Self> {
        Ok(Self {
            value: entry.json()?,
            freshness: entry.freshness,
            verified: entry.verified,
            age_ms: entry.age_ms,
            version: entry.version.clone(),
            source: entry.source,
        })
    }
}

impl<T> fmt::Debug for Typed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Typed")
            .field("freshness", &self.freshness)
            .field("verified", &self.verified)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// One class of a session. Every call has the cost and the errors of the [`Session`]'s call of
/// the same name, and [`Incompatible`](crate::ErrorKind::Incompatible) when a value has another
/// shape than the type asked for.
#[derive(Clone, Copy, Debug)]
pub struct View<'s, K> {
    session: &'s Session,
    class: &'static str,
    keys: PhantomData<fn(&K)>,
}

#[expect(clippy::missing_errors_doc, reason = "stated once, at the type")]
impl<'s, K: Parts> View<'s, K> {
    pub(super) const fn new(session: &'s Session, class: &'static str) -> Self {
        Self {
            session,
            class,
            keys: PhantomData,
        }
    }

    fn key(&self, key: &K) -> Result<Key> {
        key.with(|parts| self.session.key(self.class, parts))
    }

    /// Memory only, at once.
    pub fn peek<T: DeserializeOwned>(&self, key: &K) -> Result<Option<Typed<T>>> {
        let entry = self.session.peek(&self.key(key)?)?;
        entry.as_ref().map(Typed::of).transpose()
    }

    /// Memory or the store.
    pub async fn get<T: DeserializeOwned>(&self, key: &K) -> Result<Option<Typed<T>>> {
        let key = self.key(key)?;
        let entry = self.session.get(&key).await?;
        entry.as_ref().map(Typed::of).transpose()
    }

    /// Memory, the store, and the origin when needed. The fetcher brings the value with its
    /// position and version: [`Fetched::json`].
    pub async fn get_or_fetch<T, F, Fut>(&self, key: &K, fetch: F) -> Result<Typed<T>>
    where
        T: DeserializeOwned,
        F: FnOnce() -> Fut + MaybeSend + 'static,
        Fut: Future<Output = Result<Fetched>> + MaybeSend + 'static,
    {
        let key = self.key(key)?;
        Typed::of(&self.session.get_or_fetch(&key, fetch).await?)
    }

    /// Stores a value, unverified.
    pub async fn put<T: Serialize>(&self, key: &K, value: &T) -> Result<()> {
        self.put_with(key, value, Fill::default()).await
    }

    /// Stores a value with what is known of it.
    pub async fn put_with<T: Serialize>(&self, key: &K, value: &T, fill: Fill) -> Result<()> {
        let key = self.key(key)?;
        let text = serde_json::to_string(value)
            .map_err(|_| Error::invalid("value", "cannot be written as JSON"))?;
        self.session.put(&key, Body::Json(text), fill).await
    }

    /// Deletes an entry.
    pub async fn remove(&self, key: &K) -> Result<()> {
        let key = self.key(key)?;
        self.session.remove(&key).await
    }

    /// Wakes when the entry may have changed.
    pub fn subscribe(&self, key: &K) -> Result<Subscription> {
        self.session.subscribe(&self.key(key)?)
    }
}
