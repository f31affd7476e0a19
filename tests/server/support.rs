//! A hub on a loopback socket, and a client that speaks frames.

use clinicache::{
    kernel::{
        crypto::{KeyRing, Place, Secret},
        invalidate::Epoch,
        protocol::{ClientFrame, HubFrame, SUBPROTOCOL, TopicSince, VERSION},
    },
    server::{AllowEveryone, Embedded, Hub, HubBuilder},
};
use futures_util::{SinkExt, StreamExt};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue, protocol::CloseFrame},
};

/// Longer than anything here takes: a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The keys of a test hub.
pub(crate) fn keys(seed: u8) -> Arc<KeyRing> {
    let place = Place {
        tenant: String::new(),
        user: "*".into(),
        device: "test".into(),
        database: "hub".into(),
    };
    Arc::new(KeyRing::new(&Secret::new([seed; 32]), &place, 1).unwrap())
}

/// A hub's description with everything that it needs.
pub(crate) fn builder(store: &Embedded) -> HubBuilder {
    Hub::builder()
        .store(store.clone())
        .keys(keys(1))
        .authorise(AllowEveryone)
        .heartbeat(Duration::from_secs(1))
}

/// A hub over a folder.
pub(crate) async fn open(dir: &Path) -> (Hub, Embedded) {
    let store = Embedded::open(dir).unwrap();
    (builder(&store).open().await.unwrap(), store)
}

/// Serves a hub on a free port of the loopback interface, until the test's runtime ends.
pub(crate) async fn serve(hub: &Hub) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = hub.router();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Waits for something that happens by itself, and fails when it does not.
pub(crate) async fn until(mut happened: impl FnMut() -> bool) {
    let polling = async {
        while !happened() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, polling)
        .await
        .expect("it does not happen");
}

/// One WebSocket to a hub.
pub(crate) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    rid: u64,
}

impl Client {
    /// Connects and says nothing.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut request = format!("ws://{address}/clinicache")
            .into_client_request()
            .unwrap();
        request.headers_mut().insert(
            "Sec-WebSocket-Protocol",
            HeaderValue::from_static(SUBPROTOCOL),
        );
        let (socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        Self { socket, rid: 0 }
    }

    /// Connects and greets; the welcome comes back.
    pub(crate) async fn greet(address: SocketAddr, token: Option<&str>) -> (Self, HubFrame) {
        let mut client = Self::connect(address).await;
        client.hello(VERSION, token).await;
        let welcome = client.next().await;
        (client, welcome)
    }

    /// Connects, greets and subscribes from now on.
    pub(crate) async fn subscribed(address: SocketAddr, topics: &[&str]) -> (Self, Epoch, u64) {
        let (mut client, welcome) = Self::greet(address, None).await;
        let HubFrame::Welcome { epoch, head, .. } = welcome else {
            panic!("{welcome:?}");
        };
        let topics = topics.iter().map(|topic| (*topic, None));
        client.sub(topics).await;
        let answer = client.next().await;
        assert!(matches!(answer, HubFrame::SubOk { .. }), "{answer:?}");
        (client, epoch, head)
    }

    pub(crate) async fn hello(&mut self, v: u32, token: Option<&str>) {
        self.send(&ClientFrame::Hello {
            v,
            client: "test".into(),
            device: "device".into(),
            caps: Vec::new(),
            token: token.map(str::to_owned),
        })
        .await;
    }

    pub(crate) async fn sub<'a>(&mut self, topics: impl Iterator<Item = (&'a str, Option<u64>)>) {
        self.rid += 1;
        let topics = topics
            .map(|(t, since)| TopicSince { t: t.into(), since })
            .collect();
        self.send(&ClientFrame::Sub {
            rid: self.rid,
            topics,
        })
        .await;
    }

    pub(crate) async fn resume(&mut self, epoch: &Epoch, seq: u64, topics: &[&str]) {
        self.rid += 1;
        self.send(&ClientFrame::Resume {
            rid: self.rid,
            epoch: epoch.clone(),
            seq,
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
        })
        .await;
    }

    pub(crate) async fn send(&mut self, frame: &ClientFrame) {
        self.say(&serde_json::to_string(frame).unwrap()).await;
    }

    /// Sends any text.
    pub(crate) async fn say(&mut self, text: &str) {
        self.socket.send(Message::Text(text.into())).await.unwrap();
    }

    pub(crate) async fn say_bytes(&mut self, bytes: &[u8]) {
        let bytes = bytes.to_vec();
        self.socket
            .send(Message::Binary(bytes.into()))
            .await
            .unwrap();
    }

    /// The next frame.
    pub(crate) async fn next(&mut self) -> HubFrame {
        self.try_next().await.expect("the connection ended")
    }

    /// The next frame that is no heartbeat without news.
    pub(crate) async fn next_news(&mut self) -> HubFrame {
        loop {
            match self.next().await {
                HubFrame::Hb { prev, upto, .. } if prev == upto => {}
                frame => return frame,
            }
        }
    }

    /// Every frame up to and including the answer to a request.
    pub(crate) async fn until_answer(&mut self) -> Vec<HubFrame> {
        let mut frames = Vec::new();
        loop {
            let frame = self.next_news().await;
            let last = matches!(frame, HubFrame::SubOk { .. } | HubFrame::Denied { .. });
            frames.push(frame);
            if last {
                return frames;
            }
        }
    }

    pub(crate) async fn try_next(&mut self) -> Result<HubFrame, Option<CloseFrame>> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next())
                .await
                .expect("the hub says nothing");
            match message {
                Some(Ok(Message::Text(text))) => {
                    return Ok(serde_json::from_str(text.as_str()).expect("an unknown frame"));
                }
                Some(Ok(Message::Close(frame))) => return Err(frame),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// Reads to the end; gives the last frame and the close code.
    pub(crate) async fn drain(&mut self) -> (Option<HubFrame>, Option<u16>) {
        let mut last = None;
        loop {
            match self.try_next().await {
                Ok(frame) => last = Some(frame),
                Err(close) => return (last, close.map(|close| close.code.into())),
            }
        }
    }
}
