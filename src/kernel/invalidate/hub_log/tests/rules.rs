//! The rules of the protocol, one by one.

use super::*;
use crate::kernel::protocol::{Op, OpKind, OpMode, ResetMode, ResetScope};

fn op(kind: OpKind, id: &str, mode: OpMode) -> Op {
    Op {
        kind,
        id: id.into(),
        mode,
        ver: None,
    }
}

fn inv(prev: u64, seq: u64, tag: &str) -> HubFrame {
    HubFrame::Inv {
        prev,
        seq,
        ops: vec![op(OpKind::Tag, tag, OpMode::Expire)],
    }
}

fn hb(prev: u64, upto: u64) -> HubFrame {
    HubFrame::Hb { prev, upto, t: 7 }
}

fn sub_ok(from: u64, topics: Vec<TopicFrom>) -> HubFrame {
    HubFrame::SubOk {
        rid: 1,
        from,
        topics,
        denied: Vec::new(),
    }
}

fn reset(scope: ResetScope, mode: ResetMode, reason: &str, n: u8, upto: u64) -> HubFrame {
    HubFrame::Reset {
        scope,
        mode,
        reason: reason.into(),
        epoch: epoch(n),
        upto,
    }
}

fn topics(names: &[&str]) -> ResetScope {
    ResetScope::Topics(names.iter().map(|name| (*name).to_owned()).collect())
}

/// Positions 1 to 6: a b a c b a.
fn six() -> Log {
    let mut log = log(1);
    for (at, tag) in (1..).zip(["a", "b", "a", "c", "b", "a"]) {
        publish(&mut log, Invalidation::tag(tag), at);
    }
    log
}

#[test]
fn live_frames_chain_over_what_is_not_for_the_client() {
    let mut log = log(1);
    let mut wire = Wire::open(&log);
    wire.sub(&log, &[("a", None)]);
    publish(&mut log, Invalidation::tag("a"), 1);
    publish(&mut log, Invalidation::tag("b"), 2);
    publish(&mut log, Invalidation::tag("a"), 3);
    publish(&mut log, Invalidation::tag("b"), 4);
    assert_eq!(wire.drain(&log), [inv(0, 1, "a"), inv(1, 3, "a")]);
    let (_, out) = wire.view(&log, &|_| true, |peer, _, out| peer.beat(7, out));
    assert_eq!(frames(&out), [hb(3, 4)]);
    publish(&mut log, Invalidation::tag("a"), 5);
    assert_eq!(wire.drain(&log), [inv(4, 5, "a")]);
}

#[test]
fn a_heartbeat_never_counts_what_was_not_delivered() {
    let mut log = log(1);
    let mut wire = Wire::open(&log);
    wire.sub(&log, &[("a", None)]);
    publish(&mut log, Invalidation::tag("a"), 1);
    let (_, out) = wire.view(&log, &|_| true, |peer, _, out| peer.beat(7, out));
    assert_eq!(frames(&out), [hb(0, 0)]);
}

#[test]
fn a_subscription_covers_from_the_position_of_the_connection() {
    let log = six();
    let mut wire = Wire::open(&log);
    assert_eq!(wire.sub(&log, &[("a", None)]), [sub_ok(6, vec![])]);
    assert_eq!(wire.sub(&log, &[("a", Some(6))]), [sub_ok(6, vec![])]);
}

#[test]
fn a_subscription_since_a_position_replays_from_there() {
    let log = six();
    let mut wire = Wire::open(&log);
    assert_eq!(
        wire.sub(&log, &[("a", Some(1)), ("b", Some(4))]),
        [
            // They speak of these topics alone, so they are no links of the chain.
            inv(3, 3, "a"),
            inv(5, 5, "b"),
            inv(6, 6, "a"),
            sub_ok(6, vec![from("a", 1), from("b", 4)])
        ]
    );
}

#[test]
fn the_replay_of_a_subscription_never_leaves_a_gap_behind_the_client() {
    let mut log = log(1);
    let mut wire = Wire::open(&log);
    wire.sub(&log, &[("a", None)]);
    publish(&mut log, Invalidation::tag("b"), 1);
    publish(&mut log, Invalidation::tag("b"), 2);
    assert!(wire.drain(&log).is_empty());
    // The client was told nothing beyond 0; what was read at 1 is asked for.
    assert_eq!(
        wire.sub(&log, &[("b", Some(1))]),
        [hb(0, 2), inv(2, 2, "b"), sub_ok(2, vec![from("b", 1)])]
    );
}

