//! IndexedDB as a store.
//!
//! Written on the bare interface because the wrappers hide what a store must know: why a
//! transaction was aborted, that a connection was closed, how durable a commit is.

use super::{
    idb_open::{self, Connection, Gone},
    idb_transaction::{
        End, Failure, answered, begin_read, begin_write, finish, key_of, store, value_of,
    },
    js::{self, Listener, Scratch},
};
use crate::platform::{
    Batch, Bytes, Durability, Guard, Row, Store, StoreError, Table, Usage, Write,
};
use futures_channel::oneshot;
use futures_util::lock::Mutex;
use js_sys::{Array, Object};
use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use web_sys::{IdbKeyRange, IdbObjectStore, IdbRequest, IdbTransaction};

/// Rows that one step of [`Idb::usage`] looks at.
const USAGE_PAGE: u32 = 512;

#[wasm_bindgen]
extern "C" {
    /// `getAllRecords`, which gives keys and values in one answer where a browser has it.
    type RecordStore;
    #[wasm_bindgen(method, catch, js_name = getAllRecords)]
    fn get_all_records(this: &RecordStore, options: &Object) -> Result<IdbRequest, JsValue>;

    type Record;
    #[wasm_bindgen(method, getter)]
    fn key(this: &Record) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn value(this: &Record) -> JsValue;
}

/// A database of this origin.
///
/// A clone shares the connection. When the browser closes it (iOS does so in the background),
/// the next call opens it again, once. When another tab deletes or upgrades the database, the
/// connection closes at once so as not to block it, and every later call is
/// [`StoreError::Closed`]: a deleted vault never comes back by itself.
#[derive(Clone)]
pub struct Idb {
    inner: Rc<Inner>,
}

struct Inner {
    name: String,
    connection: RefCell<Option<Rc<Connection>>>,
    /// Lets one caller at a time open the database.
    opening: Mutex<()>,
    ended: Rc<Ended>,
}

/// The end of a store, by `close` or because another tab took the database away.
#[derive(Default)]
struct Ended {
    ended: Cell<bool>,
    waiting: RefCell<Vec<oneshot::Sender<()>>>,
}

impl Ended {
    fn set(&self) {
        self.ended.set(true);
        for waiting in self.waiting.take() {
            let _ = waiting.send(());
        }
    }
}

impl Idb {
    /// Opens a database and creates it where it is missing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where there is no IndexedDB (private windows of some
    /// browsers, disabled storage), [`StoreError::Incompatible`] for a database of a newer
    /// version, which is left untouched, [`StoreError::Blocked`] when another connection keeps
    /// an upgrade from starting for 5 s.
    pub async fn open(name: &str) -> Result<Self, StoreError> {
        let idb = Self {
            inner: Rc::new(Inner {
                name: name.to_owned(),
                connection: RefCell::new(None),
                opening: Mutex::new(()),
                ended: Rc::default(),
            }),
        };
        idb.connection().await?;
        Ok(idb)
    }

    /// Deletes a database with everything in it; one that does not exist counts as deleted.
    ///
    /// Connections of this module close by themselves when asked.
    ///
    /// # Errors
    /// [`StoreError::Blocked`] when another connection stays open for 5 s: the browser deletes
    /// the database as soon as that one closes. Call again to see it through.
    pub async fn delete(name: &str) -> Result<(), StoreError> {
        idb_open::delete(name).await
    }

    /// The names of this origin's databases that begin with `prefix`, sorted.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where a browser cannot list them.
    pub async fn list(prefix: &str) -> Result<Vec<String>, StoreError> {
        idb_open::list(prefix).await
    }

    /// Resolves (either way) when the store is closed for good: by `close`, or because another
    /// tab deleted or upgraded the database.
    pub fn ended(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        if !self.inner.ended.ended.get() {
            self.inner.ended.waiting.borrow_mut().push(sender);
        }
        receiver
    }

