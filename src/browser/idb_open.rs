//! Opening, deleting and listing IndexedDB databases.

use super::{
    idb_schema,
    js::{self, Listener},
};
use crate::platform::{Clock, StoreError, SystemClock};
use futures_channel::{mpsc, oneshot};
use futures_util::{
    StreamExt,
    future::{Either, select},
};
use js_sys::Array;
use std::{cell::Cell, rc::Rc};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{IdbDatabase, IdbFactory, IdbOpenDbRequest, IdbVersionChangeEvent};

/// How long another connection may take to close before a request counts as blocked.
const BLOCKED_MS: u64 = 5_000;
/// How long a browser may be silent about an open or a deletion. Some are known never to answer
/// the first request of a session.
const SILENT_MS: u64 = 30_000;

#[wasm_bindgen]
extern "C" {
    /// `databases` alone, which is missing in older browsers and in the bindings.
    type ListingFactory;
    #[wasm_bindgen(method, catch)]
    fn databases(this: &ListingFactory) -> Result<js_sys::Promise, JsValue>;
}

/// Why a connection is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// The browser closed it; the database can be opened again.
    Lost,
    /// Another connection deletes or upgrades the database; it must not come back.
    Superseded,
}

/// One open connection; closed when dropped.
pub(super) struct Connection {
    database: IdbDatabase,
    gone: Rc<Cell<Option<Gone>>>,
    _closed: Listener,
    _superseded: Listener,
}

impl Connection {
    fn new(database: IdbDatabase, on_superseded: impl Fn() + 'static) -> Self {
        let gone = Rc::new(Cell::new(None));
        let lost = Rc::clone(&gone);
        let closed = Listener::new(&database, &["close"], move |_| {
            if lost.get().is_none() {
                lost.set(Some(Gone::Lost));
            }
        });
        let (superseded, handle) = (Rc::clone(&gone), database.clone());
        let superseded = Listener::new(&database, &["versionchange"], move |_| {
            // Closing at once is what lets the other connection go on.
            handle.close();
            superseded.set(Some(Gone::Superseded));
            on_superseded();
        });
        Self {
            database,
            gone,
            _closed: closed,
            _superseded: superseded,
        }
    }

    pub(super) const fn database(&self) -> &IdbDatabase {
        &self.database
    }

    pub(super) fn gone(&self) -> Option<Gone> {
        self.gone.get()
    }