#[test]
fn a_subscription_at_the_floor_replays_and_below_it_asks_the_index() {
    let mut log = six();
    trim(&mut log, 3, 0);
    let mut wire = Wire::open(&log);
    assert_eq!(
        wire.sub(&log, &[("a", Some(3))]),
        [inv(6, 6, "a"), sub_ok(6, vec![from("a", 3)])]
    );
    // c was touched at 4, a at 6; d never.
    assert_eq!(
        wire.sub(&log, &[("a", Some(2)), ("d", Some(2))]),
        [
            reset(topics(&["a"]), ResetMode::Revalidate, "window", 1, 6),
            sub_ok(6, vec![from("d", 2)])
        ]
    );
}

#[test]
fn a_subscription_ahead_of_the_log_is_of_another_life() {
    let log = six();
    let mut wire = Wire::open(&log);
    assert_eq!(
        wire.sub(&log, &[("a", Some(7))]),
        [
            reset(topics(&["a"]), ResetMode::Revalidate, "ahead", 1, 6),
            sub_ok(6, vec![])
        ]
    );
}

#[test]
fn a_resume_replays_what_was_missed_and_leads_to_the_connections_position() {
    let log = six();
    let mut wire = Wire::open(&log);
    assert_eq!(
        wire.resume(&log, epoch(1), 2, &["a"]),
        [inv(2, 3, "a"), inv(3, 6, "a"), sub_ok(2, vec![])]
    );
    let mut wire = Wire::open(&log);
    assert_eq!(
        wire.resume(&log, epoch(1), 2, &["b"]),
        [inv(2, 5, "b"), hb(5, 6), sub_ok(2, vec![])]
    );
    let mut wire = Wire::open(&log);
    assert_eq!(wire.resume(&log, epoch(1), 6, &["b"]), [sub_ok(6, vec![])]);
}

#[test]
fn the_floor_is_exact() {
    let mut log = six();
    trim(&mut log, 3, 0);
    assert_eq!((log.window().floor, log.window().index_floor), (3, 0));
    let mut wire = Wire::open(&log);
    assert_eq!(
        wire.resume(&log, epoch(1), 4, &["b"]),
        [inv(4, 5, "b"), hb(5, 6), sub_ok(4, vec![])]
    );
    let mut wire = Wire::open(&log);
    assert_eq!(
        wire.resume(&log, epoch(1), 3, &["b"]),
        [inv(3, 5, "b"), hb(5, 6), sub_ok(3, vec![])]
    );
    // One below: the record at 3 is gone, so the index answers, exactly.
    let mut wire = Wire::open(&log);
    assert_eq!(
        wire.resume(&log, epoch(1), 2, &["b", "d"]),
        [
            reset(topics(&["b"]), ResetMode::Revalidate, "window", 1, 6),
            hb(2, 6),
            sub_ok(2, vec![from("b", 6)])
        ]
    );
}

#[test]
fn the_floor_of_the_index_is_exact() {
    let mut log = six();
    trim(&mut log, 6, 4);
    // c was touched at 4 and left the index.
    assert_eq!((log.window().floor, log.window().index_floor), (6, 4));
    let mut wire = Wire::open(&log);
    assert_eq!(
        wire.resume(&log, epoch(1), 4, &["c", "d"]),
        [hb(4, 6), sub_ok(4, vec![])]
    );
    let mut wire = Wire::open(&log);
    assert_eq!(
        wire.resume(&log, epoch(1), 3, &["c", "d"]),
        [
            reset(ResetScope::All, ResetMode::Revalidate, "window", 1, 6),
            hb(3, 6),
            sub_ok(3, vec![from("c", 6), from("d", 6)])
        ]
    );
}

