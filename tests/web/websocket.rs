//! Links over WebSocket.

use crate::support::within;
use clinicache::{ErrorKind, browser::WebSocketTransport, platform::Transport};
use wasm_bindgen_test::wasm_bindgen_test;

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
