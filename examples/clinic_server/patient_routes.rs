//! `/api/config` and `/api/patients`: what the page needs that no standard names.

use super::{
    answer::{self, Refusal},
    app::{App, HUB_PATH},
    hospital::Asked,
};
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};
use serde_json::json;
use std::sync::Arc;

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/api/config", get(config))
        .route("/api/patients/{id}/summary", get(summary))
        .route("/api/patients/{id}/studies", get(studies))
}

async fn config(State(app): State<Arc<App>>) -> Response {
    let config = json!({ "hubPath": HUB_PATH, "heartbeatMs": app.heartbeat_ms });
    answer::body(answer::JSON, config.to_string())
}

async fn summary(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let summary = app.hospital.get(Asked::Summary(id)).await?;
    Ok(answer::body(answer::JSON, summary.text))
}

async fn studies(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let studies = app.hospital.get(Asked::Studies(id)).await?;
    Ok(answer::body(answer::DICOM, studies.text))
}
