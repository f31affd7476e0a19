//! Counters per class.
