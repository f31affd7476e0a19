//! Random histories: whatever is done to a store, it answers as the memory store does.

use crate::{
    platform::{Batch, Bytes, Durability, GuardName, Store, Table},
    store::Memory,
    testkit::SimEntropy,
};

/// Draws `steps` random calls from `seed`, makes each of them on `store` and on a memory store,
/// and compares every answer. `store` must be empty.
///
/// # Panics
/// When an answer differs; the message holds the seed and the step.
pub async fn agrees_with_memory(store: &impl Store, seed: u64, steps: usize) {
    let oracle = Memory::new();
    let draw = Draw(SimEntropy::new(seed));
    for step in 0..steps {
        let place = format!("seed {seed}, step {step}");
        let table = draw.table();
        match draw.0.below(20) {
            0..9 => {
                let batch = draw.batch(&oracle).await;
                let expected = oracle.commit(batch.clone()).await;
                assert_eq!(store.commit(batch).await, expected, "{place}");
            }
            9..12 => {
                let key = draw.key();
                let expected = oracle.get(table, &key).await;
                assert_eq!(store.get(table, &key).await, expected, "{place}");
            }
            12..15 => {
                let keys: Vec<Vec<u8>> = (0..draw.0.below(6)).map(|_| draw.key()).collect();
                let expected = oracle.get_many(table, &keys).await;
                assert_eq!(store.get_many(table, &keys).await, expected, "{place}");
            }
            15..19 => {
                let after = (draw.0.below(3) > 0).then(|| draw.key());
                let limit = draw.0.below(8);
                let expected = oracle.scan(table, after.as_deref(), limit).await;
                let found = store.scan(table, after.as_deref(), limit).await;
                assert_eq!(found, expected, "{place}");
            }
            _ if draw.0.below(8) == 0 => {
                assert_eq!(store.wipe().await, oracle.wipe().await, "{place}");
            }
            _ => assert_eq!(store.usage().await, oracle.usage().await, "{place}"),
        }
    }
    for &table in Table::ALL {
        let expected = oracle.scan(table, None, usize::MAX).await;
        let found = store.scan(table, None, usize::MAX).await;
        assert_eq!(found, expected, "seed {seed}, at the end");
    }
}

struct Draw(SimEntropy);

impl Draw {
    fn table(&self) -> Table {
        Table::ALL[self.0.below(Table::ALL.len())]
    }

    /// From a small set, so that rows meet: prefixes of each other, with the extreme bytes.
    fn key(&self) -> Vec<u8> {
        const BYTES: [u8; 3] = [0x00, 0x7f, 0xff];
        let len = 1 + self.0.below(2);
        (0..len).map(|_| BYTES[self.0.below(3)]).collect()
    }

    fn value(&self) -> Bytes {
        let byte = self.0.draw().to_le_bytes()[0];
        vec![byte; self.0.below(40)].into()
    }

    async fn batch(&self, oracle: &Memory) -> Batch {
        let mut batch = Batch::new();
        if self.0.below(4) == 0 {
            batch.durability = Durability::Strict;
        }
        for _ in 0..self.0.below(3) {
            let (table, key) = (self.table(), self.key());
            // Mostly what is there, sometimes something else.
            let expected = match self.0.below(5) {
                0 => Some(self.value()),
                1 => None,
                _ => oracle.get(table, &key).await.unwrap_or_default(),
            };
            batch.expect(GuardName::Row, table, key, expected);
        }
        for _ in 0..self.0.below(6) {
            if self.0.below(3) == 0 {
                batch.delete(self.table(), self.key());
            } else {
                batch.put(self.table(), self.key(), self.value());
            }
        }
        batch
    }
}
