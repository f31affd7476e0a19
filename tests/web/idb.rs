//! What only IndexedDB can do to a store.

use crate::support::{Replaced, eval, fast_timers, fresh_name, put, read, within};
use clinicache::{
    browser::Idb,
    platform::{Batch, Durability, GuardName, Store, StoreError, Table},
};
use std::{future::Future, pin::pin};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

/// Opens a database by hand and leaves the connection under a global name.
async fn open_by_hand(name: &str, version: u32, upgrade: &str) {
    eval(&format!(
        r#"await new Promise((resolve, reject) => {{
            const request = indexedDB.open("{name}", {version});
            request.onupgradeneeded = () => {{ const db = request.result; {upgrade} }};
            request.onsuccess = () => {{ globalThis.byHand = request.result; resolve(); }};
            request.onerror = () => reject(request.error);
        }});"#
    ))
    .await;
}

async fn close_by_hand() {
    eval("globalThis.byHand.close();").await;
}

#[wasm_bindgen_test]
async fn a_database_from_the_future_is_refused_and_left_untouched() {
    let name = fresh_name();
    open_by_hand(
        &name,
        7,
        r#"db.createObjectStore("unknown").put("kept", "key"); db.createObjectStore("records");"#,
    )
    .await;
    close_by_hand().await;

    let error = Idb::open(&name).await.unwrap_err();
    assert_eq!(error, StoreError::Incompatible);

    open_by_hand(&name, 7, "throw new Error('an upgrade ran');").await;
    let state = eval(
        r#"const db = globalThis.byHand;
        const value = await new Promise((resolve) => {
            const request = db.transaction("unknown").objectStore("unknown").get("key");
            request.onsuccess = () => resolve(request.result);
        });
        return `${db.version} ${[...db.objectStoreNames]} ${value}`;"#,
    )
    .await;
    close_by_hand().await;
    assert_eq!(state.as_string().as_deref(), Some("7 records,unknown kept"));
}

