//! The seams: everything the engine needs from the world, as traits.
//!
//! This is the one layer where `Send` depends on the target: natively every seam is
//! `Send + Sync`, in a browser nothing has to be.

mod clock;
mod entropy;
mod kdf;
mod link;
#[cfg(any(target_arch = "wasm32", feature = "testkit", feature = "hub"))]
mod pipe;
mod store;
mod tabs;
mod task;

#[cfg(all(feature = "server", not(target_arch = "wasm32")))]
#[path = "sys_native.rs"]
mod sys;
#[cfg(target_arch = "wasm32")]
#[path = "sys_wasm.rs"]
mod sys;

pub use clock::Clock;
pub use entropy::{Entropy, EntropyExt};
pub use kdf::Kdf;
pub use link::{LINK_FRAMES_MAX, Link, LinkEvent, TokenSource, Transport};
#[cfg(any(target_arch = "wasm32", feature = "testkit"))]
pub(crate) use pipe::TabSink;
#[cfg(any(target_arch = "wasm32", feature = "testkit", feature = "hub"))]
pub(crate) use pipe::{LinkSink, LinkState};
pub use store::{
    Batch, BoxStore, Bytes, Durability, DynStore, Guard, GuardName, Row, Store, StoreError, Table,
    Usage, Write,
};
pub use tabs::{Leadership, ReleaseGuard, SoloTabs, TAB_MESSAGES_MAX, TabEvent, Tabs};
pub use task::{BoxFuture, MaybeSend, MaybeSync, Spawn};

#[cfg(any(target_arch = "wasm32", feature = "server"))]
pub use sys::{SystemClock, SystemEntropy, SystemSpawn};

use std::sync::Arc;

/// The world as one argument: time, randomness, tasks, key stretching and sibling tabs.
#[derive(Clone)]
pub struct Platform {
    /// Wall time, monotonic time and sleep.
    pub clock: Arc<dyn Clock>,
    /// Randomness for keys and nonces.
    pub entropy: Arc<dyn Entropy>,
    /// Background tasks.
    pub spawn: Arc<dyn Spawn>,
    /// Passphrase stretching.
    pub kdf: Arc<dyn Kdf>,
    /// The other tabs of the same vault; [`SoloTabs`] where there are none.
    pub tabs: Arc<dyn Tabs>,
}

impl std::fmt::Debug for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Platform").finish_non_exhaustive()
    }
}
