//! A hub's life on simulated time: publishers, silence, compaction, the end.

use crate::simulated::{asking, heard, open, publish, publish_item, subscribed};
use clinicache::{
    ErrorKind,
    kernel::protocol::HubFrame,
    platform::{Clock, Store, Table, Transport},
    server::{Hub, Invalidation},
    store::Memory,
    testkit::Sim,
};
use std::collections::BTreeSet;

#[test]
fn concurrent_publishers_get_dense_positions_in_the_order_of_the_log() {
    for seed in 0..20 {
        let sim = Sim::shuffled(seed);
        let hub = open(&sim, Memory::new());
        let mut link = subscribed(&sim, &hub, &["a", "b"]);
        let started: Vec<_> = (0..100)
            .map(|n| {
                let hub = hub.clone();
                let tag = if n % 2 == 0 { "a" } else { "b" };
                sim.start(async move { hub.publish(Invalidation::tag(tag)).await })
            })
            .collect();
        sim.run_until_stalled();
        let positions: Vec<u64> = started
            .iter()
            .map(|started| started.take().unwrap().unwrap().seq)
            .collect();
        let distinct: BTreeSet<u64> = positions.iter().copied().collect();
        assert_eq!(distinct, (1..=100).collect());
        let mut cursor = 0;
        for frame in heard(&sim, &mut link) {
            let Some(HubFrame::Inv { prev, seq, .. }) = frame else {
                panic!("{frame:?}");
            };
            assert_eq!((prev, seq), (cursor, cursor + 1));
            cursor = seq;
        }
        assert_eq!(cursor, 100);
    }
}

/// The record may come before, between or after the look at the log and the entry in the list
/// of listeners: whoever is covered from a position hears of what came after it, at once.
#[test]
fn a_record_published_while_a_topic_is_added_is_not_missed() {
    let (mut before, mut after) = (0, 0);
    for seed in 0..300 {
        let sim = Sim::shuffled(seed);
        let hub = open(&sim, Memory::new());
        let mut link = asking(&sim, &hub, &["a"]);
        for _ in 0..4 {
            let hub = hub.clone();
            drop(sim.start(async move { hub.publish(Invalidation::tag("a")).await }));
        }
        let (mut covered, mut told) = (None, 0);
        for frame in heard(&sim, &mut link) {
            match frame {
                Some(HubFrame::SubOk { from, .. }) => covered = Some(from),
                Some(HubFrame::Inv { .. }) => told += 1,
                _ => {}
            }
        }
        let covered = covered.unwrap();
        assert_eq!(covered + told, 4, "seed {seed}");
        before += u64::from(covered == 0);
        after += u64::from(covered > 0);
    }
    assert!(before > 0 && after > 0, "the two never met");
}

#[test]
fn heartbeats_come_within_their_time_and_carry_the_position() {
    let sim = Sim::new(7);
    let hub = open(&sim, Memory::new());
    let mut link = subscribed(&sim, &hub, &["a"]);
    publish(&sim, &hub, "b").unwrap();
    let (mut told, mut beats) = (0, 0);
    for second in 0..100 {
        sim.advance(1_000);
        for frame in heard(&sim, &mut link) {
            let Some(HubFrame::Hb { prev, upto: 1, t }) = frame else {
                panic!("{frame:?}");
            };
            assert_eq!(prev, told);
            let now = Clock::wall_ms(&sim.clock());
            assert!((now - 1_000..=now).contains(&t), "{t} at {now}");
            told = 1;
            beats += 1;
        }
        assert!(beats >= second / 10, "late after {second} s");
    }
    assert!(beats <= 13, "{beats} in 100 s");
}

#[test]
fn a_client_that_does_not_say_hello_is_let_go() {
    let sim = Sim::new(1);
    let hub = open(&sim, Memory::new());
    let mut link = sim.run(hub.feed().connect()).unwrap();
    sim.advance(9_000);
    assert!(heard(&sim, &mut link).is_empty());
    sim.advance(1_001);
    let frames = heard(&sim, &mut link);
    assert!(
        matches!(&frames[..], [Some(HubFrame::GoAway { code, .. }), None] if code == "hello"),
        "{frames:?}"
    );
    assert_eq!(hub.stats().connections, 0);
}

