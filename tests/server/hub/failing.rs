//! A store that fails, is shared, or is wiped under an open hub.

use crate::simulated::{heard, open, publish, publish_item, subscribed};
use clinicache::{
    ErrorKind,
    kernel::protocol::HubFrame,
    platform::{EntropyExt, Store, StoreError},
    server::Invalidation,
    store::Memory,
    testkit::{Fault, Faulty, Op, Sim},
};
use std::collections::BTreeMap;

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
