//! The store contract, on every store that works without a browser.
#![cfg(not(target_arch = "wasm32"))]
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use clinicache::{
    platform::{Store, StoreError},
    server::Embedded,
    store::Memory,
    store_conformance,
    testkit::{Faulty, block_on, conformance::Harness},
};
use std::{cell::RefCell, future::Future};
use tempfile::TempDir;

/// Hands out connections to one database.
struct Shared<S>(S);

impl Harness for Shared<Memory> {
    type Store = Memory;

    async fn open(&self) -> Memory {
        self.0.clone()
    }
}

impl Harness for Shared<Faulty<Memory>> {
    type Store = Faulty<Memory>;

    async fn open(&self) -> Faulty<Memory> {
        Faulty::new(self.0.inner().clone())
    }
}

mod memory {
    use super::*;
    store_conformance!(native, Shared(Memory::new()), block_on);
}

mod faulty_without_faults {
    use super::*;
    store_conformance!(native, Shared(Faulty::new(Memory::new())), block_on);
}

/// A folder of its own, whose file one process may open once: its connections are clones.
struct Folder {
    dir: TempDir,
    open: RefCell<Option<Embedded>>,
}

impl Folder {
    fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            open: RefCell::new(None),
        }
    }
}

impl Harness for Folder {
    type Store = Embedded;

    async fn open(&self) -> Embedded {
        if let Some(store) = self.open.take()
            && store.usage().await != Err(StoreError::Closed)
        {
            self.open.replace(Some(store.clone()));
            return store;
        }
        let store = Embedded::open(self.dir.path()).unwrap();
        self.open.replace(Some(store.clone()));
        store
    }
}

fn run<F: Future>(future: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(future)
}

mod embedded {
    use super::*;
    store_conformance!(native, Folder::new(), run);
}
