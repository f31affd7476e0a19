//! What a disk holds of the log, and what happens when it was touched.

use crate::support::{builder, keys, open, until};
use clinicache::{
    platform::{Batch, Bytes, Platform, Store, Table},
    server::{Embedded, Hub, Invalidation},
    testkit::SimClock,
};
use std::{path::Path, sync::Arc};

fn holds(dir: &Path, needle: &str) -> bool {
    std::fs::read_dir(dir).unwrap().any(|entry| {
        let content = std::fs::read(entry.unwrap().path()).unwrap();
        content
            .windows(needle.len())
            .any(|part| part == needle.as_bytes())
    })
}

#[tokio::test]
async fn no_topic_key_or_cause_is_readable_in_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, store) = open(dir.path()).await;
    let mut plain = Batch::new();
    plain.put(Table::Records, "row", Bytes::from(*b"marker-unsealed"));
    store.commit(plain).await.unwrap();
    let item = Invalidation::tag("patient/marker-tag")
        .and_key("patient:marker-key")
        .topic("ward/marker-topic")
        .cause("marker-cause");
    hub.publish(item).await.unwrap();
    hub.shutdown().await;
    store.close().await;
    assert!(holds(dir.path(), "marker-unsealed"), "the scanner is blind");
    for needle in [
        "marker-tag",
        "marker-key",
        "marker-topic",
        "marker-cause",
        "patient",
    ] {
        assert!(!holds(dir.path(), needle), "{needle}");
    }
    // Not under its plain hash either: two servers name the same topic differently.
    let rows = |seed| async move {
        let dir = tempfile::tempdir().unwrap();
        let store = Embedded::open(dir.path()).unwrap();
        let hub = builder(&store).keys(keys(seed)).open().await.unwrap();
        hub.publish(Invalidation::tag("patient/1")).await.unwrap();
        store.scan(Table::Topics, None, 10).await.unwrap()[0]
            .0
            .clone()
    };
    assert_ne!(rows(1).await, rows(2).await);
    assert_eq!(rows(1).await, rows(1).await);
}

/// Publishes a little, does something to the closed log, and tells whether it went on.
async fn survives(change: impl AsyncFn(&Embedded)) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let (hub, store) = open(dir.path()).await;
    for tag in ["a", "b", "a"] {
        hub.publish(Invalidation::tag(tag)).await.unwrap();
    }
    let before = hub.position();
    hub.shutdown().await;
    drop(hub);
    change(&store).await;
    let hub = builder(&store).open().await.unwrap();
    let after = hub.position();
    // Whatever happened, the hub works, and no row of an earlier life is left.
    let next = hub.publish(Invalidation::tag("c")).await.unwrap();
    assert_eq!(next.seq, after.seq + 1);
    let rows = store.scan(Table::Log, None, 10).await.unwrap().len() as u64;
    assert_eq!(rows, next.seq);
    if after.epoch == before.epoch {
        assert_eq!(after, before);
        true
    } else {
        assert_eq!(after.seq, 0);
        false
    }
}

async fn rows(store: &Embedded, table: Table) -> Vec<(Vec<u8>, Bytes)> {
    store.scan(table, None, 100).await.unwrap()
}

async fn put(store: &Embedded, table: Table, key: &[u8], value: Option<Bytes>) {
    let mut batch = Batch::new();
    match value {
        Some(value) => batch.put(table, key, value),
        None => batch.delete(table, key),
    }
    store.commit(batch).await.unwrap();
}

#[tokio::test]
async fn an_untouched_log_goes_on() {
    assert!(survives(async |_| {}).await);
}

#[tokio::test]
async fn any_flipped_byte_begins_a_new_epoch() {
    for table in [Table::Control, Table::Log, Table::Topics] {
        for at in [0_usize, 1, 9, 40, usize::MAX] {
            let flip = async |store: &Embedded| {
                let (key, value) = rows(store, table).await.remove(0);
                let mut value = value.to_vec();
                let at = at.min(value.len() - 1);
                value[at] ^= 1;
                put(store, table, &key, Some(value.into())).await;
            };
            // The first bytes name the format: another one is not ours to judge or to erase.
            if at > 1 {
                assert!(!survives(flip).await, "{table:?} {at}");
            }
        }
    }
}

#[tokio::test]
async fn a_missing_row_begins_a_new_epoch() {
    for table in [Table::Control, Table::Log, Table::Topics] {
        for last in [false, true] {
            let delete = async |store: &Embedded| {
                let mut all = rows(store, table).await;
                let row = if last {
                    all.pop().unwrap()
                } else {
                    all.remove(0)
                };
                put(store, table, &row.0, None).await;
            };
            assert!(!survives(delete).await, "{table:?}");
        }
    }
}

