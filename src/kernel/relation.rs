//! Which write gives up which entries, as data.
