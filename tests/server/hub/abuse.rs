//! What a socket can be used for that it should not.

use crate::support::{Client, builder, open, serve, until};
use clinicache::{
    kernel::protocol::{HubFrame, SUBPROTOCOL, VERSION},
    platform::Platform,
    server::{Embedded, Invalidation},
    testkit::SimClock,
};
use futures_util::future::join_all;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio_tungstenite::tungstenite::{
    Error as WsError,
    client::IntoClientRequest,
    http::{HeaderValue, StatusCode},
};

fn code(frame: Option<HubFrame>) -> Option<(String, bool)> {
    match frame {
        Some(HubFrame::GoAway {
            code, reconnect, ..
        }) => Some((code, reconnect)),
        _ => None,
    }
}

#[tokio::test]
async fn garbage_closes_with_a_protocol_error() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, _store) = open(dir.path()).await;
    let address = serve(&hub).await;
    for text in [
        "",
        "{",
        "null",
        r#"{"type":"hello"}"#,
        r#"{"type":"dance","v":1}"#,
    ] {
        let mut client = Client::connect(address).await;
        client.say(text).await;
        let (last, close) = client.drain().await;
        assert_eq!(code(last), Some(("protocol".into(), false)), "{text}");
        assert_eq!(close, Some(1002), "{text}");
    }
    let (mut client, _) = Client::greet(address, None).await;
    client.say_bytes(&[0, 1, 2]).await;
    assert_eq!(client.drain().await.1, Some(1002));
}

#[tokio::test]
async fn frames_before_hello_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, _store) = open(dir.path()).await;
    let address = serve(&hub).await;
    let mut client = Client::connect(address).await;
    client.sub([("a", None)].into_iter()).await;
    assert_eq!(client.drain().await.1, Some(1002));
    until(|| hub.stats().connections == 0).await;
}

#[tokio::test]
async fn an_unknown_version_is_told_not_to_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, _store) = open(dir.path()).await;
    let mut client = Client::connect(serve(&hub).await).await;
    client.hello(VERSION + 1, None).await;
    assert_eq!(
        code(client.drain().await.0),
        Some(("version".into(), false))
    );
}

#[tokio::test]
async fn a_frame_beyond_the_limit_ends_the_connection() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, _store) = open(dir.path()).await;
    let (mut client, _) = Client::greet(serve(&hub).await, None).await;
    client.say(&"x".repeat((1 << 20) + 1)).await;
    client.drain().await;
    until(|| hub.stats().connections == 0).await;
}

#[tokio::test]
async fn asking_again_and_again_is_limited() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, _store) = open(dir.path()).await;
    for n in 0..300 {
        let key = Invalidation::key(format!("patient:{n}:{}", "x".repeat(500))).topic("a");
        hub.publish(key).await.unwrap();
    }
    let epoch = hub.position().epoch;
    let (mut client, _) = Client::greet(serve(&hub).await, None).await;
    let (mut bytes, mut answers, mut denials) = (0, 0, 0);
    for _ in 0..100 {
        client.resume(&epoch, 0, &["a"]).await;
    }
    let last = loop {
        match client.try_next().await {
            Ok(HubFrame::SubOk { .. }) => answers += 1,
            Ok(HubFrame::Denied { .. }) => denials += 1,
            Ok(frame @ HubFrame::GoAway { .. }) => break frame,
            Ok(frame) => bytes += serde_json::to_string(&frame).unwrap().len(),
            Err(_) => panic!("closed without a word"),
        }
    };
    assert_eq!(code(Some(last)), Some(("rate".into(), true)));
    assert!(answers < 20, "{answers} full replays");
    assert!(bytes < 4 << 20, "{bytes} bytes");
    assert_eq!(denials, 16);
}

