//! What a FHIR search may ask for, and what the parts of a resource mean.

use super::ndjson::{TYPES, is_fhir_id};
use serde_json::Value;

/// A search, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    /// One of [`TYPES`].
    pub(crate) kind: &'static str,
    /// Only resources of this patient.
    pub(crate) patient: Option<String>,
    /// Only resources with this category code.
    pub(crate) category: Option<String>,
}

/// Why a search was refused; names the parameter, never its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueryError {
    /// This server keeps no such type.
    UnknownType,
    /// A parameter that this server does not know. Ignoring it would answer too much.
    UnknownParameter,
    /// A parameter stands there twice, or `patient` beside `subject`.
    Repeated,
    /// The patient's id is not a FHIR id, or the reference is not to a patient.
    BadPatient,
    /// Clinical resources are searched by patient only.
    PatientMissing,
}

impl QueryError {
    /// A sentence for people.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::UnknownType => "this server keeps no resources of this type",
            Self::UnknownParameter => "a search parameter is not supported for this type",
            Self::Repeated => "a search parameter is given more than once",
            Self::BadPatient => "patient: must be a patient's id or a reference to a patient",
            Self::PatientMissing => "patient: is required for this type",
        }
    }
}

/// The known type of this name.
pub(crate) fn kind(name: &str) -> Option<&'static str> {
    TYPES.iter().copied().find(|kind| *kind == name)
}

impl Query {
    /// Parses a type and decoded query parameters.
    pub(crate) fn parse<'a>(
        name: &str,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, QueryError> {
        let kind = kind(name).ok_or(QueryError::UnknownType)?;
        let clinical = !matches!(kind, "Patient" | "Practitioner");
        let mut query = Self {
            kind,
            patient: None,
            category: None,
        };
        for (parameter, value) in parameters {
            match parameter {
                "patient" | "subject" if clinical => {
                    let bare = parameter == "patient" && is_fhir_id(value);
                    let id = if bare {
                        Some(value)
                    } else {
                        patient_in_reference(value)
                    };
                    let id = id.ok_or(QueryError::BadPatient)?.to_owned();
                    if query.patient.replace(id).is_some() {
                        return Err(QueryError::Repeated);
                    }
                }
                "category" if clinical => {
                    if query.category.replace(value.to_owned()).is_some() {
                        return Err(QueryError::Repeated);
                    }
                }
                "_format" => {}
                _ => return Err(QueryError::UnknownParameter),
            }
        }
        if clinical && query.patient.is_none() {
            return Err(QueryError::PatientMissing);
        }
        Ok(query)
    }

    /// Whether a resource of the right type and patient passes the other conditions.
    pub(crate) fn matches(&self, body: &Value) -> bool {
        self.category
            .as_deref()
            .is_none_or(|wanted| has_category(body, wanted))
    }
}

/// Whether one of the resource's categories has this code.
pub(crate) fn has_category(body: &Value, wanted: &str) -> bool {
    array(body.get("category"))
        .flat_map(|category| array(category.get("coding")))
        .any(|coding| coding.get("code").and_then(Value::as_str) == Some(wanted))
}

/// The id of the patient that a resource is about.
pub(crate) fn patient_of(body: &Value) -> Option<&str> {
    let reference = body.get("subject").or_else(|| body.get("patient"))?;
    patient_in_reference(reference.get("reference")?.as_str()?)
}

/// The id in `Patient/id`, `https://…/Patient/id` or either of a version.
fn patient_in_reference(reference: &str) -> Option<&str> {
    let current = reference
        .split_once("/_history/")
        .map_or(reference, |(before, _)| before);
    let (path, id) = current.rsplit_once('/')?;
    let of_patient = path == "Patient" || path.ends_with("/Patient");
    (of_patient && is_fhir_id(id)).then_some(id)
}

/// The text of a `CodeableConcept`: its own, else the first display, else the first code.
pub(crate) fn concept_text(concept: Option<&Value>) -> Option<&str> {
    let concept = concept?;
    let of_coding =
        |member: &str| array(concept.get("coding")).find_map(|coding| coding.get(member)?.as_str());
    concept
        .get("text")
        .and_then(Value::as_str)
        .or_else(|| of_coding("display"))
        .or_else(|| of_coding("code"))
}

/// The first code of a `CodeableConcept`.
pub(crate) fn concept_code(concept: Option<&Value>) -> Option<&str> {
    array(concept?.get("coding")).find_map(|coding| coding.get("code")?.as_str())
}

/// The items of a member that should be an array: none where it is something else.
pub(crate) fn array(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patient(parameters: &[(&'static str, &'static str)]) -> Result<Option<String>, QueryError> {
        Query::parse("Condition", parameters.iter().copied()).map(|query| query.patient)
    }

    #[test]
    fn a_patient_is_named_by_id_or_by_reference() {
        let same = Ok(Some("p-1".to_owned()));
        assert_eq!(patient(&[("patient", "p-1")]), same);
        assert_eq!(patient(&[("patient", "Patient/p-1")]), same);
        assert_eq!(patient(&[("subject", "Patient/p-1")]), same);
        assert_eq!(
            patient(&[("subject", "https://his.example/fhir/Patient/p-1")]),
            same
        );
        assert_eq!(patient(&[("subject", "p-1")]), Err(QueryError::BadPatient));
        assert_eq!(
            patient(&[("subject", "Group/p-1")]),
            Err(QueryError::BadPatient)
        );
    }

    #[test]
    fn a_search_that_would_answer_more_than_asked_is_refused() {
        assert_eq!(patient(&[]), Err(QueryError::PatientMissing));
        assert_eq!(
            patient(&[("patient", "p"), ("code", "x")]),
            Err(QueryError::UnknownParameter)
        );
        assert_eq!(
            patient(&[("patient", "p"), ("subject", "Patient/q")]),
            Err(QueryError::Repeated)
        );
        assert_eq!(Query::parse("Basic", []), Err(QueryError::UnknownType));
    }

    #[test]
    fn a_resource_belongs_to_its_subject_or_patient() {
        assert_eq!(
            patient_of(&json!({"subject": {"reference": "Patient/a/_history/2"}})),
            Some("a")
        );
        assert_eq!(
            patient_of(&json!({"patient": {"reference": "Patient/b"}})),
            Some("b")
        );
        assert_eq!(
            patient_of(&json!({"subject": {"reference": "urn:uuid:a"}})),
            None
        );
        assert_eq!(patient_of(&json!({"subject": "Patient/a"})), None);
    }

    #[test]
    fn odd_shapes_have_no_text_and_break_nothing() {
        assert_eq!(
            concept_text(Some(&json!({"coding": {"display": "x"}}))),
            None
        );
        assert_eq!(
            concept_text(Some(&json!({"coding": [{"code": "x"}]}))),
            Some("x")
        );
        assert!(!has_category(
            &json!({"category": "vital-signs"}),
            "vital-signs"
        ));
    }
}
