//! redb as a store.
