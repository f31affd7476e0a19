//! HTTP: the WebSocket, and the pull of the same frames.

use super::{
    authorise::Refusal,
    connection::{Caller, Incoming, Pipe, serve},
    shared::Shared,
};
use crate::kernel::{
    invalidate::{
        Position,
        hub_log::{CloseCode, Moment, Out, Peer, View},
    },
    protocol::{ClientFrame, FRAME_BYTES_MAX, SUBPROTOCOL, TopicSince, VERSION},
};
use axum::{
    Router,
    body::Bytes,
    extract::{
        DefaultBodyLimit, State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use std::sync::Arc;

/// tungstenite would allocate 128 KiB for each connection.
const READ_BUFFER_BYTES: usize = 4 << 10;
/// Bytes that wait for one system call.
const WRITE_BUFFER_BYTES: usize = 16 << 10;

/// The routes of a hub.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/clinicache", get(socket))
        .route("/clinicache/inv", post(pull))
        .layer(DefaultBodyLimit::max(FRAME_BYTES_MAX))
        .with_state(shared)
}

async fn socket(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !origin_allowed(&shared, &headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let upgrade = upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(WRITE_BUFFER_BYTES + 2 * FRAME_BYTES_MAX)
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX);
    if upgrade.selected_protocol().is_none() {
        return StatusCode::BAD_REQUEST.into_response();
    }
    upgrade.on_upgrade(move |socket| serve(shared, Socket(socket), Caller::Stranger))
}

/// A browser tells which page asks. Unless the app decides, only pages of this very host may:
/// a stranger's page must not speak in its visitor's name. Programs send no origin.
fn origin_allowed(shared: &Shared, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    if let Some(allowed) = &shared.origins {
        return allowed(origin);
    }
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let asked = origin.split_once("://").map(|(_, host)| host);
    host.is_some() && asked == host
}

struct Socket(WebSocket);

impl Pipe for Socket {
    async fn receive(&mut self) -> Incoming {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => Incoming::Text(text.as_str().to_owned()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Incoming::Alive,
            Some(Ok(Message::Binary(_))) => Incoming::Garbage,
            Some(Ok(Message::Close(_)) | Err(_)) | None => Incoming::Closed,
        }
    }

    async fn send(&mut self, frames: Vec<String>) -> bool {
        for frame in frames {
            if self.0.feed(Message::Text(frame.into())).await.is_err() {
                return false;
            }
        }
        self.0.flush().await.is_ok()
    }

    async fn ping(&mut self) -> bool {
        self.0.send(Message::Ping(Bytes::new())).await.is_ok()
    }

    fn pings(&self) -> bool {
        true
    }

    async fn close(&mut self, code: CloseCode) {
        let frame = CloseFrame {
            code: code.number(),
            reason: "".into(),
        };
        // Whether it arrives does not matter: the socket closes with this.
        let _ = self.0.send(Message::Close(Some(frame))).await;
    }
}

/// A pull: what a client would say on a socket, at once.
#[derive(Deserialize)]
struct Pull {
    v: u32,
    #[serde(default)]
    client: String,
    #[serde(default)]
    device: String,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    resume: Option<Position>,
    #[serde(default)]
    topics: Vec<TopicSince>,
}

/// Answers `{"frames": […]}` with the frames that a socket would have carried: `welcome`, then
/// the answer to a `resume` of all topics when the request has a position, else to a `sub`.
async fn pull(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    if !origin_allowed(&shared, &headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let Ok(pull) = serde_json::from_slice::<Pull>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if pull.v != VERSION {
        return StatusCode::NOT_IMPLEMENTED.into_response();
    }
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
        .map(str::to_owned);
    let asked = shared.policy.authenticate(pull.token.clone().or(bearer));
    let grant = tokio::select! {
        grant = asked => grant,
        () = shared.platform.clock.sleep(shared.config.hello_ms) => Err(Refusal::Unavailable),
    };
    let grant = match grant {
        Ok(grant) => grant,
        Err(Refusal::Denied) => return StatusCode::UNAUTHORIZED.into_response(),
        Err(Refusal::Unavailable) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    let now = Moment {
        mono_ms: shared.platform.clock.mono_ms(),
        wall_ms: shared.platform.clock.wall_ms(),
    };
    if grant
        .ends_ms()
        .is_some_and(|ends_ms| ends_ms <= now.wall_ms)
    {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if !shared.admits(grant.subject()) {
        return StatusCode::TOO_MANY_REQUESTS.into_response();
    }
    let frames = answer(&shared, pull, now, &|topic| {
        shared.policy.allows(&grant, topic)
    });
    let body = format!(r#"{{"frames":[{}]}}"#, frames.join(","));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn answer(shared: &Shared, pull: Pull, now: Moment, allows: &dyn Fn(&str) -> bool) -> Vec<String> {
    let log = shared.log();
    let view = View {
        log: &log,
        allows,
        now,
    };
    let mut peer = Peer::new(shared.config.peer, String::new(), now.mono_ms);
    let hello = ClientFrame::Hello {
        v: pull.v,
        client: pull.client,
        device: pull.device,
        caps: Vec::new(),
        token: None,
    };
    let ask = match pull.resume {
        Some(Position { epoch, seq, .. }) => ClientFrame::Resume {
            rid: 1,
            epoch,
            seq,
            topics: pull.topics.into_iter().map(|topic| topic.t).collect(),
        },
        None => ClientFrame::Sub {
            rid: 1,
            topics: pull.topics,
        },
    };
    let mut out = Vec::new();
    for frame in [hello, ask] {
        if let Ok(text) = serde_json::to_string(&frame) {
            peer.on_text(&text, view, &mut out);
            peer.authenticated(view, &mut out);
        }
    }
    let frame = |out| match out {
        Out::Send(frame) => Some(frame),
        _ => None,
    };
    out.into_iter().filter_map(frame).collect()
}
