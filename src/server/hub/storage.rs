//! The log at rest: every row sealed, topics under keyed hashes.

use crate::{
    error::{Error, ErrorKind, Result},
    kernel::{
        codec::{Reader, put_lp, put_u64},
        crypto::KeyRing,
        invalidate::{
            Epoch,
            hub_log::{Blind, Growth, Log, Record, Restored, TopicHash, Touched, Trim},
        },
    },
    platform::{Batch, BoxStore, Bytes, Durability, Entropy, EntropyExt, GuardName, Table},
};
use std::sync::Arc;

/// The control row of the log.
const HEAD: &[u8] = b"hub";
/// First byte of the head and of topic rows, inside the seal.
const FORMAT: u8 = 1;
/// Rows of one read or of one batch of deletes.
const PAGE: usize = 1024;

/// Names topics by the key ring.
pub(super) struct BlindTopics(pub(super) Arc<KeyRing>);

impl Blind for BlindTopics {
    fn blind(&self, topic: &str) -> TopicHash {
        self.0.blind_tag(topic).0
    }
}

/// What the head row says, besides what the rows say themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Head {
    epoch: Epoch,
    head: u64,
    floor: u64,
    everyone: Touched,
    gone: Touched,
    /// Rows of the topic index, and a keyed sum over them: a row that was deleted, added or put
    /// back in an older state changes it.
    topics: u64,
    sum: TopicHash,
}

/// The rows of one log in a store.
pub(super) struct Storage {
    store: BoxStore,
    keys: Arc<KeyRing>,
    entropy: Arc<dyn Entropy>,
    /// The head row as this process wrote or read it last: what every batch guards on, so that
    /// two hubs on one store cannot both append.
    held: Option<Bytes>,
    topics: u64,
    sum: TopicHash,
}

/// A change that is sealed and not stored yet.
pub(super) struct Prepared {
    batch: Batch,
    row: Bytes,
    head: Head,
}

/// Why a stored log is not used.
enum Unusable {
    /// Continuity is not proven: it needs a new epoch.
    Broken,
    /// The store failed, or holds a newer format: nothing is proven either way.
    Failed(Error),
}

impl From<Error> for Unusable {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Tampered => Self::Broken,
            _ => Self::Failed(error),
        }
    }
}

