//! Switches for page tests: hold a response that was already read, count requests.
//!
//! With them a test can make the one thing that no test can hurry: an answer that left before a
//! change and arrives after it.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Request, State},
    http::{Method, StatusCode},
    middleware::Next,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// What the tests have asked for and seen.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    state: Mutex<Observed>,
}

#[derive(Debug, Default)]
struct Observed {
    rules: Vec<Rule>,
    requests: BTreeMap<String, u64>,
    /// Responses that are being held now.
    held: BTreeMap<u64, String>,
    next_held: u64,
}

#[derive(Debug)]
struct Rule {
    path_prefix: String,
    wait: Wait,
}

#[derive(Clone, Debug)]
enum Wait {
    Time(Duration),
    /// Until the rule goes: its sender is then dropped.
    Release(Arc<watch::Sender<()>>),
}

/// `{"pathPrefix": …}` with one of `"ms": n`, `"hold": true`, `"release": true`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Order {
    path_prefix: String,
    #[serde(default)]
    ms: Option<u64>,
    #[serde(default)]
    hold: bool,
    #[serde(default)]
    release: bool,
}

impl Hooks {
    /// Lets every held response go.
    pub(crate) fn release_all(&self) {
        self.state().rules.clear();
    }

    fn state(&self) -> MutexGuard<'_, Observed> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn order(&self, order: Order) -> bool {
        let wait = match (order.ms, order.hold, order.release) {
            (Some(ms), false, false) => Some(Wait::Time(Duration::from_millis(ms))),
            (None, true, false) => Some(Wait::Release(Arc::new(watch::channel(()).0))),
            (None, false, true) => None,
            _ => return false,
        };
        let mut state = self.state();
        state
            .rules
            .retain(|rule| rule.path_prefix != order.path_prefix);
        if let Some(wait) = wait {
            state.rules.push(Rule {
                path_prefix: order.path_prefix,
                wait,
            });
        }
        true
    }

    async fn hold(&self, path: &str) {
        let (wait, id) = {
            let mut state = self.state();
            let rule = state
                .rules
                .iter()
                .find(|rule| path.starts_with(&rule.path_prefix));
            let released = match rule.map(|rule| &rule.wait) {
                None => return,
                Some(Wait::Time(time)) => Err(*time),
                Some(Wait::Release(sender)) => Ok(sender.subscribe()),
            };
            let id = state.next_held;
            state.next_held += 1;
            state.held.insert(id, path.to_owned());
            (released, id)
        };
        let _held = Held { hooks: self, id };
        match wait {
            Err(time) => tokio::time::sleep(time).await,
            // Nothing is ever sent: the call ends with an error when the rule is dropped.
            Ok(mut released) => drop(released.changed().await),
        }
    }
}

/// Takes a response off the list of held ones, also when its client gives up.
struct Held<'a> {
    hooks: &'a Hooks,
    id: u64,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.hooks.state().held.remove(&self.id);
    }
}

/// Counts a request, and holds the finished response of a read as ordered. Changes are never held:
/// a test makes one while an answer to an earlier read waits.
pub(crate) async fn observe(
    State(hooks): State<Arc<Hooks>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request
        .uri()
        .path_and_query()
        .map_or("", |path| path.as_str())
        .to_owned();
    let line = format!("{} {path}", request.method());
    *hooks.state().requests.entry(line).or_default() += 1;
    let read = request.method() == Method::GET;
    let response = next.run(request).await;
    if read {
        hooks.hold(&path).await;
    }
    response
}

pub(crate) fn router(hooks: Arc<Hooks>) -> Router {
    Router::new()
        .route("/test/delay", post(delay))
        .route("/test/requests", get(requests))
        .route("/test/reset", post(reset))
        .with_state(hooks)
}

async fn delay(State(hooks): State<Arc<Hooks>>, body: Bytes) -> Response {
    let accepted = serde_json::from_slice(&body).is_ok_and(|order| hooks.order(order));
    if accepted {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let usage = "pathPrefix with one of ms, hold, release\n";
        (StatusCode::BAD_REQUEST, usage).into_response()
    }
}

async fn requests(State(hooks): State<Arc<Hooks>>) -> Json<Value> {
    let state = hooks.state();
    let held: Vec<_> = state.held.values().collect();
    Json(json!({ "requests": state.requests, "held": held }))
}

async fn reset(State(hooks): State<Arc<Hooks>>) -> StatusCode {
    let mut state = hooks.state();
    state.rules.clear();
    state.requests.clear();
    StatusCode::NO_CONTENT
}
