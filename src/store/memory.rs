//! A store in memory; also the oracle of the tests.

use crate::platform::{Batch, Bytes, Guard, Row, Store, StoreError, Table, Usage, Write};
use std::{
    collections::{BTreeMap, btree_map::Range},
    fmt,
    ops::Bound,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Sealed rows in the memory of this process: gone when the last connection is dropped.
///
/// A clone is another connection to the same database, as a second tab has: closing one leaves
/// the others open. Every call finishes without waiting. Unlimited unless made by
/// [`Memory::with_bytes_max`].
pub struct Memory {
    database: Arc<Mutex<Database>>,
    closed: AtomicBool,
}

#[derive(Default)]
struct Database {
    tables: BTreeMap<Table, BTreeMap<Vec<u8>, Bytes>>,
    /// Bytes of all keys and values in all tables.
    bytes: u64,
    /// Bytes of the records table alone.
    record_bytes: u64,
    bytes_max: Option<u64>,
}

impl Memory {
    /// A new, empty database.
    #[must_use]
    pub fn new() -> Self {
        Self::over(Database::default())
    }

    /// A new database that holds at most `bytes_max` bytes of keys and values over all tables;
    /// a batch that would take it past that fails with [`StoreError::Quota`].
    #[must_use]
    pub fn with_bytes_max(bytes_max: u64) -> Self {
        Self::over(Database {
            bytes_max: Some(bytes_max),
            ..Database::default()
        })
    }

    fn over(database: Database) -> Self {
        Self {
            database: Arc::new(Mutex::new(database)),
            closed: AtomicBool::new(false),
        }
    }

    fn database(&self) -> Result<MutexGuard<'_, Database>, StoreError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        // No code that can panic runs between the first and the last change of a batch, so a
        // poisoned lock still guards a whole database.
        Ok(self.database.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Database {
    fn get(&self, table: Table, key: &[u8]) -> Option<&Bytes> {
        self.tables.get(&table)?.get(key)
    }

    fn range(&self, table: Table, after: Option<&[u8]>) -> Option<Range<'_, Vec<u8>, Bytes>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        Some(
            self.tables
                .get(&table)?
                .range::<[u8], _>((from, Bound::Unbounded)),
        )
    }

    fn check(&self, guards: &[Guard]) -> Result<(), StoreError> {
        for guard in guards {
            let found = self.get(guard.table, &guard.key);
            if found != guard.expected.as_ref() {
                return Err(StoreError::Guard {
                    name: guard.name,
                    found: found.cloned(),
                });
            }
        }
        Ok(())
    }

    fn check_space(&self, writes: &[Write]) -> Result<(), StoreError> {
        let Some(bytes_max) = self.bytes_max else {
            return Ok(());
        };
        let mut sizes = BTreeMap::new();
        for write in writes {
            let size = write.value.as_ref().map_or(0, |v| row_len(&write.key, v));
            sizes.insert((write.table, write.key.as_slice()), size);
        }
        let mut bytes = self.bytes;
        for (&(table, key), new) in &sizes {
            bytes += new;
            bytes -= self.get(table, key).map_or(0, |old| row_len(key, old));
        }
        // A full database may still shrink or keep its size.
        if bytes > bytes_max && bytes > self.bytes {
            return Err(StoreError::Quota);
        }
        Ok(())
    }

    fn apply(&mut self, write: Write) {
        let Write { table, key, value } = write;
        let (added, removed) = match value {
            Some(value) => {
                let added = row_len(&key, &value);
                let key_len = key.len() as u64;
                let old = self.tables.entry(table).or_default().insert(key, value);
                (added, old.map_or(0, |old| key_len + old.len() as u64))
            }
            None => {
                let old = self
                    .tables
                    .get_mut(&table)
                    .and_then(|rows| rows.remove(&key));
                (0, old.map_or(0, |old| row_len(&key, &old)))
            }
        };
        self.bytes = self.bytes + added - removed;
        if table == Table::Records {
            self.record_bytes = self.record_bytes + added - removed;
        }
    }
}

fn row_len(key: &[u8], value: &[u8]) -> u64 {
    (key.len() + value.len()) as u64
}

impl Store for Memory {
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.database()?.get(table, key).cloned())
    }

    async fn get_many(
        &self,
        table: Table,
        keys: &[Vec<u8>],
    ) -> Result<Vec<Option<Bytes>>, StoreError> {
        let database = self.database()?;
        Ok(keys
            .iter()
            .map(|key| database.get(table, key).cloned())
            .collect())
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let mut database = self.database()?;
        database.check(&batch.guards)?;
        database.check_space(&batch.writes)?;
        for write in batch.writes {
            database.apply(write);
        }
        Ok(())
    }

    async fn scan(
        &self,
        table: Table,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        Ok(self
            .database()?
            .range(table, after)
            .into_iter()
            .flatten()
            .take(limit)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }

    async fn usage(&self) -> Result<Usage, StoreError> {
        let database = self.database()?;
        Ok(Usage {
            rows: database
                .tables
                .get(&Table::Records)
                .map_or(0, |rows| rows.len() as u64),
            bytes: database.record_bytes,
        })
    }

    async fn wipe(&self) -> Result<(), StoreError> {
        let mut database = self.database()?;
        *database = Database {
            bytes_max: database.bytes_max,
            ..Database::default()
        };
        Ok(())
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for Memory {
    fn clone(&self) -> Self {
        Self {
            database: Arc::clone(&self.database),
            closed: AtomicBool::new(self.closed.load(Ordering::Acquire)),
        }
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "testkit"))]
mod tests {
    use super::*;
    use crate::testkit::block_on;

    fn put(key: &[u8], len: usize) -> Batch {
        let mut batch = Batch::new();
        batch.put(Table::Records, key, vec![0; len]);
        batch
    }

    #[test]
    fn a_batch_past_the_limit_writes_nothing() {
        block_on(async {
            let store = Memory::with_bytes_max(100);
            store.commit(put(b"a", 60)).await.unwrap();
            let mut batch = put(b"b", 30);
            batch.put(Table::Control, *b"c", vec![0; 30]);
            assert_eq!(store.commit(batch).await, Err(StoreError::Quota));
            assert_eq!(store.get(Table::Records, b"b").await, Ok(None));
            assert_eq!(store.usage().await.unwrap().bytes, 61);
        });
    }

    #[test]
    fn a_row_rewritten_within_one_batch_counts_once() {
        block_on(async {
            let store = Memory::with_bytes_max(100);
            let mut batch = put(b"a", 80);
            batch.put(Table::Records, *b"a", vec![0; 90]);
            store.commit(batch).await.unwrap();
            store.commit(put(b"a", 99)).await.unwrap();
            assert_eq!(store.usage().await.unwrap().bytes, 100);
        });
    }

    #[test]
    fn a_full_database_takes_deletes() {
        block_on(async {
            let store = Memory::with_bytes_max(11);
            store.commit(put(b"a", 10)).await.unwrap();
            let mut batch = Batch::new();
            batch.delete(Table::Records, *b"a");
            store.commit(batch).await.unwrap();
            store.commit(put(b"b", 10)).await.unwrap();
        });
    }

    #[test]
    fn closing_one_connection_leaves_the_others_open() {
        block_on(async {
            let one = Memory::new();
            let two = one.clone();
            one.commit(put(b"a", 1)).await.unwrap();
            one.close().await;
            assert_eq!(one.usage().await, Err(StoreError::Closed));
            assert_eq!(two.usage().await.unwrap().rows, 1);
        });
    }
}
