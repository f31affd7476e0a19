//! The contract of a store, as tests that every store runs.
