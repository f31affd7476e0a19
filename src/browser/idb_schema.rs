//! The IndexedDB schema, version by version.
