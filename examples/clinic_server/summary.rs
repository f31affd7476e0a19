//! A patient at a glance, put together from the clinical resources.

use super::{
    database::{Database, Row},
    records::{Query, array, concept_code, concept_text, has_category},
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// The summary of a patient; `None` where there is no such patient.
///
/// Members that the resources do not give are absent, never empty.
pub(crate) fn of(database: &Database, id: &str) -> Option<Value> {
    let Row { body: patient, .. } = database.read("Patient", id)?;
    let of_kind = |kind| {
        database.search(&Query {
            kind,
            patient: Some(id.to_owned()),
            category: None,
        })
    };
    let conditions = of_kind("Condition");
    let allergies = of_kind("AllergyIntolerance");
    let medications = of_kind("MedicationRequest");
    let observations = of_kind("Observation");
    let reports = of_kind("DiagnosticReport");
    let encounters = of_kind("Encounter");

    let mut summary = Map::new();
    put(&mut summary, "patient", Some(id));
    put(&mut summary, "name", display_name(&patient).as_deref());
    put(&mut summary, "gender", text(&patient, "gender"));
    put(&mut summary, "birthDate", text(&patient, "birthDate"));
    summary.insert("conditions".to_owned(), list(&conditions, active_condition));
    summary.insert("allergies".to_owned(), list(&allergies, active_allergy));
    summary.insert(
        "medications".to_owned(),
        list(&medications, current_medication),
    );
    summary.insert("vitals".to_owned(), latest_vitals(&observations));
    summary.insert(
        "counts".to_owned(),
        json!({
            "conditions": conditions.len(),
            "allergies": allergies.len(),
            "medications": medications.len(),
            "observations": observations.len(),
            "reports": reports.len(),
            "encounters": encounters.len(),
        }),
    );
    Some(Value::Object(summary))
}

fn list(bodies: &[Arc<Value>], row: impl Fn(&Value) -> Option<Value>) -> Value {
    bodies.iter().filter_map(|body| row(body)).collect()
}

fn active_condition(body: &Value) -> Option<Value> {
    is_active(body).then(|| {
        let mut row = coded(body.get("code"));
        let since = text(body, "onsetDateTime").or_else(|| text(body, "recordedDate"));
        put(&mut row, "since", since);
        Value::Object(row)
    })
}

fn active_allergy(body: &Value) -> Option<Value> {
    is_active(body).then(|| {
        let mut row = coded(body.get("code"));
        put(&mut row, "criticality", text(body, "criticality"));
        put(&mut row, "since", text(body, "recordedDate"));
        Value::Object(row)
    })
}

fn current_medication(body: &Value) -> Option<Value> {
    let status = text(body, "status").unwrap_or("active");
    matches!(status, "active" | "on-hold").then(|| {
        let mut row = coded(body.get("medicationCodeableConcept"));
        put(&mut row, "status", Some(status));
        let dosage = array(body.get("dosageInstruction")).find_map(|dose| text(dose, "text"));
        put(&mut row, "dosage", dosage);
        put(&mut row, "since", text(body, "authoredOn"));
        Value::Object(row)
    })
}

/// The newest vital sign of each code, in order of the codes. FHIR date-times of one server share
/// their zone, so their texts compare as their times do.
fn latest_vitals(observations: &[Arc<Value>]) -> Value {
    let mut latest: BTreeMap<&str, (&str, &Value)> = BTreeMap::new();
    for body in observations {
        if !has_category(body, "vital-signs") {
            continue;
        }
        let Some(code) = concept_code(body.get("code")) else {
            continue;
        };
        let at = text(body, "effectiveDateTime").unwrap_or_default();
        let newest = latest.entry(code).or_insert((at, body));
        if at > newest.0 {
            *newest = (at, body);
        }
    }
    latest.into_values().map(|(_, body)| vital(body)).collect()
}

fn vital(body: &Value) -> Value {
    let mut row = measured(body);
    put(&mut row, "at", text(body, "effectiveDateTime"));
    let components: Vec<_> = array(body.get("component"))
        .map(|component| Value::Object(measured(component)))
        .collect();
    if !components.is_empty() {
        row.insert("components".to_owned(), Value::Array(components));
    }
    Value::Object(row)
}

/// `code`, `text`, and `value` with `unit` where there is a quantity.
fn measured(body: &Value) -> Map<String, Value> {
    let mut row = coded(body.get("code"));
    if let Some(quantity) = body.get("valueQuantity") {
        if let Some(value) = quantity.get("value") {
            row.insert("value".to_owned(), value.clone());
        }
        put(&mut row, "unit", text(quantity, "unit"));
    }
    row
}

fn coded(concept: Option<&Value>) -> Map<String, Value> {
    let mut row = Map::new();
    put(&mut row, "code", concept_code(concept));
    put(&mut row, "text", concept_text(concept));
    row
}

/// Active where the resource says so, or does not say: a missing status must not hide a problem.
fn is_active(body: &Value) -> bool {
    concept_code(body.get("clinicalStatus"))
        .is_none_or(|code| matches!(code, "active" | "recurrence" | "relapse"))
}

/// The official name, else the first: its text, else given names and family name.
fn display_name(patient: &Value) -> Option<String> {
    let official = |name: &&Value| text(name, "use") == Some("official");
    let name = array(patient.get("name"))
        .find(official)
        .or_else(|| array(patient.get("name")).next())?;
    if let Some(text) = text(name, "text") {
        return Some(text.to_owned());
    }
    let given = array(name.get("given")).filter_map(Value::as_str);
    let parts: Vec<_> = given.chain(text(name, "family")).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn text<'a>(body: &'a Value, member: &str) -> Option<&'a str> {
    body.get(member)?.as_str()
}

