//! The hospital: the database, the archive, and the order in which a change becomes known.

use super::{
    answer::Refusal,
    database::{ChangeError, Database, Row},
    feed::Feed,
    imaging::Imaging,
    records::Query,
    summary,
};
use clinicache::kernel::invalidate::Position;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Mutex;

/// What a route asks for.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// One patient.
    Patient(String),
    /// One resource of any type.
    Resource(&'static str, String),
    /// A search bundle.
    Search(Query),
    /// A patient's summary.
    Summary(String),
    /// A patient's DICOMweb study rows.
    Studies(String),
    /// A study's series rows.
    Series(String),
    /// A study's instance rows.
    Instances(String),
}

/// A patient's new content, checked.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) id: String,
    pub(crate) body: Value,
    pub(crate) if_match: Option<u64>,
}

/// Reads and changes. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Hospital {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    database: Database,
    imaging: Imaging,
    feed: Feed,
    /// Held from the commit of a change to the end of its announcement: positions in the log
    /// stand in the order of the commits.
    writer: Mutex<()>,
}

impl Hospital {
    pub(crate) fn new(database: Database, imaging: Imaging, feed: Feed) -> Self {
        Self {
            inner: Arc::new(Inner {
                database,
                imaging,
                feed,
                writer: Mutex::new(()),
            }),
        }
    }

    /// Where the log stands. Take it before a read: the answer is then at least that new.
    pub(crate) fn position(&self) -> Position {
        self.inner.feed.position()
    }

    /// Answers a read.
    pub(crate) async fn get(&self, asked: Asked) -> Result<Arc<Value>, Refusal> {
        self.inner.read(&asked).ok_or(Refusal::NOT_FOUND)
    }

    /// An image of the archive.
    pub(crate) fn rendered(&self, instance: &str) -> Option<&'static [u8]> {
        self.inner.imaging.rendered(instance)
    }

    /// Commits a change and announces it, in this order.
    ///
    /// Gives the stored row and the position of its announcement: the row is exactly as new as
    /// that, because no other change can be committed in between. Runs to its end even when the
    /// caller goes away: a commit that nobody announces would leave every cache stale.
    pub(crate) async fn change_patient(
        &self,
        change: Change,
    ) -> Result<Result<(Row, Position), ChangeError>, Refusal> {
        let inner = self.inner.clone();
        tokio::spawn(async move { inner.change_patient(change).await })
            .await
            .map_err(|_| Refusal::UNAVAILABLE)
    }
}

impl Inner {
    fn read(&self, asked: &Asked) -> Option<Arc<Value>> {
        match asked {
            Asked::Patient(id) => self.database.read("Patient", id).map(|row| row.body),
            Asked::Resource(kind, id) => self.database.read(kind, id).map(|row| row.body),
            Asked::Search(query) => Some(Arc::new(bundle(&self.database.search(query)))),
            Asked::Summary(id) => summary::of(&self.database, id).map(Arc::new),
            Asked::Studies(id) => self.imaging.studies(id),
            Asked::Series(study) => self.imaging.series(study),
            Asked::Instances(study) => self.imaging.instances(study),
        }
    }

    async fn change_patient(&self, change: Change) -> Result<(Row, Position), ChangeError> {
        let Change { id, body, if_match } = change;
        let _writing = self.writer.lock().await;
        let row = self.database.replace_patient(&id, body, if_match)?;
        let position = self.feed.patient_changed(&id, row.version).await;
        Ok((row, position))
    }
}

/// A FHIR search answer. An empty one has no `entry`: FHIR knows no empty lists.
fn bundle(resources: &[Arc<Value>]) -> Value {
    let mut bundle = json!({
        "resourceType": "Bundle",
        "type": "searchset",
        "total": resources.len(),
    });
    if !resources.is_empty() {
        bundle["entry"] = resources
            .iter()
            .map(|resource| json!({ "resource": resource, "search": { "mode": "match" } }))
            .collect();
    }
    bundle
}
