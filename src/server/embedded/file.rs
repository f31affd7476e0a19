//! The database file: opening, reopening after a failure, replacing at a wipe.

use crate::platform::{StoreError, Table, Usage};
use redb::{
    CommitError, Database, DatabaseError, ReadTransaction, ReadableDatabase, StorageError,
    TableDefinition, TableError, TransactionError,
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

/// The file's name in its folder.
const FILE: &str = "clinicache.redb";
/// Format of the tables in the file; a higher number is left untouched.
const FORMAT: u64 = 1;
/// Memory for redb's page cache. Its own default is a gigabyte.
const CACHE_BYTES: usize = 32 << 20;

/// What the file says about itself, one number per name.
pub(super) const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");
/// The number of the format.
const META_FORMAT: &str = "format";
/// Bytes of the keys and values of the records, kept up by every commit.
pub(super) const META_RECORD_BYTES: &str = "record_bytes";

/// A table as redb names it.
pub(super) const fn definition(
    table: Table,
) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table.name())
}

enum State {
    Open(Database),
    /// The medium failed; the next call opens the file again.
    Failed,
    Closed,
}

/// The one database of a folder.
pub(super) struct File {
    path: PathBuf,
    state: RwLock<State>,
}

impl File {
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        make_folder(dir).map_err(|error| io_error(&error))?;
        let path = dir.join(FILE);
        let database = open_database(&path)?;
        Ok(Self {
            path,
            state: RwLock::new(State::Open(database)),
        })
    }

    /// Runs `work` on the open database. Any number of calls run side by side; only reopening,
    /// wiping and closing wait for them. After a failure of the medium redb refuses everything
    /// until the file is opened anew, so a failed call leaves that to the next one.
    pub(super) fn with<T>(
        &self,
        mut work: impl FnMut(&Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            match &*state {
                State::Open(database) => return work(database),
                State::Closed => return Err(StoreError::Closed),
                State::Failed => {}
            }
        }
        self.reopen()?;
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Open(database) => work(database),
            State::Closed => Err(StoreError::Closed),
            State::Failed => Err(StoreError::Io("the store's file cannot be opened")),
        }
    }

    /// Notes that the medium failed under the open database.
    pub(super) fn fail(&self) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Open(_)) {
            *state = State::Failed;
        }
    }

    fn reopen(&self) -> Result<(), StoreError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Failed) {
            *state = State::Open(open_database(&self.path)?);
        }
        Ok(())
    }

    /// Replaces the file by an empty one. Deleting rows would leave their bytes in free pages;
    /// a crash in between leaves no file, which opens as an empty store.
    pub(super) fn wipe(&self) -> Result<(), StoreError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Closed) {
            return Err(StoreError::Closed);
        }
        // The file must be let go before it can be opened anew.
        *state = State::Failed;
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(&error)),
            _ => {}
        }
        sync_folder(&self.path).map_err(|error| io_error(&error))?;
        *state = State::Open(open_database(&self.path)?);
        Ok(())
    }

    pub(super) fn close(&self) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = State::Closed;
    }
}

fn make_folder(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Makes a removal or creation of the file itself durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(dir) = path.parent() {
        fs::File::open(dir)?.sync_all()?;
    }
    Ok(())
}

fn open_database(path: &Path) -> Result<Database, StoreError> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // redb opens by path; this makes the file first, with its mode.
    drop(options.open(path).map_err(|error| io_error(&error))?);
    let database = Database::builder()
        .set_cache_size(CACHE_BYTES)
        // Without it a damaged page panics inside redb when it is first read.
        .set_check_integrity_on_open(true)
        .create(path)
        .map_err(database_error)?;
    prepare(&database)?;
    sync_folder(path).map_err(|error| io_error(&error))?;
    Ok(database)
}

/// Makes the tables of a new file, refuses a newer format.
fn prepare(database: &Database) -> Result<(), StoreError> {
    let found = {
        let transaction = database.begin_read().map_err(transaction_error)?;
        match transaction.open_table(META) {
            Ok(meta) => meta
                .get(META_FORMAT)
                .map_err(storage_error)?
                .map(|row| row.value()),
            Err(TableError::TableDoesNotExist(_)) => None,
            Err(error) => return Err(table_error(error)),
        }
    };
    match found {
        Some(FORMAT) => return Ok(()),
        Some(_) => return Err(StoreError::Incompatible),
        None => {}
    }
    let transaction = database.begin_write().map_err(transaction_error)?;
    for table in Table::ALL {
        transaction
            .open_table(definition(*table))
            .map_err(table_error)?;
    }
    {
        let mut meta = transaction.open_table(META).map_err(table_error)?;
        meta.insert(META_FORMAT, FORMAT).map_err(storage_error)?;
        meta.insert(META_RECORD_BYTES, 0).map_err(storage_error)?;
    }
    transaction.commit().map_err(commit_error)
}

pub(super) fn usage(transaction: &ReadTransaction) -> Result<Usage, StoreError> {
    use redb::ReadableTableMetadata as _;
    let records = transaction
        .open_table(definition(Table::Records))
        .map_err(table_error)?;
    let meta = transaction.open_table(META).map_err(table_error)?;
    let bytes = meta.get(META_RECORD_BYTES).map_err(storage_error)?;
    Ok(Usage {
        rows: records.len().map_err(storage_error)?,
        bytes: bytes.map_or(0, |row| row.value()),
    })
}

fn io_error(error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Quota,
        io::ErrorKind::FileTooLarge => StoreError::Quota,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            StoreError::Unavailable
        }
        io::ErrorKind::InvalidData => StoreError::Io("the store's file is damaged"),
        _ => StoreError::Io("the store's file cannot be read or written"),
    }
}

pub(super) fn storage_error(error: StorageError) -> StoreError {
    match error {
        StorageError::Corrupted(_) => StoreError::Io("the store's file is damaged"),
        StorageError::ValueTooLarge(_) => StoreError::Io("a row is too large for the store"),
        StorageError::Io(error) => io_error(&error),
        StorageError::DatabaseClosed => StoreError::Closed,
        _ => StoreError::Io("the store's file failed"),
    }
}

pub(super) fn table_error(error: TableError) -> StoreError {
    match error {
        TableError::Storage(error) => storage_error(error),
        _ => StoreError::Incompatible,
    }
}

pub(super) fn transaction_error(error: TransactionError) -> StoreError {
    match error {
        TransactionError::Storage(error) => storage_error(error),
        _ => StoreError::Aborted,
    }
}

pub(super) fn commit_error(error: CommitError) -> StoreError {
    match error {
        CommitError::Storage(error) => storage_error(error),
        _ => StoreError::Aborted,
    }
}

fn database_error(error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::TransactionInProgress => {
            StoreError::Blocked
        }
        DatabaseError::UpgradeRequired(_) | DatabaseError::LockProtocolMismatch => {
            StoreError::Incompatible
        }
        DatabaseError::Storage(error) => storage_error(error),
        _ => StoreError::Io("the store's file cannot be repaired"),
    }
}