    /// The live connection, opened again where the browser closed it.
    async fn connection(&self) -> Result<Rc<Connection>, StoreError> {
        if let Some(connection) = self.live()? {
            return Ok(connection);
        }
        let _one_at_a_time = self.inner.opening.lock().await;
        if let Some(connection) = self.live()? {
            return Ok(connection);
        }
        let ended = Rc::clone(&self.inner.ended);
        let connection = Rc::new(idb_open::open(&self.inner.name, move || ended.set()).await?);
        self.check_open()?;
        *self.inner.connection.borrow_mut() = Some(Rc::clone(&connection));
        Ok(connection)
    }

    fn check_open(&self) -> Result<(), StoreError> {
        if self.inner.ended.ended.get() {
            Err(StoreError::Closed)
        } else {
            Ok(())
        }
    }

    fn live(&self) -> Result<Option<Rc<Connection>>, StoreError> {
        self.check_open()?;
        let connection = self.inner.connection.borrow();
        Ok(connection
            .as_ref()
            .filter(|connection| connection.gone().is_none())
            .cloned())
    }

    /// Runs `work`, and once more on a new connection when the first one was lost under it.
    async fn run<T>(
        &self,
        work: impl AsyncFn(&Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let connection = self.connection().await?;
        let error = match work(&connection).await {
            Ok(value) => return Ok(value),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Lost(error)) => error,
        };
        self.check_open()?;
        if connection.gone() == Some(Gone::Superseded) {
            return Err(StoreError::Closed);
        }
        connection.set_lost();
        drop(connection);
        let connection = match self.connection().await {
            Ok(connection) => connection,
            Err(StoreError::Incompatible) => return Err(StoreError::Incompatible),
            Err(_) => return Err(error),
        };
        work(&connection).await.map_err(Failure::into_error)
    }
}

impl Store for Idb {
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.run(async |connection: &Connection| {
            let (_transaction, rows) = begin_read(connection.database(), table)?;
            value_of(&answered(&issue(rows.get(&js::array(key)))?).await?)
        })
        .await
    }

    async fn get_many(
        &self,
        table: Table,
        keys: &[Vec<u8>],
    ) -> Result<Vec<Option<Bytes>>, StoreError> {
        if keys.is_empty() {
            return self.check_open().map(|()| Vec::new());
        }
        self.run(async |connection: &Connection| {
            let (_transaction, rows) = begin_read(connection.database(), table)?;
            let mut scratch = Scratch::default();
            let requests = keys
                .iter()
                .map(|key| issue(rows.get(scratch.holding(key))))
                .collect::<Result<Vec<_>, _>>()?;
            results(&requests).await
        })
        .await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        if batch.guards.is_empty() && batch.writes.is_empty() {
            return self.check_open();
        }
        let batch = Rc::new(batch);
        self.run(async |connection: &Connection| commit(connection, &batch).await)
            .await
    }

    async fn scan(
        &self,
        table: Table,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        // IndexedDB reads a count of 0 as "no limit".
        let Some(limit) = Some(u32::try_from(limit).unwrap_or(u32::MAX)).filter(|&n| n > 0) else {
            return self.check_open().map(|()| Vec::new());
        };
        self.run(async |connection: &Connection| {
            let (_transaction, rows) = begin_read(connection.database(), table)?;
            let page = page(&rows, after, limit).await?;
            page.iter()
                .map(|(key, value)| {
                    let value = value_of(value)?;
                    let value = value.ok_or(Failure::Final(StoreError::Io("a row is not bytes")));
                    Ok((key_of(key)?, value?))
                })
                .collect()
        })
        .await
    }

    /// Reads every record a page at a time: IndexedDB keeps no sizes. About 25 µs a row, so it
    /// is for opening and for reports; between the pages others may write.
    async fn usage(&self) -> Result<Usage, StoreError> {
        self.run(async |connection: &Connection| {
            let mut usage = Usage::default();
            let mut after: Option<Vec<u8>> = None;
            loop {
                let (_transaction, rows) = begin_read(connection.database(), Table::Records)?;
                let page = page(&rows, after.as_deref(), USAGE_PAGE).await?;
                for (key, value) in &page {
                    usage.rows += 1;
                    usage.bytes += byte_length(key) + byte_length(value);
                }
                match page.last() {
                    Some((key, _)) if page.len() == USAGE_PAGE as usize => {
                        after = Some(key_of(key)?);
                    }
                    _ => return Ok(usage),
                }
            }
        })
        .await
    }

    async fn wipe(&self) -> Result<(), StoreError> {
        self.run(async |connection: &Connection| {
            let tables = Table::ALL.iter().copied();
            let transaction = begin_write(connection.database(), tables, Durability::Strict)?;
            let end = End::of(&transaction);
            for &table in Table::ALL {
                issue(store(&transaction, table)?.clear())?;
            }
            finish(&transaction);
            end.reached().await
        })
        .await
    }

    async fn close(&self) {
        self.inner.ended.set();
        // Dropping the last reference closes the connection once its transactions are over.
        drop(self.inner.connection.take());
    }
}

