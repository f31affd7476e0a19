//! Order, resumes and resets.

use super::*;
use crate::kernel::protocol::{ResetMode, ResetScope};

fn reset(scope: ResetScope, mode: ResetMode, at: Position) -> HubFrame {
    HubFrame::Reset {
        scope,
        mode,
        reason: "test".into(),
        epoch: at.epoch,
        upto: at.seq,
    }
}

#[test]
fn the_first_connection_begins_at_the_head_and_trusts_nothing_older() {
    let mut tab = Tab::new(None, &[("a", 3)]);
    tab.want("a", None);
    tab.greet(epoch(1), 20);
    assert_eq!(tab.resets(), [(ResetReason::First, 20)]);
    assert_eq!(tab.state(), FeedState::Connecting);
    tab.sub_ok(1, 20);
    assert_eq!(tab.state(), FeedState::Live);
    assert!(!tab.covers("a", 20), "not subscribed yet");
    tab.sub_ok(2, 20);
    assert!(tab.covers("a", 20) && !tab.covers("a", 19));
    assert_eq!(tab.saved, (Some(pos(20)), vec![("a".into(), 20)]));
}

#[test]
fn a_frame_at_the_cursor_is_applied_and_moves_it() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    tab.inv(10, 12, &["a"]);
    assert_eq!(tab.applied(), [(12, "a".into())]);
    assert_eq!(
        (tab.cursor(), tab.saved.0.clone()),
        (Some(12), Some(pos(12)))
    );
    tab.hb(12, 15);
    assert_eq!(tab.cursor(), Some(15));
    assert!(tab.log.contains(&Effect::Advance(pos(15))));
    assert!(
        tab.covers("a", 5),
        "the fence, not the feed, gives entries up"
    );
}

/// S04: a repeated or late frame does no harm.
#[test]
fn a_repeated_frame_is_applied_at_its_own_position_and_the_cursor_stays() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    tab.inv(10, 12, &["a"]);
    tab.hb(12, 20);
    tab.inv(10, 12, &["a"]);
    assert_eq!(tab.applied(), [(12, "a".into()), (12, "a".into())]);
    assert_eq!(tab.cursor(), Some(20));
    assert_eq!(tab.state(), FeedState::Live);
    // One that reaches further counts for what it adds.
    tab.inv(11, 22, &["a"]);
    assert_eq!(tab.cursor(), Some(22));
}

/// S13: one dropped frame is seen at the next.
#[test]
fn a_gap_ends_all_cover_until_a_resume_closes_it() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    tab.inv(11, 12, &["b"]);
    assert_eq!(tab.resumed_at(), Some(10));
    assert_eq!(tab.state(), FeedState::Connecting);
    assert!(!tab.covers("a", 12), "nothing is covered");
    assert_eq!(tab.applied(), [(12, "b".into())], "given up all the same");
    assert_eq!(tab.saved.0, Some(pos(10)));
    tab.log.clear();
    tab.hb(12, 13);
    assert_eq!(tab.sent(), None, "asked once");
    // The replay brings both, and the answer proves it.
    tab.inv(10, 11, &["a"]);
    tab.inv(11, 12, &["b"]);
    assert!(!tab.covers("a", 12), "not before the answer");
    assert_eq!(
        tab.cursor(),
        Some(10),
        "the cursor stays while a resume is outstanding"
    );
    tab.sub_ok(2, 10);
    assert_eq!(tab.applied(), [(11, "a".into()), (12, "b".into())]);
    assert_eq!(tab.cursor(), Some(12));
    assert!(tab.covers("a", 5), "the old cover survives a resume");
}

/// S14: an idle client learns of a dropped frame from the next heartbeat.
#[test]
fn a_heartbeat_reveals_a_gap() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    tab.hb(11, 11);
    assert_eq!(tab.resumed_at(), Some(10));
    assert!(!tab.covers("a", 11));
}

#[test]
fn a_hub_that_never_closes_a_gap_is_left_with_a_growing_wait() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    for _ in 0..3 {
        tab.hb(11, 11);
        tab.sub_ok(tab.sent_rid(), 10);
    }
    assert_eq!(tab.faults(), []);
    tab.hb(11, 11);
    assert_eq!(tab.faults(), [crate::ErrorKind::Incompatible]);
    assert!(tab.reconnects_after() >= Some(500));
}

