//! A hub's life on simulated time: publishers, silence, a failing store, the end.

use crate::support::keys;
use clinicache::{
    Error, ErrorKind,
    kernel::{
        invalidate::Position,
        protocol::{ClientFrame, HubFrame, TopicSince, VERSION},
    },
    platform::{Clock, EntropyExt, Link, LinkEvent, Store, StoreError, Table, Transport},
    server::{AllowEveryone, Hub, HubBuilder, Invalidation},
    store::Memory,
    testkit::{Fault, Faulty, Op, Sim},
};
use futures_util::StreamExt;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

fn builder(sim: &Sim, store: impl Store) -> HubBuilder {
    Hub::builder()
        .store(store)
        .keys(keys(1))
        .authorise(AllowEveryone)
        .heartbeat(Duration::from_secs(10))
        .platform(sim.platform())
}

fn open(sim: &Sim, store: impl Store) -> Hub {
    sim.run(builder(sim, store).open()).unwrap()
}

fn publish(sim: &Sim, hub: &Hub, tag: &str) -> Result<Position, Error> {
    publish_item(sim, hub, Invalidation::tag(tag))
}

fn publish_item(sim: &Sim, hub: &Hub, item: Invalidation) -> Result<Position, Error> {
    let hub = hub.clone();
    sim.run(async move { hub.publish(item).await })
}

fn say(link: &mut Link, frame: &ClientFrame) {
    let text = serde_json::to_string(frame).unwrap();
    link.frames.try_send(text).unwrap();
}

/// What the hub has said so far; `None` at the end when it hung up.
fn heard(sim: &Sim, link: &mut Link) -> Vec<Option<HubFrame>> {
    sim.run_until_stalled();
    let mut frames = Vec::new();
    loop {
        match link.events.try_recv() {
            Ok(LinkEvent::Frame(text)) => frames.push(Some(serde_json::from_str(&text).unwrap())),
            Ok(LinkEvent::Overflow) => panic!("the hub waits for room instead"),
            Err(_) => {
                if let Some(None) = futures_util::FutureExt::now_or_never(link.events.next()) {
                    frames.push(None);
                }
                return frames;
            }
        }
        sim.run_until_stalled();
    }
}

/// A link that has said hello and asked for topics; the hub did not run yet.
fn asking(sim: &Sim, hub: &Hub, topics: &[&str]) -> Link {
    let mut link = sim.run(hub.feed().connect()).unwrap();
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
    let topics = topics.iter().map(|t| TopicSince {
        t: (*t).into(),
        since: None,
    });
    say(
        &mut link,
        &ClientFrame::Sub {
            rid: 1,
            topics: topics.collect(),
        },
    );
    link
}

fn subscribed(sim: &Sim, hub: &Hub, topics: &[&str]) -> Link {
    let mut link = asking(sim, hub, topics);
    let frames = heard(sim, &mut link);
    assert!(
        matches!(
            &frames[..],
            [Some(HubFrame::Welcome { .. }), Some(HubFrame::SubOk { .. })]
        ),
        "{frames:?}"
    );
    link
}

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
fn a_publish_is_in_the_store_before_anybody_hears_of_it() {
    let sim = Sim::new(1);
    let store = Faulty::new(Memory::new());
    let hub = open(&sim, store.clone());
    let mut link = subscribed(&sim, &hub, &["a"]);
    let held = store.hold_next(Op::Commit);
    let publishing = hub.clone();
    let started = sim.start(async move { publishing.publish(Invalidation::tag("a")).await });
    assert!(heard(&sim, &mut link).is_empty(), "not stored, so not told");
    assert_eq!(hub.position().seq, 0);
    assert!(!started.is_done());
    drop(held);
    assert_eq!(heard(&sim, &mut link).len(), 1);
    assert_eq!(started.take().unwrap().unwrap().seq, 1);
}

