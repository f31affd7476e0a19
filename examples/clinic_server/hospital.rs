//! The hospital: the database, the archive, and the order in which a change becomes known.

use super::{
    answer::Refusal,
    database::{ChangeError, Database, Row},
    feed::Feed,
    front::Front,
    imaging::Imaging,
    records::Query,
    summary,
};
use clinicache::{
    engine::Fetched,
    kernel::{
        envelope::Body,
        invalidate::{Position, Version},
    },
};
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

/// What a read gives.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// JSON text.
    pub(crate) text: String,
    /// The version, where one resource was asked for.
    pub(crate) version: Option<u64>,
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
    front: Front,
    feed: Feed,
    /// Held from the commit of a change to the end of its announcement: positions in the log
    /// stand in the order of the commits.
    writer: Mutex<()>,
}

impl Hospital {
    pub(crate) fn new(database: Database, imaging: Imaging, front: Front, feed: Feed) -> Self {
        Self {
            inner: Arc::new(Inner {
                database,
                imaging,
                front,
                feed,
                writer: Mutex::new(()),
            }),
        }
    }

    /// Where the log stands. Take it before a read: the answer is then at least that new.
    pub(crate) fn position(&self) -> Position {
        self.inner.feed.position()
    }

    /// Answers a read: from the cache where it has a good copy, else from the database.
    pub(crate) async fn get(&self, asked: Asked) -> Result<Found, Refusal> {
        let inner = self.inner.clone();
        let question = asked.clone();
        let cached = self
            .inner
            .front
            .read(&asked, move || inner.fetch(&question))
            .await;
        match cached.map(|entry| (entry.body, entry.version)) {
            Some((Body::Json(text), version)) => Ok(Found {
                text,
                version: version.as_ref().and_then(number),
            }),
            Some((Body::Absent, _)) => Err(Refusal::NOT_FOUND),
            _ => {
                let (value, version) = self.inner.read(&asked).ok_or(Refusal::NOT_FOUND)?;
                Ok(Found {
                    text: value.to_string(),
                    version,
                })
            }
        }
    }

    /// Closes the cache's store.
    pub(crate) async fn close(&self) {
        self.inner.front.close().await;
    }

    /// An image of the archive.
    pub(crate) fn rendered(&self, instance: &str) -> Option<&'static [u8]> {
        self.inner.imaging.rendered(instance)
    }

    /// Commits a change and announces it, in this order.
    ///
    /// Gives the stored row and the position of its announcement, where that is in the log: the
    /// row is exactly as new as that, because no other change is committed in between. Runs to its end even when the
    /// caller goes away: a commit that nobody announces would leave every cache stale.
    pub(crate) async fn change_patient(
        &self,
        change: Change,
    ) -> Result<Result<(Row, Option<Position>), ChangeError>, Refusal> {
        let inner = self.inner.clone();
        tokio::spawn(async move { inner.change_patient(change).await })
            .await
            .map_err(|_| Refusal::UNAVAILABLE)
    }
}

impl Inner {
    /// What the cache asks of the database. The position is taken first: the value is at least
    /// that new, and if a change is announced later than that, the cache does not keep it.
    fn fetch(&self, asked: &Asked) -> clinicache::Result<Fetched> {
        let position = self.feed.position();
        let fetched = match self.read(asked) {
            None => Fetched::new(Body::Absent),
            Some((value, None)) => Fetched::json(&*value)?,
            Some((value, Some(version))) => Fetched::json(&*value)?.version(tag(version)),
        };
        Ok(fetched.at(position))
    }

    fn read(&self, asked: &Asked) -> Option<(Arc<Value>, Option<u64>)> {
        let resource = |row: Row| (row.body, Some(row.version));
        let answer = |value: Arc<Value>| (value, None);
        match asked {
            Asked::Patient(id) => self.database.read("Patient", id).map(resource),
            Asked::Resource(kind, id) => self.database.read(kind, id).map(resource),
            Asked::Search(query) => Some(answer(bundle(&self.database.search(query)).into())),
            Asked::Summary(id) => summary::of(&self.database, id).map(Arc::new).map(answer),
            Asked::Studies(id) => self.imaging.studies(id).map(answer),
            Asked::Series(study) => self.imaging.series(study).map(answer),
            Asked::Instances(study) => self.imaging.instances(study).map(answer),
        }
    }

    /// Database, then the copies of this server, then everybody else: whoever hears of the change
    /// and asks again meets it already.
    async fn change_patient(&self, change: Change) -> Result<(Row, Option<Position>), ChangeError> {
        let Change { id, body, if_match } = change;
        let _writing = self.writer.lock().await;
        let row = self.database.replace_patient(&id, body, if_match)?;
        self.front.give_up(&id).await;
        let position = self.feed.patient_changed(&id, row.version).await;
        Ok((row, position))
    }
}

/// A version as pages know it: they read it from the entity tag, as a label.
pub(crate) fn tag(version: u64) -> Version {
    Version::Tag(version.to_string().into())
}

/// The number in such a label.
fn number(version: &Version) -> Option<u64> {
    match version {
        Version::Tag(text) => text.parse().ok(),
        Version::N(number) => Some(*number),
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
