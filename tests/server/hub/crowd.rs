//! Many clients, and slow ones.

use crate::simulated::{heard, open, publish, publish_item, say, subscribed};
use clinicache::{
    kernel::protocol::{ClientFrame, HubFrame, VERSION},
    platform::{Link, LinkEvent, Transport},
    server::Invalidation,
    store::Memory,
    testkit::Sim,
};

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
