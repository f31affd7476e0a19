//! What a read gives and what a fill brings.

use crate::{
    error::{Error, ErrorKind, Result},
    kernel::{
        envelope::Body,
        invalidate::{Position, Version},
    },
};
use serde::de::DeserializeOwned;
use std::fmt;

/// How old a value is against its class's time to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Freshness {
    /// Younger than the time to live, and nothing has given it up.
    Fresh,
    /// Past the time to live, or given up; still within keep-for.
    Stale,
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The memory tier.
    Memory,
    /// The device's or server's store.
    Store,
    /// The origin, just now.
    Origin,
}

/// A value and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The value; [`Body::Absent`] when the origin said that there is none.
    pub body: Body,
    /// Fresh or stale.
    pub freshness: Freshness,
    /// Whether the feed proves that nothing changed since it was read from its origin.
    pub verified: bool,
    /// Milliseconds since it was stored, by pessimistic time.
    pub age_ms: u64,
    /// When it was stored, in Unix milliseconds.
    pub stored_at_ms: u64,
    /// When it stops being fresh, in Unix milliseconds.
    pub expires_at_ms: u64,
    /// The origin's version.
    pub version: Option<Version>,
    /// Where it came from.
    pub source: Source,
}

impl Entry {
    /// Whether the origin said that there is none.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        matches!(self.body, Body::Absent)
    }

    /// The value as a type; `None` when the origin said that there is none.
    ///
    /// # Errors
    /// [`Incompatible`](ErrorKind::Incompatible) when the value has another shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let other = || Error::new(ErrorKind::Incompatible, "the value has another shape");
        match &self.body {
            Body::Json(text) => serde_json::from_str(text).map(Some).map_err(|_| other()),
            Body::Bytes(_) => Err(other()),
            Body::Absent => Ok(None),
        }
    }
}

/// What accompanies a value into the cache. Its debug form shows no tag: tags name patients.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fill {
    /// The log's head captured *before* the origin was read.
    pub position: Option<Position>,
    /// The origin's version.
    pub version: Option<Version>,
    /// Compartments beyond those that follow from the key.
    pub tags: Vec<String>,
    /// A shorter time to live than the class's, in milliseconds; a longer one is cut.
    pub ttl_ms: Option<u64>,
}

impl fmt::Debug for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fill")
            .field("position", &self.position)
            .field("ttl_ms", &self.ttl_ms)
            .finish_non_exhaustive()
    }
}

/// What a fetcher brings from the origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The value; [`Body::Absent`] for "there is none".
    pub body: Body,
    /// What accompanies it.
    pub fill: Fill,
}

impl Fetched {
    /// A value without anything beside it.
    #[must_use]
    pub fn new(body: Body) -> Self {
        Self {
            body,
            fill: Fill::default(),
        }
    }

    /// A JSON value.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) for a value that JSON cannot hold.
    pub fn json<T: serde::Serialize>(value: &T) -> Result<Self> {
        serde_json::to_string(value)
            .map(|text| Self::new(Body::Json(text)))
            .map_err(|_| Error::invalid("value", "cannot be written as JSON"))
    }

    /// Adds the position captured before the read.
    #[must_use]
    pub fn at(mut self, position: Position) -> Self {
        self.fill.position = Some(position);
        self
    }

    /// Adds the origin's version.
    #[must_use]
    pub fn version(mut self, version: Version) -> Self {
        self.fill.version = Some(version);
        self
    }
}
