//! The log: dense positions in commit order, the newest records, the topic index.

use super::{
    index::{Index, TopicHash, Touched},
    invalidation::Checked,
    record::Record,
};
use crate::{
    error::{Error, ErrorKind, Result},
    kernel::invalidate::{Epoch, Position, SEQ_MAX},
};
use std::{collections::VecDeque, fmt, sync::Arc};

/// Records that leave in one trim at most: it bounds the transaction.
const TRIM_MAX: usize = 4096;

/// Names a topic by a keyed hash.
pub trait Blind: Send + Sync {
    /// The hash.
    fn blind(&self, topic: &str) -> TopicHash;
}

/// What a client can still be told, as positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The log's life.
    pub epoch: Epoch,
    /// The newest record.
    pub head: u64,
    /// Records after this one are there.
    pub floor: u64,
    /// A topic that is not in the index was not touched after this.
    pub index_floor: u64,
}

/// How long records and topics are kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Age at which a record goes, in milliseconds.
    pub record_age_ms: u64,
    /// Memory of the records, in bytes, above which the oldest go early.
    pub record_bytes: usize,
    /// Age at which an untouched topic goes, in milliseconds.
    pub topic_age_ms: u64,
    /// Topics in the index above which the longest untouched go early.
    pub topics: usize,
}

impl Default for Retention {
    /// Records 48 hours or 64 MiB, topics four weeks or a million.
    fn default() -> Self {
        const HOUR_MS: u64 = 3_600_000;
        Self {
            record_age_ms: 48 * HOUR_MS,
            record_bytes: 64 << 20,
            topic_age_ms: 28 * 24 * HOUR_MS,
            topics: 1_000_000,
        }
    }
}

/// What an append adds, to be stored before it is applied.
#[derive(Clone, Debug)]
pub struct Growth {
    /// The new records, in order.
    pub records: Vec<Arc<Record>>,
    /// The topics that they touch, as the index will hold them.
    pub topics: Vec<(TopicHash, Touched)>,
    /// Records for everybody, as the index will hold them.
    pub everyone: Touched,
}

/// What compaction takes away, to be stored before it is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trim {
    /// The new floor; records up to it go.
    pub floor: u64,
    /// Topics that leave the index.
    pub topics: Vec<TopicHash>,
    /// The newest touches of everything that ever left the index.
    pub gone: Touched,
}

/// A log and its topic index.
pub struct Log {
    epoch: Epoch,
    head: u64,
    floor: u64,
    ts_ms: u64,
    records: VecDeque<Arc<Record>>,
    bytes: usize,
    index: Index,
    blind: Arc<dyn Blind>,
}

/// A log as a store held it.
#[derive(Debug)]
pub struct Restored {
    /// The log's life.
    pub epoch: Epoch,
    /// The newest record.
    pub head: u64,
    /// The floor.
    pub floor: u64,
    /// Every record after the floor, in order.
    pub records: Vec<Record>,
    /// The index.
    pub topics: Vec<(TopicHash, Touched)>,
    /// Records for everybody.
    pub everyone: Touched,
    /// What left the index.
    pub gone: Touched,
}

impl Log {
    /// An empty log of a new epoch.
    #[must_use]
    pub fn new(epoch: Epoch, blind: Arc<dyn Blind>) -> Self {
        Self {
            epoch,
            head: 0,
            floor: 0,
            ts_ms: 0,
            records: VecDeque::new(),
            bytes: 0,
            index: Index::default(),
            blind,
        }
    }

    /// The log that a store held.
    ///
    /// # Errors
    /// [`Tampered`](ErrorKind::Tampered) when records are missing, doubled or out of place, or
    /// the index knows less than the records: continuity is not proven, and the log needs a new
    /// epoch.
    pub fn restore(restored: Restored, blind: Arc<dyn Blind>) -> Result<Self> {
        let broken = || Error::new(ErrorKind::Tampered, "the log has gaps");
        let mut log = Self::new(restored.epoch, blind);
        log.floor = restored.floor;
        log.head = restored.floor;
        log.index.gone = restored.gone;
        log.index.everyone = restored.everyone;
        for (topic, touched) in restored.topics {
            if touched.last > restored.head || touched.last <= restored.gone.last {
                return Err(broken());
            }
            log.ts_ms = log.ts_ms.max(touched.ts_ms);
            log.index.topics.insert(topic, touched);
        }
        for record in restored.records {
            let indexed = record.topics.iter().all(|topic| {
                log.index
                    .topics
                    .get(&log.blind.blind(topic))
                    .map_or(restored.gone.last, |touched| touched.last)
                    >= record.seq
            });
            if record.seq != log.head + 1 || !indexed {
                return Err(broken());
            }
            log.push(Arc::new(record));
        }
        if log.head == restored.head && restored.everyone.last <= log.head {
            Ok(log)
        } else {
            Err(broken())
        }
    }

    /// The head as a position.
    #[must_use]
    pub fn position(&self) -> Position {
        Position::new(self.epoch.clone(), self.head)
    }