#[test]
fn a_full_store_refuses_the_publish_and_nobody_is_told() {
    let sim = Sim::new(1);
    let store = Faulty::new(Memory::new());
    let hub = open(&sim, store.clone());
    let mut link = subscribed(&sim, &hub, &["a"]);
    store.fail_always(Op::Commit, Fault::Refused(StoreError::Quota));
    let error = publish(&sim, &hub, "a").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
    assert!(heard(&sim, &mut link).is_empty());
    store.heal();
    assert_eq!(publish(&sim, &hub, "a").unwrap().seq, 1);
    assert_eq!(heard(&sim, &mut link).len(), 1);
}

#[test]
fn a_publish_in_doubt_keeps_its_position_if_the_store_has_it() {
    let sim = Sim::new(1);
    let store = Faulty::new(Memory::new());
    let hub = open(&sim, store.clone());
    let mut link = subscribed(&sim, &hub, &["a", "b"]);
    let lost = StoreError::Io("the answer was lost");
    store.fail_op_after(Op::Commit, 0, Fault::AnswerLost(lost));
    let error = publish(&sim, &hub, "a").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    // The record is in the store, so it has happened, whatever the caller was told.
    assert_eq!(hub.position().seq, 1);
    assert_eq!(publish(&sim, &hub, "b").unwrap().seq, 2);
    let frames = heard(&sim, &mut link);
    assert!(
        matches!(
            &frames[..],
            [
                Some(HubFrame::Inv {
                    prev: 0,
                    seq: 1,
                    ..
                }),
                Some(HubFrame::Inv {
                    prev: 1,
                    seq: 2,
                    ..
                }),
            ]
        ),
        "{frames:?}"
    );
}

