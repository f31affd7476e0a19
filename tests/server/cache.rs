//! Two native caches that follow one hub, one in its process and one over a socket, while a
//! writer changes what they read.

use crate::support::{PATIENCE, open, serve};
use clinicache::{
    engine::{Cache, Fetched, KeySource, Purpose, Session},
    platform::{Platform, Transport},
    server::{Embedded, Hub, Invalidation, Remote},
};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

const PATIENTS: u64 = 4;
const ROUNDS: u64 = 6;
const WRITES: u64 = 40;

async fn cache(folder: &Path, transport: impl Transport + 'static) -> (Cache, Session) {
    let cache = Cache::builder("ward", Platform::system())
        .keys(KeySource::Ephemeral)
        .store(Embedded::open(folder).unwrap())
        .feed(Arc::new(transport))
        .open()
        .await
        .unwrap();
    let session = cache.session("*", Purpose::Operations).unwrap();
    (cache, session)
}

/// What the two caches stand in front of.
#[derive(Clone)]
struct Origin {
    hub: Hub,
    versions: Arc<Mutex<BTreeMap<u64, u64>>>,
    /// Changes still come.
    writing: Arc<AtomicBool>,
}

impl Origin {
    fn version(&self, patient: u64) -> u64 {
        let versions = self.versions.lock().unwrap();
        versions.get(&patient).copied().unwrap_or(0)
    }

    /// Reads a patient. The answer is always late: something was published since it was read.
    async fn fetch(self, patient: u64) -> clinicache::Result<Fetched> {
        let position = self.hub.position();
        let version = self.version(patient);
        while self.writing.load(Ordering::Relaxed) && self.hub.position() == position {
            tokio::task::yield_now().await;
        }
        Ok(Fetched::json(&version)?.at(position))
    }

    /// Reads a patient through a cache: the version, and whether the feed vouches for it.
    async fn read(&self, session: &Session, patient: u64) -> (u64, bool) {
        let key = session.key("patient", &[&patient.to_string()]).unwrap();
        let origin = self.clone();
        let entry = session.get_or_fetch(&key, move || origin.fetch(patient));
        let entry = entry.await.unwrap();
        (entry.json().unwrap().unwrap(), entry.verified)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_all_is_quiet_every_cache_holds_what_the_database_holds() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, _store) = open(&dir.path().join("hub")).await;
    let address = serve(&hub).await;
    let remote = Remote::local(&format!("ws://{address}/clinicache")).unwrap();
    let near = cache(&dir.path().join("near"), hub.feed()).await;
    let far = cache(&dir.path().join("far"), remote).await;
    let origin = Origin {
        hub: hub.clone(),
        versions: Arc::default(),
        writing: Arc::default(),
    };
    for round in 0..ROUNDS {
        origin.writing.store(true, Ordering::Relaxed);
        let mut readers = Vec::new();
        for session in [&near.1, &far.1] {
            for n in 0..PATIENTS {
                let (session, origin) = (session.clone(), origin.clone());
                readers.push(tokio::spawn(async move {
                    while origin.writing.load(Ordering::Relaxed) {
                        let (version, _) = origin.read(&session, n).await;
                        assert!(version <= ROUNDS * WRITES);
                        tokio::task::yield_now().await;
                    }
                }));
            }
        }
        for version in 1 + round * WRITES..=(round + 1) * WRITES {
            let patient = version % PATIENTS;
            origin.versions.lock().unwrap().insert(patient, version);
            let change = Invalidation::tag(format!("patient/{patient}"));
            hub.publish(change).await.unwrap();
        }
        origin.writing.store(false, Ordering::Relaxed);
        for reader in readers {
            reader.await.unwrap();
        }
        let quiet = async {
            for session in [&near.1, &far.1] {
                for patient in 0..PATIENTS {
                    let current = origin.version(patient);
                    // A fill that raced the last change and stayed would never become this.
                    while origin.read(session, patient).await != (current, true) {
                        tokio::task::yield_now().await;
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, quiet)
            .await
            .expect("a cache holds something old, or never trusts what it holds");
    }
    near.0.close().await;
    far.0.close().await;
}
