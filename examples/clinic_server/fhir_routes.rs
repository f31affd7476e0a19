//! `/api/fhir`: read, search, and the one change that the demo makes.

use super::{
    answer::{self, Refusal},
    app::App,
    database::ChangeError,
    hospital::{Asked, Change},
    ndjson::is_fhir_id,
    records::{self, Query},
};
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Query as Parameters, State, rejection::BytesRejection},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::Response,
    routing::get,
};
use clinicache::kernel::invalidate::Position;
use serde_json::{Value, json};
use std::sync::Arc;

/// Largest resource that a change may carry, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/api/fhir/{kind}", get(search))
        .route(
            "/api/fhir/Patient/{id}",
            get(read_patient).put(change_patient),
        )
        .route("/api/fhir/{kind}/{id}", get(read))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

async fn search(
    State(app): State<Arc<App>>,
    Path(kind): Path<String>,
    Parameters(parameters): Parameters<Vec<(String, String)>>,
) -> Result<Response, Refusal> {
    let parameters = parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let query = Query::parse(&kind, parameters).map_err(|error| match error {
        records::QueryError::UnknownType => Refusal::NOT_FOUND,
        other => Refusal::invalid(other.text()),
    })?;
    let bundle = app.hospital.get(Asked::Search(query)).await?;
    Ok(answer::body(answer::FHIR, bundle.text))
}

async fn read_patient(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let patient = app.hospital.get(Asked::Patient(id)).await?;
    Ok(answer::resource(patient.text, patient.version))
}

async fn read(
    State(app): State<Arc<App>>,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let kind = records::kind(&kind).ok_or(Refusal::NOT_FOUND)?;
    let resource = app.hospital.get(Asked::Resource(kind, id)).await?;
    Ok(answer::resource(resource.text, resource.version))
}

async fn change_patient(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let if_match = if_match(&headers)?;
    let body = body.map_err(|_| Refusal::invalid("the body is too large or was cut off"))?;
    let body = serde_json::from_slice(&body)
        .map_err(|_| Refusal::invalid("the body is not valid JSON"))?;
    check_patient(&body, &id).map_err(Refusal::invalid)?;
    let change = Change { id, body, if_match };
    let (row, position) =
        app.hospital
            .change_patient(change)
            .await?
            .map_err(|error| match error {
                ChangeError::Unknown => Refusal::NOT_FOUND,
                ChangeError::OtherVersion => Refusal::OTHER_VERSION,
            })?;
    let mut response = answer::resource(row.body.to_string(), Some(row.version));
    if let Some(position) = position.and_then(|at| HeaderValue::try_from(at.to_string()).ok()) {
        let name = HeaderName::from_bytes(Position::HEADER.as_bytes());
        let name = name.map_err(|_| Refusal::UNAVAILABLE)?;
        response.headers_mut().insert(name, position);
    }
    Ok(response)
}

/// The version that the caller expects, where it says one.
fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let quoted = text.strip_prefix("W/").unwrap_or(text);
    let version = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .and_then(|version| version.parse().ok());
    version.map(Some).ok_or(Refusal::invalid(
        "If-Match: must be one entity tag of this server",
    ))
}

/// Type, id and the members that the hospital's own pages read.
fn check_patient(body: &Value, id: &str) -> Result<(), &'static str> {
    let Some(members) = body.as_object() else {
        return Err("the body is not a JSON object");
    };
    if members.get("resourceType") != Some(&json!("Patient")) {
        return Err("resourceType: must be Patient");
    }
    if members.get("id").and_then(Value::as_str) != Some(id) || !is_fhir_id(id) {
        return Err("id: must be the id in the address");
    }
    let absent_or = |member: &str, fits: fn(&Value) -> bool| members.get(member).is_none_or(fits);
    if !absent_or("meta", Value::is_object) {
        return Err("meta: must be an object");
    }
    if !absent_or("name", |names| {
        names
            .as_array()
            .is_some_and(|names| !names.is_empty() && names.iter().all(Value::is_object))
    }) {
        return Err("name: must be a list of names");
    }
    for (member, problem) in [
        ("gender", "gender: must be a text"),
        ("birthDate", "birthDate: must be a text"),
    ] {
        if !absent_or(member, Value::is_string) {
            return Err(problem);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &'static str) -> Result<Option<u64>, Refusal> {
        let headers = HeaderMap::from_iter([(header::IF_MATCH, HeaderValue::from_static(text))]);
        if_match(&headers)
    }

    #[test]
    fn if_match_takes_a_weak_or_strong_tag_or_any() {
        assert_eq!(version("W/\"3\""), Ok(Some(3)));
        assert_eq!(version("\"3\""), Ok(Some(3)));
        assert_eq!(version("*"), Ok(None));
        assert!(version("3").is_err());
        assert!(version("\"1\", \"2\"").is_err());
        assert_eq!(if_match(&HeaderMap::new()), Ok(None));
    }

    #[test]
    fn a_patient_of_the_wrong_type_id_or_shape_is_refused() {
        let good = json!({"resourceType": "Patient", "id": "a", "name": [{"family": "x"}]});
        assert_eq!(check_patient(&good, "a"), Ok(()));
        assert!(check_patient(&good, "b").is_err());
        for bad in [
            json!([]),
            json!({"id": "a"}),
            json!({"resourceType": "Group", "id": "a"}),
            json!({"resourceType": "Patient"}),
            json!({"resourceType": "Patient", "id": "a", "name": "x"}),
            json!({"resourceType": "Patient", "id": "a", "name": []}),
            json!({"resourceType": "Patient", "id": "a", "gender": 1}),
            json!({"resourceType": "Patient", "id": "a", "meta": []}),
        ] {
            assert!(check_patient(&bad, "a").is_err());
        }
    }
}
