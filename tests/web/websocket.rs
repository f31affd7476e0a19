//! Links over WebSocket.

use crate::support::{Replaced, eval, fast_timers, within};
use clinicache::{
    ErrorKind, Result,
    browser::WebSocketTransport,
    kernel::protocol::FRAME_BYTES_MAX,
    platform::{Clock, LINK_FRAMES_MAX, Link, LinkEvent, SystemClock, Transport},
};
use futures_util::{FutureExt, StreamExt, future::join};
use wasm_bindgen_test::wasm_bindgen_test;

/// A hub side that does what a test says, in place of the browser's WebSocket.
struct FakeHub(#[expect(dead_code, reason = "its drop brings the original back")] Replaced);

impl FakeHub {
    async fn install() -> Self {
        let class = eval(
            r#"return class extends EventTarget {
                static OPEN = 1;
                constructor(url, protocol) {
                    super();
                    Object.assign(this, { url, protocol, readyState: 0, bufferedAmount: 0 });
                    this.sent = [];
                    globalThis.socket = this;
                }
                send(text) { this.sent.push(text); }
                close(code) {
                    if (code !== 1000 && !(code >= 3000 && code < 5000)) throw new Error("code");
                    if (this.readyState < 2) this.closed = code;
                    this.end();
                }
                accept() { this.readyState = 1; this.dispatchEvent(new Event("open")); }
                end() { this.readyState = 3; this.dispatchEvent(new Event("close")); }
                say(data) { this.dispatchEvent(new MessageEvent("message", { data })); }
            };"#,
        )
        .await;
        Self(Replaced::new(js_sys::global().into(), "WebSocket", &class))
    }

    /// Connects while the hub does `on_connect`.
    async fn connect(&self, on_connect: &str) -> Result<Link> {
        let transport = WebSocketTransport::new("wss://his.example/hub").unwrap();
        let hub = async {
            // The socket is made at the first poll of the other future.
            SystemClock.sleep(0).await;
            eval(on_connect).await
        };
        within(5_000, join(transport.connect(), hub)).await.0
    }

    async fn link(&self) -> Link {
        self.connect("socket.accept()").await.unwrap()
    }

    async fn closed_with(&self) -> Option<f64> {
        SystemClock.sleep(20).await;
        eval("return socket.closed").await.as_f64()
    }
}

async fn rest(link: Link) -> Vec<LinkEvent> {
    let Link { frames, events } = link;
    let rest = within(2_000, events.collect()).await;
    drop(frames);
    rest
}

fn frame(text: &str) -> LinkEvent {
    LinkEvent::Frame(text.to_owned())
}

#[wasm_bindgen_test]
async fn frames_travel_both_ways_in_order() {
    let hub = FakeHub::install().await;
    let mut link = hub.link().await;
    for text in ["a", "b"] {
        link.frames.try_send(text.to_owned()).unwrap();
    }
    SystemClock.sleep(20).await;
    let sent = eval("return socket.sent.join() + ' ' + socket.protocol").await;
    assert_eq!(sent.as_string().as_deref(), Some("a,b clinicache.v1"));
    eval("socket.say('c'); socket.say('d'); socket.end();").await;
    assert_eq!(rest(link).await, [frame("c"), frame("d")]);
}

#[wasm_bindgen_test]
async fn frames_that_come_with_the_opening_are_not_lost() {
    let hub = FakeHub::install().await;
    let mut link = hub
        .connect("socket.accept(); socket.say('early')")
        .await
        .unwrap();
    let first = within(2_000, link.events.next()).await;
    assert_eq!(first, Some(frame("early")));
}

#[wasm_bindgen_test]
async fn dropping_the_link_closes_the_socket() {
    let hub = FakeHub::install().await;
    drop(hub.link().await);
    assert_eq!(hub.closed_with().await, Some(1000.0));
}

#[wasm_bindgen_test]
async fn giving_up_a_connect_closes_the_socket() {
    let hub = FakeHub::install().await;
    let transport = WebSocketTransport::new("wss://his.example/hub").unwrap();
    assert!(transport.connect().now_or_never().is_none());
    assert_eq!(hub.closed_with().await, Some(1000.0));
}

