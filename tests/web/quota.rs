//! The storage manager.

use crate::support::{Replaced, fresh_name, put};
use clinicache::{
    ErrorKind,
    browser::{Idb, persist_storage, storage_estimate},
    platform::Store,
};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
async fn the_estimate_knows_of_what_was_stored() {
    let store = Idb::open(&fresh_name()).await.unwrap();
    store.commit(put(b"a", &[7; 1 << 16])).await.unwrap();
    let estimate = storage_estimate().await.unwrap();
    assert!(estimate.usage_bytes > 0);
    assert!(estimate.quota_bytes > estimate.usage_bytes);
}

#[wasm_bindgen_test]
async fn without_a_storage_manager_both_calls_say_so() {
    let navigator = js_sys::eval("navigator").unwrap();
    let _hidden = Replaced::new(navigator, "storage", &JsValue::UNDEFINED);
    let error = storage_estimate().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let error = persist_storage().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}
