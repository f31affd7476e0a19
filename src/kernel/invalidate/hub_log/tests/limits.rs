//! What a client may not do, and what a hub does not do for it.

use super::*;
use crate::kernel::{
    invalidate::hub_log::CloseCode,
    protocol::{OpKind, ResetScope},
};

fn away(out: &[Out]) -> Option<(String, bool, CloseCode)> {
    match (frames(out).last()?, out.last()?) {
        (
            HubFrame::GoAway {
                code, reconnect, ..
            },
            Out::Close(close),
        ) => Some((code.clone(), *reconnect, *close)),
        _ => None,
    }
}

fn gone(code: &str, reconnect: bool, close: CloseCode) -> Option<(String, bool, CloseCode)> {
    Some((code.to_owned(), reconnect, close))
}

#[test]
fn nothing_is_taken_before_hello() {
    let log = log(1);
    for frame in [sub(&[("a", None)]), ClientFrame::Auth { token: "t".into() }] {
        let mut wire = Wire::silent(LIMITS);
        let out = wire.say(&log, &frame);
        assert_eq!(away(&out), gone("protocol", false, CloseCode::Protocol));
        assert!(wire.say(&log, &hello(VERSION)).is_empty(), "gone is gone");
    }
}

#[test]
fn a_second_hello_and_garbage_end_the_connection() {
    let log = log(1);
    let again = serde_json::to_string(&hello(VERSION)).expect("a frame");
    for text in [
        again.as_str(),
        "",
        "{",
        "[]",
        r#"{"type":"dance"}"#,
        r#"{"type":"sub"}"#,
    ] {
        let mut wire = Wire::open(&log);
        let out = wire.text(&log, text);
        assert_eq!(
            away(&out),
            gone("protocol", false, CloseCode::Protocol),
            "{text}"
        );
    }
}

#[test]
fn a_version_that_the_hub_does_not_speak_is_told_so() {
    let mut wire = Wire::silent(LIMITS);
    let out = wire.say(&log(1), &hello(VERSION + 1));
    assert_eq!(away(&out), gone("version", false, CloseCode::Protocol));
}

#[test]
fn a_refused_token_ends_and_an_absent_policy_asks_to_come_back() {
    let mut out = Vec::new();
    let mut wire = Wire::silent(LIMITS);
    wire.say(&log(1), &hello(VERSION));
    wire.peer.refused(None, &mut out);
    assert_eq!(away(&out), gone("unauthorised", false, CloseCode::Policy));
    out.clear();
    let mut wire = Wire::silent(LIMITS);
    wire.say(&log(1), &hello(VERSION));
    wire.peer.refused(Some(500), &mut out);
    assert_eq!(away(&out), gone("unavailable", true, CloseCode::TryLater));
}

#[test]
fn topics_beyond_the_limit_are_denied_one_by_one() {
    let log = log(1);
    let limits = PeerLimits {
        topics: 2,
        ..LIMITS
    };
    let mut wire = Wire::open_with(&log, limits);
    let frames = wire.sub(&log, &[("a", None), ("b", None), ("c", None), ("a", None)]);
    let HubFrame::SubOk { denied, .. } = &frames[0] else {
        panic!("{frames:?}");
    };
    assert_eq!(denied.len(), 1);
    assert_eq!(
        (denied[0].t.as_str(), denied[0].code.as_str()),
        ("c", "limit")
    );
}

#[test]
fn names_and_numbers_beyond_the_protocol_are_refused_whole() {
    let log = log(1);
    let long = "x".repeat(2049);
    let many: Vec<String> = (0..4097).map(|n| n.to_string()).collect();
    let many: Vec<(&str, Option<u64>)> = many.iter().map(|t| (t.as_str(), None)).collect();
    for topics in [&[("", None)][..], &[(&long, None)], &many] {
        let mut wire = Wire::open(&log);
        let frames = wire.sub(&log, topics);
        assert!(
            matches!(&frames[..], [HubFrame::Denied { rid: 1, code }] if code == "invalid"),
            "{frames:?}"
        );
    }
}

/// Many small records, no two about the same thing.
fn crowded(records: u64) -> Log {
    let mut log = log(1);
    for n in 1..=records {
        publish(
            &mut log,
            Invalidation::key(format!("patient:{n}:{}", "x".repeat(100))).topic("a"),
            n,
        );
    }
    log
}

#[test]
fn a_replay_above_its_budget_becomes_a_reset_of_the_topic() {
    let log = crowded(1_000);
    let mut wire = Wire::open(&log);
    let frames = wire.resume(&log, epoch(1), 0, &["a", "b"]);
    assert!(
        matches!(
            &frames[..],
            [
                HubFrame::Reset { scope: ResetScope::Topics(topics), upto: 1_000, .. },
                HubFrame::Hb { prev: 0, upto: 1_000, .. },
                HubFrame::SubOk { from: 0, topics: own, .. },
            ] if topics == &["a"] && own == &[from("a", 1_000)]
        ),
        "{frames:?}"
    );
    // The same through a subscription.
    let mut wire = Wire::open(&log);
    let frames = wire.sub(&log, &[("a", Some(0)), ("b", Some(0))]);
    assert!(
        matches!(
            &frames[..],
            [
                HubFrame::Reset { scope: ResetScope::Topics(topics), .. },
                HubFrame::SubOk { from: 1_000, topics: own, .. },
            ] if topics == &["a"] && own == &[from("b", 0)]
        ),
        "{frames:?}"
    );
}