async fn upgrade(address: SocketAddr, headers: &[(&'static str, &str)]) -> Result<(), StatusCode> {
    let mut request = format!("ws://{address}/clinicache")
        .into_client_request()
        .unwrap();
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).unwrap();
        request.headers_mut().insert(*name, value);
    }
    match tokio_tungstenite::connect_async(request).await {
        Ok(_) => Ok(()),
        Err(WsError::Http(response)) => Err(response.status()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_page_of_another_site_may_not_connect() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, store) = open(dir.path()).await;
    let address = serve(&hub).await;
    let protocol = ("sec-websocket-protocol", SUBPROTOCOL);
    let own = format!("http://{address}");
    assert_eq!(upgrade(address, &[protocol]).await, Ok(()));
    assert_eq!(
        upgrade(address, &[protocol, ("origin", &own)]).await,
        Ok(())
    );
    for stranger in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        assert_eq!(
            upgrade(address, &[protocol, ("origin", stranger)]).await,
            Err(StatusCode::FORBIDDEN)
        );
    }
    let hub = builder(&store)
        .origins(|origin| origin == "https://his.example")
        .open()
        .await
        .unwrap();
    let address = serve(&hub).await;
    let his = ("origin", "https://his.example");
    assert_eq!(upgrade(address, &[protocol, his]).await, Ok(()));
    assert_eq!(
        upgrade(address, &[protocol, ("origin", &own)]).await,
        Err(StatusCode::FORBIDDEN)
    );
}

#[tokio::test]
async fn another_subprotocol_is_no_conversation() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, _store) = open(dir.path()).await;
    let address = serve(&hub).await;
    assert_eq!(upgrade(address, &[]).await, Err(StatusCode::BAD_REQUEST));
    assert_eq!(
        upgrade(address, &[("sec-websocket-protocol", "clinicache.v2")]).await,
        Err(StatusCode::BAD_REQUEST)
    );
}

#[tokio::test]
async fn connections_beyond_the_limit_are_turned_away() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let hub = builder(&store).connections_max(1).open().await.unwrap();
    let address = serve(&hub).await;
    let (_held, _) = Client::greet(address, None).await;
    let mut second = Client::connect(address).await;
    assert_eq!(second.drain().await.1, Some(1013));
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let clock = SimClock::new();
    let hub = builder(&store)
        .heartbeat(Duration::from_secs(10))
        .platform(Platform {
            clock: Arc::new(clock.clone()),
            ..Platform::system()
        })
        .open()
        .await
        .unwrap();
    let address = serve(&hub).await;
    let (silent, _) = Client::greet(address, None).await;
    let (mut lively, _) = Client::greet(address, None).await;
    // Pongs are sent while reading: the silent client does not read.
    let mut beats = 0;
    while hub.stats().connections > 1 {
        clock.advance(10_000);
        assert!(matches!(lively.next().await, HubFrame::Hb { .. }));
        beats += 1;
        assert!(beats < 20, "it is still there");
    }
    assert!(beats > 3, "it was let go too soon");
    drop(silent);
}

#[tokio::test]
async fn a_socket_that_is_never_read_is_cut_off_and_holds_nobody_up() {
    const RECORDS: u64 = 600;
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let clock = SimClock::new();
    let hub = builder(&store)
        .heartbeat(Duration::from_secs(120))
        .platform(Platform {
            clock: Arc::new(clock.clone()),
            ..Platform::system()
        })
        .open()
        .await
        .unwrap();
    let address = serve(&hub).await;
    let (deaf, _, _) = Client::subscribed(address, &["a"]).await;
    let (mut keen, _, _) = Client::subscribed(address, &["a"]).await;
    // More than the buffers of a socket take, and no two records say the same.
    let filler = "x".repeat(2_000);
    let publishing = async {
        let publish = |n: u64| {
            let keys = (0..7).map(|k| format!("patient:{n}:{k}:{filler}"));
            hub.publish(keys.fold(Invalidation::tag("a"), Invalidation::and_key))
        };
        for published in join_all((0..RECORDS).map(publish)).await {
            published.unwrap();
        }
    };
    let reading = async {
        let mut told = 0;
        while told < RECORDS {
            if let HubFrame::Inv { .. } = keen.next().await {
                told += 1;
            }
        }
    };
    tokio::join!(publishing, reading);
    assert_eq!(hub.stats().connections, 2);
    // The keen one answers pings while it waits for heartbeats; the deaf one takes nothing.
    until(|| {
        clock.advance(10_000);
        hub.stats().connections < 2
    })
    .await;
    assert!(hub.stats().frames < 2 * RECORDS, "somebody keeps it all");
    drop(deaf);
}
