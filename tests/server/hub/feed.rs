//! What a well-behaved client sees.

use crate::support::{Client, open, serve};
use clinicache::{
    kernel::protocol::{HubFrame, Op, OpKind, OpMode},
    server::Invalidation,
};

fn tag_op(id: &str) -> Op {
    Op {
        kind: OpKind::Tag,
        id: id.into(),
        mode: OpMode::Expire,
        ver: None,
    }
}

#[tokio::test]
async fn a_hello_is_answered_with_the_positions_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, _store) = open(dir.path()).await;
    hub.publish(Invalidation::tag("a")).await.unwrap();
    let address = serve(&hub).await;
    let (_client, welcome) = Client::greet(address, None).await;
    let HubFrame::Welcome {
        v,
        epoch,
        head,
        floor,
        index_floor,
        hb_ms,
        limits,
        ..
    } = welcome
    else {
        panic!("{welcome:?}");
    };
    assert_eq!((v, head, floor, index_floor, hb_ms), (1, 1, 0, 0, 1_000));
    assert_eq!(epoch, hub.position().epoch);
    assert_eq!(limits.topics, 10_000);
}

#[tokio::test]
async fn every_frame_names_the_position_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, _store) = open(dir.path()).await;
    let address = serve(&hub).await;
    let (mut client, epoch, head) = Client::subscribed(address, &["a", "b"]).await;
    assert_eq!(head, 0);
    for topic in ["a", "other", "b", "other"] {
        let position = hub.publish(Invalidation::tag(topic)).await.unwrap();
        assert_eq!(position.epoch, epoch);
    }
    let (mut cursor, mut ops) = (head, Vec::new());
    while cursor < 4 {
        match client.next().await {
            HubFrame::Inv {
                prev,
                seq,
                ops: new,
            } => {
                assert_eq!(prev, cursor);
                ops.extend(new.into_iter().map(|op| (seq, op)));
                cursor = seq;
            }
            // The two records that are not for this client are told by the heartbeat.
            HubFrame::Hb { prev, upto, .. } => {
                assert_eq!(prev, cursor);
                cursor = upto;
            }
            frame => panic!("{frame:?}"),
        }
    }
    assert_eq!(ops, [(1, tag_op("a")), (3, tag_op("b"))]);
}

#[tokio::test]
async fn heartbeats_come_without_news_too() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, _store) = open(dir.path()).await;
    let address = serve(&hub).await;
    let (mut client, _) = Client::greet(address, None).await;
    for _ in 0..2 {
        let beat = client.next().await;
        assert!(
            matches!(
                beat,
                HubFrame::Hb {
                    prev: 0,
                    upto: 0,
                    ..
                }
            ),
            "{beat:?}"
        );
    }
}

#[tokio::test]
async fn a_restart_keeps_the_epoch_and_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, store) = open(dir.path()).await;
    hub.publish(Invalidation::tag("a")).await.unwrap();
    let before = hub.publish(Invalidation::tag("b")).await.unwrap();
    hub.shutdown().await;
    clinicache::platform::Store::close(&store).await;
    let (hub, _store) = open(dir.path()).await;
    assert_eq!(hub.position(), before);
    let address = serve(&hub).await;
    let (mut client, _) = Client::greet(address, None).await;
    client.resume(&before.epoch, 0, &["a", "b"]).await;
    let frames = client.until_answer().await;
    let inv = |prev, seq, id| HubFrame::Inv {
        prev,
        seq,
        ops: vec![tag_op(id)],
    };
    assert_eq!(frames[..2], [inv(0, 1, "a"), inv(1, 2, "b")]);
    let HubFrame::SubOk {
        from: 0, denied, ..
    } = &frames[2]
    else {
        panic!("{frames:?}");
    };
    assert!(denied.is_empty());
}
