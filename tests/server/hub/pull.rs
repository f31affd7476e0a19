//! The same frames by one HTTP request.

use crate::support::{open, serve};
use clinicache::{kernel::protocol::HubFrame, server::Invalidation};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn post(address: SocketAddr, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST /clinicache/inv HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let (headers, body) = answer.split_once("\r\n\r\n").unwrap();
    if status == 200 {
        assert!(headers.contains("cache-control: no-store"), "{headers}");
    }
    (status, body.to_owned())
}

fn frames(body: &str) -> Vec<HubFrame> {
    let value: serde_json::Value = serde_json::from_str(body).unwrap();
    serde_json::from_value(value["frames"].clone()).unwrap()
}

#[tokio::test]
async fn a_pull_carries_the_frames_of_a_socket() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, _store) = open(dir.path()).await;
    for tag in ["a", "b", "a"] {
        hub.publish(Invalidation::tag(tag)).await.unwrap();
    }
    let address = serve(&hub).await;
    let epoch = hub.position().epoch;
    let body = format!(
        r#"{{"v":1,"resume":{{"epoch":"{}","seq":1}},"topics":[{{"t":"a"}}]}}"#,
        epoch.as_str()
    );
    let (status, body) = post(address, &body).await;
    assert_eq!(status, 200);
    let frames = frames(&body);
    assert!(
        matches!(
            &frames[..],
            [
                HubFrame::Welcome { head: 3, .. },
                HubFrame::Inv {
                    prev: 1,
                    seq: 3,
                    ..
                },
                HubFrame::SubOk { from: 1, .. },
            ]
        ),
        "{frames:?}"
    );
}

#[tokio::test]
async fn a_pull_without_a_position_says_where_cover_begins() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, _store) = open(dir.path()).await;
    hub.publish(Invalidation::tag("a")).await.unwrap();
    let body = r#"{"v":1,"topics":[{"t":"a"},{"t":"b","since":0}]}"#;
    let (status, body) = post(serve(&hub).await, body).await;
    assert_eq!(status, 200);
    let frames = frames(&body);
    assert!(
        matches!(frames.last(), Some(HubFrame::SubOk { from: 1, topics, .. }) if topics[0].from == 0),
        "{frames:?}"
    );
}

#[tokio::test]
async fn a_pull_that_cannot_be_read_is_a_bad_request() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, _store) = open(dir.path()).await;
    let address = serve(&hub).await;
    for (body, expected) in [("", 400), ("{}", 400), (r#"{"v":2}"#, 501)] {
        assert_eq!(post(address, body).await.0, expected, "{body}");
    }
}