#[test]
fn a_replay_that_repeats_itself_is_united() {
    let mut log = log(1);
    for n in 1..=2_000 {
        publish(&mut log, Invalidation::tag("a"), n);
    }
    publish(&mut log, Invalidation::tag("b"), 2_001);
    let mut wire = Wire::open(&log);
    let frames = wire.resume(&log, epoch(1), 0, &["a"]);
    assert!(
        matches!(
            &frames[..],
            [
                HubFrame::Inv { prev: 0, seq: 2_000, ops },
                HubFrame::Hb { prev: 2_000, upto: 2_001, .. },
                HubFrame::SubOk { from: 0, .. },
            ] if ops.len() == 1 && ops[0].kind == OpKind::Tag
        ),
        "{frames:?}"
    );
}

#[test]
fn live_delivery_takes_one_budget_at_a_time() {
    let log_before = log(1);
    let mut wire = Wire::open(&log_before);
    wire.sub(&log_before, &[("a", None)]);
    let log = crowded(1_000);
    let (more, frames) = wire.advance(&log, false);
    assert!(more);
    let bytes: usize = frames
        .iter()
        .map(|frame| serde_json::to_string(frame).expect("a frame").len())
        .sum();
    assert!(
        (LIMITS.budget_bytes..LIMITS.budget_bytes + 1024).contains(&bytes),
        "{bytes}"
    );
    let rest = wire.drain(&log).len();
    assert_eq!(
        frames.len() + rest,
        1_000,
        "a fast client gets every record"
    );
}

#[test]
fn a_stalled_client_gets_the_union_then_resets_then_the_door() {
    // What fits goes out as it is.
    let empty = log(1);
    let mut wire = Wire::open(&empty);
    wire.sub(&empty, &[("a", None)]);
    let (_, frames) = wire.advance(&crowded(10), true);
    assert_eq!(frames.len(), 10);
    // What repeats itself is united.
    let mut repeated = log(1);
    for n in 1..=2_000 {
        publish(&mut repeated, Invalidation::tag("a"), n);
    }
    let mut wire = Wire::open(&empty);
    wire.sub(&empty, &[("a", None)]);
    let (more, frames) = wire.advance(&repeated, true);
    assert!(!more);
    assert!(
        matches!(
            &frames[..],
            [HubFrame::Inv {
                prev: 0,
                seq: 2_000,
                ..
            }]
        ),
        "{frames:?}"
    );
    // What does not even then is reset, and the connection ends.
    let mut wire = Wire::open(&empty);
    wire.sub(&empty, &[("a", None), ("b", None)]);
    let crowded = crowded(1_000);
    let (_, out) = wire.view(&crowded, &|_| true, |peer, view, out| {
        peer.advance(view, true, out)
    });
    assert_eq!(away(&out), gone("slow", true, CloseCode::TryLater));
    let frames = self::frames(&out);
    assert!(
        matches!(
            &frames[..2],
            [
                HubFrame::Reset { scope: ResetScope::Topics(topics), upto: 1_000, .. },
                HubFrame::Hb { prev: 0, upto: 1_000, .. },
            ] if topics == &["a"]
        ),
        "{frames:?}"
    );
}

#[test]
fn asking_for_everything_again_and_again_is_cut_off() {
    let log = crowded(200);
    let mut wire = Wire::open(&log);
    let (mut bytes, mut refused, mut served) = (0, 0, 0);
    for _ in 0..200 {
        let frame = ClientFrame::Resume {
            rid: 1,
            epoch: epoch(1),
            seq: 0,
            topics: vec!["a".into()],
        };
        let out = wire.say(&log, &frame);
        bytes += out
            .iter()
            .map(|out| {
                if let Out::Send(text) = out {
                    text.len()
                } else {
                    0
                }
            })
            .sum::<usize>();
        served += usize::from(matches!(frames(&out).last(), Some(HubFrame::SubOk { .. })));
        refused += frames(&out)
            .iter()
            .filter(|frame| matches!(frame, HubFrame::Denied { code, .. } if code == "rate"))
            .count();
        if away(&out).is_some() {
            assert_eq!(away(&out), gone("rate", true, CloseCode::Policy));
            assert_eq!(refused, 16);
            // A replay is paid for by its length, so fewer fit than there are requests.
            assert!(served < 20, "{served} full replays");
            assert!(bytes < 1 << 20, "{bytes} bytes for a few requests");
            return;
        }
    }
    panic!("two hundred full replays were served");
}

#[test]
fn patience_fills_the_bucket_again() {
    let log = crowded(200);
    let mut wire = Wire::open(&log);
    let denied = |frames: &[HubFrame]| matches!(frames, [HubFrame::Denied { .. }]);
    let refused = (0..300).any(|_| denied(&wire.resume(&log, epoch(1), 0, &["a"])));
    assert!(refused, "nothing is limited");
    wire.now.mono_ms += 10_000;
    assert!(!denied(&wire.resume(&log, epoch(1), 0, &["a"])));
}

#[test]
fn an_ack_says_no_more_than_was_told() {
    let log = crowded(3);
    let mut wire = Wire::open(&log);
    let ack = |seq| ClientFrame::Ack {
        seq,
        purged: vec![1, 2],
    };
    assert!(wire.say(&log, &ack(2)).is_empty());
    assert_eq!((wire.peer.acked(), wire.peer.purges_acked()), (2, 2));
    assert!(wire.say(&log, &ack(99)).is_empty());
    assert_eq!(wire.peer.acked(), 3);
    assert_eq!(wire.limits.hb_ms, 1_000);
}
