//! The invalidation hub: an axum router over a sealed log.
