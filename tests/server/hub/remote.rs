//! A native client over a real socket.

use crate::support::{PATIENCE, open, serve, until};
use clinicache::{
    ErrorKind,
    kernel::protocol::{ClientFrame, HubFrame, TopicSince, VERSION},
    platform::{LINK_FRAMES_MAX, Link, LinkEvent, Transport},
    server::{Invalidation, Remote},
};
use futures_util::StreamExt;

async fn heard(link: &mut Link) -> Option<LinkEvent> {
    tokio::time::timeout(PATIENCE, link.events.next())
        .await
        .expect("the link says nothing")
}

async fn frame(link: &mut Link) -> HubFrame {
    match heard(link).await {
        Some(LinkEvent::Frame(text)) => serde_json::from_str(&text).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn say(link: &mut Link, frame: &ClientFrame) {
    let text = serde_json::to_string(frame).unwrap();
    link.frames.try_send(text).unwrap();
}

async fn subscribed(remote: &Remote) -> Link {
    let mut link = remote.connect().await.unwrap();
    say(
        &mut link,
        &ClientFrame::Hello {
            v: VERSION,
            client: "test".into(),
            device: "device".into(),
            caps: Vec::new(),
            token: None,
        },
    );
    assert!(matches!(frame(&mut link).await, HubFrame::Welcome { .. }));
    let topics = vec![TopicSince {
        t: "a".into(),
        since: None,
    }];
    say(&mut link, &ClientFrame::Sub { rid: 1, topics });
    assert!(matches!(frame(&mut link).await, HubFrame::SubOk { .. }));
    link
}

#[tokio::test]
async fn a_remote_cache_follows_the_hub_and_hears_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, _store) = open(dir.path()).await;
    let address = serve(&hub).await;
    let remote = Remote::local(&format!("ws://{address}/clinicache")).unwrap();
    let mut link = subscribed(&remote).await;
    hub.publish(Invalidation::tag("a")).await.unwrap();
    let inv = loop {
        match frame(&mut link).await {
            HubFrame::Hb { .. } => {}
            frame => break frame,
        }
    };
    assert!(matches!(inv, HubFrame::Inv { seq: 1, .. }), "{inv:?}");
    hub.shutdown().await;
    let mut last = None;
    while let Some(event) = heard(&mut link).await {
        last = Some(event);
    }
    assert!(
        matches!(&last, Some(LinkEvent::Frame(text)) if text.contains("shutdown")),
        "{last:?}"
    );
}

#[tokio::test]
async fn a_dropped_link_closes_the_socket() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, _store) = open(dir.path()).await;
    let address = serve(&hub).await;
    let remote = Remote::local(&format!("ws://{address}/clinicache")).unwrap();
    let link = subscribed(&remote).await;
    assert_eq!(hub.stats().connections, 1);
    drop(link);
    until(|| hub.stats().connections == 0).await;
}

#[tokio::test]
async fn a_reader_that_does_not_keep_up_is_told_of_the_gap() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, _store) = open(dir.path()).await;
    let address = serve(&hub).await;
    let remote = Remote::local(&format!("ws://{address}/clinicache")).unwrap();
    let mut link = subscribed(&remote).await;
    let publishes = (0..LINK_FRAMES_MAX + 50).map(|_| hub.publish(Invalidation::tag("a")));
    for outcome in futures_util::future::join_all(publishes).await {
        outcome.unwrap();
    }
    until(|| hub.stats().connections == 0).await;
    let mut events = Vec::new();
    while let Some(event) = heard(&mut link).await {
        events.push(event);
    }
    assert_eq!(events.last(), Some(&LinkEvent::Overflow));
    assert!(events.len() <= LINK_FRAMES_MAX + 1);
}

#[tokio::test]
async fn what_cannot_be_reached_is_unavailable_and_what_is_no_url_is_refused() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let remote = Remote::local(&format!("ws://{address}/clinicache")).unwrap();
    let error = remote.connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(!format!("{error}{error:?}").contains("127.0.0.1"));
    for url in [
        "",
        "not a url",
        "http://127.0.0.1/",
        "wss://127.0.0.1/",
        "ws://his.example/",
    ] {
        let error = Remote::local(url).unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::InvalidArgument, Some("url"))
        );
    }
}

#[tokio::test]
async fn the_app_may_bring_its_own_stream() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, _store) = open(dir.path()).await;
    let address = serve(&hub).await;
    let remote = Remote::over("ws://his.example/clinicache", move || {
        Box::pin(async move {
            let stream = tokio::net::TcpStream::connect(address).await?;
            Ok(Box::new(stream) as Box<dyn clinicache::server::ByteStream>)
        })
    })
    .unwrap();
    subscribed(&remote).await;
}
