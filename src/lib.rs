//! clinicache: an encrypted, invalidated, offline cache for health software.
//!
//! One core for browsers (WebAssembly) and servers. The layers, from the ground up:
//! [`kernel`] (pure), [`platform`] (seams), [`store`], [`engine`], [`clinic`], and at the edge
//! `browser` with `wasm`, or `server`. `docs/architecture.md` is the map's legend.

pub mod error;
pub mod kernel;
pub mod platform;
pub mod store;

pub mod clinic;
pub mod engine;

#[cfg(target_arch = "wasm32")]
pub mod browser;
#[cfg(all(feature = "server", not(target_arch = "wasm32")))]
pub mod server;
#[cfg(target_arch = "wasm32")]
pub mod wasm;

#[cfg(feature = "testkit")]
pub mod testkit;

pub use engine::{Cache, CacheBuilder, Entry, Fetched, Fill, KeySource, Purpose, Session};
pub use error::{Error, ErrorKind, Result};
pub use kernel::id;