    /// Marks the connection as closed by the browser, found out by a failed call.
    pub(super) fn set_lost(&self) {
        if self.gone.get().is_none() {
            self.gone.set(Some(Gone::Lost));
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.database.close();
    }
}

/// Opens the database and creates it where it is missing.
pub(super) async fn open(
    name: &str,
    on_superseded: impl Fn() + 'static,
) -> Result<Connection, StoreError> {
    let request = factory()?
        .open_with_u32(name, idb_schema::VERSION)
        .map_err(|error| open_error(&js::error_name(&error)))?;
    let upgraded = request.clone();
    let upgrade = Listener::new(&request, &["upgradeneeded"], move |event| {
        let old_version = event
            .dyn_ref::<IdbVersionChangeEvent>()
            .map_or(0, |event| event.old_version() as u32);
        let done = upgraded
            .result()
            .and_then(|database| idb_schema::upgrade(database.unchecked_ref(), old_version));
        if done.is_err()
            && let Some(transaction) = upgraded.transaction()
        {
            // The request then fails with the abort, and the database stays as it was.
            let _ = transaction.abort();
        }
    });
    let (answer, answered) = oneshot::channel();
    // A task of its own: a connection that opens after the caller has given up must be closed,
    // or it would block every later upgrade and deletion.
    spawn_local(async move {
        let outcome = settle(&request, BLOCKED_MS, answer).await;
        drop(upgrade);
        if let Some((answer, outcome)) = outcome {
            let connection = outcome.and_then(|database| {
                let connection = Connection::new(database.unchecked_into(), on_superseded);
                idb_schema::check(connection.database())?;
                Ok(connection)
            });
            let _ = answer.send(connection);
        } else if let Ok(late) = request.result() {
            late.unchecked_into::<IdbDatabase>().close();
        }
    });
    answered.await.unwrap_or(Err(StoreError::Blocked))
}

/// Deletes a database; one that does not exist counts as deleted.
///
/// Every connection is asked to close. One that does not within 5 s makes this
/// [`StoreError::Blocked`]; the deletion stays queued in the browser and happens once that
/// connection closes.
pub(super) async fn delete(name: &str) -> Result<(), StoreError> {
    let request = factory()?
        .delete_database(name)
        .map_err(|error| open_error(&js::error_name(&error)))?;
    let (answer, answered) = oneshot::channel();
    spawn_local(async move {
        if let Some((answer, outcome)) = settle(&request, BLOCKED_MS, answer).await {
            let _ = answer.send(outcome.map(drop));
        }
    });
    answered.await.unwrap_or(Err(StoreError::Blocked))
}

/// The names of this origin's databases that begin with `prefix`.
pub(super) async fn list(prefix: &str) -> Result<Vec<String>, StoreError> {
    let factory = factory()?;
    if js::property(&factory, "databases").is_none() {
        return Err(StoreError::Unavailable);
    }
    let listed = factory
        .unchecked_ref::<ListingFactory>()
        .databases()
        .map_err(|error| open_error(&js::error_name(&error)))?;
    let listed = JsFuture::from(listed)
        .await
        .map_err(|error| open_error(&js::error_name(&error)))?;
    let mut names: Vec<String> = Array::from(&listed)
        .iter()
        .filter_map(|entry| js::property(&entry, "name")?.as_string())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort_unstable();
    Ok(names)
}

fn factory() -> Result<IdbFactory, StoreError> {
    js::global("indexedDB")
        .map(JsValue::unchecked_into)
        .ok_or(StoreError::Unavailable)
}

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;
type Outcome = Result<JsValue, StoreError>;

/// Follows a request to its very end. Returns the sender with the outcome, or `None` once the
/// request ended after the sender was dropped to report a time-out or the caller had gone.
async fn settle<T>(
    request: &IdbOpenDbRequest,
    blocked_ms: u64,
    answer: Answer<T>,
) -> Option<(Answer<T>, Outcome)> {
    let (mut sender, mut events) = mpsc::channel(4);
    let _listener = Listener::new(request, &["success", "error", "blocked"], move |event| {
        let _ = sender.try_send(event.type_());
    });
    let mut answer = Some(answer);
    let mut patience = SystemClock.sleep(SILENT_MS);
    loop {
        let event = match select(events.next(), &mut patience).await {
            Either::Left((event, _)) => event,
            Either::Right(((), _)) => {
                // Late: the caller learns it now, the request is followed on.
                answer = None;
                patience = Box::pin(std::future::pending());
                continue;
            }
        };
        match event.as_deref() {
            Some("success") => {
                let answer = answer.filter(|answer| !answer.is_canceled())?;
                return Some((answer, request.result().or(Ok(JsValue::UNDEFINED))));
            }
            Some("error") => {
                let name = request.error().ok().flatten().map(|error| error.name());
                return Some((answer?, Err(open_error(&name.unwrap_or_default()))));
            }
            Some(_) if answer.is_some() => patience = SystemClock.sleep(blocked_ms),
            Some(_) => {}
            None => return None,
        }
    }
}

/// What an exception's name means for an open or a deletion.
fn open_error(name: &str) -> StoreError {
    match name {
        "VersionError" => StoreError::Incompatible,
        "QuotaExceededError" => StoreError::Quota,
        "AbortError" => StoreError::Aborted,
        // Private windows, disabled storage, opaque origins.
        "SecurityError" | "InvalidStateError" | "NotAllowedError" => StoreError::Unavailable,
        _ => StoreError::Io("the browser could not open the database"),
    }
}