fn issue(request: Result<IdbRequest, JsValue>) -> Result<IdbRequest, Failure> {
    request.map_err(|error| Failure::thrown(&error))
}

/// The values of requests that were issued in this order in one transaction.
async fn results(requests: &[IdbRequest]) -> Result<Vec<Option<Bytes>>, Failure> {
    if let Some(last) = requests.last() {
        answered(last).await?;
    }
    requests
        .iter()
        .map(|request| value_of(&issue_result(request)?))
        .collect()
}

fn issue_result(request: &IdbRequest) -> Result<JsValue, Failure> {
    request.result().map_err(|error| Failure::thrown(&error))
}

/// Up to `limit` keys and values behind `after`, still on the JavaScript side.
async fn page(
    rows: &IdbObjectStore,
    after: Option<&[u8]>,
    limit: u32,
) -> Result<Vec<(JsValue, JsValue)>, Failure> {
    let range = match after {
        Some(after) => IdbKeyRange::lower_bound_with_open(&js::array(after), true)
            .map_err(|error| Failure::thrown(&error))?
            .into(),
        None => JsValue::UNDEFINED,
    };
    if js::property(rows, "getAllRecords").is_some() {
        let options = Object::new();
        js::set(&options, "query", &range);
        js::set(&options, "count", &limit.into());
        let request = issue(
            rows.unchecked_ref::<RecordStore>()
                .get_all_records(&options),
        )?;
        let records: Array = answered(&request).await?.unchecked_into();
        return Ok(records
            .iter()
            .map(|record| {
                let record: Record = record.unchecked_into();
                (record.key(), record.value())
            })
            .collect());
    }
    let keys = issue(rows.get_all_keys_with_key_and_limit(&range, limit))?;
    let values = issue(rows.get_all_with_key_and_limit(&range, limit))?;
    answered(&values).await?;
    let keys: Array = issue_result(&keys)?.unchecked_into();
    let values: Array = issue_result(&values)?.unchecked_into();
    Ok(keys.iter().zip(values.iter()).collect())
}

fn byte_length(bytes: &JsValue) -> u64 {
    js::property(bytes, "byteLength")
        .and_then(|length| length.as_f64())
        .map_or(0, |length| length as u64)
}

async fn commit(connection: &Connection, batch: &Rc<Batch>) -> Result<(), Failure> {
    let touched = |table: Table| {
        batch.guards.iter().any(|guard| guard.table == table)
            || batch.writes.iter().any(|write| write.table == table)
    };
    let tables = Table::ALL.iter().copied().filter(|table| touched(*table));
    let transaction = begin_write(connection.database(), tables, batch.durability)?;
    let end = End::of(&transaction);
    let checked = match GuardCheck::start(&transaction, batch) {
        Ok(check) => issue_writes(&transaction, &batch.writes).map(|()| check),
        Err(failure) => Err(failure),
    };
    let check = match checked {
        Ok(check) => check,
        Err(failure) => {
            // Nothing of what was issued before may stay.
            let _ = transaction.abort();
            return Err(failure);
        }
    };
    if check.is_none() {
        finish(&transaction);
    }
    let outcome = end.reached().await;
    match check.and_then(|check| check.refused()) {
        Some(error) => Err(Failure::Final(error)),
        None => outcome,
    }
}

