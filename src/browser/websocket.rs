//! WebSocket as a link to a hub.

use super::js::{self, FirstEvent, Listener};
use crate::{
    error::{Error, ErrorKind, Result},
    kernel::protocol::{FRAME_BYTES_MAX, SUBPROTOCOL},
    platform::{
        BoxFuture, Clock, LINK_FRAMES_MAX, Link, LinkSink, LinkState, SystemClock, Transport,
    },
};
use futures_channel::{mpsc, oneshot};
use futures_util::{
    StreamExt,
    future::{Either, select},
};
use js_sys::JsString;
use std::{cell::RefCell, fmt, rc::Rc};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::{BinaryType, MessageEvent, Url, WebSocket};

/// How long a hub may take to accept a connection.
const CONNECT_MS: u64 = 10_000;
/// Bytes that may wait in the socket before frames wait in the link.
const UNSENT_BYTES_MAX: u32 = 1 << 20;
/// How often a full socket is looked at again.
const UNSENT_POLL_MS: u64 = 20;

/// The hub spoke in binary frames, which the protocol does not have. Scripts may only close with
/// codes from 3000 on, so the standard's 1003 and 1009 are out of reach.
const CLOSE_BINARY: u16 = 4003;
/// A frame was longer than the protocol allows.
const CLOSE_TOO_LONG: u16 = 4009;
/// This side could not keep up.
const CLOSE_OVERFLOW: u16 = 4008;
const CLOSE_NORMAL: u16 = 1000;

/// Opens WebSocket links to one hub.
pub struct WebSocketTransport {
    url: String,
}

impl WebSocketTransport {
    /// A transport to the hub at `url`: `wss:`, or `ws:` on this machine alone, for development.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument), field `hub.url`, for any other URL and
    /// for one that carries credentials or a fragment.
    pub fn new(url: &str) -> Result<Self> {
        check_url(url)?;
        Ok(Self {
            url: url.to_owned(),
        })
    }
}

impl Transport for WebSocketTransport {
    fn connect(&self) -> BoxFuture<'static, Result<Link>> {
        let url = self.url.clone();
        Box::pin(async move {
            js::global("WebSocket").ok_or_else(unreachable_hub)?;
            let socket =
                WebSocket::new_with_str(&url, SUBPROTOCOL).map_err(|_| unreachable_hub())?;
            let mut socket = Socket::new(socket);
            socket.opened().await?;
            let (frames, to_send) = mpsc::channel(LINK_FRAMES_MAX);
            let (sink, events) = LinkSink::channel();
            spawn_local(socket.carry(to_send, sink));
            Ok(Link { frames, events })
        })
    }
}

fn unreachable_hub() -> Error {
    Error::new(ErrorKind::Unavailable, "the hub cannot be reached")
}

/// Parsed by the browser, so that what is checked is what is connected to.
fn check_url(url: &str) -> Result<()> {
    let invalid = |detail| Error::invalid("hub.url", detail);
    let url = Url::new(url).map_err(|_| invalid("must be an absolute URL"))?;
    match url.protocol().as_str() {
        "wss:" => {}
        "ws:" if is_loopback(&url.hostname()) => {}
        "ws:" => return Err(invalid("must be wss: except on this machine")),
        _ => return Err(invalid("must be a wss: URL")),
    }
    if !url.username().is_empty() || !url.password().is_empty() {
        return Err(invalid(
            "must hold no credentials: the token is sent in the first frame",
        ));
    }
    if !url.hash().is_empty() {
        return Err(invalid("must have no fragment"));
    }
    Ok(())
}

/// The URL parser has already turned every spelling of an address into the canonical one.
fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host == "[::1]"
        || host
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Owns a socket and its listeners; closes it when dropped.
struct Socket {
    socket: WebSocket,
    incoming: Rc<RefCell<Incoming>>,
    ended: oneshot::Receiver<()>,
    code: u16,
    _listeners: [Listener; 2],
}

/// Frames that arrive before the link is handed out, and where they go afterwards.
struct Incoming {
    sink: Option<LinkSink>,
    early: Vec<String>,
    ended: Option<oneshot::Sender<()>>,
    code: u16,
}

