//! Servers: the embedded store, the hub, and links to a remote one.

mod embedded;
#[cfg(feature = "hub")]
mod hub;
#[cfg(feature = "hub")]
mod remote;

pub use embedded::Embedded;
#[cfg(feature = "hub")]
pub use hub::{AllowEveryone, Authorise, Grant, Hub, HubBuilder, HubFeed, HubStats, Refusal};
#[cfg(feature = "hub")]
pub use remote::{ByteStream, Remote};

#[cfg(feature = "hub")]
pub use crate::kernel::invalidate::hub_log::{Invalidation, Retention};
