//! Servers: the embedded store and the hub.

mod embedded;
#[cfg(feature = "hub")]
mod hub;

pub use embedded::Embedded;
#[cfg(feature = "hub")]
pub use hub::{AllowEveryone, Authorise, Grant, Hub, HubBuilder, HubFeed, HubStats, Refusal};

#[cfg(feature = "hub")]
pub use crate::kernel::invalidate::hub_log::{Invalidation, Retention};