/// S12: live frames that cross a replay are ordered after it, and none is lost.
#[test]
fn live_frames_during_a_replay_neither_move_the_cursor_nor_are_missed() {
    let mut tab = Tab::new(Some(pos(10)), &[("a", 5)]);
    tab.greet(epoch(1), 20);
    assert_eq!(tab.resumed_at(), Some(10));
    // Sent before the hub read the resume.
    tab.hb(20, 21);
    assert_eq!(tab.applied(), []);
    tab.inv(10, 18, &["a"]);
    tab.inv(18, 22, &["a"]);
    tab.inv(18, 22, &["a"]);
    assert_eq!(tab.saved.0, Some(pos(10)));
    tab.sub_ok(1, 10);
    assert_eq!(tab.cursor(), Some(22));
    assert!(tab.covers("a", 5));
}

/// S17: a cover that the hub cannot replay from begins anew; at the edge it survives.
#[test]
fn a_resume_keeps_the_cover_if_it_begins_at_the_cursor_or_earlier() {
    for (from, kept) in [(9, true), (10, true), (11, false)] {
        let mut tab = Tab::new(Some(pos(10)), &[("a", 5)]);
        tab.greet(epoch(1), 20);
        tab.inv(10, 20, &[]);
        tab.sub_ok(1, from);
        assert_eq!(tab.covers("a", 5), kept, "from {from}");
        assert!(tab.covers("a", 11));
        assert_eq!(tab.topics(), [("a".into(), if kept { 5 } else { 11 })]);
    }
}

/// S17: beyond the window the hub names the topics that changed; the rest is verified at once.
#[test]
fn a_reset_of_some_topics_in_answer_to_a_resume_stands_for_their_records() {
    let mut tab = Tab::new(Some(pos(10)), &[("a", 5), ("b", 5)]);
    tab.greet(epoch(1), 90);
    let scope = ResetScope::Topics(vec!["a".into()]);
    tab.hear(&reset(scope, ResetMode::Revalidate, pos(90)));
    assert_eq!(tab.resets(), [(ResetReason::Hub, 90)]);
    tab.hb(10, 90);
    assert_eq!(tab.saved.0, Some(pos(10)), "not before the answer");
    tab.hear(&HubFrame::SubOk {
        rid: 1,
        from: 10,
        topics: vec![TopicFrom {
            t: "a".into(),
            from: 90,
        }],
        denied: Vec::new(),
    });
    assert_eq!(tab.cursor(), Some(90));
    assert!(tab.covers("b", 5) && !tab.covers("a", 89) && tab.covers("a", 90));
    tab.hb(90, 91);
    assert_eq!(tab.state(), FeedState::Live);
}

/// Rule R10: after a reset, fills from before it are not covered, by one.
#[test]
fn a_reset_of_everything_moves_the_cursor_and_every_cover() {
    let mut tab = Tab::live(10, &[("a", 5), ("b", 6)]);
    tab.hear(&reset(ResetScope::All, ResetMode::Drop, pos(30)));
    assert_eq!(tab.cursor(), Some(30));
    for topic in ["a", "b"] {
        assert!(!tab.covers(topic, 29) && tab.covers(topic, 30));
    }
    // A later answer cannot undo it.
    tab.want("a", Some(20));
    tab.sub_ok(tab.sent_rid(), 20);
    assert!(!tab.covers("a", 29));
}

