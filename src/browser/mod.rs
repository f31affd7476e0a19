//! The browser: IndexedDB, sibling tabs, sockets, key stretching.
//!
//! Nothing here touches a global of the realm before it is used, so that a bundle may be
//! imported in Node and during server-side rendering. What a realm lacks shows as a typed error
//! at the call that needs it.

mod broadcast;
mod device;
mod idb;
mod idb_open;
mod idb_schema;
mod idb_transaction;
mod js;
mod quota;
mod web_crypto;
mod web_locks;
mod websocket;

pub use broadcast::BrowserTabs;
pub use device::Device;
pub use idb::Idb;
pub use quota::{StorageEstimate, persist_storage, storage_estimate};
pub use web_crypto::WebCryptoKdf;
pub use websocket::WebSocketTransport;

use crate::platform::{Platform, SystemClock, SystemEntropy, SystemSpawn};
use std::sync::Arc;

/// The browser as a platform, for the vault whose database is `database`.
///
/// Sibling tabs are those that use the same name, so it must be as opaque as the database's.
#[must_use]
#[expect(
    clippy::arc_with_non_send_sync,
    reason = "the seams are `Arc` on every target; a realm has one thread"
)]
pub fn platform(database: &str) -> Platform {
    Platform {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        spawn: Arc::new(SystemSpawn),
        kdf: Arc::new(WebCryptoKdf),
        tabs: Arc::new(BrowserTabs::new(database)),
    }
}
