//! The store contract, on every store that works without a browser or a file.
#![cfg(not(target_arch = "wasm32"))]

use clinicache::{
    store::Memory,
    store_conformance,
    testkit::{Faulty, block_on, conformance::Harness},
};

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
