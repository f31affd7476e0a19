//! Links to a hub on another machine, over WebSocket.

use crate::{
    error::{Error, ErrorKind, Result},
    kernel::protocol::{FRAME_BYTES_MAX, SUBPROTOCOL},
    platform::{BoxFuture, LINK_FRAMES_MAX, Link, LinkSink, LinkState, Transport},
};
use futures_channel::mpsc;
use futures_util::{SinkExt, StreamExt};
use std::{fmt, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        http::{HeaderValue, Request, header},
        protocol::WebSocketConfig,
    },
};

/// tungstenite would allocate 128 KiB for each connection.
const READ_BUFFER_BYTES: usize = 4 << 10;
/// How long connecting may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A byte stream to a hub.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for T {}

type Dial = Arc<dyn Fn() -> BoxFuture<'static, std::io::Result<Box<dyn ByteStream>>> + Send + Sync>;

/// Links to a remote hub, for a cache on a server. Needs a tokio runtime.
#[derive(Clone)]
pub struct Remote {
    request: Request<()>,
    dial: Dial,
}

impl Remote {
    /// A hub on this machine by its URL, such as `ws://127.0.0.1:8787/clinicache`: the hub
    /// itself, or a proxy that speaks TLS to it. Tokens and names travel in the frames, so a
    /// hub elsewhere needs [`over`](Self::over) with an encrypted stream.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) when the URL is none, is not `ws`, or
    /// names another machine.
    pub fn local(url: &str) -> Result<Self> {
        let request = request(url)?;
        let uri = request.uri();
        let host = uri.host().unwrap_or_default();
        if uri.scheme_str() != Some("ws") || !matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
            return Err(Error::invalid("url", "must be `ws` on this machine"));
        }
        let address = format!("{host}:{}", uri.port_u16().unwrap_or(80));
        Ok(Self {
            request,
            dial: Arc::new(move || {
                let address = address.clone();
                Box::pin(async move {
                    let stream = TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    Ok(Box::new(stream) as Box<dyn ByteStream>)
                })
            }),
        })
    }

    /// A hub over a byte stream that the app opens, such as a TLS connection. The URL gives the
    /// host and path of the request; it is `ws` or `wss`.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) when the URL is none.
    pub fn over<F>(url: &str, dial: F) -> Result<Self>
    where
        F: Fn() -> BoxFuture<'static, std::io::Result<Box<dyn ByteStream>>> + Send + Sync + 'static,
    {
        Ok(Self {
            request: request(url)?,
            dial: Arc::new(dial),
        })
    }
}

fn request(url: &str) -> Result<Request<()>> {
    let bad = |_| Error::invalid("url", "must be a WebSocket URL");
    let mut request = url.into_client_request().map_err(bad)?;
    request.headers_mut().insert(
        header::SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(SUBPROTOCOL),
    );
    Ok(request)
}

impl Transport for Remote {
    fn connect(&self) -> BoxFuture<'static, Result<Link>> {
        let (request, dial) = (self.request.clone(), Arc::clone(&self.dial));
        Box::pin(async move {
            let opening = async {
                let stream = dial().await.ok()?;
                let config = WebSocketConfig::default()
                    .read_buffer_size(READ_BUFFER_BYTES)
                    .write_buffer_size(0)
                    .max_write_buffer_size(2 * FRAME_BYTES_MAX)
                    .max_message_size(Some(FRAME_BYTES_MAX))
                    .max_frame_size(Some(FRAME_BYTES_MAX));
                client_async_with_config(request, stream, Some(config))
                    .await
                    .ok()
            };
            // Why it failed may name hosts and paths: it stays here.
            let opened = tokio::time::timeout(CONNECT_MAX, opening).await;
            let (socket, _) = opened
                .ok()
                .flatten()
                .ok_or_else(|| Error::new(ErrorKind::Unavailable, "the hub cannot be reached"))?;
            let (frames, outgoing) = mpsc::channel(LINK_FRAMES_MAX);
            let (sink, events) = LinkSink::channel();
            drop(tokio::spawn(carry(socket, outgoing, sink)));
            Ok(Link { frames, events })
        })
    }
}

/// Owns the socket until either side is done.
async fn carry(
    socket: WebSocketStream<Box<dyn ByteStream>>,
    mut outgoing: mpsc::Receiver<String>,
    mut sink: LinkSink,
) {
    let (mut writer, mut reader) = socket.split();
    let write = async {
        while let Some(frame) = outgoing.next().await {
            if writer.send(Message::text(frame)).await.is_err() {
                return;
            }
        }
    };
    let read = async {
        while let Some(Ok(message)) = reader.next().await {
            match message {
                Message::Text(text) if sink.push(text.as_str().to_owned()) == LinkState::Open => {}
                Message::Text(_) | Message::Binary(_) | Message::Close(_) => return,
                // Pings are answered by the reader itself.
                _ => {}
            }
        }
    };
    tokio::select! {
        () = write => {}
        () = read => {}
    }
    // The reader learns of the end before the socket has closed politely.
    drop(sink);
    let _ = tokio::time::timeout(CONNECT_MAX, writer.close()).await;
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remote")
    }
}
