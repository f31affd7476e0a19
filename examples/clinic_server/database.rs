//! The "hospital database": FHIR resources in memory, in file order, with versions.

use super::{
    ndjson::{self, LoadError, Loaded},
    records::{self, Query},
    time,
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

/// A resource as it is stored now. Cloning is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// `meta.versionId` as a number: counts up by one with each change.
    pub(crate) version: u64,
    /// The resource, `meta.versionId` and `meta.lastUpdated` included.
    pub(crate) body: Arc<Value>,
}

/// Why a change was refused. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeError {
    /// There is no such resource.
    Unknown,
    /// `If-Match` names another version than the stored one.
    OtherVersion,
}

#[derive(Debug, Default)]
struct Table {
    rows: Vec<Row>,
    by_id: HashMap<String, usize>,
    by_patient: HashMap<String, Vec<usize>>,
}

/// All resources, by type. Reads see whole resources, never half a change.
#[derive(Debug)]
pub(crate) struct Database {
    tables: RwLock<HashMap<&'static str, Table>>,
}

impl Database {
    /// Takes in loaded resources; each starts as version 1, updated now.
    pub(crate) fn new(resources: Vec<Loaded>) -> Result<Self, LoadError> {
        let loaded_at = time::now();
        let mut tables: HashMap<_, Table> = ndjson::TYPES
            .iter()
            .map(|kind| (*kind, Table::default()))
            .collect();
        for mut loaded in resources {
            let table = tables.entry(loaded.kind).or_default();
            let at = table.rows.len();
            if table.by_id.insert(loaded.id.clone(), at).is_some() {
                return Err(loaded.refuse("an id that another line has already"));
            }
            if !stamp(&mut loaded.body, 1, &loaded_at) {
                return Err(loaded.refuse("meta is not an object"));
            }
            if let Some(patient) = records::patient_of(&loaded.body) {
                let rows = table.by_patient.entry(patient.to_owned()).or_default();
                rows.push(at);
            }
            table.rows.push(Row {
                version: 1,
                body: Arc::new(loaded.body),
            });
        }
        Ok(Self {
            tables: RwLock::new(tables),
        })
    }

    /// One resource.
    pub(crate) fn read(&self, kind: &str, id: &str) -> Option<Row> {
        self.with(kind, |table| {
            let at = *table.by_id.get(id)?;
            table.rows.get(at).cloned()
        })?
    }

    /// The resources that a query asks for, in file order.
    pub(crate) fn search(&self, query: &Query) -> Vec<Arc<Value>> {
        let matching = |rows: &mut dyn Iterator<Item = &Row>| {
            rows.map(|row| &row.body)
                .filter(|body| query.matches(body))
                .cloned()
                .collect()
        };
        self.with(query.kind, |table| match &query.patient {
            None => matching(&mut table.rows.iter()),
            Some(patient) => {
                let rows = table.by_patient.get(patient).map_or(&[][..], Vec::as_slice);
                matching(&mut rows.iter().filter_map(|at| table.rows.get(*at)))
            }
        })
        .unwrap_or_default()
    }

    /// The ids of all patients, in file order.
    pub(crate) fn patient_ids(&self) -> Vec<String> {
        self.with("Patient", |table| {
            let id = |row: &Row| row.body.get("id")?.as_str().map(str::to_owned);
            table.rows.iter().filter_map(id).collect()
        })
        .unwrap_or_default()
    }

    /// Replaces a patient as the next version. The caller has checked type and id of `body`, and
    /// publishes the change in the order of these calls.
    pub(crate) fn replace_patient(
        &self,
        id: &str,
        mut body: Value,
        if_match: Option<u64>,
    ) -> Result<Row, ChangeError> {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        let table = tables.get_mut("Patient").ok_or(ChangeError::Unknown)?;
        let at = *table.by_id.get(id).ok_or(ChangeError::Unknown)?;
        let row = table.rows.get_mut(at).ok_or(ChangeError::Unknown)?;
        if if_match.is_some_and(|version| version != row.version) {
            return Err(ChangeError::OtherVersion);
        }
        let version = row.version + 1;
        stamp(&mut body, version, &time::now());
        *row = Row {
            version,
            body: Arc::new(body),
        };
        Ok(row.clone())
    }

    fn with<T>(&self, kind: &str, read: impl FnOnce(&Table) -> T) -> Option<T> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        tables.get(kind).map(read)
    }
}

/// Writes `meta.versionId` and `meta.lastUpdated`, keeping the rest of `meta`. False, and
/// nothing written, where there is no place for them.
fn stamp(body: &mut Value, version: u64, updated: &str) -> bool {
    let Some(body) = body.as_object_mut() else {
        return false;
    };
    let meta = body.entry("meta").or_insert_with(|| json!({}));
    let Some(meta) = meta.as_object_mut() else {
        return false;
    };
    meta.insert("versionId".to_owned(), json!(version.to_string()));
    meta.insert("lastUpdated".to_owned(), json!(updated));
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEOPLE: &[u8] = br#"{"resourceType":"Patient","id":"b","meta":{"profile":["p"]}}
{"resourceType":"Patient","id":"a"}"#;

    fn database() -> Database {
        let people = ndjson::parse("Patient", "Patient.ndjson", PEOPLE).expect("valid");
        Database::new(people).expect("no duplicates")
    }

    #[test]
    fn patients_keep_the_order_of_their_file_and_start_as_version_one() {
        let database = database();
        assert_eq!(database.patient_ids(), ["b", "a"]);
        let row = database.read("Patient", "b").expect("there");
        assert_eq!(row.body["meta"]["versionId"], "1");
        assert_eq!(row.body["meta"]["profile"][0], "p");
    }

    #[test]
    fn a_change_counts_the_version_up_and_a_stale_if_match_changes_nothing() {
        let database = database();
        let body = json!({"resourceType": "Patient", "id": "a", "gender": "other"});
        let row = database
            .replace_patient("a", body.clone(), Some(1))
            .expect("current");
        assert_eq!(
            (row.version, row.body["meta"]["versionId"].as_str()),
            (2, Some("2"))
        );
        assert_eq!(
            database
                .replace_patient("a", json!({"meta": {}}), Some(1))
                .map(|row| row.version),
            Err(ChangeError::OtherVersion)
        );
        assert_eq!(
            database.read("Patient", "a").expect("there").body["gender"],
            "other"
        );
        assert_eq!(
            database
                .replace_patient("c", body, None)
                .map(|row| row.version),
            Err(ChangeError::Unknown)
        );
    }

    #[test]
    fn a_second_line_with_the_same_id_is_refused_by_its_number() {
        let twice = [PEOPLE, b"\n", PEOPLE].concat();
        let people = ndjson::parse("Patient", "Patient.ndjson", &twice).expect("valid");
        assert_eq!(
            Database::new(people)
                .map(drop)
                .map_err(|error| error.to_string()),
            Err("Patient.ndjson, line 3: an id that another line has already".to_owned())
        );
    }
}