/// The store takes a record, loses the answer, and then cannot be read either. Whatever is
/// published next must not take the record's place.
#[test]
fn a_store_that_fails_twice_never_gives_a_position_twice() {
    let sim = Sim::new(1);
    let store = Faulty::new(Memory::new());
    let hub = open(&sim, store.clone());
    let mut link = subscribed(&sim, &hub, &["a", "b"]);
    let broken = || StoreError::Io("the medium failed");
    store.fail_op_after(Op::Commit, 0, Fault::AnswerLost(broken()));
    store.fail_op_after(Op::Scan, 0, Fault::Refused(broken()));
    publish(&sim, &hub, "a").unwrap_err();
    assert_eq!(publish(&sim, &hub, "b").unwrap().seq, 2);
    let told: Vec<String> = heard(&sim, &mut link)
        .into_iter()
        .filter_map(|frame| match frame {
            Some(HubFrame::Inv { seq, ops, .. }) => Some(format!("{seq} {}", ops[0].id)),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["1 a", "2 b"]);
}

/// Random failures of the store, before and after its work. Every position that was given out
/// stands for one record, and the client hears of each that was acknowledged.
#[test]
fn however_the_store_fails_no_position_stands_for_two_records() {
    let (mut failed, mut epochs) = (0, 0);
    for seed in 0..150_u64 {
        let sim = Sim::new(seed);
        let store = Faulty::new(Memory::new());
        let hub = open(&sim, store.clone());
        let mut link = subscribed(&sim, &hub, &["a"]);
        let random = sim.entropy();
        let draw = |below: u32| u32::from_le_bytes(random.bytes().unwrap()) % below;
        let mut acknowledged = BTreeMap::new();
        let mut told = BTreeMap::new();
        let mut epoch = hub.position().epoch;
        for n in 0..25 {
            if draw(3) == 0 {
                let error = StoreError::Io("the medium failed");
                let fault = match draw(2) {
                    0 => Fault::Refused(error),
                    _ => Fault::AnswerLost(error),
                };
                store.fail_after(draw(4) as usize, fault);
            }
            let item = Invalidation::key(format!("{n}")).topic("a");
            match publish_item(&sim, &hub, item) {
                Ok(at) => {
                    let twice = acknowledged.insert((at.epoch.as_str().to_owned(), at.seq), n);
                    assert_eq!(twice, None, "seed {seed}: a position given twice");
                }
                Err(_) => failed += 1,
            }
            for frame in heard(&sim, &mut link) {
                match frame {
                    Some(HubFrame::Inv { seq, ops, .. }) => {
                        let record: i32 = ops[0].id.parse().unwrap();
                        let at = (epoch.as_str().to_owned(), seq);
                        let other = told.insert(at, record);
                        assert!(other.is_none_or(|other| other == record), "seed {seed}");
                    }
                    Some(HubFrame::Reset { epoch: next, .. }) => {
                        epoch = next;
                        epochs += 1;
                    }
                    _ => {}
                }
            }
        }
        for (at, record) in &acknowledged {
            let heard = told.get(at).is_some_and(|told| told == record);
            // A new epoch stands for everything of the old one.
            assert!(
                heard || at.0 != epoch.as_str(),
                "seed {seed}: {at:?} was not told"
            );
        }
    }
    assert!(
        failed > 100,
        "the store hardly failed: {failed}, {epochs} new epochs"
    );
}

#[test]
fn a_commit_that_is_lost_altogether_leaves_the_position_free() {
    let sim = Sim::new(1);
    let store = Faulty::new(Memory::new());
    let hub = open(&sim, store.clone());
    let mut link = subscribed(&sim, &hub, &["a"]);
    store.fail_op_after(Op::Commit, 0, Fault::Refused(StoreError::Aborted));
    publish(&sim, &hub, "a").unwrap_err();
    assert!(heard(&sim, &mut link).is_empty());
    assert_eq!(publish(&sim, &hub, "a").unwrap().seq, 1);
    assert_eq!(heard(&sim, &mut link).len(), 1);
}

#[test]
fn two_hubs_on_one_store_never_give_the_same_position_twice() {
    let sim = Sim::new(1);
    let store = Memory::new();
    let (one, two) = (open(&sim, store.clone()), open(&sim, store));
    let mut link = subscribed(&sim, &one, &["a", "b"]);
    let mut seqs = Vec::new();
    for (hub, tag) in [
        (&one, "a"),
        (&two, "b"),
        (&two, "b"),
        (&one, "a"),
        (&two, "a"),
    ] {
        let position = publish(&sim, hub, tag).unwrap();
        assert_eq!(position.epoch, one.position().epoch);
        seqs.push(position.seq);
    }
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
    // What the other hub wrote reaches the clients of this one when it next writes.
    assert_eq!(publish(&sim, &one, "a").unwrap().seq, 6);
    let told: Vec<u64> = heard(&sim, &mut link)
        .into_iter()
        .filter_map(|frame| match frame {
            Some(HubFrame::Inv { seq, .. }) => Some(seq),
            _ => None,
        })
        .collect();
    assert_eq!(told, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_wiped_store_under_an_open_hub_is_a_new_epoch_for_its_clients() {
    let sim = Sim::new(1);
    let store = Memory::new();
    let hub = open(&sim, store.clone());
    let mut link = subscribed(&sim, &hub, &["a"]);
    let before = publish(&sim, &hub, "a").unwrap();
    let wiped = store.clone();
    sim.run(async move { wiped.wipe().await }).unwrap();
    let after = publish(&sim, &hub, "a").unwrap();
    assert_ne!(after.epoch, before.epoch);
    assert_eq!(after.seq, 1);
    let frames = heard(&sim, &mut link);
    assert!(
        frames.iter().any(
            |frame| matches!(frame, Some(HubFrame::Reset { epoch, .. }) if *epoch == after.epoch)
        ),
        "{frames:?}"
    );
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
fn a_slow_reader_costs_one_budget_and_is_sent_away() {
    let sim = Sim::new(1);
    let hub = open(&sim, Memory::new());
    let mut slow = subscribed(&sim, &hub, &["a", "quiet"]);
    let mut quick = subscribed(&sim, &hub, &["a"]);
    let (mut published, mut quick_heard) = (0, 0);
    while published < 2_000 {
        let key = format!("patient:{published}:{}", "x".repeat(200));
        publish_item(&sim, &hub, Invalidation::key(key).topic("a")).unwrap();
        published += 1;
        quick_heard += heard(&sim, &mut quick).len();
    }
    assert_eq!(quick_heard, published, "one slow client slows nobody else");
    // The pipe is full and the hub waits for room: that is what makes the client slow.
    sim.advance(2_000);
    let frames = heard(&sim, &mut slow);
    let whole = frames
        .iter()
        .filter(|frame| matches!(frame, Some(HubFrame::Inv { .. })))
        .count();
    assert!(whole < 1_000, "{whole} frames waited somewhere");
    let [.., reset, beat, Some(HubFrame::GoAway { code, .. }), None] = &frames[..] else {
        panic!("{:?}", frames.last());
    };
    assert_eq!(code, "slow");
    assert!(
        matches!(beat, Some(HubFrame::Hb { upto: 2_000, .. })),
        "{beat:?}"
    );
    let Some(HubFrame::Reset {
        scope, upto: 2_000, ..
    }) = reset
    else {
        panic!("{reset:?}");
    };
    let only = clinicache::kernel::protocol::ResetScope::Topics(vec!["a".into()]);
    assert_eq!(*scope, only, "the quiet topic is not disturbed");
    assert_eq!(hub.stats().stalled, 1);
}

#[test]
fn a_reader_that_takes_nothing_at_all_is_cut_off() {
    let sim = Sim::new(1);
    let hub = open(&sim, Memory::new());
    let link = subscribed(&sim, &hub, &["a"]);
    for _ in 0..500 {
        publish(&sim, &hub, "a").unwrap();
    }
    assert_eq!(hub.stats().connections, 1);
    sim.advance(21_001);
    assert_eq!(hub.stats().connections, 0);
    drop(link);
}

#[test]
fn what_a_server_shares_between_threads_may_be_shared() {
    const fn shared<T: Send + Sync + 'static>() {}
    shared::<Hub>();
    shared::<clinicache::server::HubFeed>();
    shared::<clinicache::server::Remote>();
    shared::<clinicache::server::Embedded>();
}

#[test]
fn ten_thousand_clients_that_come_back_at_once_are_told_exactly_what_they_missed() {
    const CLIENTS: u64 = 10_000;
    const PATIENTS: u64 = 500;
    let sim = Sim::new(1);
    let hub = open(&sim, Memory::new());
    let epoch = hub.position().epoch;
    for n in 0..PATIENTS {
        publish(&sim, &hub, &format!("patient/{n}")).unwrap();
    }
    let mut links: Vec<Link> = (0..CLIENTS)
        .map(|_| sim.run(hub.feed().connect()).unwrap())
        .collect();
    for (n, link) in (0..CLIENTS).zip(&mut links) {
        say(
            link,
            &ClientFrame::Hello {
                v: VERSION,
                client: "test".into(),
                device: "device".into(),
                caps: Vec::new(),
                token: None,
            },
        );
        // Each looked after three patients and was away since half of them changed.
        let patients = [n % PATIENTS, (n + 100) % PATIENTS, (n + 200) % PATIENTS];
        say(
            link,
            &ClientFrame::Resume {
                rid: 1,
                epoch: epoch.clone(),
                seq: PATIENTS / 2,
                topics: patients.iter().map(|n| format!("patient/{n}")).collect(),
            },
        );
    }
    sim.run_until_stalled();
    for (n, link) in (0..CLIENTS).zip(&mut links) {
        let mut told = 0;
        let mut answered = false;
        while let Ok(LinkEvent::Frame(text)) = link.events.try_recv() {
            match serde_json::from_str(&text).unwrap() {
                HubFrame::Inv { ops, .. } => told += ops.len(),
                HubFrame::SubOk { from, .. } => answered = from == PATIENTS / 2,
                HubFrame::Welcome { .. } | HubFrame::Hb { .. } => {}
                frame => panic!("{frame:?}"),
            }
        }
        let patients = [n % PATIENTS, (n + 100) % PATIENTS, (n + 200) % PATIENTS];
        let missed = patients.iter().filter(|n| **n >= PATIENTS / 2).count();
        assert_eq!((told, answered), (missed, true), "client {n}");
    }
    assert_eq!(hub.stats().connections, 10_000);
}