/// Rule R8: a lost scope is a purge of its topics, told to the hub once it is done.
#[test]
fn a_purge_is_acknowledged_after_it_is_in_the_store() {
    let mut tab = Tab::live(10, &[("a", 5), ("b", 5)]);
    tab.hold = true;
    let scope = ResetScope::Topics(vec!["a".into()]);
    tab.hear(&reset(scope, ResetMode::Purge, pos(10)));
    assert!(!tab.covers("a", 9), "taken back at once");
    let done = Effect::Send(ClientFrame::Ack {
        seq: 10,
        purged: vec![10],
    });
    assert!(!tab.log.contains(&done));
    tab.commit_held();
    assert!(tab.log.contains(&done));
    assert!(tab.covers("b", 5), "others are not touched");
    // Whether the hub still holds the topic for this client is asked, not assumed.
    assert!(!tab.covers("a", 10));
    tab.sub_ok(tab.sent_rid(), 10);
    assert!(!tab.covers("a", 9) && tab.covers("a", 10));

    tab.hear_text(r#"{"type":"inv","prev":10,"seq":11,"ops":[["k","x:1","p"]]}"#);
    let done = ClientFrame::Ack {
        seq: 11,
        purged: vec![11],
    };
    assert_eq!(tab.sent(), Some(&done));
}

/// Rule R8: what the hub refuses is not covered, and is not forgotten to be saved as such.
#[test]
fn a_denied_topic_loses_its_cover_before_the_cursor_moves() {
    let mut tab = Tab::new(Some(pos(10)), &[("a", 5), ("b", 5)]);
    tab.greet(epoch(1), 12);
    tab.inv(10, 12, &["b"]);
    tab.hold = true;
    tab.hear(&HubFrame::SubOk {
        rid: 1,
        from: 10,
        topics: Vec::new(),
        denied: vec![TopicDenied {
            t: "a".into(),
            code: "scope".into(),
        }],
    });
    assert_eq!(tab.cursor(), Some(10), "the topics are not saved yet");
    tab.commit_held();
    assert_eq!(tab.cursor(), Some(12));
    assert_eq!(tab.topics(), [("b".into(), 5)]);
    assert!(!tab.covers("a", 12) && tab.covers("b", 5));
    // And it is not asked for again on this connection.
    tab.log.clear();
    tab.want("a", Some(12));
    assert_eq!(tab.sent(), None);
}

/// S18: another log. Its numbers say nothing, however plausible.
#[test]
fn another_epoch_resets_everything_whatever_its_numbers() {
    for head in [3, 10, 400] {
        let mut tab = Tab::new(Some(pos(10)), &[("a", 5)]);
        tab.greet(epoch(2), head);
        assert_eq!(tab.resumed_at(), Some(10));
        // A frame that fits by number is not believed.
        tab.inv(10, 11, &["a"]);
        assert_eq!((tab.cursor(), tab.applied()), (Some(10), vec![]));
        let at = Position::new(epoch(2), head);
        tab.hear(&reset(ResetScope::All, ResetMode::Revalidate, at.clone()));
        tab.sub_ok(1, head);
        assert_eq!(tab.resets(), [(ResetReason::Epoch, head)]);
        assert_eq!(tab.feed.cursor(), Some(&at));
        assert!(!tab.covers("a", 10) && !tab.covers("a", 500));
        assert!(tab.feed.covers(&["a"], &at, tab.now));
        tab.hb(head, head + 1);
        assert_eq!(tab.state(), FeedState::Live);
    }
}

/// S18: what another log says of some topics is said of them alone, after everything went.
#[test]
fn a_reset_of_some_topics_by_another_log_unverifies_the_rest() {
    let mut tab = Tab::live(10, &[("a", 5), ("b", 5)]);
    let scope = ResetScope::Topics(vec!["a".into()]);
    let at = Position::new(epoch(2), 3);
    tab.hear(&reset(scope, ResetMode::Purge, at.clone()));
    let modes: Vec<ResetMode> = tab
        .log
        .iter()
        .filter_map(|effect| match effect {
            Effect::Reset { mode, .. } => Some(*mode),
            _ => None,
        })
        .collect();
    assert_eq!(modes, [ResetMode::Revalidate, ResetMode::Purge]);
    assert!(!tab.covers("b", 10) && tab.feed.covers(&["b"], &at, tab.now));
    assert!(!tab.feed.covers(&["a"], &at, tab.now));
}

/// S18: a hub that forgets to say so.
#[test]
fn another_epoch_resets_everything_even_if_the_hub_answers_the_resume() {
    let mut tab = Tab::new(Some(pos(10)), &[("a", 5)]);
    tab.greet(epoch(2), 30);
    tab.sub_ok(1, 10);
    assert_eq!(tab.resets(), [(ResetReason::Epoch, 30)]);
    let at = |seq| Position::new(epoch(2), seq);
    assert!(!tab.feed.covers(&["a"], &at(29), tab.now));
    assert!(tab.feed.covers(&["a"], &at(30), tab.now));
}

/// S18: while the reset of a live connection waits for the store, neither log is trusted.
#[test]
fn no_entry_is_covered_while_another_log_takes_over() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    tab.hold = true;
    let at = Position::new(epoch(2), 3);
    tab.hear(&reset(ResetScope::All, ResetMode::Revalidate, at.clone()));
    assert!(!tab.covers("a", 10) && !tab.feed.covers(&["a"], &at, tab.now));
    assert_eq!(tab.state(), FeedState::Connecting);
    tab.commit_held();
    assert!(!tab.covers("a", 10) && tab.feed.covers(&["a"], &at, tab.now));
}

