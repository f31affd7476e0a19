//! The memory tier: sealed rows under a byte budget, and a directory of the store.
//!
//! Rows are kept as they lie on the disk and opened at each read, so a lock makes them
//! unreadable at once and warming up costs no decryption. A row that had to leave memory keeps
//! its directory line: what is in the store, with which blind tags, until when.

use super::{
    crypto::{BlindKey, BlindMap, BlindSet, BlindTag},
    envelope::{self, Meta},
};
use crate::error::Result;
use std::{collections::BTreeMap, sync::Arc};

/// Bytes of a sealed row, shared.
pub type Row = Arc<[u8]>;

/// A row's line.
#[derive(Debug)]
struct Line {
    row: Option<Row>,
    size: usize,
    tags: Arc<[BlindTag]>,
    keep_until_max: u64,
    used: u64,
    revision: u64,
    meta: Option<Arc<Meta>>,
    from_store: bool,
}

/// What a look-up finds.
#[derive(Debug, Clone)]
pub enum Found {
    /// The sealed row, and what was learnt when it was opened before.
    Row {
        /// The sealed bytes.
        row: Row,
        /// Its facts, once opened.
        meta: Option<Arc<Meta>>,
        /// Its blind tags, authenticated when the row is opened.
        tags: Arc<[BlindTag]>,
        /// Whether it came from the store and is read for the first time.
        from_store: bool,
    },
    /// Only the store has it.
    InStore,
    /// Nobody has it.
    Nowhere,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Table {
    lines: BlindMap<BlindKey, Line>,
    by_tag: BlindMap<BlindTag, BlindSet<BlindKey>>,
    by_use: BTreeMap<u64, BlindKey>,
    bytes: usize,
    budget: usize,
    clock: u64,
    evicted: u64,
}

impl Table {
    /// An empty table that keeps at most `budget` bytes of rows in memory.
    #[must_use]
    pub fn new(budget: usize) -> Self {
        Self {
            budget,
            ..Self::default()
        }
    }

    /// Rows known, in memory or only in the store.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether no row is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Rows in memory.
    #[must_use]
    pub fn in_memory(&self) -> usize {
        self.by_use.len()
    }

    /// Bytes in memory.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Rows that had to leave memory so far.
    #[must_use]
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Finds a row and marks it as used now.
    pub fn find(&mut self, key: &BlindKey) -> Found {
        let Some(line) = self.lines.get_mut(key) else {
            return Found::Nowhere;
        };
        let Some(row) = line.row.clone() else {
            return Found::InStore;
        };
        self.by_use.remove(&line.used);
        self.clock += 1;
        line.used = self.clock;
        self.by_use.insert(self.clock, *key);
        Found::Row {
            row,
            meta: line.meta.clone(),
            tags: line.tags.clone(),
            from_store: std::mem::take(&mut line.from_store),
        }
    }

    /// Looks at a row's facts without using it.
    #[must_use]
    pub fn meta(&self, key: &BlindKey) -> Option<&Arc<Meta>> {
        self.lines.get(key)?.meta.as_ref()
    }

    /// Changes whenever the row of this key does: tells a reader of the store whether what it
    /// read may be old.
    #[must_use]
    pub fn revision(&self, key: &BlindKey) -> u64 {
        self.lines.get(key).map_or(0, |line| line.revision)
    }

    /// Drops the bytes of every row: the store may have newer ones.
    pub fn unload_all(&mut self) {
        for line in self.lines.values_mut() {
            self.clock += 1;
            line.revision = self.clock;
            line.row = None;
            line.meta = None;
        }
        self.by_use.clear();
        self.bytes = 0;
    }

    /// Whether the row is known, here or in the store.
    #[must_use]
    pub fn knows(&self, key: &BlindKey) -> bool {
        self.lines.contains_key(key)
    }

