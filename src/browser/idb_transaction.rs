//! One IndexedDB transaction: its requests, its true end, its error.

use super::js::{self, FirstEvent};
use crate::platform::{Bytes, Durability, StoreError, Table};
use js_sys::{Array, ArrayBuffer, Object, Uint8Array};
use std::sync::Arc;
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use web_sys::{IdbDatabase, IdbObjectStore, IdbRequest, IdbTransaction};

#[wasm_bindgen]
extern "C" {
    /// `transaction` with its third argument, which the bindings hide behind an unstable flag.
    type DurableDatabase;
    #[wasm_bindgen(method, catch, js_name = transaction)]
    fn begin(
        this: &DurableDatabase,
        tables: &Array,
        mode: &str,
        options: &Object,
    ) -> Result<IdbTransaction, JsValue>;

    /// `commit`, which the bindings are about to rename.
    type CommitTransaction;
    #[wasm_bindgen(method, catch)]
    fn commit(this: &CommitTransaction) -> Result<(), JsValue>;
}

/// Why a transaction failed, and whether another connection may do better.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection is of no more use; the batch was not written.
    Lost(StoreError),
    /// The answer is final.
    Final(StoreError),
}

impl Failure {
    pub(super) fn into_error(self) -> StoreError {
        match self {
            Self::Lost(error) | Self::Final(error) => error,
        }
    }

    /// What an exception's name means inside a transaction. Browsers lose connections under
    /// several names, so everything that is not plainly something else counts as lost.
    fn named(name: &str) -> Self {
        match name {
            "QuotaExceededError" => Self::Final(StoreError::Quota),
            "DataError" | "DataCloneError" | "ConstraintError" => {
                Self::Final(StoreError::Io("the browser refused a row"))
            }
            "ReadOnlyError" | "TransactionInactiveError" => {
                Self::Final(StoreError::Io("the transaction was over too early"))
            }
            "NotReadableError" => Self::Final(StoreError::Io("the browser cannot read a row")),
            // Somebody removed an object store behind our back.
            "NotFoundError" => Self::Final(StoreError::Incompatible),
            "InvalidStateError" => Self::Lost(StoreError::Closed),
            "AbortError" | "" => Self::Lost(StoreError::Aborted),
            _ => Self::Lost(StoreError::Io("the browser's database failed")),
        }
    }

    pub(super) fn thrown(error: &JsValue) -> Self {
        Self::named(&js::error_name(error))
    }
}

pub(super) fn begin_read(
    database: &IdbDatabase,
    table: Table,
) -> Result<(IdbTransaction, IdbObjectStore), Failure> {
    let transaction = database
        .transaction_with_str(table.name())
        .map_err(|error| Failure::thrown(&error))?;
    let store = store(&transaction, table)?;
    Ok((transaction, store))
}

pub(super) fn begin_write(
    database: &IdbDatabase,
    tables: impl IntoIterator<Item = Table>,
    durability: Durability,
) -> Result<IdbTransaction, Failure> {
    let tables: Array = tables
        .into_iter()
        .map(|table| JsValue::from_str(table.name()))
        .collect();
    let options = Object::new();
    let durability = match durability {
        Durability::Relaxed => "relaxed",
        Durability::Strict => "strict",
    };
    js::set(&options, "durability", &durability.into());
    database
        .unchecked_ref::<DurableDatabase>()
        .begin(&tables, "readwrite", &options)
        .map_err(|error| Failure::thrown(&error))
}

/// Tells the browser that no more requests will come. Only saves a turn: without it the browser
/// commits once it finds nothing more to do, so a failure means nothing.
pub(super) fn finish(transaction: &IdbTransaction) {
    let _ = transaction.unchecked_ref::<CommitTransaction>().commit();
}

pub(super) fn store(transaction: &IdbTransaction, table: Table) -> Result<IdbObjectStore, Failure> {
    transaction
        .object_store(table.name())
        .map_err(|error| Failure::thrown(&error))
}

/// Waits for the answer of one request. Requests of a transaction are answered in order, so
/// once the last one is, all are.
pub(super) async fn answered(request: &IdbRequest) -> Result<JsValue, Failure> {
    FirstEvent::of(request, &["success", "error"]).await;
    match request.error() {
        Ok(Some(error)) => Err(Failure::named(&error.name())),
        _ => request.result().map_err(|error| Failure::thrown(&error)),
    }
}

/// Waits until a transaction is really over: the requests of a batch succeed one by one even
/// when the disk is full, and only the end of the transaction tells.
pub(super) struct End(FirstEvent, IdbTransaction);

impl End {
    /// Must be called before the transaction can end, that is in the turn that began it.
    pub(super) fn of(transaction: &IdbTransaction) -> Self {
        let event = FirstEvent::of(transaction, &["complete", "abort"]);
        Self(event, transaction.clone())
    }

    pub(super) async fn reached(self) -> Result<(), Failure> {
        let Self(event, transaction) = self;
        if event.await.type_() == "complete" {
            return Ok(());
        }
        // No error means that somebody called `abort`; otherwise it holds the reason, and the
        // browser's own aborts (the disk, the quota) have no other place to tell it.
        let name = transaction.error().map(|error| error.name());
        Err(Failure::named(name.as_deref().unwrap_or_default()))
    }
}

/// The value of a row, copied once into memory that can be shared.
pub(super) fn value_of(value: &JsValue) -> Result<Option<Bytes>, Failure> {
    if value.is_undefined() {
        return Ok(None);
    }
    let Some(array) = value.dyn_ref::<Uint8Array>() else {
        return Err(Failure::Final(StoreError::Io("a row is not bytes")));
    };
    let mut bytes: Bytes = std::iter::repeat_n(0, array.length() as usize).collect();
    if let Some(bytes) = Arc::get_mut(&mut bytes) {
        array.copy_to(bytes);
    }
    Ok(Some(bytes))
}

/// The key of a row: IndexedDB gives binary keys back as buffers.
pub(super) fn key_of(key: &JsValue) -> Result<Vec<u8>, Failure> {
    match key.dyn_ref::<ArrayBuffer>() {
        Some(buffer) => Ok(Uint8Array::new(buffer).to_vec()),
        None => Err(Failure::Final(StoreError::Io("a key is not bytes"))),
    }
}
