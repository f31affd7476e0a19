//! The server area: embedded store and hub, over real files and loopback sockets.
#![cfg(not(target_family = "wasm"))]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "server/embedded.rs"]
mod embedded;