#[tokio::test]
async fn swapped_rows_begin_a_new_epoch() {
    for table in [Table::Log, Table::Topics] {
        let swap = async |store: &Embedded| {
            let all = rows(store, table).await;
            put(store, table, &all[0].0, Some(all[1].1.clone())).await;
            put(store, table, &all[1].0, Some(all[0].1.clone())).await;
        };
        assert!(!survives(swap).await, "{table:?}");
    }
}

#[tokio::test]
async fn an_older_state_of_a_row_begins_a_new_epoch() {
    for table in [Table::Control, Table::Topics] {
        let dir = tempfile::tempdir().unwrap();
        let (hub, store) = open(dir.path()).await;
        hub.publish(Invalidation::tag("a")).await.unwrap();
        let before = hub.position();
        let old = rows(&store, table).await;
        hub.publish(Invalidation::tag("a")).await.unwrap();
        hub.shutdown().await;
        drop(hub);
        put(&store, table, &old[0].0, Some(old[0].1.clone())).await;
        let hub = builder(&store).open().await.unwrap();
        assert_ne!(hub.position().epoch, before.epoch, "{table:?}");
    }
}

/// Once the records are gone, nothing but the head knows what the index held.
#[tokio::test]
async fn the_index_is_whole_or_the_epoch_is_new_also_when_the_records_are_gone() {
    for change in ["nothing", "missing", "older", "added"] {
        let dir = tempfile::tempdir().unwrap();
        let store = Embedded::open(dir.path()).unwrap();
        let clock = SimClock::new();
        let platform = || Platform {
            clock: Arc::new(clock.clone()),
            ..Platform::system()
        };
        let hub = builder(&store).platform(platform()).open().await.unwrap();
        hub.publish(Invalidation::tag("a")).await.unwrap();
        let old = rows(&store, Table::Topics).await.remove(0);
        hub.publish(Invalidation::tag("a")).await.unwrap();
        hub.publish(Invalidation::tag("b")).await.unwrap();
        clock.advance(49 * 3_600_000);
        until(|| hub.stats().records == 0).await;
        let before = hub.position();
        hub.shutdown().await;
        match change {
            "missing" => put(&store, Table::Topics, &old.0, None).await,
            "older" => put(&store, Table::Topics, &old.0, Some(old.1)).await,
            "added" => put(&store, Table::Topics, &[9; 16], Some(old.1)).await,
            _ => {}
        }
        let hub = builder(&store).platform(platform()).open().await.unwrap();
        let same = hub.position().epoch == before.epoch;
        assert_eq!(same, change == "nothing", "{change}");
    }
}

#[tokio::test]
async fn a_row_of_an_earlier_life_does_not_pass_at_its_position() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, store) = open(dir.path()).await;
    hub.publish(Invalidation::tag("a")).await.unwrap();
    let old = rows(&store, Table::Log).await;
    drop(hub);
    store.wipe().await.unwrap();
    let hub = builder(&store).open().await.unwrap();
    hub.publish(Invalidation::tag("b")).await.unwrap();
    let before = hub.position();
    hub.shutdown().await;
    put(&store, Table::Log, &old[0].0, Some(old[0].1.clone())).await;
    let hub = builder(&store).open().await.unwrap();
    assert_ne!(hub.position().epoch, before.epoch);
}

#[tokio::test]
async fn another_key_begins_a_new_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, store) = open(dir.path()).await;
    let before = hub.publish(Invalidation::tag("a")).await.unwrap();
    hub.shutdown().await;
    let hub = builder(&store).keys(keys(2)).open().await.unwrap();
    assert_ne!(hub.position().epoch, before.epoch);
    assert_eq!(hub.position().seq, 0);
}

#[tokio::test]
async fn a_log_of_a_newer_format_is_left_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, store) = open(dir.path()).await;
    hub.publish(Invalidation::tag("a")).await.unwrap();
    hub.shutdown().await;
    drop(hub);
    let nonce = || clinicache::platform::EntropyExt::nonce(&clinicache::platform::SystemEntropy);
    let future = keys(1)
        .seal_row(Table::Control.name(), b"hub", &[2, 0, 0], nonce().unwrap())
        .unwrap();
    put(&store, Table::Control, b"hub", Some(future.into())).await;
    let error = builder(&store).open().await.unwrap_err();
    assert_eq!(error.kind(), clinicache::ErrorKind::Incompatible);
    assert_eq!(rows(&store, Table::Log).await.len(), 1);
}

#[tokio::test]
async fn a_builder_without_keys_store_or_policy_opens_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let field =
        async |builder: clinicache::server::HubBuilder| builder.open().await.unwrap_err().field();
    assert_eq!(field(Hub::builder()).await, Some("store"));
    assert_eq!(
        field(Hub::builder().store(store.clone())).await,
        Some("keys")
    );
    let keyed = Hub::builder().store(store.clone()).keys(keys(1));
    assert_eq!(field(keyed).await, Some("authorise"));
    let hurried = builder(&store).heartbeat(std::time::Duration::from_millis(10));
    assert_eq!(field(hurried).await, Some("heartbeat"));
}