    /// Keeps a row. `meta` is known for rows that were just sealed.
    ///
    /// # Errors
    /// [`Tampered`](crate::ErrorKind::Tampered), [`Incompatible`](crate::ErrorKind::Incompatible)
    /// when the row's outside is malformed; it is not kept then.
    pub fn insert(
        &mut self,
        key: BlindKey,
        row: Row,
        meta: Option<Arc<Meta>>,
        from_store: bool,
    ) -> Result<()> {
        let outside = envelope::outside(&row)?;
        self.remove(&key);
        for tag in &outside.tags {
            self.by_tag.entry(*tag).or_default().insert(key);
        }
        self.clock += 1;
        self.by_use.insert(self.clock, key);
        self.bytes += row.len();
        self.lines.insert(
            key,
            Line {
                size: row.len(),
                row: Some(row),
                tags: outside.tags.into(),
                keep_until_max: outside.keep_until_max,
                used: self.clock,
                revision: self.clock,
                meta,
                from_store,
            },
        );
        self.shrink();
        Ok(())
    }

    /// Notes what opening a row taught, if the row is still the same.
    pub fn learn(&mut self, key: &BlindKey, row: &Row, meta: &Arc<Meta>) {
        if let Some(line) = self.lines.get_mut(key)
            && line.row.as_ref().is_some_and(|held| Arc::ptr_eq(held, row))
        {
            line.meta = Some(meta.clone());
        }
    }

    /// Drops the bytes of a row and keeps its line: the store has a newer one.
    pub fn unload(&mut self, key: &BlindKey) {
        if let Some(line) = self.lines.get_mut(key) {
            self.clock += 1;
            line.revision = self.clock;
            if line.row.take().is_some() {
                line.meta = None;
                self.bytes -= line.size;
                self.by_use.remove(&line.used);
            }
        }
    }

    /// Forgets a row. Whether it was known.
    pub fn remove(&mut self, key: &BlindKey) -> bool {
        let Some(line) = self.lines.remove(key) else {
            return false;
        };
        if line.row.is_some() {
            self.bytes -= line.size;
            self.by_use.remove(&line.used);
        }
        for tag in line.tags.iter() {
            if let Some(keys) = self.by_tag.get_mut(tag) {
                keys.remove(key);
                if keys.is_empty() {
                    self.by_tag.remove(tag);
                }
            }
        }
        true
    }

    /// Forgets a row if it is still this one, or if only the store has it.
    pub fn remove_exact(&mut self, key: &BlindKey, row: &Row) {
        let other = |held: &Row| !Arc::ptr_eq(held, row) && held != row;
        let line = self.lines.get(key);
        if !line.is_some_and(|line| line.row.as_ref().is_some_and(other)) {
            self.remove(key);
        }
    }

    fn shrink(&mut self) {
        while self.bytes > self.budget {
            // The newest row stays even when it alone is over the budget: it was asked for.
            if self.by_use.len() <= 1 {
                return;
            }
            let Some((_, key)) = self.by_use.pop_first() else {
                return;
            };
            if let Some(line) = self.lines.get_mut(&key) {
                line.row = None;
                line.meta = None;
                self.bytes -= line.size;
                self.evicted += 1;
            }
        }
    }

    /// Every known row with this tag.
    #[must_use]
    pub fn tagged(&self, tag: &BlindTag) -> Vec<BlindKey> {
        self.by_tag
            .get(tag)
            .map(|keys| keys.iter().copied().collect())
            .unwrap_or_default()
    }

    /// Every known row.
    pub fn keys(&self) -> impl Iterator<Item = &BlindKey> {
        self.lines.keys()
    }

    /// Every known row with its blind tags.
    pub fn lines(&self) -> impl Iterator<Item = (&BlindKey, &[BlindTag])> {
        self.lines.iter().map(|(key, line)| (key, &*line.tags))
    }

    /// Rows whose bucket has passed: nobody may read them any more.
    #[must_use]
    pub fn expired(&self, now: u64, limit: usize) -> Vec<BlindKey> {
        self.lines
            .iter()
            .filter(|(_, line)| line.keep_until_max <= now)
            .map(|(key, _)| *key)
            .take(limit)
            .collect()
    }

