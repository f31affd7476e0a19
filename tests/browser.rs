//! What a window offers, in a real browser.
#![cfg(target_arch = "wasm32")]
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use wasm_bindgen_test::wasm_bindgen_test_configure;

wasm_bindgen_test_configure!(run_in_browser);

#[path = "web/idb.rs"]
mod idb;
#[path = "web/kdf.rs"]
mod kdf;
#[path = "web/rexie.rs"]
mod other_library;
#[path = "web/quota.rs"]
mod quota;
#[path = "web/stores.rs"]
mod stores;
#[path = "web/support.rs"]
mod support;
#[path = "web/tabs.rs"]
mod tabs;
#[path = "web/websocket.rs"]
mod websocket;