/// S18: the log was restored from a backup and reuses numbers.
#[test]
fn a_log_that_is_shorter_than_the_cursor_is_not_trusted() {
    let mut tab = Tab::new(Some(pos(10)), &[("a", 5)]);
    tab.greet(epoch(1), 7);
    tab.hb(7, 7);
    tab.sub_ok(1, 7);
    assert_eq!(tab.faults(), [crate::ErrorKind::Conflict]);
    assert!(!tab.covers("a", 10));
    // If the hub says that everything goes, it goes on there; old positions stay suspicious.
    tab.greet(epoch(1), 7);
    tab.hear(&reset(ResetScope::All, ResetMode::Revalidate, pos(7)));
    tab.sub_ok(tab.sent_rid(), 7);
    assert_eq!((tab.state(), tab.cursor()), (FeedState::Live, Some(7)));
    tab.hb(7, 12);
    assert!(!tab.covers("a", 10) && tab.covers("a", 11));
}

/// S11: an entry read before its topic was subscribed; a write lies between.
/// S11: an answer that does not go back far enough.
/// S30: a topic added in the middle of a session; the answer speaks of it alone.
/// S50: an operation of a later version.
#[test]
fn an_unknown_operation_gives_everything_up_and_the_known_ones_are_applied() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    tab.hear_text(r#"{"type":"inv","prev":10,"seq":12,"ops":[["z","?","x"],["t","a","p"]]}"#);
    assert_eq!(tab.applied(), [(12, "a".into())]);
    assert_eq!(tab.resets(), [(ResetReason::Unknown, 12)]);
    assert_eq!(tab.saved.0, Some(pos(12)));
    assert!(!tab.covers("a", 11) && tab.covers("a", 12));
}

/// S50: a mode of a later version at least expires.
#[test]
fn an_unknown_mode_expires_what_it_names() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    tab.hear_text(r#"{"type":"inv","prev":10,"seq":12,"ops":[["t","a","zap"]]}"#);
    assert!(tab.log.iter().any(|effect| matches!(
        effect,
        Effect::Apply { ops, .. } if ops.first().is_some_and(|op| op.mode == OpMode::Expire)
    )));
}

/// S50: a frame of a later version, in the chain and beside it.
#[test]
fn an_unknown_frame_gives_everything_up() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    tab.hear_text(r#"{"type":"inv2","prev":10,"seq":14,"zip":true}"#);
    assert_eq!(tab.resets(), [(ResetReason::Unknown, 14)]);
    assert_eq!((tab.cursor(), tab.state()), (Some(14), FeedState::Live));
    tab.hear_text(r#"{"type":"weather","sky":"blue"}"#);
    assert!(!tab.covers("a", 14) && tab.covers("a", 15));
    tab.hear_text(r#"{"type":"reset","scope":"half","mode":"melt","reason":"x","epoch":"01010101010101010101010101010101","upto":20}"#);
    assert!(!tab.covers("a", 19) && tab.covers("a", 20));
    assert_eq!(tab.faults(), []);
}

/// S35: versions of an operation reach the engine, which compares them.
#[test]
fn an_operation_keeps_its_version() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    tab.hear_text(r#"{"type":"inv","prev":10,"seq":11,"ops":[["k","patient:1","x",{"n":3}]]}"#);
    let ver = Some(crate::kernel::invalidate::Version::N(3));
    assert!(tab.log.iter().any(|effect| matches!(
        effect,
        Effect::Apply { ops, .. } if ops.first().is_some_and(|op| op.ver == ver)
    )));
}

/// Asked in the middle of a gap: what passes unseen meanwhile must be in the replay.
/// S52: a client that was told that it asks too often does as it is told.
/// The replay for one topic is no proof about the others.
#[test]
fn the_replay_of_a_subscription_does_not_close_a_gap() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    tab.want("b", Some(7));
    // Lost: inv 10 to 12, which gave `a` up.
    tab.inv(13, 13, &["b"]);
    assert_eq!(tab.applied(), [(13, "b".into())]);
    assert_eq!((tab.cursor(), tab.resumed_at()), (Some(10), Some(10)));
    assert!(!tab.covers("a", 10));
}

/// S18: an answer of the old log that waits for the store when the new one takes over.
#[test]
fn an_answer_of_another_log_counts_in_the_new_one() {
    let mut tab = Tab::live(10, &[]);
    tab.hold = true;
    tab.inv(10, 11, &["x"]);
    tab.want("a", None);
    tab.sub_ok(tab.sent_rid(), 11);
    let at = Position::new(epoch(2), 3);
    tab.hear(&reset(ResetScope::All, ResetMode::Revalidate, at.clone()));
    tab.commit_held();
    assert_eq!(tab.topics(), [("a".into(), 3)]);
    assert!(tab.feed.covers(&["a"], &at, tab.now));
}