    /// The least recently used known rows, for making room in the store.
    #[must_use]
    pub fn oldest(&self, count: usize) -> Vec<BlindKey> {
        let mut by_use = BTreeMap::new();
        by_use.extend(self.lines.iter().map(|(key, line)| (line.used, *key)));
        by_use.into_values().take(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{
        crypto::{KeyRing, Nonce, Place, Secret},
        envelope::Body,
    };
    use proptest::prelude::*;

    fn ring() -> KeyRing {
        let place = Place {
            tenant: String::new(),
            user: "u".into(),
            device: "d".into(),
            database: "b".into(),
        };
        KeyRing::new(&Secret::new([1; 32]), &place, 1).unwrap()
    }

    fn row(ring: &KeyRing, n: u8, tag: u8) -> (BlindKey, Row) {
        let meta = Meta {
            key: format!("patient:{n}").into(),
            class: "patient".into(),
            schema: 0,
            write_seq: 0,
            position: None,
            tick: 0,
            stored_at: 0,
            fresh_until: 0,
            keep_until: u64::from(n) * 900_000,
            version: None,
            tags: vec![format!("tag/{tag}").into()].into(),
        };
        let key = ring.blind_key(&meta.key);
        let nonce = Nonce::from_entropy([n; Nonce::LEN]);
        let row = ring
            .seal_record(&key, &meta, &Body::Absent, false, nonce)
            .unwrap();
        (key, row.into())
    }

    #[test]
    fn the_least_recently_used_row_leaves_first_and_stays_known() {
        let ring = ring();
        let (a, row_a) = row(&ring, 1, 1);
        let (b, row_b) = row(&ring, 2, 1);
        let (c, row_c) = row(&ring, 3, 1);
        let mut table = Table::new(row_a.len() * 2 + 10);
        table.insert(a, row_a, None, false).unwrap();
        table.insert(b, row_b, None, false).unwrap();
        table.find(&a);
        table.insert(c, row_c, None, false).unwrap();
        assert!(matches!(table.find(&b), Found::InStore));
        assert!(matches!(table.find(&a), Found::Row { .. }));
        assert_eq!((table.len(), table.in_memory()), (3, 2));
        assert_eq!(table.tagged(&ring.blind_tag("tag/1")).len(), 3);
    }

    #[test]
    fn the_first_read_of_a_warmed_row_says_that_it_came_from_the_store() {
        let ring = ring();
        let (a, row_a) = row(&ring, 1, 1);
        let mut table = Table::new(10_000);
        table.insert(a, row_a, None, true).unwrap();
        let mut first = || {
            matches!(
                table.find(&a),
                Found::Row {
                    from_store: true,
                    ..
                }
            )
        };
        assert!(first() && !first());
    }

    #[test]
    fn rows_past_their_bucket_are_found() {
        let ring = ring();
        let mut table = Table::new(10_000);
        for n in 1..4 {
            let (key, row) = row(&ring, n, 1);
            table.insert(key, row, None, false).unwrap();
        }
        assert_eq!(table.expired(2 * 900_000, 10).len(), 2);
        assert_eq!(table.expired(u64::MAX, 1).len(), 1);
    }

    proptest! {
        /// Against a plain map: what is known, what has a tag, how many bytes.
        #[test]
        fn it_equals_a_plain_map(acts in proptest::collection::vec((0u8..6, 0u8..4, 0u8..4), 1..60)) {
            let ring = ring();
            let mut table = Table::new(1_200);
            let mut model: BlindMap<BlindKey, (u8, usize)> = BlindMap::default();
            for (n, tag, act) in acts {
                let (key, row) = row(&ring, n, tag);
                match act {
                    0 | 1 => {
                        model.insert(key, (tag, row.len()));
                        table.insert(key, row, None, false).unwrap();
                    }
                    2 => { prop_assert_eq!(table.remove(&key), model.remove(&key).is_some()); }
                    _ => { table.find(&key); table.unload(&key); }
                }
                prop_assert_eq!(table.len(), model.len());
                for tag in 0..4 {
                    let tagged = table.tagged(&ring.blind_tag(&format!("tag/{tag}"))).len();
                    prop_assert_eq!(tagged, model.values().filter(|(held, _)| *held == tag).count());
                }
                let held: usize = table.lines.values().filter(|line| line.row.is_some()).map(|line| line.size).sum();
                prop_assert_eq!(table.bytes(), held);
                prop_assert_eq!(table.in_memory(), table.lines.values().filter(|line| line.row.is_some()).count());
                prop_assert!(table.bytes() <= 1_200 || table.in_memory() == 1);
            }
        }
    }
}