#[wasm_bindgen_test]
async fn a_hub_that_hangs_up_before_it_accepts_is_unavailable() {
    let hub = FakeHub::install().await;
    let error = hub.connect("socket.end()").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[wasm_bindgen_test]
async fn a_hub_that_never_accepts_runs_into_the_time_out() {
    let hub = FakeHub::install().await;
    let transport = WebSocketTransport::new("wss://his.example/hub").unwrap();
    let error = {
        let _fast = fast_timers();
        transport.connect().await.unwrap_err()
    };
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(hub.closed_with().await, Some(1000.0));
}

#[wasm_bindgen_test]
async fn a_hub_of_another_protocol_is_incompatible() {
    let hub = FakeHub::install().await;
    let error = hub
        .connect("socket.protocol = ''; socket.accept()")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert_eq!(hub.closed_with().await, Some(1000.0));
}

#[wasm_bindgen_test]
async fn a_binary_frame_ends_the_link() {
    let hub = FakeHub::install().await;
    let link = hub.link().await;
    eval("socket.say('a'); socket.say(new ArrayBuffer(1)); socket.say('b');").await;
    assert_eq!(rest(link).await, [frame("a")]);
    assert_eq!(hub.closed_with().await, Some(4003.0));
}

#[wasm_bindgen_test]
async fn a_frame_past_the_limit_ends_the_link_either_way() {
    let hub = FakeHub::install().await;
    for text in ["'x'.repeat(limit + 1)", "'\u{20ac}'.repeat(limit / 3 + 1)"] {
        let link = hub.link().await;
        let body = format!("const limit = {FRAME_BYTES_MAX}; socket.say({text});");
        eval(&body).await;
        assert_eq!(rest(link).await, []);
        assert_eq!(hub.closed_with().await, Some(4009.0));
    }
    let mut link = hub.link().await;
    let long = "x".repeat(FRAME_BYTES_MAX + 1);
    link.frames.try_send(long).unwrap();
    assert_eq!(hub.closed_with().await, Some(4009.0));
    assert_eq!(eval("return socket.sent.length").await.as_f64(), Some(0.0));
}

#[wasm_bindgen_test]
async fn a_flood_overflows_visibly_and_ends_the_link() {
    let hub = FakeHub::install().await;
    let link = hub.link().await;
    eval("for (let n = 0; n < 1000; n++) socket.say('x');").await;
    let events = rest(link).await;
    assert_eq!(events.len(), LINK_FRAMES_MAX + 1);
    assert_eq!(events.last(), Some(&LinkEvent::Overflow));
    assert_eq!(hub.closed_with().await, Some(4008.0));
}

#[wasm_bindgen_test]
async fn a_full_socket_holds_frames_back() {
    let hub = FakeHub::install().await;
    let mut link = hub.link().await;
    eval("socket.bufferedAmount = 1 << 30;").await;
    for text in ["a", "b"] {
        link.frames.try_send(text.to_owned()).unwrap();
    }
    SystemClock.sleep(60).await;
    let sent = eval("return socket.sent.join()").await;
    assert_eq!(sent.as_string().as_deref(), Some("a"));
    eval("socket.bufferedAmount = 0;").await;
    SystemClock.sleep(60).await;
    let sent = eval("return socket.sent.join()").await;
    assert_eq!(sent.as_string().as_deref(), Some("a,b"));
}

#[wasm_bindgen_test]
async fn a_hub_that_is_not_there_is_unavailable() {
    // The discard port: nothing listens.
    let transport = WebSocketTransport::new("ws://127.0.0.1:9/hub").unwrap();
    let error = within(15_000, transport.connect()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[wasm_bindgen_test]
fn a_url_that_would_travel_in_the_clear_is_refused_by_name() {
    for url in [
        "ws://his.example/hub",
        "ws://127.0.0.1.evil.example/hub",
        "ws://localhost@evil.example/hub",
        "ws://localhost.evil.example/",
        "ws:\\\\evil.example",
        "http://localhost/hub",
        "https://his.example/hub",
        "wss://user:password@his.example/hub",
        "wss://his.example/hub#fragment",
        "/hub",
        "",
    ] {
        let error = WebSocketTransport::new(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{url}");
        assert_eq!(error.field(), Some("hub.url"));
        assert!(url.is_empty() || !error.to_string().contains(url));
    }
}

#[wasm_bindgen_test]
fn a_sealed_url_and_this_machine_are_accepted() {
    for url in [
        "wss://his.example/hub",
        "ws://localhost:8080/hub",
        "ws://app.localhost/hub",
        "ws://127.0.0.1:8080/hub",
        "ws://127.1/hub",
        "ws://[::1]:8080/hub",
    ] {
        assert!(WebSocketTransport::new(url).is_ok(), "{url}");
    }
}