#[test]
fn a_purge_that_was_missed_stays_a_purge() {
    let mut log = log(1);
    publish(&mut log, Invalidation::tag("a").mode(OpMode::Purge), 1);
    publish(&mut log, Invalidation::tag("b").mode(OpMode::Remove), 2);
    publish(&mut log, Invalidation::tag("c"), 3);
    trim(&mut log, 3, 0);
    let mut wire = Wire::open(&log);
    let frames = wire.resume(&log, epoch(1), 0, &["a", "b", "c"]);
    assert_eq!(
        frames[..3],
        [
            reset(topics(&["c"]), ResetMode::Revalidate, "window", 1, 3),
            reset(topics(&["b"]), ResetMode::Drop, "window", 1, 3),
            reset(topics(&["a"]), ResetMode::Purge, "window", 1, 3),
        ]
    );
    // Even when the index forgot the topic.
    trim(&mut log, 3, 1);
    let mut wire = Wire::open(&log);
    let frames = wire.resume(&log, epoch(1), 0, &["a"]);
    assert_eq!(
        frames[0],
        reset(ResetScope::All, ResetMode::Purge, "window", 1, 3)
    );
}

#[test]
fn another_epoch_or_a_position_beyond_the_log_resets_everything() {
    let log = six();
    let mut wire = Wire::open(&log);
    assert_eq!(
        wire.resume(&log, epoch(9), 3, &["a"]),
        [
            reset(ResetScope::All, ResetMode::Revalidate, "epoch", 1, 6),
            sub_ok(6, vec![])
        ]
    );
    let mut wire = Wire::open(&log);
    assert_eq!(
        wire.resume(&log, epoch(1), 7, &["a"]),
        [
            reset(ResetScope::All, ResetMode::Revalidate, "ahead", 1, 6),
            sub_ok(6, vec![])
        ]
    );
}

#[test]
fn what_a_new_log_has_purged_is_purged_at_clients_of_the_old_one() {
    let mut other = log(2);
    publish(&mut other, Invalidation::tag("a").mode(OpMode::Purge), 1);
    publish(&mut other, Invalidation::tag("b"), 2);
    let mut wire = Wire::open(&other);
    assert_eq!(
        wire.resume(&other, epoch(1), 3, &["a", "b"]),
        [
            reset(ResetScope::All, ResetMode::Revalidate, "epoch", 2, 2),
            reset(
                ResetScope::Topics(vec!["a".into()]),
                ResetMode::Purge,
                "epoch",
                2,
                2
            ),
            sub_ok(2, vec![])
        ]
    );
}

#[test]
fn a_new_epoch_under_an_open_connection_resets_it() {
    let mut wire = Wire::open(&six());
    let other = log(2);
    let (more, frames) = wire.advance(&other, false);
    assert!(!more);
    assert_eq!(
        frames,
        [reset(ResetScope::All, ResetMode::Revalidate, "epoch", 2, 0)]
    );
    assert!(wire.drain(&other).is_empty(), "once is enough");
}

#[test]
fn a_request_after_a_new_epoch_is_answered_after_the_reset() {
    let mut wire = Wire::open(&six());
    let mut other = log(2);
    publish(&mut other, Invalidation::tag("a"), 1);
    // The position is of the old log, whatever number it has.
    assert_eq!(
        wire.sub(&other, &[("a", Some(0))]),
        [
            reset(ResetScope::All, ResetMode::Revalidate, "epoch", 2, 1),
            sub_ok(1, vec![])
        ]
    );
}

#[test]
fn a_connection_that_falls_out_of_the_window_is_told_by_the_index() {
    let mut log = six();
    let mut wire = Wire::open(&log);
    wire.sub(&log, &[("a", None), ("b", None)]);
    publish(&mut log, Invalidation::tag("a"), 7);
    publish(&mut log, Invalidation::tag("c"), 8);
    trim(&mut log, 8, 0);
    assert_eq!(
        wire.drain(&log),
        [
            reset(topics(&["a"]), ResetMode::Revalidate, "window", 1, 8),
            hb(6, 8)
        ]
    );
}

#[test]
fn a_record_for_everyone_reaches_who_subscribed_nothing() {
    let mut log = log(1);
    let mut wire = Wire::open(&log);
    publish(&mut log, Invalidation::everything(), 1);
    let all = HubFrame::Inv {
        prev: 0,
        seq: 1,
        ops: vec![op(OpKind::All, "", OpMode::Expire)],
    };
    assert_eq!(wire.drain(&log), std::slice::from_ref(&all));
    let mut late = Wire::open(&log);
    assert_eq!(
        late.resume(&log, epoch(1), 0, &[]),
        [all, sub_ok(0, vec![])]
    );
    trim(&mut log, 1, 0);
    let mut later = Wire::open(&log);
    assert_eq!(
        later.resume(&log, epoch(1), 0, &["a"])[0],
        reset(ResetScope::All, ResetMode::Revalidate, "window", 1, 1)
    );
}

