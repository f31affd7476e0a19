//! Answers as FHIR and DICOMweb want them. No answer repeats what a request said.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// Media type of FHIR JSON.
pub(crate) const FHIR: &str = "application/fhir+json";
/// Media type of DICOMweb JSON.
pub(crate) const DICOM: &str = "application/dicom+json";
/// Media type of everything else.
pub(crate) const JSON: &str = "application/json";

/// A JSON body of a media type.
pub(crate) fn body(media_type: &'static str, text: impl Into<Body>) -> Response {
    let mut response = Response::new(text.into());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// A FHIR resource with its version as a weak entity tag.
pub(crate) fn resource(text: String, version: Option<u64>) -> Response {
    let mut response = body(FHIR, text);
    let tag = version.and_then(|version| HeaderValue::try_from(format!("W/\"{version}\"")).ok());
    if let Some(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// Why a request failed, as an `OperationOutcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: StatusCode,
    /// A code of FHIR's `issue-type` value set.
    code: &'static str,
    text: &'static str,
}

impl Refusal {
    /// There is nothing of that name.
    pub(crate) const NOT_FOUND: Self = Self {
        status: StatusCode::NOT_FOUND,
        code: "not-found",
        text: "there is none",
    };
    /// The resource has another version than `If-Match` says.
    pub(crate) const OTHER_VERSION: Self = Self {
        status: StatusCode::PRECONDITION_FAILED,
        code: "conflict",
        text: "the resource has another version: read it again",
    };
    /// The store or the hub failed.
    pub(crate) const UNAVAILABLE: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "transient",
        text: "the server cannot answer now: try again",
    };

    /// The request is wrong; `text` says how, in words that hold none of it.
    pub(crate) const fn invalid(text: &'static str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: "invalid",
            text,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let outcome = json!({
            "resourceType": "OperationOutcome",
            "issue": [{
                "severity": "error",
                "code": self.code,
                "diagnostics": self.text,
            }],
        });
        let mut response = body(FHIR, outcome.to_string());
        *response.status_mut() = self.status;
        response
    }
}