impl Storage {
    pub(super) fn new(store: BoxStore, keys: Arc<KeyRing>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            store,
            keys,
            entropy,
            held: None,
            topics: 0,
            sum: [0; 16],
        }
    }

    /// Reads the log; begins a new one, under a new epoch, when there is none or when its
    /// continuity cannot be proven: a wrong key, a missing head, a row that is missing, edited
    /// or of another life.
    pub(super) async fn load(&mut self) -> Result<Log> {
        self.held = self.store.get(Table::Control, HEAD).await?;
        match self.read().await {
            Ok(log) => Ok(log),
            Err(Unusable::Broken) => self.begin().await,
            Err(Unusable::Failed(error)) => Err(error),
        }
    }

    /// Makes every change fail until the next load succeeds. After a load that failed, the head
    /// that was read does not belong to the log in memory: an append must not pass for one that
    /// knows it.
    pub(super) fn distrust(&mut self) {
        // No head row is empty, so no guard on this holds.
        self.held = Some(Bytes::from([]));
    }

    async fn read(&mut self) -> Result<Log, Unusable> {
        let row = self.held.clone().ok_or(Unusable::Broken)?;
        let head = decode_head(&self.open(Table::Control, HEAD, &row)?)?;
        let mut records = Vec::new();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let rows = self.store.scan(Table::Log, after.as_deref(), PAGE).await;
            let rows = rows.map_err(Error::from)?;
            let done = rows.len() < PAGE;
            for (key, row) in rows {
                let seq = <[u8; 8]>::try_from(key.as_slice()).map_err(|_| Unusable::Broken)?;
                let plain = self.open(Table::Log, &key, &row)?;
                let seq = u64::from_be_bytes(seq);
                records.push(Record::from_bytes(&plain, &head.epoch, seq)?);
                after = Some(key);
            }
            if done {
                break;
            }
        }
        let (mut topics, mut sum) = (Vec::new(), [0; 16]);
        after = None;
        loop {
            let rows = self.store.scan(Table::Topics, after.as_deref(), PAGE).await;
            let rows = rows.map_err(Error::from)?;
            let done = rows.len() < PAGE;
            for (key, row) in rows {
                let hash = TopicHash::try_from(key.as_slice()).map_err(|_| Unusable::Broken)?;
                let plain = self.open(Table::Topics, &key, &row)?;
                let touched = decode_topic(&plain, &head.epoch)?;
                self.add(&mut sum, &head.epoch, &hash, &touched);
                topics.push((hash, touched));
                after = Some(key);
            }
            if done {
                break;
            }
        }
        if sum != head.sum || topics.len() as u64 != head.topics {
            return Err(Unusable::Broken);
        }
        self.topics = head.topics;
        self.sum = sum;
        let restored = Restored {
            epoch: head.epoch,
            head: head.head,
            floor: head.floor,
            records,
            topics,
            everyone: head.everyone,
            gone: head.gone,
        };
        Ok(Log::restore(restored, self.blind())?)
    }

    /// Empties the log and begins a new one. The new head comes last: a crash before it leaves
    /// an old head over missing rows, which is broken again.
    pub(super) async fn begin(&mut self) -> Result<Log> {
        for table in [Table::Log, Table::Topics] {
            loop {
                let rows = self.store.scan(table, None, PAGE).await?;
                if rows.is_empty() {
                    break;
                }
                let mut batch = self.batch();
                for (key, _) in rows {
                    batch.delete(table, key);
                }
                self.store.commit(batch).await?;
            }
        }
        let log = Log::new(Epoch::from_bytes(self.entropy.bytes()?), self.blind());
        (self.topics, self.sum) = (0, [0; 16]);
        let head = self.head(&log, 0, 0);
        let prepared = self.prepare(self.batch(), head)?;
        self.commit(prepared).await?;
        Ok(log)
    }

    /// Seals what the log is about to grow by.
    pub(super) fn append(&self, log: &Log, growth: &Growth) -> Result<Prepared> {
        let window = log.window();
        let mut batch = self.batch();
        for record in &growth.records {
            let key = record.seq.to_be_bytes();
            let row = self.seal(Table::Log, &key, &record.to_bytes(&window.epoch)?)?;
            batch.put(Table::Log, key, row);
        }
        let (mut topics, mut sum) = (self.topics, self.sum);
        for (hash, touched) in &growth.topics {
            match log.touched(hash) {
                Some(before) => self.add(&mut sum, &window.epoch, hash, &before),
                None => topics += 1,
            }
            self.add(&mut sum, &window.epoch, hash, touched);
            let row = self.seal(Table::Topics, hash, &encode_topic(&window.epoch, touched))?;
            batch.put(Table::Topics, *hash, row);
        }
        let newest = growth
            .records
            .last()
            .map_or(window.head, |record| record.seq);
        let head = Head {
            everyone: growth.everyone,
            topics,
            sum,
            ..self.head(log, newest, window.floor)
        };
        self.prepare(batch, head)
    }

    /// Prepares what compaction is about to take away.
    pub(super) fn trim(&self, log: &Log, trim: &Trim) -> Result<Prepared> {
        let window = log.window();
        let mut batch = self.batch();
        for seq in window.floor + 1..=trim.floor {
            batch.delete(Table::Log, seq.to_be_bytes());
        }
        let (mut topics, mut sum) = (self.topics, self.sum);
        for hash in &trim.topics {
            if let Some(touched) = log.touched(hash) {
                self.add(&mut sum, &window.epoch, hash, &touched);
                topics = topics.saturating_sub(1);
                batch.delete(Table::Topics, *hash);
            }
        }
        let head = Head {
            gone: trim.gone,
            topics,
            sum,
            ..self.head(log, window.head, trim.floor)
        };
        self.prepare(batch, head)
    }

    fn prepare(&self, mut batch: Batch, head: Head) -> Result<Prepared> {
        let row = self.seal(Table::Control, HEAD, &encode_head(&head))?;
        batch.put(Table::Control, HEAD, Arc::clone(&row));
        Ok(Prepared { batch, row, head })
    }

    /// Stores a prepared change.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) when somebody else wrote the head: reload.
    pub(super) async fn commit(&mut self, prepared: Prepared) -> Result<()> {
        self.store.commit(prepared.batch).await?;
        self.held = Some(prepared.row);
        (self.topics, self.sum) = (prepared.head.topics, prepared.head.sum);
        Ok(())
    }

    fn head(&self, log: &Log, head: u64, floor: u64) -> Head {
        Head {
            epoch: log.window().epoch,
            head,
            floor,
            everyone: log.everyone(),
            gone: log.gone(),
            topics: self.topics,
            sum: self.sum,
        }
    }

    /// A batch that only happens while the head is ours. A position that was given out must
    /// never be given out again, so it survives a power cut.
    fn batch(&self) -> Batch {
        let mut batch = Batch::new();
        batch.durability = Durability::Strict;
        batch.expect(GuardName::LogHead, Table::Control, HEAD, self.held.clone());
        batch
    }

    fn blind(&self) -> Arc<dyn Blind> {
        Arc::new(BlindTopics(Arc::clone(&self.keys)))
    }

    fn seal(&self, table: Table, key: &[u8], plain: &[u8]) -> Result<Bytes> {
        let nonce = self.entropy.nonce()?;
        Ok(self.keys.seal_row(table.name(), key, plain, nonce)?.into())
    }

    fn open(&self, table: Table, key: &[u8], row: &[u8]) -> Result<Vec<u8>, Unusable> {
        self.keys.open_row(table.name(), key, row).map_err(|error| {
            match error.kind() {
                // A row of another key opens no better than an edited one.
                ErrorKind::Tampered | ErrorKind::WrongKey | ErrorKind::KeyUnavailable => {
                    Unusable::Broken
                }
                _ => Unusable::Failed(error),
            }
        })
    }

    /// Adds a topic to the sum, or takes it out again.
    fn add(&self, sum: &mut TopicHash, epoch: &Epoch, topic: &TopicHash, touched: &Touched) {
        use std::fmt::Write as _;
        let mut name = format!("hub-topic/{}", epoch.as_str());
        for byte in topic {
            // Writing to a string cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
        let Touched {
            last,
            dropped,
            purged,
            ..
        } = touched;
        let _ = write!(name, "/{last}/{dropped}/{purged}");
        for (to, from) in sum.iter_mut().zip(self.keys.blind_tag(&name).0) {
            *to ^= from;
        }
    }
}

