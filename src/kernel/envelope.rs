//! The sealed record, version 1.
