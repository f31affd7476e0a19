//! The store seam: sealed rows in named tables, changed by guarded batches.

use super::task::{BoxFuture, MaybeSend, MaybeSync};
use crate::error::{Error, ErrorKind};
use std::{fmt, future::Future, sync::Arc};

/// Row bytes, shared and immutable.
pub type Bytes = Arc<[u8]>;

/// One row of a scan: its key and its value.
pub type Row = (Vec<u8>, Bytes);

/// The tables of a database. The set is part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Sealed records under their 32-byte blind key.
    Records,
    /// Control rows: head, slots, fence, feed. Few and small.
    Control,
    /// A hub's log: big-endian sequence number to sealed record.
    Log,
    /// A hub's topic index: blind topic to sealed last sequence number.
    Topics,
}

impl Table {
    /// Every table.
    pub const ALL: &'static [Table] = &[Self::Records, Self::Control, Self::Log, Self::Topics];

    /// The name on disk, part of the format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Control => "control",
            Self::Log => "log",
            Self::Topics => "topics",
        }
    }
}

/// One change: a value to put, or `None` to delete.
#[derive(Clone, Debug)]
pub struct Write {
    /// Where.
    pub table: Table,
    /// Which row.
    pub key: Vec<u8>,
    /// The new value; `None` deletes.
    pub value: Option<Bytes>,
}

/// What a guard protects, named in the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GuardName {
    /// The head row: generations and counters of the vault.
    Head,
    /// A hub's log head.
    LogHead,
    /// A single row's expected state.
    Row,
}

/// A condition that must hold inside the batch's transaction: the row equals what is expected.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Where.
    pub table: Table,
    /// Which row.
    pub key: Vec<u8>,
    /// Its exact bytes; `None` means it must not exist.
    pub expected: Option<Bytes>,
    /// The name that a failure reports.
    pub name: GuardName,
}

/// How hard a batch must be on the disk when its commit resolves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Handed to the operating system: survives a crash of the process.
    #[default]
    Relaxed,
    /// Flushed: survives a power cut.
    Strict,
}

/// Guards and writes that happen together or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Evaluated first, inside the transaction.
    pub guards: Vec<Guard>,
    /// Applied in order when every guard holds.
    pub writes: Vec<Write>,
    /// How hard.
    pub durability: Durability,
}

impl Batch {
    /// An empty, relaxed batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a put.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Bytes>) {
        self.writes.push(Write {
            table,
            key: key.into(),
            value: Some(value.into()),
        });
    }

    /// Adds a delete.
    pub fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.writes.push(Write {
            table,
            key: key.into(),
            value: None,
        });
    }

    /// Adds a guard.
    pub fn expect(
        &mut self,
        name: GuardName,
        table: Table,
        key: impl Into<Vec<u8>>,
        expected: Option<Bytes>,
    ) {
        self.guards.push(Guard {
            table,
            key: key.into(),
            expected,
            name,
        });
    }
}

/// Rows and bytes of the records table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Number of record rows.
    pub rows: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

/// Why a store call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// A guard did not hold; nothing was written. Holds what the row is now.
    Guard {
        /// The failed guard.
        name: GuardName,
        /// The row as the transaction saw it.
        found: Option<Bytes>,
    },
    /// The disk or the origin's quota is full; nothing was written.
    Quota,
    /// The transaction was aborted for another reason; nothing was written.
    Aborted,
    /// Another connection blocks an upgrade or a deletion.
    Blocked,
    /// The database was closed or deleted under us and could not be reopened.
    Closed,
    /// There is no such store here (private mode, disabled, no permission).
    Unavailable,
    /// The database has a newer format; it was left untouched.
    Incompatible,
    /// Any other failure of the medium. The text holds no user data.
    Io(&'static str),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Guard { .. } => "the store changed in between",
            Self::Quota => "the store is full",
            Self::Aborted => "the store aborted the transaction",
            Self::Blocked => "another connection blocks the store",
            Self::Closed => "the store is closed",
            Self::Unavailable => "no store is available here",
            Self::Incompatible => "the store has a newer format",
            Self::Io(what) => what,
        })
    }
}