#[wasm_bindgen_test]
async fn a_database_of_another_program_is_refused_and_left_untouched() {
    let name = fresh_name();
    open_by_hand(&name, 1, r#"db.createObjectStore("foreign");"#).await;
    close_by_hand().await;
    let error = Idb::open(&name).await.unwrap_err();
    assert_eq!(error, StoreError::Incompatible);
    open_by_hand(&name, 1, "").await;
    let stores = eval("return [...globalThis.byHand.objectStoreNames].join();").await;
    close_by_hand().await;
    assert_eq!(stores.as_string().as_deref(), Some("foreign"));
}

#[wasm_bindgen_test]
async fn a_connection_that_the_browser_closed_is_opened_again() {
    let store = Idb::open(&fresh_name()).await.unwrap();
    store.commit(put(b"a", b"1")).await.unwrap();
    for _ in 0..3 {
        close_every_connection_of(&store).await;
        assert_eq!(read(&store, b"a").await.as_deref(), Some(&b"1"[..]));
        close_every_connection_of(&store).await;
        let mut batch = put(b"b", b"2");
        batch.expect(GuardName::Row, Table::Records, *b"a", Some((*b"1").into()));
        store.commit(batch).await.unwrap();
    }
    assert_eq!(read(&store, b"b").await.as_deref(), Some(&b"2"[..]));
}

/// Closes the connection behind the store's back, found through a transaction of its own.
async fn close_every_connection_of(store: &Idb) {
    eval(
        r#"const begin = IDBDatabase.prototype.transaction;
        IDBDatabase.prototype.transaction = function (...args) {
            globalThis.seen = this;
            return begin.apply(this, args);
        };
        globalThis.restore = () => { IDBDatabase.prototype.transaction = begin; };"#,
    )
    .await;
    store.get(Table::Control, b"any").await.unwrap();
    eval("globalThis.restore(); globalThis.seen.close();").await;
}

#[wasm_bindgen_test]
async fn a_close_event_leads_to_a_new_connection() {
    let store = Idb::open(&fresh_name()).await.unwrap();
    store.commit(put(b"a", b"1")).await.unwrap();
    close_every_connection_of(&store).await;
    eval("globalThis.seen.dispatchEvent(new Event('close'));").await;
    assert_eq!(read(&store, b"a").await.as_deref(), Some(&b"1"[..]));
}

#[wasm_bindgen_test]
async fn deleting_closes_the_other_connections_and_they_stay_closed() {
    let name = fresh_name();
    let one = Idb::open(&name).await.unwrap();
    let two = Idb::open(&name).await.unwrap();
    one.commit(put(b"a", b"1")).await.unwrap();
    let ended = two.ended();
    within(2_000, Idb::delete(&name)).await.unwrap();
    let _ = within(2_000, ended).await;
    assert_eq!(two.get(Table::Records, b"a").await, Err(StoreError::Closed));
    assert_eq!(one.commit(put(b"a", b"2")).await, Err(StoreError::Closed));
    assert!(!Idb::list(&name).await.unwrap().contains(&name));
}

#[wasm_bindgen_test]
async fn a_deletion_that_another_connection_blocks_says_so_and_happens_later() {
    let name = fresh_name();
    let store = Idb::open(&name).await.unwrap();
    open_by_hand(&name, 1, "").await;
    {
        let _fast = fast_timers();
        assert_eq!(Idb::delete(&name).await, Err(StoreError::Blocked));
    }
    assert_eq!(store.usage().await, Err(StoreError::Closed));
    close_by_hand().await;
    within(5_000, Idb::delete(&name)).await.unwrap();
    assert_eq!(Idb::list(&name).await.unwrap(), Vec::<String>::new());
}

#[wasm_bindgen_test]
async fn a_newer_tab_may_upgrade_and_this_one_closes() {
    let name = fresh_name();
    let store = Idb::open(&name).await.unwrap();
    within(5_000, open_by_hand(&name, 2, "")).await;
    close_by_hand().await;
    assert_eq!(store.usage().await, Err(StoreError::Closed));
    assert_eq!(
        Idb::open(&name).await.unwrap_err(),
        StoreError::Incompatible
    );
}

#[wasm_bindgen_test]
async fn an_open_given_up_leaves_no_connection_behind() {
    let name = fresh_name();
    drop(Idb::open(&name).await.unwrap());
    {
        let mut open = Box::pin(Idb::open(&name));
        let waker = std::task::Waker::noop();
        let mut context = std::task::Context::from_waker(waker);
        assert!(open.as_mut().poll(&mut context).is_pending());
    }
    within(2_000, Idb::delete(&name)).await.unwrap();
}

#[wasm_bindgen_test]
async fn a_browser_that_never_answers_does_not_hang_the_caller() {
    let prototype = js_sys::eval("IDBFactory.prototype").unwrap();
    let silent = eval("return () => globalThis.silent = new EventTarget();").await;
    let _silent = [
        Replaced::new(prototype.clone(), "open", &silent),
        Replaced::new(prototype, "deleteDatabase", &silent),
    ];
    let _fast = fast_timers();
    let name = fresh_name();
    assert_eq!(Idb::open(&name).await.unwrap_err(), StoreError::Blocked);
    // The answer comes after all: nobody wants the connection any more.
    eval(
        r#"globalThis.silent.result = { close() { globalThis.silent.closed = true; } };
        globalThis.silent.dispatchEvent(new Event("success"));"#,
    )
    .await;
    let closed = eval("return globalThis.silent.closed;").await;
    assert_eq!(closed.as_bool(), Some(true));
    assert_eq!(Idb::delete(&name).await, Err(StoreError::Blocked));
}

#[wasm_bindgen_test]
async fn databases_are_listed_by_prefix() {
    let prefix = fresh_name();
    let (one, two) = (format!("{prefix}-1"), format!("{prefix}-2"));
    drop(Idb::open(&two).await.unwrap());
    drop(Idb::open(&one).await.unwrap());
    assert_eq!(Idb::list(&prefix).await.unwrap(), [one, two]);
}

#[wasm_bindgen_test]
async fn without_indexed_db_the_store_is_unavailable() {
    let _hidden = Replaced::new(js_sys::global().into(), "indexedDB", &JsValue::UNDEFINED);
    assert_eq!(
        Idb::open(&fresh_name()).await.unwrap_err(),
        StoreError::Unavailable
    );
    assert_eq!(Idb::list("").await, Err(StoreError::Unavailable));
}

/// The one place where a browser tells that the disk is full is the end of the transaction, so
/// the abort is provoked there.
async fn abort_next_commit_with(reason: &str) {
    eval(&format!(
        r#"const commit = IDBTransaction.prototype.commit;
        IDBTransaction.prototype.commit = function () {{
            IDBTransaction.prototype.commit = commit;
            Object.defineProperty(this, "error", {{ value: {reason} }});
            this.abort();
        }};"#
    ))
    .await;
}

#[wasm_bindgen_test]
async fn a_full_disk_at_the_end_of_a_transaction_is_a_quota_error() {
    let store = Idb::open(&fresh_name()).await.unwrap();
    abort_next_commit_with("new DOMException('', 'QuotaExceededError')").await;
    assert_eq!(store.commit(put(b"a", b"1")).await, Err(StoreError::Quota));
    assert_eq!(read(&store, b"a").await, None);
    store.commit(put(b"a", b"2")).await.unwrap();
}

#[wasm_bindgen_test]
async fn an_abort_without_a_reason_is_tried_once_more() {
    let store = Idb::open(&fresh_name()).await.unwrap();
    abort_next_commit_with("null").await;
    store.commit(put(b"a", b"1")).await.unwrap();
    assert_eq!(read(&store, b"a").await.as_deref(), Some(&b"1"[..]));
}

#[wasm_bindgen_test]
async fn durability_reaches_the_browser() {
    let store = Idb::open(&fresh_name()).await.unwrap();
    for (durability, expected) in [
        (Durability::Relaxed, "relaxed"),
        (Durability::Strict, "strict"),
    ] {
        eval(
            r#"const commit = IDBTransaction.prototype.commit;
            IDBTransaction.prototype.commit = function () {
                IDBTransaction.prototype.commit = commit;
                globalThis.durability = this.durability;
                return commit.call(this);
            };"#,
        )
        .await;
        let batch = Batch {
            durability,
            ..put(b"a", b"1")
        };
        store.commit(batch).await.unwrap();
        let seen = eval("return globalThis.durability;").await;
        assert_eq!(seen.as_string().as_deref(), Some(expected));
    }
}

#[wasm_bindgen_test]
async fn a_row_that_is_not_bytes_is_an_error_and_no_panic() {
    let name = fresh_name();
    let store = Idb::open(&name).await.unwrap();
    open_by_hand(&name, 1, "").await;
    eval(
        r#"await new Promise((resolve) => {
            const change = globalThis.byHand.transaction("records", "readwrite");
            change.objectStore("records").put("text", new Uint8Array([1]));
            change.objectStore("records").put(new Uint8Array([7]), "a string key");
            change.oncomplete = resolve;
        });"#,
    )
    .await;
    close_by_hand().await;
    let broken = |outcome: Result<(), StoreError>| matches!(outcome, Err(StoreError::Io(_)));
    assert!(broken(store.get(Table::Records, &[1]).await.map(drop)));
    assert!(broken(store.scan(Table::Records, None, 9).await.map(drop)));
    let mut batch = put(b"b", b"2");
    batch.expect(GuardName::Row, Table::Records, [1], None);
    assert!(broken(store.commit(batch).await));
    assert_eq!(read(&store, b"b").await, None);
}

