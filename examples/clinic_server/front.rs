//! The cache in front of the database: the same rules as on the tablets.

use super::hospital::Asked;
use clinicache::{
    Error, Result,
    engine::{Cache, Entry, Fetched, Invalidate, KeySource, Purpose, Session},
    kernel::key::Key,
    platform::{Platform, Transport},
    server::Embedded,
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// The user of the server's own vault.
const USER: &str = "*";

/// A sealed cache that may fail without taking the hospital with it: its errors are answered by
/// reading the database.
#[derive(Debug)]
pub(crate) struct Front {
    cache: Cache,
    session: Session,
    /// Set when copies could not be given up: what the cache holds may be old from then on.
    distrusted: AtomicBool,
}

impl Front {
    /// Opens the cache over the embedded store in `folder`, following the hub. Its key lives in
    /// memory only: it never lies beside what it sealed.
    pub(crate) async fn open(folder: &Path, hub: Arc<dyn Transport>) -> Result<Self> {
        let cache = Cache::builder("clinic", Platform::system())
            .keys(KeySource::Ephemeral)
            .store(Embedded::open(folder)?)
            .feed(hub)
            .full_retention()
            .open()
            .await?;
        let session = cache.session(USER, Purpose::Operations)?;
        Ok(Self {
            cache,
            session,
            distrusted: AtomicBool::new(false),
        })
    }

    /// The entry of what is asked, read by `fetch` where the cache has no good one. `None` where
    /// it is not cached, or the cache failed.
    pub(crate) async fn read<F>(&self, asked: &Asked, fetch: F) -> Option<Entry>
    where
        F: FnOnce() -> Result<Fetched> + Send + 'static,
    {
        if self.distrusted.load(Ordering::SeqCst) {
            return None;
        }
        let key = self.key(asked)?.ok()?;
        let entry = self.session.get_or_fetch(&key, || async move { fetch() });
        entry.await.ok()
    }

    /// Gives up everything of a patient, and the list that names them. Done in memory and in the
    /// store when it returns; if that fails, the cache answers nothing any more.
    pub(crate) async fn give_up(&self, patient: &str) {
        let list = self.session.classes().id("patients:list");
        let of_patient = Invalidate::Tag(format!("patient/{patient}"));
        let given_up = async {
            self.cache.invalidate(&of_patient).await?;
            self.cache.invalidate(&Invalidate::Class(list?)).await
        };
        if given_up.await.is_err() {
            self.distrusted.store(true, Ordering::SeqCst);
        }
    }

    /// Closes the vault and its store.
    pub(crate) async fn close(&self) {
        self.cache.close().await;
    }

    /// Where an answer is kept; `None` for what is as near in the program itself.
    fn key(&self, asked: &Asked) -> Option<Result<Key, Error>> {
        let key = |class: &str, parts: &[&str]| Some(self.session.key(class, parts));
        match asked {
            Asked::Patient(id) => key("patient", &[id]),
            Asked::Summary(id) => key("summary", &[id]),
            Asked::Studies(id) => key("studies:patient", &[id]),
            Asked::Instances(study) => key("study:meta", &[study]),
            Asked::Search(query) if query.kind == "Patient" => key("patients:list", &["all"]),
            Asked::Search(query) => match (&query.patient, &query.category) {
                (Some(patient), None) => key("medical_records:list", &[patient, query.kind]),
                _ => None,
            },
            Asked::Resource(..) | Asked::Series(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::Feed;
    use clinicache::engine::EventStream;
    use futures_util::StreamExt as _;
    use std::sync::atomic::AtomicU64;

    /// A cache that follows a hub, and how often its origin was asked.
    struct Ward {
        feed: Feed,
        front: Front,
        events: EventStream,
        asked: Arc<AtomicU64>,
        _folder: tempfile::TempDir,
    }

    impl Ward {
        async fn open() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let feed = Feed::open(&folder.path().join("hub"), 1_000)
                .await
                .expect("a hub");
            let link = Arc::new(feed.link());
            let front = Front::open(&folder.path().join("cache"), link)
                .await
                .expect("a cache");
            Self {
                feed,
                events: front.cache.events(),
                front,
                asked: Arc::default(),
                _folder: folder,
            }
        }

        async fn read(&self) {
            let (asked, position) = (self.asked.clone(), self.feed.position());
            let fetch = move || {
                let count = asked.fetch_add(1, Ordering::SeqCst) + 1;
                Ok(Fetched::json(&count)?.at(position))
            };
            let question = Asked::Patient("p".to_owned());
            let entry = self.front.read(&question, fetch).await;
            assert!(entry.is_some());
        }

        /// Waits until the hub vouches for the entry.
        async fn verified(&mut self) {
            let key = self.front.session.key("patient", &["p"]).expect("a key");
            let held = || self.front.session.peek(&key).expect("open");
            while !held().is_some_and(|entry| entry.verified) {
                self.events.next().await.expect("an event");
            }
        }

        fn asked(&self) -> u64 {
            self.asked.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn the_database_is_asked_once_until_the_patient_changes() {
        let mut ward = Ward::open().await;
        ward.read().await;
        ward.verified().await;
        let once = ward.asked();
        ward.read().await;
        ward.front.give_up("somebody-else").await;
        ward.read().await;
        assert_eq!(ward.asked(), once);
        ward.front.give_up("p").await;
        ward.read().await;
        assert_eq!(ward.asked(), once + 1);
    }
}
