//! The imaging archive: QIDO-RS answers and rendered images of a real PACS, and the table that
//! links its studies to the hospital's patients.

use super::builtin;
use serde_json::Value;
use std::{collections::HashMap, sync::Arc};

/// Studies, series, instances, and who they belong to. Read-only.
#[derive(Debug)]
pub(crate) struct Imaging {
    by_patient: HashMap<String, Arc<Value>>,
    series: HashMap<String, Arc<Value>>,
    instances: HashMap<String, Arc<Value>>,
}

impl Imaging {
    /// Reads the built-in archive and deals its studies out over `patients`.
    ///
    /// The people and the archive come from different sources. The n-th distinct study goes to
    /// the n-th patient in file order, and round again; rows are handed on as the archive gave
    /// them, a study that it lists twice included.
    pub(crate) fn open(patients: &[String]) -> Result<Self, serde_json::Error> {
        let studies: Vec<Value> = serde_json::from_slice(builtin::STUDIES)?;
        let mut owner_of: HashMap<String, usize> = HashMap::new();
        let mut rows: HashMap<String, Vec<Value>> =
            patients.iter().map(|id| (id.clone(), Vec::new())).collect();
        if !patients.is_empty() {
            for study in studies {
                let next = owner_of.len();
                let uid = study_uid(&study).unwrap_or_default().to_owned();
                let turn = *owner_of.entry(uid).or_insert(next);
                let owner = patients.get(turn % patients.len());
                if let Some(owned) = owner.and_then(|owner| rows.get_mut(owner)) {
                    owned.push(study);
                }
            }
        }
        Ok(Self {
            by_patient: shared(rows.into_iter().map(|(id, rows)| (id, Value::Array(rows)))),
            series: shared(serde_json::from_slice::<HashMap<_, _>>(builtin::SERIES)?),
            instances: shared(serde_json::from_slice::<HashMap<_, _>>(builtin::INSTANCES)?),
        })
    }

    /// The study rows of a patient, `[]` where there are none; `None` for an unknown patient.
    pub(crate) fn studies(&self, patient: &str) -> Option<Arc<Value>> {
        self.by_patient.get(patient).cloned()
    }

    /// The series rows of a study.
    pub(crate) fn series(&self, study: &str) -> Option<Arc<Value>> {
        self.series.get(study).cloned()
    }

    /// The instance rows of a study.
    pub(crate) fn instances(&self, study: &str) -> Option<Arc<Value>> {
        self.instances.get(study).cloned()
    }

    /// An instance as JPEG, where the archive rendered one.
    pub(crate) fn rendered(&self, instance: &str) -> Option<&'static [u8]> {
        builtin::RENDERED
            .iter()
            .find_map(|(uid, bytes)| (*uid == instance).then_some(*bytes))
    }
}

fn shared(rows: impl IntoIterator<Item = (String, Value)>) -> HashMap<String, Arc<Value>> {
    rows.into_iter()
        .map(|(id, rows)| (id, Arc::new(rows)))
        .collect()
}

/// Study Instance UID of a QIDO-RS row.
fn study_uid(row: &Value) -> Option<&str> {
    row.get("0020000D")?.get("Value")?.get(0)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(imaging: &Imaging, patient: &str) -> usize {
        let rows = imaging.studies(patient).expect("a patient of the table");
        rows.as_array().map_or(0, Vec::len)
    }

    #[test]
    fn every_study_row_goes_to_exactly_one_patient_and_one_listed_twice_to_the_same() {
        let patients: Vec<_> = (0..24).map(|n| format!("p{n}")).collect();
        let imaging = Imaging::open(&patients).expect("valid");
        let counts: Vec<_> = patients.iter().map(|id| count(&imaging, id)).collect();
        assert_eq!(counts.iter().sum::<usize>(), 29);
        assert_eq!(counts[..5], [2, 3, 2, 2, 1]);
        assert!(imaging.studies("p24").is_none());
    }

    #[test]
    fn one_patient_gets_all_and_nobody_gets_none() {
        let imaging = Imaging::open(&["p".to_owned()]).expect("valid");
        assert_eq!(count(&imaging, "p"), 29);
        assert!(Imaging::open(&[]).expect("valid").studies("p").is_none());
    }

    #[test]
    fn every_rendered_image_is_a_jpeg_of_a_listed_instance() {
        let imaging = Imaging::open(&[]).expect("valid");
        let listed: Vec<_> = imaging
            .instances
            .values()
            .flat_map(|rows| rows.as_array().into_iter().flatten())
            .filter_map(|row| row["00080018"]["Value"][0].as_str())
            .collect();
        assert_eq!(listed.len(), 97);
        for (uid, bytes) in builtin::RENDERED {
            assert!(listed.contains(uid));
            assert!(bytes.starts_with(&[0xff, 0xd8, 0xff]));
            assert!(imaging.rendered(uid).is_some());
        }
        assert!(imaging.rendered("1.2.3").is_none());
    }
}
