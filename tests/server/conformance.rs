//! The store contract, over the embedded store.

use clinicache::{server::Embedded, testkit::conformance::Harness};

/// A folder, and a connection from which others are made.
struct Folder {
    store: Embedded,
    _dir: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            store: Embedded::open(dir.path()).unwrap(),
            _dir: dir,
        }
    }
}

impl Harness for Folder {
    type Store = Embedded;

    async fn open(&self) -> Embedded {
        self.store.clone()
    }
}

clinicache::store_conformance!(native, Folder::new(), clinicache::testkit::block_on);
