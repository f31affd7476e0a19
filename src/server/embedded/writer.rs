//! The one writer: batches that wait together share a transaction and its flush.

use super::file::{self, File};
use crate::{
    error::{Error, ErrorKind, Result},
    platform::{Batch, Bytes, StoreError, Table},
};
use redb::{ReadableTable, WriteTransaction};
use std::{collections::BTreeMap, sync::Arc, thread};
use tokio::sync::{mpsc, oneshot};

/// Batches of one transaction at most: it bounds how long the first of them waits.
const GROUP_MAX: usize = 256;
/// Bytes of one transaction at most, beyond its first batch.
const GROUP_BYTES_MAX: usize = 8 << 20;

type Outcome = Result<(), StoreError>;

/// What the writer is asked for; it answers in order.
pub(super) enum Job {
    Commit(Batch, oneshot::Sender<Outcome>),
    Wipe(oneshot::Sender<Outcome>),
    Close(oneshot::Sender<()>),
}

/// Starts the writer; it ends with the queue, or at [`Job::Close`].
pub(super) fn start(file: Arc<File>, mut queue: mpsc::Receiver<Job>) -> Result<()> {
    thread::Builder::new()
        .name("clinicache-store".into())
        .spawn(move || run(&file, &mut queue))
        .map(drop)
        .map_err(|error| {
            Error::new(ErrorKind::Unavailable, "the store's thread cannot start")
                .with_source(Arc::new(error) as Arc<dyn std::error::Error + Send + Sync>)
        })
}

fn run(file: &File, queue: &mut mpsc::Receiver<Job>) {
    let mut next = None;
    // An answer that nobody waits for any more is no failure.
    while let Some(job) = next.take().or_else(|| queue.blocking_recv()) {
        match job {
            Job::Commit(batch, answer) => {
                let mut bytes = size(&batch);
                let (mut batches, mut answers) = (vec![batch], vec![answer]);
                while batches.len() < GROUP_MAX && bytes < GROUP_BYTES_MAX {
                    match queue.try_recv() {
                        Ok(Job::Commit(batch, answer)) => {
                            bytes += size(&batch);
                            batches.push(batch);
                            answers.push(answer);
                        }
                        Ok(other) => {
                            next = Some(other);
                            break;
                        }
                        Err(_) => break,
                    }
                }
                for (answer, outcome) in answers.into_iter().zip(commit(file, &batches)) {
                    let _ = answer.send(outcome);
                }
            }
            Job::Wipe(answer) => {
                let _ = answer.send(file.wipe());
            }
            Job::Close(answer) => {
                file.close();
                // What is still queued is dropped unanswered, which reads as closed.
                queue.close();
                let _ = answer.send(());
                return;
            }
        }
    }
}

fn size(batch: &Batch) -> usize {
    let row = |write: &crate::platform::Write| {
        write.key.len() + write.value.as_ref().map_or(0, |value| value.len())
    };
    batch.writes.iter().map(row).sum()
}

/// Why a transaction came to nothing.
struct Failure {
    error: StoreError,
    /// The flush itself failed, so the batches may or may not be on the disk.
    in_doubt: bool,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self {
            error,
            in_doubt: false,
        }
    }
}

/// Commits the batches together; one that cannot be stored does not take the others with it.
fn commit(file: &File, batches: &[Batch]) -> Vec<Outcome> {
    let failure = match attempt(file, batches) {
        Ok(outcomes) => return outcomes,
        Err(failure) => failure,
    };
    // A batch in doubt is not tried again: its own guards could then fail on its own rows.
    if batches.len() == 1 || failure.in_doubt {
        return vec![Err(failure.error); batches.len()];
    }
    batches
        .iter()
        .flat_map(|batch| commit(file, std::slice::from_ref(batch)))
        .collect()
}

/// One transaction over all batches. A failed guard leaves out its batch and no other.
fn attempt(file: &File, batches: &[Batch]) -> Result<Vec<Outcome>, Failure> {
    let mut in_doubt = false;
    let outcome = file.with(|database| {
        let transaction = database.begin_write().map_err(file::transaction_error)?;
        let (outcomes, dirty) = apply(&transaction, batches)?;
        if dirty {
            transaction.commit().map_err(|error| {
                let error = file::commit_error(error);
                // Pages are written before the header that makes them count: a full disk is
                // found while nothing counts yet.
                in_doubt = error != StoreError::Quota;
                error
            })?;
        } else {
            transaction.abort().map_err(file::storage_error)?;
        }
        Ok(outcomes)
    });
    outcome.map_err(|error| {
        if !matches!(error, StoreError::Closed) {
            file.fail();
        }
        Failure { error, in_doubt }
    })
}

type Rows<'t> = redb::Table<'t, &'static [u8], &'static [u8]>;

/// Applies what can be applied; also tells whether anything was.
fn apply(
    transaction: &WriteTransaction,
    batches: &[Batch],
) -> Result<(Vec<Outcome>, bool), StoreError> {
    let mut tables = BTreeMap::new();
    for table in Table::ALL {
        let rows = transaction
            .open_table(file::definition(*table))
            .map_err(file::table_error)?;
        tables.insert(*table, rows);
    }
    let mut dirty = false;
    let mut record_bytes = 0_i64;
    let mut outcomes = Vec::with_capacity(batches.len());
    for batch in batches {
        let outcome = check(&tables, batch)?;
        if outcome.is_ok() {
            for write in &batch.writes {
                if let Some(rows) = tables.get_mut(&write.table) {
                    let delta = put(rows, &write.key, write.value.as_ref())?;
                    if write.table == Table::Records {
                        record_bytes += delta;
                    }
                    dirty = true;
                }
            }
        }
        outcomes.push(outcome);
    }
    if record_bytes != 0 {
        let mut meta = transaction
            .open_table(file::META)
            .map_err(file::table_error)?;
        let before = meta
            .get(file::META_RECORD_BYTES)
            .map_err(file::storage_error)?
            .map_or(0, |row| row.value());
        meta.insert(
            file::META_RECORD_BYTES,
            before.saturating_add_signed(record_bytes),
        )
        .map_err(file::storage_error)?;
    }
    Ok((outcomes, dirty))
}

fn check(tables: &BTreeMap<Table, Rows<'_>>, batch: &Batch) -> Result<Outcome, StoreError> {
    for guard in &batch.guards {
        let found: Option<Bytes> = match tables.get(&guard.table) {
            Some(rows) => rows
                .get(guard.key.as_slice())
                .map_err(file::storage_error)?
                .map(|row| row.value().into()),
            None => None,
        };
        if found != guard.expected {
            return Ok(Err(StoreError::Guard {
                name: guard.name,
                found,
            }));
        }
    }
    Ok(Ok(()))
}

/// Puts or deletes a row; tells by how many bytes the table grew.
fn put(rows: &mut Rows<'_>, key: &[u8], value: Option<&Bytes>) -> Result<i64, StoreError> {
    let signed = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
    let old = match value {
        Some(value) => rows.insert(key, &**value),
        None => rows.remove(key),
    }
    .map_err(file::storage_error)?;
    let before = old.map_or(0, |row| signed(key.len() + row.value().len()));
    Ok(value.map_or(0, |value| signed(key.len() + value.len())) - before)
}