fn put_touched(out: &mut Vec<u8>, touched: &Touched) {
    for number in [touched.last, touched.dropped, touched.purged, touched.ts_ms] {
        put_u64(out, number);
    }
}

fn read_touched(reader: &mut Reader<'_>) -> Option<Touched> {
    Some(Touched {
        last: reader.u64()?,
        dropped: reader.u64()?,
        purged: reader.u64()?,
        ts_ms: reader.u64()?,
    })
}

fn encode_head(head: &Head) -> Vec<u8> {
    let mut out = vec![FORMAT];
    put_lp(&mut out, head.epoch.as_str().as_bytes());
    put_u64(&mut out, head.head);
    put_u64(&mut out, head.floor);
    put_touched(&mut out, &head.everyone);
    put_touched(&mut out, &head.gone);
    put_u64(&mut out, head.topics);
    out.extend_from_slice(&head.sum);
    out
}

fn decode_head(plain: &[u8]) -> Result<Head, Unusable> {
    let mut reader = Reader::new(plain);
    check_format(&mut reader)?;
    let mut read = || {
        Some(Head {
            epoch: Epoch::try_from(reader.str()?.to_owned()).ok()?,
            head: reader.u64()?,
            floor: reader.u64()?,
            everyone: read_touched(&mut reader)?,
            gone: read_touched(&mut reader)?,
            topics: reader.u64()?,
            sum: reader.array()?,
        })
    };
    read().ok_or(Unusable::Broken)
}

fn encode_topic(epoch: &Epoch, touched: &Touched) -> Vec<u8> {
    let mut out = vec![FORMAT];
    put_lp(&mut out, epoch.as_str().as_bytes());
    put_touched(&mut out, touched);
    out
}

fn decode_topic(plain: &[u8], epoch: &Epoch) -> Result<Touched, Unusable> {
    let mut reader = Reader::new(plain);
    check_format(&mut reader)?;
    let mut read = || (reader.str()? == epoch.as_str()).then(|| read_touched(&mut reader))?;
    read().ok_or(Unusable::Broken)
}

fn check_format(reader: &mut Reader<'_>) -> Result<(), Unusable> {
    match reader.u8() {
        Some(FORMAT) => Ok(()),
        Some(_) => Err(Unusable::Failed(Error::new(
            ErrorKind::Incompatible,
            "the hub's log has an unknown format",
        ))),
        None => Err(Unusable::Broken),
    }
}