/// The guards of a batch, read before its writes and judged when the answers arrive.
///
/// The writes are issued without waiting for that, which saves a round trip; a guard that fails
/// takes them back by aborting the transaction, which is not told to commit before. An answer
/// must be judged in its own callback: a promise in between would let the transaction end.
struct GuardCheck {
    transaction: IdbTransaction,
    verdict: Rc<Cell<Verdict>>,
    _answer: Listener,
}

#[derive(Default)]
enum Verdict {
    #[default]
    Open,
    Passed,
    Refused(StoreError),
}

impl GuardCheck {
    /// Issues the reads; `None` for a batch without guards.
    fn start(transaction: &IdbTransaction, batch: &Rc<Batch>) -> Result<Option<Self>, Failure> {
        let reads = batch
            .guards
            .iter()
            .map(|guard| issue(store(transaction, guard.table)?.get(&js::array(&guard.key))))
            .collect::<Result<Vec<_>, _>>()?;
        let Some(last) = reads.last().cloned() else {
            return Ok(None);
        };
        let verdict = Rc::<Cell<Verdict>>::default();
        let (judged, checked, batch) = (transaction.clone(), Rc::clone(&verdict), Rc::clone(batch));
        let answer = Listener::new(&last, &["success"], move |_| {
            match check(&batch.guards, &reads) {
                Ok(()) => {
                    checked.set(Verdict::Passed);
                    finish(&judged);
                }
                Err(error) => {
                    checked.set(Verdict::Refused(error));
                    let _ = judged.abort();
                }
            }
        });
        Ok(Some(Self {
            transaction: transaction.clone(),
            verdict,
            _answer: answer,
        }))
    }

    fn refused(&self) -> Option<StoreError> {
        match self.verdict.replace(Verdict::Passed) {
            Verdict::Refused(error) => Some(error),
            Verdict::Open | Verdict::Passed => None,
        }
    }
}

impl Drop for GuardCheck {
    /// A batch given up before its guards were judged must not happen unjudged.
    fn drop(&mut self) {
        if matches!(self.verdict.take(), Verdict::Open) {
            let _ = self.transaction.abort();
        }
    }
}

fn check(guards: &[Guard], requests: &[IdbRequest]) -> Result<(), StoreError> {
    for (guard, request) in guards.iter().zip(requests) {
        let found = issue_result(request)
            .and_then(|value| value_of(&value))
            .map_err(Failure::into_error)?;
        if found != guard.expected {
            return Err(StoreError::Guard {
                name: guard.name,
                found,
            });
        }
    }
    Ok(())
}

/// Issues all writes at once.
fn issue_writes(transaction: &IdbTransaction, writes: &[Write]) -> Result<(), Failure> {
    let mut current: Option<(Table, IdbObjectStore)> = None;
    let (mut key, mut value) = (Scratch::default(), Scratch::default());
    for write in writes {
        let rows = match &current {
            Some((table, rows)) if *table == write.table => rows,
            _ => {
                &current
                    .insert((write.table, store(transaction, write.table)?))
                    .1
            }
        };
        let key = key.holding(&write.key);
        issue(match &write.value {
            Some(bytes) => rows.put_with_key(value.holding(bytes), key),
            None => rows.delete(key),
        })?;
    }
    Ok(())
}

impl fmt::Debug for Idb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idb")
            .field("ended", &self.inner.ended.ended.get())
            .finish_non_exhaustive()
    }
}
