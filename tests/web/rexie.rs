//! The format on disk is plain IndexedDB: another library reads and makes it.

use crate::support::{fresh_name, put, read};
use clinicache::{
    browser::Idb,
    platform::{Store, Table},
};
use js_sys::Uint8Array;
use rexie::{ObjectStore, Rexie, TransactionMode};
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
async fn rexie_reads_what_was_written() {
    let name = fresh_name();
    let store = Idb::open(&name).await.unwrap();
    store.commit(put(b"key", b"value")).await.unwrap();
    store.close().await;

    let database = Rexie::builder(&name).build().await.unwrap();
    assert_eq!(database.version().unwrap(), 1);
    let mut tables = Table::ALL
        .iter()
        .map(|table| table.name())
        .collect::<Vec<_>>();
    tables.sort_unstable();
    assert_eq!(database.store_names(), tables);
    let transaction = database
        .transaction(&["records"], TransactionMode::ReadOnly)
        .unwrap();
    let rows = transaction.store("records").unwrap();
    let value = rows
        .get(Uint8Array::from(&b"key"[..]).into())
        .await
        .unwrap();
    assert_eq!(Uint8Array::new(&value.unwrap()).to_vec(), b"value");
    drop(transaction);
    database.close();
}

#[wasm_bindgen_test]
async fn a_database_that_rexie_made_is_taken() {
    let name = fresh_name();
    let mut builder = Rexie::builder(&name).version(1);
    for table in Table::ALL {
        builder = builder.add_object_store(ObjectStore::new(table.name()));
    }
    builder.build().await.unwrap().close();

    let store = Idb::open(&name).await.unwrap();
    store.commit(put(b"key", b"value")).await.unwrap();
    assert_eq!(read(&store, b"key").await.as_deref(), Some(&b"value"[..]));
}