#[test]
fn a_tag_is_told_to_its_own_subscribers_only() {
    let mut log = log(1);
    let mut wire = Wire::open(&log);
    wire.sub(&log, &[("class/patient", None)]);
    let both = Invalidation::tag("patient/1")
        .and_key("patient:1")
        .topic("class/patient");
    publish(&mut log, both, 1);
    let key = op(OpKind::Key, "patient:1", OpMode::Expire);
    assert_eq!(
        wire.drain(&log),
        [HubFrame::Inv {
            prev: 0,
            seq: 1,
            ops: vec![key]
        }]
    );
}

#[test]
fn an_unsubscribed_topic_is_silent() {
    let mut log = log(1);
    let mut wire = Wire::open(&log);
    wire.sub(&log, &[("a", None)]);
    let unsub = ClientFrame::Unsub {
        rid: 1,
        topics: vec![TopicSince {
            t: "a".into(),
            since: None,
        }],
    };
    let out = wire.say(&log, &unsub);
    assert_eq!(out[0], Out::Unlisten("a".into()));
    assert_eq!(frames(&out), [sub_ok(0, vec![])]);
    publish(&mut log, Invalidation::tag("a"), 1);
    assert!(wire.drain(&log).is_empty());
}

#[test]
fn what_the_token_does_not_allow_is_denied_and_not_replayed() {
    let log = six();
    let mut wire = Wire::open(&log);
    let text = serde_json::to_string(&sub(&[("a", Some(0)), ("b", Some(0))])).expect("a frame");
    let (_, out) = wire.view(&log, &|topic| topic == "b", |peer, view, out| {
        peer.on_text(&text, view, out);
    });
    let frames = frames(&out);
    assert_eq!(frames[..2], [inv(2, 2, "b"), inv(5, 5, "b")]);
    let HubFrame::SubOk { denied, .. } = &frames[2] else {
        panic!("{frames:?}");
    };
    assert_eq!(
        (denied[0].t.as_str(), denied[0].code.as_str()),
        ("a", "forbidden")
    );
}

#[test]
fn what_was_lost_while_away_is_purged_before_anything_else_is_told() {
    let log = six();
    let mut wire = Wire::open(&log);
    let resume = ClientFrame::Resume {
        rid: 1,
        epoch: epoch(1),
        seq: 4,
        topics: vec!["a".into(), "b".into()],
    };
    let text = serde_json::to_string(&resume).expect("a frame");
    let (_, out) = wire.view(&log, &|topic| topic == "b", |peer, view, out| {
        peer.on_text(&text, view, out);
    });
    let frames = frames(&out);
    assert_eq!(
        frames[..2],
        [
            reset(topics(&["a"]), ResetMode::Purge, "scope", 1, 7),
            inv(4, 5, "b")
        ]
    );
}

#[test]
fn a_topic_lost_at_delivery_is_purged_before_anything_of_it_is_told() {
    let mut log = log(1);
    let mut wire = Wire::open(&log);
    wire.sub(&log, &[("a", None), ("b", None)]);
    publish(&mut log, Invalidation::tag("a"), 1);
    publish(&mut log, Invalidation::tag("b"), 2);
    let (_, out) = wire.view(&log, &|topic| topic == "b", |peer, view, out| {
        peer.advance(view, false, out);
    });
    assert_eq!(out[0], Out::Unlisten("a".into()));
    assert_eq!(
        frames(&out),
        [
            reset(topics(&["a"]), ResetMode::Purge, "scope", 1, 3),
            inv(0, 2, "b")
        ]
    );
}

#[test]
fn a_new_token_takes_away_what_it_does_not_allow() {
    let log = log(1);
    let mut wire = Wire::open(&log);
    wire.sub(&log, &[("a", None), ("b", None)]);
    let auth = ClientFrame::Auth { token: "t".into() };
    assert_eq!(wire.say(&log, &auth), [Out::Authenticate(Some("t".into()))]);
    let out = wire.accept(&log, &|topic| topic == "b");
    assert_eq!(
        frames(&out),
        [reset(topics(&["a"]), ResetMode::Purge, "scope", 1, 1)]
    );
    assert_eq!(wire.peer.topics().map(|t| &**t).collect::<Vec<_>>(), ["b"]);
}
