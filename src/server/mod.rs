//! Servers: the embedded store and the hub.

mod embedded;
#[cfg(feature = "hub")]
mod hub;

pub use embedded::Embedded;
