//! A store that keeps nothing.

use crate::platform::{Batch, Bytes, Row, Store, StoreError, Table, Usage};
use std::sync::atomic::{AtomicBool, Ordering};

/// Accepts every batch and forgets it: for a cache that must leave no trace at all.
///
/// It behaves as a store whose rows vanish at once, so a guard that expects a row fails.
#[derive(Debug, Default)]
pub struct Noop {
    closed: AtomicBool,
}

impl Noop {
    /// A store that keeps nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn check_open(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::Acquire) {
            Err(StoreError::Closed)
        } else {
            Ok(())
        }
    }
}

impl Store for Noop {
    async fn get(&self, _table: Table, _key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.check_open().map(|()| None)
    }

    async fn get_many(
        &self,
        _table: Table,
        keys: &[Vec<u8>],
    ) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.check_open().map(|()| vec![None; keys.len()])
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.check_open()?;
        match batch.guards.iter().find(|guard| guard.expected.is_some()) {
            Some(guard) => Err(StoreError::Guard {
                name: guard.name,
                found: None,
            }),
            None => Ok(()),
        }
    }

    async fn scan(
        &self,
        _table: Table,
        _after: Option<&[u8]>,
        _limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.check_open().map(|()| Vec::new())
    }

    async fn usage(&self) -> Result<Usage, StoreError> {
        self.check_open().map(|()| Usage::default())
    }

    async fn wipe(&self) -> Result<(), StoreError> {
        self.check_open()
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}

#[cfg(all(test, feature = "testkit"))]
mod tests {
    use super::*;
    use crate::{platform::GuardName, testkit::block_on};

    #[test]
    fn nothing_is_kept_and_a_guard_on_a_row_fails() {
        block_on(async {
            let store = Noop::new();
            let mut batch = Batch::new();
            batch.expect(GuardName::Head, Table::Control, *b"head", None);
            batch.put(Table::Control, *b"head", vec![1]);
            store.commit(batch).await.unwrap();
            assert_eq!(store.get(Table::Control, b"head").await, Ok(None));

            let mut batch = Batch::new();
            batch.expect(
                GuardName::Head,
                Table::Control,
                *b"head",
                Some(vec![1].into()),
            );
            let refused = StoreError::Guard {
                name: GuardName::Head,
                found: None,
            };
            assert_eq!(store.commit(batch).await, Err(refused));
        });
    }

    #[test]
    fn a_closed_store_says_so() {
        block_on(async {
            let store = Noop::new();
            store.close().await;
            assert_eq!(store.wipe().await, Err(StoreError::Closed));
        });
    }
}
