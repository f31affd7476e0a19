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
const WRITES: u64 = 150;

type Database = Arc<Mutex<BTreeMap<u64, u64>>>;

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

/// Reads a patient through a cache: the version, and whether the feed vouches for it.
async fn read(session: &Session, hub: &Hub, database: &Database, patient: u64) -> (u64, bool) {
    let key = session.key("patient", &[&patient.to_string()]).unwrap();
    let (hub, database) = (hub.clone(), Arc::clone(database));
    let fetch = move || async move {
        let position = hub.position();
        // The change and its invalidation may come between any two of these.
        tokio::task::yield_now().await;
        let version = database.lock().unwrap().get(&patient).copied().unwrap_or(0);
        tokio::task::yield_now().await;
        Ok(Fetched::json(&version)?.at(position))
    };
    let entry = session.get_or_fetch(&key, fetch).await.unwrap();
    (entry.json().unwrap().unwrap(), entry.verified)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_all_is_quiet_every_cache_holds_what_the_database_holds() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, _store) = open(&dir.path().join("hub")).await;
    let address = serve(&hub).await;
    let remote = Remote::local(&format!("ws://{address}/clinicache")).unwrap();
    let near = cache(&dir.path().join("near"), hub.feed()).await;
    let far = cache(&dir.path().join("far"), remote).await;
    let database: Database = Arc::default();
    let writing = Arc::new(AtomicBool::new(true));
    let mut readers = Vec::new();
    for session in [&near.1, &far.1] {
        for n in 0..4 {
            let (session, hub, database) = (session.clone(), hub.clone(), database.clone());
            let writing = Arc::clone(&writing);
            readers.push(tokio::spawn(async move {
                let mut reads = 0_u64;
                while writing.load(Ordering::Relaxed) {
                    let patient = (reads + n) % PATIENTS;
                    let (version, _) = read(&session, &hub, &database, patient).await;
                    assert!(version <= WRITES);
                    reads += 1;
                    tokio::task::yield_now().await;
                }
                reads
            }));
        }
    }
    for version in 1..=WRITES {
        let patient = version % PATIENTS;
        database.lock().unwrap().insert(patient, version);
        hub.publish(Invalidation::tag(format!("patient/{patient}")))
            .await
            .unwrap();
    }
    writing.store(false, Ordering::Relaxed);
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
    let quiet = async {
        for session in [&near.1, &far.1] {
            for patient in 0..PATIENTS {
                let current = database.lock().unwrap()[&patient];
                // A fill that raced a change and stayed would never be this again.
                while read(session, &hub, &database, patient).await != (current, true) {
                    tokio::task::yield_now().await;
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, quiet)
        .await
        .expect("a cache holds something old, or never trusts what it holds");
    near.0.close().await;
    far.0.close().await;
}