fn put(row: &mut Map<String, Value>, member: &str, value: Option<&str>) {
    if let Some(value) = value {
        row.insert(member.to_owned(), json!(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{builtin, ndjson};

    #[test]
    fn a_built_in_patient_has_name_problems_and_one_row_per_vital_sign() {
        let database = Database::new(builtin::people().expect("valid")).expect("no duplicates");
        let first = database.patient_ids().remove(0);
        let summary = of(&database, &first).expect("there");
        assert_eq!(summary["name"], "Ives Dummett");
        assert_eq!(summary["counts"]["observations"], 13);
        assert_eq!(
            summary["conditions"][0]["text"],
            "Hyperlipidemia, unspecified"
        );
        let vitals = summary["vitals"].as_array().expect("a list");
        assert_eq!(vitals.len(), 8);
        let pressure = vitals
            .iter()
            .find(|vital| vital["code"] == "85354-9")
            .expect("there");
        assert_eq!(pressure["components"][0]["unit"], "mmHg");
        assert!(of(&database, "nobody").is_none());
    }

    #[test]
    fn what_is_resolved_or_stopped_is_counted_and_not_listed_and_the_newest_vital_wins() {
        let patient = br#"{"resourceType":"Patient","id":"p","name":[{"family":"Solo"}]}"#;
        let conditions = br#"{"resourceType":"Condition","id":"1","subject":{"reference":"Patient/p"},"code":{"text":"old"},"clinicalStatus":{"coding":[{"code":"resolved"}]}}
{"resourceType":"Condition","id":"2","subject":{"reference":"Patient/p"},"code":{"text":"unsaid"}}"#;
        let observation = |id, at, value| {
            format!(
                r#"{{"resourceType":"Observation","id":"{id}","subject":{{"reference":"Patient/p"}},"category":[{{"coding":[{{"code":"vital-signs"}}]}}],"code":{{"coding":[{{"code":"8867-4"}}]}},"effectiveDateTime":"{at}","valueQuantity":{{"value":{value}}}}}"#
            )
        };
        let observations = [
            observation("1", "2026-01-01T09:00:00Z", 60),
            observation("2", "2026-01-03T09:00:00Z", 63),
            observation("3", "2026-01-02T09:00:00Z", 62),
        ]
        .join("\n");
        let mut people = ndjson::parse("Patient", "f", patient).expect("valid");
        people.extend(ndjson::parse("Condition", "f", conditions).expect("valid"));
        people.extend(ndjson::parse("Observation", "f", observations.as_bytes()).expect("valid"));
        let database = Database::new(people).expect("no duplicates");
        let summary = of(&database, "p").expect("there");
        assert_eq!(summary["name"], "Solo");
        assert_eq!(summary["conditions"], json!([{"text": "unsaid"}]));
        assert_eq!(summary["counts"]["conditions"], 2);
        assert_eq!(summary["vitals"][0]["value"], 63);
        assert!(summary.get("gender").is_none());
    }
}
