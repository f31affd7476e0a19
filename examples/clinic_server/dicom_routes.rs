//! `/api/dicomweb`: series, instances and rendered images of the archive.

use super::{
    answer::{self, Refusal},
    app::App,
    hospital::Asked,
};
use axum::{
    Router,
    extract::{Path, State},
    http::header,
    response::{IntoResponse as _, Response},
    routing::get,
};
use std::sync::Arc;

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/api/dicomweb/studies/{uid}/series", get(series))
        .route("/api/dicomweb/studies/{uid}/instances", get(instances))
        .route("/api/dicomweb/instances/{uid}/rendered", get(rendered))
}

async fn series(State(app): State<Arc<App>>, Path(uid): Path<String>) -> Result<Response, Refusal> {
    let rows = app.hospital.get(Asked::Series(uid)).await?;
    Ok(answer::body(answer::DICOM, rows.text))
}

async fn instances(
    State(app): State<Arc<App>>,
    Path(uid): Path<String>,
) -> Result<Response, Refusal> {
    let rows = app.hospital.get(Asked::Instances(uid)).await?;
    Ok(answer::body(answer::DICOM, rows.text))
}

/// Images are in the program itself: no tier could hold them closer.
async fn rendered(
    State(app): State<Arc<App>>,
    Path(uid): Path<String>,
) -> Result<Response, Refusal> {
    let image = app.hospital.rendered(&uid).ok_or(Refusal::NOT_FOUND)?;
    Ok(([(header::CONTENT_TYPE, "image/jpeg")], image).into_response())
}