/// Polls a commit once, so that it is under way, and gives it up.
fn give_up(commit: impl Future<Output = Result<(), StoreError>>) {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(pin!(commit).as_mut().poll(&mut context).is_pending());
}

#[wasm_bindgen_test]
async fn a_commit_given_up_before_its_guards_were_judged_writes_nothing() {
    let store = Idb::open(&fresh_name()).await.unwrap();
    for expected in [None, Some((*b"v1").into())] {
        let mut batch = put(b"a", b"1");
        batch.expect(GuardName::Head, Table::Control, *b"head", expected);
        batch.put(Table::Control, *b"head", *b"v2");
        give_up(store.commit(batch));
        // A transaction over the same tables stands behind the one that was given up.
        let batch = put(b"b", b"2");
        store.commit(batch).await.unwrap();
        assert_eq!(read(&store, b"a").await, None);
        assert_eq!(store.get(Table::Control, b"head").await, Ok(None));
    }
}

#[wasm_bindgen_test]
async fn a_commit_without_guards_that_was_given_up_is_whole() {
    let store = Idb::open(&fresh_name()).await.unwrap();
    let mut batch = put(b"a", b"1");
    batch.put(Table::Control, *b"a", *b"1");
    give_up(store.commit(batch));
    store.commit(put(b"b", b"2")).await.unwrap();
    assert_eq!(read(&store, b"a").await.as_deref(), Some(&b"1"[..]));
    assert!(store.get(Table::Control, b"a").await.unwrap().is_some());
}