#[test]
fn a_shutdown_says_goodbye_and_keeps_what_was_handed_over() {
    let sim = Sim::new(1);
    let store = Memory::new();
    let hub = open(&sim, store.clone());
    let mut link = subscribed(&sim, &hub, &["a"]);
    let publishing = hub.clone();
    let started = sim.start(async move { publishing.publish(Invalidation::tag("a")).await });
    let closing = hub.clone();
    sim.run_timed(async move { closing.shutdown().await });
    let frames = heard(&sim, &mut link);
    let [
        ..,
        Some(HubFrame::GoAway {
            code,
            retry_ms,
            reconnect: true,
        }),
        None,
    ] = &frames[..]
    else {
        panic!("{frames:?}");
    };
    assert_eq!(code, "shutdown");
    assert!((250..=2_000).contains(retry_ms), "{retry_ms}");
    assert_eq!(hub.stats().connections, 0);
    match started.take() {
        Some(Ok(position)) => assert_eq!(position.seq, 1),
        Some(Err(error)) => assert_eq!(error.kind(), ErrorKind::Closed),
        None => panic!("a publish that never settles"),
    }
    assert_eq!(
        publish(&sim, &hub, "a").unwrap_err().kind(),
        ErrorKind::Closed
    );
    assert!(sim.run(hub.feed().connect()).is_err());
}

#[test]
fn dropping_the_last_handle_ends_every_task() {
    let sim = Sim::new(1);
    let hub = open(&sim, Memory::new());
    let feed = hub.feed();
    let link = subscribed(&sim, &hub, &["a"]);
    drop(hub);
    sim.run_until_stalled();
    assert_eq!(sim.tasks(), 0);
    assert!(sim.run(feed.connect()).is_err());
    drop(link);
}

#[test]
fn a_closed_link_is_forgotten() {
    let sim = Sim::new(1);
    let hub = open(&sim, Memory::new());
    let link = subscribed(&sim, &hub, &["a"]);
    assert_eq!(hub.stats().connections, 1);
    drop(link);
    sim.run_until_stalled();
    assert_eq!(hub.stats().connections, 0);
}

#[test]
fn old_records_leave_memory_and_store_and_the_index_remembers() {
    let sim = Sim::new(1);
    let store = Memory::new();
    let hub = open(&sim, store.clone());
    for _ in 0..10 {
        publish(&sim, &hub, "a").unwrap();
    }
    sim.advance(49 * 3_600_000);
    assert_eq!((hub.stats().records, hub.stats().topics), (0, 1));
    let read = store.clone();
    let rows = sim.run(async move { read.scan(Table::Log, None, 100).await });
    let rows = rows.unwrap();
    assert!(rows.is_empty());
    sim.advance(28 * 24 * 3_600_000);
    assert_eq!(hub.stats().topics, 0);
    let before = publish(&sim, &hub, "b").unwrap();
    drop(hub);
    sim.run_until_stalled();
    let hub = open(&sim, store);
    assert_eq!(hub.position(), before, "continuity survives compaction");
}

#[test]
fn what_nobody_would_hear_of_is_refused() {
    let sim = Sim::new(1);
    let hub = open(&sim, Memory::new());
    let error = publish_item(&sim, &hub, Invalidation::key("patient:1")).unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::InvalidArgument, Some("topic"))
    );
    assert_eq!(hub.position().seq, 0);
}

#[test]
fn what_a_server_shares_between_threads_may_be_shared() {
    const fn shared<T: Send + Sync + 'static>() {}
    shared::<Hub>();
    shared::<clinicache::server::HubFeed>();
    shared::<clinicache::server::Remote>();
    shared::<clinicache::server::Embedded>();
}
