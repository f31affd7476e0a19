//! A store that keeps nothing.
