//! The server area: embedded store and hub, over real files and loopback sockets.
#![cfg(not(target_family = "wasm"))]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "server/cache.rs"]
mod cache;
#[path = "server/conformance.rs"]
mod conformance;
#[path = "server/embedded.rs"]
mod embedded;
#[path = "server/hub/mod.rs"]
mod hub;
#[path = "server/simulated.rs"]
mod simulated;
#[path = "server/support.rs"]
mod support;
