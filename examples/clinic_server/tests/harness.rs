//! A small HTTP client, a client of the hub, and people to ask for.

use crate::{app::HUB_PATH, args::Args, serve::Server};
use clap::Parser as _;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::{collections::HashMap, net::SocketAddr};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{ClientRequestBuilder, Message},
};

/// An answer, headers in lower case.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HashMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// `seq` of the position header.
    pub(super) fn seq(&self) -> u64 {
        let position = self.header("clinicache-position");
        let (_, seq) = position.split_once('.').expect("epoch.seq");
        seq.parse().expect("a number")
    }
}

pub(super) fn args(more: &[&str]) -> Args {
    let base = ["clinic_server", "--port", "0", "--test-hooks"];
    Args::parse_from(base.iter().chain(more))
}

pub(super) async fn start(more: &[&str]) -> Server {
    Server::start(args(more)).await.expect("a server")
}

pub(super) async fn send(to: SocketAddr, head: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(to).await.expect("connected");
    let length = body.len();
    let host = if head.contains("\r\nHost:") {
        String::new()
    } else {
        format!("Host: {to}\r\n")
    };
    let (line, rest) = head.split_once("\r\n").unwrap_or((head, ""));
    let rest = if rest.is_empty() {
        String::new()
    } else {
        format!("{rest}\r\n")
    };
    let request = format!(
        "{line} HTTP/1.1\r\n{host}{rest}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("answered");
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("headers");
    let body = bytes.split_off(end + 4);
    let text = String::from_utf8(bytes).expect("text headers");
    let mut lines = text.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .expect("a status");
    Answer {
        status: status.parse().expect("a number"),
        headers: lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        body,
    }
}

pub(super) async fn get(server: &Server, path: &str) -> Answer {
    send(server.address(), &format!("GET {path}"), "").await
}

/// The first patient of the built-in people.
pub(super) async fn first_patient(server: &Server) -> Value {
    get(server, "/api/fhir/Patient").await.json()["entry"][0]["resource"].clone()
}

pub(super) fn path_of(patient: &Value) -> String {
    format!(
        "/api/fhir/Patient/{}",
        patient["id"].as_str().expect("an id")
    )
}

pub(super) async fn put(server: &Server, patient: &Value) -> Answer {
    let head = format!("PUT {}", path_of(patient));
    send(server.address(), &head, &patient.to_string()).await
}

pub(super) fn renamed(patient: &Value, family: &str) -> Value {
    let mut patient = patient.clone();
    patient["name"] = json!([{ "family": family }]);
    patient
}

/// A client of the hub.
pub(super) struct Listener(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Listener {
    /// Connects and subscribes; gives the position from which the topic is covered.
    pub(super) async fn open(server: &Server, topic: &str) -> (Self, u64) {
        let address = format!("ws://{}{HUB_PATH}", server.address());
        let request = ClientRequestBuilder::new(address.parse().expect("an address"))
            .with_sub_protocol("clinicache.v1");
        let (stream, _) = connect_async(request).await.expect("connected");
        let mut listener = Self(stream);
        listener
            .send(json!({"type": "hello", "v": 1, "client": "test", "device": "test"}))
            .await;
        listener.next("welcome").await;
        listener
            .send(json!({"type": "sub", "rid": 1, "topics": [{"t": topic}]}))
            .await;
        let from = listener.next("sub_ok").await["from"].as_u64();
        (listener, from.expect("a position"))
    }

    pub(super) async fn send(&mut self, frame: Value) {
        let text = Message::text(frame.to_string());
        self.0.send(text).await.expect("sent");
    }

    /// The next frame of a type; others are passed over.
    pub(super) async fn next(&mut self, kind: &str) -> Value {
        loop {
            let message = self.0.next().await.expect("still open").expect("a message");
            let Message::Text(text) = message else {
                continue;
            };
            let frame: Value = serde_json::from_str(&text).expect("JSON");
            if frame["type"] == kind {
                return frame;
            }
        }
    }
}
