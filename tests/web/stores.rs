//! The store contract, on the stores of a browser.

use crate::support::fresh_name;
use clinicache::{browser::Idb, store::Memory, store_conformance, testkit::conformance::Harness};

struct SharedMemory(Memory);

impl Harness for SharedMemory {
    type Store = Memory;

    async fn open(&self) -> Memory {
        self.0.clone()
    }
}

struct Named(String);

impl Harness for Named {
    type Store = Idb;

    async fn open(&self) -> Idb {
        Idb::open(&self.0).await.unwrap()
    }
}

mod memory {
    use super::*;
    store_conformance!(wasm, SharedMemory(Memory::new()));
}

mod idb {
    use super::*;
    store_conformance!(wasm, Named(fresh_name()));
}

/// Browsers without `getAllRecords` are read by two requests instead.
mod idb_without_records {
    use super::*;
    use crate::support::Replaced;
    use clinicache::testkit::conformance;
    use wasm_bindgen::JsValue;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test]
    async fn scans_and_usage_keep_the_contract() {
        let prototype = js_sys::eval("IDBObjectStore.prototype").unwrap();
        let _hidden = Replaced::new(prototype, "getAllRecords", &JsValue::UNDEFINED);
        conformance::a_scan_is_in_byte_order(&Named(fresh_name())).await;
        conformance::a_scan_goes_on_after_a_key(&Named(fresh_name())).await;
        conformance::pages_cover_the_table_exactly_once(&Named(fresh_name())).await;
        conformance::usage_counts_the_records_alone(&Named(fresh_name())).await;
    }
}
