//! All routes in one place.

use super::{
    dicom_routes, fhir_routes,
    hooks::{self, Hooks},
    hospital::Hospital,
    patient_routes, shield,
    site::Site,
};
use axum::{Router, middleware};
use std::sync::Arc;

/// Where the hub's WebSocket is.
pub(crate) const HUB_PATH: &str = "/clinicache";

/// What the routes share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) hospital: Hospital,
    pub(crate) heartbeat_ms: u64,
    /// Present with `--test-hooks` only.
    pub(crate) hooks: Option<Arc<Hooks>>,
}

/// The whole server as one router; `port` is the one that it is bound to.
pub(crate) fn router(app: Arc<App>, hub: Router, site: Site, port: u16) -> Router {
    let mut api = fhir_routes::router()
        .merge(patient_routes::router())
        .merge(dicom_routes::router())
        .route("/api/{*rest}", axum::routing::any(shield::no_such_route))
        .with_state(app.clone())
        .layer(middleware::from_fn_with_state(app.clone(), shield::api));
    if let Some(hooks) = &app.hooks {
        // Outermost, so that a response is complete, position header included, when it is held.
        api = api
            .layer(middleware::from_fn_with_state(
                hooks.clone(),
                hooks::observe,
            ))
            .merge(hooks::router(hooks.clone()));
    }
    api.merge(hub)
        .merge(site.router())
        .layer(middleware::from_fn_with_state(
            shield::Policy::of_port(port),
            shield::every,
        ))
}
