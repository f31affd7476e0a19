//! Headers and checks around every answer.

use super::{answer::Refusal, app::App};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use clinicache::kernel::invalidate::Position;
use std::sync::Arc;

/// The content security policy of the pages.
#[derive(Clone, Debug)]
pub(crate) struct Policy(HeaderValue);

impl Policy {
    /// The policy of a server on this port. The hub is named by both names of the machine: `'self'`
    /// does not cover `ws:` in every browser.
    pub(crate) fn of_port(port: u16) -> Self {
        let policy = format!(
            "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
             connect-src 'self' ws://127.0.0.1:{port} ws://localhost:{port}; \
             img-src 'self' blob:; style-src 'self'; worker-src 'self'; object-src 'none'; \
             base-uri 'none'; frame-ancestors 'none'"
        );
        // Digits in a fixed text always make a header; nothing at all would be the safe fallback.
        Self(
            HeaderValue::try_from(policy)
                .unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'")),
        )
    }
}

/// Around everything: only loopback names are served, so that a page elsewhere cannot reach this
/// server by pointing its own name at it (DNS rebinding).
pub(crate) async fn every(
    State(Policy(policy)): State<Policy>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = if names_loopback(request.headers(), request.uri()) {
        next.run(request).await
    } else {
        StatusCode::MISDIRECTED_REQUEST.into_response()
    };
    let headers = response.headers_mut();
    let text = HeaderValue::from_static;
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, text("nosniff"));
    headers.insert(header::REFERRER_POLICY, text("no-referrer"));
    response
}

/// Around `/api`: nothing is stored on the way, and every answer says its position.
///
/// The position is taken before the handler reads, so the answer is at least that new. A handler
/// that knows better, a change's own position, keeps it.
pub(crate) async fn api(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let position = app.hospital.position().to_string();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let text = HeaderValue::from_static;
    headers.insert(header::CACHE_CONTROL, text("no-store"));
    headers.insert(header::VARY, text("Accept, Authorization"));
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        text("Clinicache-Position, ETag"),
    );
    let name = HeaderName::from_bytes(Position::HEADER.as_bytes());
    if let (Ok(name), Ok(position)) = (name, HeaderValue::try_from(position)) {
        headers.entry(name).or_insert(position);
    }
    response
}

/// What `/api` answers where it has no route.
pub(crate) async fn no_such_route() -> Refusal {
    Refusal::NOT_FOUND
}

fn names_loopback(headers: &HeaderMap, uri: &Uri) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| uri.authority().map(|authority| authority.as_str()));
    let Some(host) = host else {
        return false;
    };
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    matches!(name, "127.0.0.1" | "localhost" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(host: &'static str) -> bool {
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
        names_loopback(&headers, &Uri::default())
    }

    #[test]
    fn only_loopback_names_are_served() {
        assert!(served("127.0.0.1:8787") && served("localhost") && served("[::1]:1"));
        assert!(!served("evil.example:8787") && !served("127.0.0.1.evil.example") && !served(""));
        assert!(!names_loopback(&HeaderMap::new(), &Uri::default()));
    }
}