impl Incoming {
    /// Ends the link for the reader; the first reason is the one that counts.
    fn end(&mut self, code: u16) {
        if self.ended.take().is_some() {
            self.code = code;
        }
        self.sink = None;
    }

    fn frame(&mut self, frame: String) {
        match &mut self.sink {
            // What comes after the end is read by nobody.
            None if self.ended.is_none() => {}
            None if self.early.len() < LINK_FRAMES_MAX => self.early.push(frame),
            None => self.end(CLOSE_OVERFLOW),
            Some(sink) => {
                if sink.push(frame) == LinkState::Ended {
                    self.end(CLOSE_OVERFLOW);
                }
            }
        }
    }
}

impl Socket {
    fn new(socket: WebSocket) -> Self {
        socket.set_binary_type(BinaryType::Arraybuffer);
        let (end, ended) = oneshot::channel();
        let incoming = Rc::new(RefCell::new(Incoming {
            sink: None,
            early: Vec::new(),
            ended: Some(end),
            code: CLOSE_NORMAL,
        }));
        let heard = Rc::clone(&incoming);
        let messages = Listener::new(&socket, &["message"], move |event| {
            let Some(event) = event.dyn_ref::<MessageEvent>() else {
                return;
            };
            let mut incoming = heard.borrow_mut();
            match event.data().dyn_into::<JsString>() {
                // Checked before the copy: a string holds at most three bytes per unit.
                Ok(text) if text.length() as usize > FRAME_BYTES_MAX => {
                    incoming.end(CLOSE_TOO_LONG);
                }
                Ok(text) => {
                    let text = String::from(text);
                    if text.len() > FRAME_BYTES_MAX {
                        incoming.end(CLOSE_TOO_LONG);
                    } else {
                        incoming.frame(text);
                    }
                }
                Err(_) => incoming.end(CLOSE_BINARY),
            }
        });
        let heard = Rc::clone(&incoming);
        let ends = Listener::new(&socket, &["close", "error"], move |_| {
            heard.borrow_mut().end(CLOSE_NORMAL);
        });
        Self {
            socket,
            incoming,
            ended,
            code: CLOSE_NORMAL,
            _listeners: [messages, ends],
        }
    }

    /// Waits until frames can be sent.
    async fn opened(&mut self) -> Result<()> {
        let open = FirstEvent::of(&self.socket, &["open"]);
        let ended = &mut self.ended;
        let race = select(select(open, ended), SystemClock.sleep(CONNECT_MS)).await;
        match race {
            Either::Left((Either::Left(_), _)) => {}
            Either::Left((Either::Right(_), _)) => return Err(unreachable_hub()),
            Either::Right(_) => {
                return Err(Error::new(
                    ErrorKind::Timeout,
                    "the hub did not answer in time",
                ));
            }
        }
        if self.socket.protocol() != SUBPROTOCOL {
            return Err(Error::new(
                ErrorKind::Incompatible,
                "the hub does not speak this protocol",
            ));
        }
        Ok(())
    }

    /// Carries frames until either side ends, then closes the socket.
    async fn carry(mut self, mut to_send: mpsc::Receiver<String>, sink: LinkSink) {
        {
            let mut incoming = self.incoming.borrow_mut();
            incoming.sink = Some(sink);
            for frame in std::mem::take(&mut incoming.early) {
                incoming.frame(frame);
            }
            if incoming.ended.is_none() {
                incoming.sink = None;
            }
        }
        loop {
            let next = select(to_send.next(), &mut self.ended).await;
            let Either::Left((Some(frame), _)) = next else {
                break;
            };
            if frame.len() > FRAME_BYTES_MAX {
                self.incoming.borrow_mut().end(CLOSE_TOO_LONG);
                break;
            }
            if self.socket.send_with_str(&frame).is_err() {
                break;
            }
            // The browser buffers without bound, the link does not.
            while self.socket.buffered_amount() > UNSENT_BYTES_MAX
                && self.socket.ready_state() == WebSocket::OPEN
            {
                SystemClock.sleep(UNSENT_POLL_MS).await;
            }
        }
        self.code = self.incoming.borrow().code;
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Closing a closed socket does nothing; closing one that connects gives up.
        let _ = self.socket.close_with_code(self.code);
    }
}

impl fmt::Debug for WebSocketTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebSocketTransport")
    }
}
