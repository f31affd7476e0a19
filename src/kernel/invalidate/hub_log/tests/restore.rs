//! A log from what a store held, and what proves that nothing is missing.

use super::*;
use crate::{
    ErrorKind,
    kernel::invalidate::hub_log::{Record, Restored},
};

/// What a store would hold of positions 3 to 6 (a c b a), and of an index that forgot nothing.
fn stored() -> Restored {
    let mut log = log(1);
    for (at, tag) in (1..).zip(["a", "b", "a", "c", "b", "a"]) {
        publish(&mut log, Invalidation::tag(tag), at);
    }
    let records = log.records(2, 6).map(|record| {
        let bytes = record.to_bytes(&epoch(1)).expect("bytes");
        Record::from_bytes(&bytes, &epoch(1), record.seq).expect("a record")
    });
    let topics = ["a", "b", "c"].map(|topic| Plain.blind(topic));
    Restored {
        epoch: epoch(1),
        head: 6,
        floor: 2,
        records: records.collect(),
        topics: topics
            .map(|hash| (hash, log.touched(&hash).expect("indexed")))
            .into(),
        everyone: log.everyone(),
        gone: log.gone(),
    }
}

fn refused(change: impl FnOnce(&mut Restored)) -> bool {
    let mut restored = stored();
    change(&mut restored);
    match Log::restore(restored, Arc::new(Plain)) {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Tampered);
            true
        }
    }
}

#[test]
fn a_whole_log_goes_on_where_it_was() {
    let mut log = Log::restore(stored(), Arc::new(Plain)).expect("a whole log");
    let window = log.window();
    assert_eq!((window.head, window.floor, window.index_floor), (6, 2, 0));
    assert_eq!(publish(&mut log, Invalidation::tag("a"), 0), 7);
    let mut wire = Wire::open(&log);
    let frames = wire.resume(&log, epoch(1), 2, &["b"]);
    assert!(
        matches!(
            frames[0],
            HubFrame::Inv {
                prev: 2,
                seq: 5,
                ..
            }
        ),
        "{frames:?}"
    );
}

#[test]
fn time_does_not_step_back_in_the_log() {
    let mut log = Log::restore(stored(), Arc::new(Plain)).expect("a whole log");
    publish(&mut log, Invalidation::tag("a"), 3);
    let times: Vec<u64> = log.records(2, 7).map(|record| record.ts_ms).collect();
    assert_eq!(times, [3, 4, 5, 6, 6]);
}

#[test]
fn a_log_with_a_gap_is_refused() {
    for at in 0..4 {
        assert!(
            refused(|stored| drop(stored.records.remove(at))),
            "record {at}"
        );
    }
    assert!(refused(|stored| stored.records.swap(0, 1)));
    assert!(refused(|stored| stored.records.clear()));
    assert!(refused(|stored| stored.head = 7));
    assert!(refused(|stored| stored.head = 5));
    assert!(refused(|stored| stored.floor = 1));
}

#[test]
fn an_index_that_knows_less_or_more_than_the_records_is_refused() {
    for at in 0..3 {
        assert!(
            refused(|stored| {
                stored.topics.remove(at);
            }),
            "topic {at}"
        );
        assert!(
            refused(|stored| stored.topics[at].1.last -= 1),
            "topic {at}"
        );
    }
    assert!(refused(|stored| stored.topics[0].1.last = 7));
    assert!(refused(|stored| stored.everyone.last = 7));
    // What left the index cannot be in it.
    assert!(refused(|stored| stored.gone.last = 4));
}
