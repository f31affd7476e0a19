//! What is announced when something changes.

use clinicache::{
    Result,
    kernel::{
        crypto::{KeyRing, Place, Secret},
        invalidate::Position,
    },
    platform::{EntropyExt as _, Platform},
    server::{AllowEveryone, Embedded, Hub, HubFeed, Invalidation},
};
use std::{collections::VecDeque, path::Path, sync::Arc, time::Duration};
use tokio::sync::Mutex;

use super::hospital;

/// How long to wait before an announcement that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The hub as the hospital sees it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    hub: Hub,
    /// Committed changes whose announcement is not in the log yet, oldest first. A later one
    /// never overtakes them: positions stand in the order of the commits.
    unsent: Arc<Mutex<VecDeque<Invalidation>>>,
}

impl Feed {
    /// Opens a hub over an embedded store in `folder`. The key of its log lives in memory only:
    /// it never lies beside what it sealed.
    ///
    /// Everybody may listen to everything: the demo has one user and synthetic people.
    pub(crate) async fn open(folder: &Path, heartbeat_ms: u64) -> Result<Self> {
        let key = Secret::new(Platform::system().entropy.bytes()?);
        let place = Place {
            tenant: String::new(),
            user: "*".to_owned(),
            device: "server".to_owned(),
            database: "clinic-hub".to_owned(),
        };
        let hub = Hub::builder()
            .store(Embedded::open(folder)?)
            .keys(KeyRing::new(&key, &place, 1)?)
            .authorise(AllowEveryone)
            .heartbeat(Duration::from_millis(heartbeat_ms))
            .open()
            .await?;
        Ok(Self {
            hub,
            unsent: Arc::default(),
        })
    }

    /// Its routes.
    pub(crate) fn router(&self) -> axum::Router {
        self.hub.router()
    }

    /// For a cache in this process.
    pub(crate) fn link(&self) -> HubFeed {
        self.hub.feed()
    }

    /// Where the log stands.
    pub(crate) fn position(&self) -> Position {
        self.hub.position()
    }

    /// Announces a patient's new version: the patient, all that hangs on it, and the list that
    /// shows the name. Called in the order of the commits.
    ///
    /// Gives the position, or `None` where the log cannot be written now: the announcement is
    /// then tried again until it succeeds.
    pub(crate) async fn patient_changed(&self, id: &str, version: u64) -> Option<Position> {
        let patient = format!("patient/{id}");
        let announcement = Invalidation::tag(patient.clone())
            .and_key(format!("patient:{id}"))
            .version(hospital::tag(version))
            .and_tag("class/patients:list");
        self.unsent.lock().await.push_back(announcement);
        let position = self.send().await;
        if position.is_none() {
            tokio::spawn(self.clone().send_later());
        }
        position
    }

    /// Says good-bye to clients and stores what was handed over.
    pub(crate) async fn close(&self) {
        self.hub.shutdown().await;
    }

    /// Publishes what is unsent, in order; `None` where that fails.
    async fn send(&self) -> Option<Position> {
        let mut unsent = self.unsent.lock().await;
        let mut last = None;
        while let Some(announcement) = unsent.front() {
            last = Some(self.hub.publish(announcement.clone()).await.ok()?);
            unsent.pop_front();
        }
        last
    }

    async fn send_later(self) {
        loop {
            tokio::time::sleep(RETRY).await;
            let sent = self.send().await.is_some();
            if sent || self.unsent.lock().await.is_empty() {
                return;
            }
        }
    }
}
