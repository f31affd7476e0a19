//! IndexedDB as a store.
