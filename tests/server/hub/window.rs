//! Coming back: inside the window, at its edge, beyond it, to another log.

use crate::support::{Client, builder, open, serve, until};
use clinicache::{
    kernel::{
        invalidate::Epoch,
        protocol::{HubFrame, ResetMode, ResetScope},
    },
    platform::{Platform, Store},
    server::{Embedded, Hub, Invalidation, Retention},
    testkit::SimClock,
};
use std::{net::SocketAddr, sync::Arc};

const HOUR_MS: u64 = 3_600_000;

/// A hub whose log holds positions 4 to 6 (a b c) and whose index knows all of 1 to 6.
async fn trimmed(store: &Embedded) -> (Hub, SocketAddr) {
    let clock = SimClock::new();
    let platform = Platform {
        clock: Arc::new(clock.clone()),
        ..Platform::system()
    };
    let hub = builder(store)
        .platform(platform)
        .retention(Retention {
            record_age_ms: 48 * HOUR_MS,
            ..Retention::default()
        })
        .open()
        .await
        .unwrap();
    for tag in ["a", "b", "gone"] {
        hub.publish(Invalidation::tag(tag)).await.unwrap();
    }
    clock.advance(47 * HOUR_MS);
    for tag in ["a", "b", "c"] {
        hub.publish(Invalidation::tag(tag)).await.unwrap();
    }
    clock.advance(2 * HOUR_MS);
    // Once a minute the sequencer compacts.
    until(|| hub.stats().records == 3).await;
    let address = serve(&hub).await;
    (hub, address)
}

async fn resumed(address: SocketAddr, epoch: &Epoch, seq: u64, topics: &[&str]) -> Vec<HubFrame> {
    let (mut client, _) = Client::greet(address, None).await;
    client.resume(epoch, seq, topics).await;
    client.until_answer().await
}

fn invs(frames: &[HubFrame]) -> Vec<(u64, u64)> {
    let positions = |frame: &HubFrame| match frame {
        HubFrame::Inv { prev, seq, .. } => Some((*prev, *seq)),
        _ => None,
    };
    frames.iter().filter_map(positions).collect()
}

fn resets(frames: &[HubFrame]) -> Vec<(ResetScope, ResetMode, u64)> {
    let reset = |frame: &HubFrame| match frame {
        HubFrame::Reset {
            scope, mode, upto, ..
        } => Some((scope.clone(), *mode, *upto)),
        _ => None,
    };
    frames.iter().filter_map(reset).collect()
}

#[tokio::test]
async fn the_window_is_exact_before_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let (hub, address) = trimmed(&store).await;
    let epoch = hub.position().epoch;
    let topics = &["a", "b", "never"];
    let check = async |address: SocketAddr| {
        let inside = resumed(address, &epoch, 4, topics).await;
        assert_eq!((invs(&inside), resets(&inside)), (vec![(4, 5)], vec![]));
        let at = resumed(address, &epoch, 3, topics).await;
        assert_eq!((invs(&at), resets(&at)), (vec![(3, 4), (4, 5)], vec![]));
        let below = resumed(address, &epoch, 2, topics).await;
        let changed = ResetScope::Topics(vec!["a".into(), "b".into()]);
        assert!(invs(&below).is_empty());
        let [(scope, ResetMode::Revalidate, 6)] = &resets(&below)[..] else {
            panic!("{below:?}");
        };
        let (ResetScope::Topics(scope), ResetScope::Topics(mut expected)) = (scope, changed) else {
            panic!("{below:?}");
        };
        let mut scope = scope.clone();
        scope.sort();
        expected.sort();
        assert_eq!(scope, expected, "the topic that did not change is verified");
    };
    check(address).await;
    hub.shutdown().await;
    store.close().await;
    let (hub, _store) = open(dir.path()).await;
    assert_eq!(hub.position().epoch, epoch);
    assert_eq!(hub.stats().records, 3);
    check(serve(&hub).await).await;
}

#[tokio::test]
async fn a_client_of_another_log_is_reset_whatever_its_position() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, store) = open(dir.path()).await;
    hub.publish(Invalidation::tag("a")).await.unwrap();
    let old = hub.position();
    hub.shutdown().await;
    store.wipe().await.unwrap();
    store.close().await;
    let (hub, _store) = open(dir.path()).await;
    let new = hub.publish(Invalidation::tag("b")).await.unwrap();
    assert_eq!(new.seq, old.seq, "the number is used again");
    assert_ne!(new.epoch, old.epoch);
    let frames = resumed(serve(&hub).await, &old.epoch, old.seq, &["a"]).await;
    assert!(
        matches!(&frames[0], HubFrame::Reset { scope: ResetScope::All, epoch, upto: 1, .. } if *epoch == new.epoch),
        "{frames:?}"
    );
}

#[tokio::test]
async fn a_topic_added_later_is_replayed_since_its_own_position() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, _store) = open(dir.path()).await;
    let address = serve(&hub).await;
    for tag in ["a", "b", "a"] {
        hub.publish(Invalidation::tag(tag)).await.unwrap();
    }
    let (mut client, _) = Client::greet(address, None).await;
    client
        .sub([("a", Some(1)), ("b", Some(2))].into_iter())
        .await;
    let frames = client.until_answer().await;
    assert_eq!(invs(&frames), [(3, 3)]);
    let Some(HubFrame::SubOk { from, topics, .. }) = frames.last() else {
        panic!("{frames:?}");
    };
    let own: Vec<_> = topics
        .iter()
        .map(|own| (own.t.as_str(), own.from))
        .collect();
    assert_eq!((*from, own), (3, vec![("a", 1), ("b", 2)]));
}

#[tokio::test]
async fn a_restored_log_is_replaced_when_the_operator_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let hub = builder(&store).open().await.unwrap();
    let before = hub.publish(Invalidation::tag("a")).await.unwrap();
    hub.shutdown().await;
    let hub = builder(&store).fresh_log().open().await.unwrap();
    assert_ne!(hub.position().epoch, before.epoch);
    assert_eq!(hub.position().seq, 0);
    let after = hub.publish(Invalidation::tag("a")).await.unwrap();
    hub.shutdown().await;
    let hub = builder(&store).open().await.unwrap();
    assert_eq!(hub.position(), after, "once");
}
