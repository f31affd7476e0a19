//! The browser: IndexedDB, sibling tabs, sockets, key stretching.

mod broadcast;
mod idb;
mod idb_schema;
mod web_crypto;
mod web_locks;
mod websocket;
