//! Fresh, stale, expired, verified.
