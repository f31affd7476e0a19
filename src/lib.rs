//! clinicache: an encrypted, invalidated, offline cache for health software.
//!
//! One core for browsers (WebAssembly) and servers. The layers, from the ground up:
//! [`kernel`] (pure), [`platform`] (seams), [`store`], [`engine`], [`clinic`], and at the edge
//! `browser` with `wasm`, or [`server`]. `docs/architecture.md` is the map's legend.

pub mod error;
pub mod kernel;
pub mod platform;

pub use error::{Error, ErrorKind, Result};
