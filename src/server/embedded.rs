//! redb as a store: one file, one writer thread, concurrent commits merged into one flush.

mod file;
mod writer;

use crate::{
    error::Result,
    platform::{Batch, Bytes, Row, Store, StoreError, Table, Usage},
};
use file::File;
use redb::{ReadTransaction, ReadableDatabase};
use std::{
    fmt,
    ops::Bound,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::sync::{mpsc, oneshot};
use writer::Job;

/// Batches that wait for the writer before `commit` itself waits.
const QUEUE_MAX: usize = 1024;

/// A store in one file of a folder, for servers.
///
/// Every committed batch is flushed before `commit` resolves, so both durabilities survive a
/// power cut: redb keeps a commit without a flush in its own memory, where a crash of the
/// process would lose it, which is less than [`Relaxed`](crate::platform::Durability::Relaxed)
/// promises. Commits that wait at the same time share one transaction and one flush, so the
/// price is paid per group and not per batch.
///
/// A clone is another connection to the same database: closing one leaves the others open.
/// [`Store::close`] of the last one lets go of the file before it returns; dropping the last one
/// does so a moment later, from the writer's thread.
///
/// # Cancel safety
/// A batch that was handed over is applied even when the future of its `commit` is dropped.
pub struct Embedded {
    file: Arc<File>,
    jobs: mpsc::Sender<Job>,
    closed: AtomicBool,
    /// Connections that are not closed.
    open: Arc<AtomicUsize>,
}

impl Embedded {
    /// Opens the store of a folder, making the folder (mode 0700) and the file
    /// `clinicache.redb` (mode 0600) when they are missing. Checks the whole file, so that a
    /// damaged one is an error here and not a surprise later. It blocks for as long as that takes,
    /// about a second per gigabyte.
    ///
    /// # Errors
    /// [`Blocked`](crate::ErrorKind::Blocked) when another process holds the file,
    /// [`Incompatible`](crate::ErrorKind::Incompatible) when a newer version wrote it,
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when it cannot be opened or is damaged.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        let file = Arc::new(File::open(dir.as_ref())?);
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        writer::start(Arc::clone(&file), queue)?;
        Ok(Self {
            file,
            jobs,
            closed: AtomicBool::new(false),
            open: Arc::new(AtomicUsize::new(1)),
        })
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::Acquire) {
            Err(StoreError::Closed)
        } else {
            Ok(())
        }
    }

    /// Closes this connection; tells whether it was the last one.
    fn leave(&self) -> bool {
        !self.closed.swap(true, Ordering::AcqRel) && self.open.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Runs a read transaction where blocking is allowed.
    async fn read<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&ReadTransaction) -> Result<T, StoreError> + Send + 'static,
    {
        self.check()?;
        let file = Arc::clone(&self.file);
        let work = move || {
            let outcome = file.with(|database| {
                let transaction = database.begin_read().map_err(file::transaction_error)?;
                read(&transaction)
            });
            if let Err(StoreError::Io(_)) = outcome {
                file.fail();
            }
            outcome
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => runtime
                .spawn_blocking(work)
                .await
                .map_err(|_| StoreError::Io("a read of the store did not finish"))?,
            // Outside a runtime there is no worker that could be held up.
            Err(_) => work(),
        }
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Result<T, StoreError> {
        let (answer, outcome) = oneshot::channel();
        self.jobs
            .send(job(answer))
            .await
            .map_err(|_| StoreError::Closed)?;
        outcome.await.map_err(|_| StoreError::Closed)
    }
}

impl Store for Embedded {
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let key = key.to_vec();
        self.read(move |transaction| {
            let rows = transaction
                .open_table(file::definition(table))
                .map_err(file::table_error)?;
            let row = rows.get(key.as_slice()).map_err(file::storage_error)?;
            Ok(row.map(|row| row.value().into()))
        })
        .await
    }

    async fn get_many(
        &self,
        table: Table,
        keys: &[Vec<u8>],
    ) -> Result<Vec<Option<Bytes>>, StoreError> {
        let keys = keys.to_vec();
        self.read(move |transaction| {
            let rows = transaction
                .open_table(file::definition(table))
                .map_err(file::table_error)?;
            keys.iter()
                .map(|key| {
                    let row = rows.get(key.as_slice()).map_err(file::storage_error)?;
                    Ok(row.map(|row| row.value().into()))
                })
                .collect()
        })
        .await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.check()?;
        self.ask(|answer| Job::Commit(batch, answer)).await?
    }

    async fn scan(
        &self,
        table: Table,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let after = after.map(<[u8]>::to_vec);
        self.read(move |transaction| {
            let rows = transaction
                .open_table(file::definition(table))
                .map_err(file::table_error)?;
            let start = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            rows.range::<&[u8]>((start, Bound::Unbounded))
                .map_err(file::storage_error)?
                .take(limit)
                .map(|row| {
                    let (key, value) = row.map_err(file::storage_error)?;
                    Ok((key.value().to_vec(), value.value().into()))
                })
                .collect()
        })
        .await
    }

    async fn usage(&self) -> Result<Usage, StoreError> {
        self.read(file::usage).await
    }

    async fn wipe(&self) -> Result<(), StoreError> {
        self.check()?;
        self.ask(Job::Wipe).await?
    }

    async fn close(&self) {
        if self.leave() {
            // An error means that the writer ended already.
            let _ = self.ask(Job::Close).await;
        }
    }
}

impl Clone for Embedded {
    fn clone(&self) -> Self {
        // A clone of a closed connection is closed: there may be nothing left to connect to.
        let closed = self.closed.load(Ordering::Acquire);
        self.open.fetch_add(usize::from(!closed), Ordering::AcqRel);
        Self {
            file: Arc::clone(&self.file),
            jobs: self.jobs.clone(),
            closed: AtomicBool::new(closed),
            open: Arc::clone(&self.open),
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        // The writer ends when the last sender is gone; there is nobody to wait for it.
        self.leave();
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Embedded")
    }
}