    /// What can still be told.
    #[must_use]
    pub fn window(&self) -> Window {
        Window {
            epoch: self.epoch.clone(),
            head: self.head,
            floor: self.floor,
            index_floor: self.index.gone.last,
        }
    }

    /// What left the index.
    #[must_use]
    pub const fn gone(&self) -> Touched {
        self.index.gone
    }

    /// When everybody was last told something.
    #[must_use]
    pub const fn everyone(&self) -> Touched {
        self.index.everyone
    }

    /// What the index holds of a topic.
    #[must_use]
    pub fn touched(&self, topic: &TopicHash) -> Option<Touched> {
        self.index.topics.get(topic).copied()
    }

    /// Topics in the index.
    #[must_use]
    pub fn topics_len(&self) -> usize {
        self.index.topics.len()
    }

    /// Gives positions to invalidations, in order. Changes nothing.
    ///
    /// # Errors
    /// [`Internal`](ErrorKind::Internal) when positions run out.
    pub fn grow(&self, items: Vec<Checked>, now_ms: u64) -> Result<Growth> {
        // A wall clock that steps back must not make a record look older than the one before.
        let ts_ms = now_ms.max(self.ts_ms);
        let mut growth = Growth {
            records: Vec::with_capacity(items.len()),
            topics: Vec::new(),
            everyone: self.index.everyone,
        };
        let mut topics = std::collections::BTreeMap::new();
        for (seq, item) in (self.head + 1..).zip(items) {
            if seq > SEQ_MAX {
                return Err(Error::new(ErrorKind::Internal, "the log is full"));
            }
            let record = Record::new(seq, ts_ms, item)?;
            let touched = Touched::at(seq, ts_ms, record.severity());
            for topic in &record.topics {
                let hash = self.blind.blind(topic);
                topics
                    .entry(hash)
                    .or_insert_with(|| self.touched(&hash).unwrap_or_default())
                    .merge(touched);
            }
            if record.everyone {
                growth.everyone.merge(touched);
            }
            growth.records.push(Arc::new(record));
        }
        growth.topics = topics.into_iter().collect();
        Ok(growth)
    }

    /// Applies what [`grow`](Self::grow) planned on this very state.
    pub fn apply(&mut self, growth: &Growth) {
        for record in &growth.records {
            self.push(Arc::clone(record));
        }
        for (topic, touched) in &growth.topics {
            self.index.touch(*topic, *touched);
        }
        self.index.everyone = growth.everyone;
    }

    /// What compaction should take away now, if anything. Changes nothing; at most 4096 records
    /// at a time.
    #[must_use]
    pub fn compact(&self, now_ms: u64, retention: &Retention) -> Option<Trim> {
        let oldest = now_ms.saturating_sub(retention.record_age_ms);
        let mut bytes = self.bytes;
        let mut floor = self.floor;
        for record in self.records.iter().take(TRIM_MAX) {
            if record.ts_ms >= oldest && bytes <= retention.record_bytes {
                break;
            }
            bytes = bytes.saturating_sub(record.size());
            floor = record.seq;
        }
        let index_floor = self
            .index
            .trim_to(
                retention.topics,
                now_ms.saturating_sub(retention.topic_age_ms),
            )
            .unwrap_or(self.index.gone.last);
        if floor == self.floor && index_floor == self.index.gone.last {
            return None;
        }
        let topics = self.index.leaving(index_floor);
        let mut gone = self.index.gone;
        for topic in &topics {
            gone.merge(self.touched(topic).unwrap_or_default());
        }
        Some(Trim {
            floor,
            topics,
            gone,
        })
    }

    /// Applies what [`compact`](Self::compact) planned.
    pub fn trim(&mut self, trim: &Trim) {
        while self
            .records
            .front()
            .is_some_and(|record| record.seq <= trim.floor)
        {
            if let Some(record) = self.records.pop_front() {
                self.bytes = self.bytes.saturating_sub(record.size());
                self.floor = record.seq;
            }
        }
        self.index.remove(&trim.topics);
    }

    /// Records in `(from, to]`, as far as they are there.
    pub(super) fn records(&self, from: u64, to: u64) -> impl Iterator<Item = &Arc<Record>> {
        let skip = usize::try_from(from.saturating_sub(self.floor)).unwrap_or(usize::MAX);
        let skip = skip.min(self.records.len());
        self.records
            .range(skip..)
            .take_while(move |record| record.seq <= to)
    }

    pub(super) const fn index(&self) -> &Index {
        &self.index
    }

    pub(super) fn blind(&self, topic: &str) -> TopicHash {
        self.blind.blind(topic)
    }

    pub(super) const fn head(&self) -> u64 {
        self.head
    }

    pub(super) const fn floor(&self) -> u64 {
        self.floor
    }

    pub(super) const fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    fn push(&mut self, record: Arc<Record>) {
        self.head = record.seq;
        self.ts_ms = self.ts_ms.max(record.ts_ms);
        self.bytes += record.size();
        self.records.push_back(record);
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("head", &self.head)
            .field("floor", &self.floor)
            .finish_non_exhaustive()
    }
}