impl std::error::Error for StoreError {}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Guard { .. } => ErrorKind::Conflict,
            StoreError::Quota => ErrorKind::QuotaExceeded,
            StoreError::Blocked => ErrorKind::Blocked,
            StoreError::Closed => ErrorKind::Closed,
            StoreError::Incompatible => ErrorKind::Incompatible,
            StoreError::Aborted | StoreError::Unavailable | StoreError::Io(_) => {
                ErrorKind::Unavailable
            }
        };
        Error::new(kind, error.to_string())
    }
}

/// Keeps sealed rows.
///
/// # Contract
/// - A batch is all or nothing, in one transaction. Guards are read inside it. When `commit`
///   resolves with `Ok`, the batch survives the durability it asked for.
/// - Batches are serialisable: two commits guarded on the same row never both succeed from the
///   same expectation.
/// - `scan` gives rows in ascending byte order of their keys, strictly after `after`, at most
///   `limit` of them; fewer than `limit` means that the table has no more.
/// - The store never sees plaintext and never interprets a value.
/// - After `close` every call is `Closed`; `wipe` removes all rows of all tables and leaves an
///   empty, usable store.
/// - Every call settles.
pub trait Store: MaybeSend + MaybeSync + 'static {
    /// Reads one row.
    fn get(
        &self,
        table: Table,
        key: &[u8],
    ) -> impl Future<Output = Result<Option<Bytes>, StoreError>> + MaybeSend;

    /// Reads rows in one transaction; answers stand in the order of `keys`.
    fn get_many(
        &self,
        table: Table,
        keys: &[Vec<u8>],
    ) -> impl Future<Output = Result<Vec<Option<Bytes>>, StoreError>> + MaybeSend;

    /// Applies a batch.
    fn commit(&self, batch: Batch) -> impl Future<Output = Result<(), StoreError>> + MaybeSend;

    /// Reads rows in key order.
    fn scan(
        &self,
        table: Table,
        after: Option<&[u8]>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Row>, StoreError>> + MaybeSend;

    /// Counts the records.
    fn usage(&self) -> impl Future<Output = Result<Usage, StoreError>> + MaybeSend;

    /// Removes every row.
    fn wipe(&self) -> impl Future<Output = Result<(), StoreError>> + MaybeSend;

    /// Lets go of the database.
    fn close(&self) -> impl Future<Output = ()> + MaybeSend;
}

/// [`Store`] with boxed futures: what the engine holds. Implemented for every store.
pub trait DynStore: MaybeSend + MaybeSync {
    /// As [`Store::get`].
    fn get<'a>(
        &'a self,
        table: Table,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>>;
    /// As [`Store::get_many`].
    fn get_many<'a>(
        &'a self,
        table: Table,
        keys: &'a [Vec<u8>],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, StoreError>>;
    /// As [`Store::commit`].
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), StoreError>>;
    /// As [`Store::scan`].
    fn scan<'a>(
        &'a self,
        table: Table,
        after: Option<&'a [u8]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Row>, StoreError>>;
    /// As [`Store::usage`].
    fn usage(&self) -> BoxFuture<'_, Result<Usage, StoreError>>;
    /// As [`Store::wipe`].
    fn wipe(&self) -> BoxFuture<'_, Result<(), StoreError>>;
    /// As [`Store::close`].
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// A store behind one pointer.
pub type BoxStore = Arc<dyn DynStore>;

impl<S: Store> DynStore for S {
    fn get<'a>(
        &'a self,
        table: Table,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        Box::pin(Store::get(self, table, key))
    }
    fn get_many<'a>(
        &'a self,
        table: Table,
        keys: &'a [Vec<u8>],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, StoreError>> {
        Box::pin(Store::get_many(self, table, keys))
    }
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(Store::commit(self, batch))
    }
    fn scan<'a>(
        &'a self,
        table: Table,
        after: Option<&'a [u8]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Row>, StoreError>> {
        Box::pin(Store::scan(self, table, after, limit))
    }
    fn usage(&self) -> BoxFuture<'_, Result<Usage, StoreError>> {
        Box::pin(Store::usage(self))
    }
    fn wipe(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(Store::wipe(self))
    }
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(Store::close(self))
    }
}
