//! The lease, failed transactions, and hubs that misbehave.

use super::*;
use crate::ErrorKind;

/// S15: a half-open connection.
#[test]
fn silence_ends_the_lease_to_the_millisecond_and_the_timer_reconnects() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    assert_eq!(tab.feed.next_deadline(tab.now), Some(LEASE_MS + 1));
    tab.pass(LEASE_MS);
    assert_eq!(tab.state(), FeedState::Live);
    tab.timer();
    assert_eq!(tab.reconnects_after(), None);
    tab.pass(1);
    assert_eq!(
        tab.state(),
        FeedState::Suspect,
        "before any code of ours ran"
    );
    assert!(!tab.covers("a", 10));
    tab.timer();
    assert_eq!(tab.faults(), [ErrorKind::Timeout]);
    assert!(tab.log.contains(&Effect::Disconnect) && tab.reconnects_after().is_some());
}

#[test]
fn a_heartbeat_renews_the_lease() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    for _ in 0..10 {
        tab.pass(HB_MS);
        tab.hb(10, 10);
        assert_eq!(tab.state(), FeedState::Live);
    }
}

/// S16: the device slept, and one of the clocks with it.
#[test]
fn sleep_is_seen_by_whichever_clock_was_awake() {
    for (wall, mono) in [(9 * 3_600_000, 0), (0, LEASE_MS + 1), (LEASE_MS + 1, 20)] {
        let mut tab = Tab::live(10, &[("a", 5)]);
        tab.now.wall_ms += wall;
        tab.now.mono_ms += mono;
        assert_eq!(tab.state(), FeedState::Suspect, "{wall} {mono}");
        assert!(!tab.covers("a", 10));
    }
}

/// S16: a clock that was set back proves nothing about how long it was.
#[test]
fn a_clock_set_back_makes_the_feed_suspect_and_asks_for_proof() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    tab.now.wall_ms -= 1;
    assert_eq!(tab.state(), FeedState::Suspect);
    assert_eq!(tab.feed.next_deadline(tab.now), Some(0));
    tab.timer();
    assert_eq!(tab.resumed_at(), Some(10), "asks on the same connection");
    assert_eq!(tab.faults(), []);
    tab.sub_ok(tab.sent_rid(), 10);
    assert_eq!(tab.state(), FeedState::Live);
}

/// S16: frames that lay in the socket's buffer while the tab slept.
#[test]
fn a_frame_from_before_the_sleep_does_not_revive_a_lease() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    tab.pass(9 * 3_600_000);
    tab.inv(10, 11, &["a"]);
    assert_eq!(tab.applied(), [(11, "a".into())]);
    assert_eq!(
        (tab.state(), tab.resumed_at()),
        (FeedState::Suspect, Some(11))
    );
    tab.hb(11, 12);
    tab.hb(12, 12);
    assert_eq!(tab.state(), FeedState::Suspect);
    assert_eq!(tab.cursor(), Some(10), "until the answer, the cursor stays");
    tab.pass(50);
    tab.sub_ok(tab.sent_rid(), 11);
    assert_eq!((tab.state(), tab.cursor()), (FeedState::Live, Some(12)));
    // The answer is as old as the question.
    tab.pass(LEASE_MS - 50);
    assert_eq!(tab.state(), FeedState::Live);
    tab.pass(1);
    assert_eq!(tab.state(), FeedState::Suspect);
}

/// S16: even an answer may have lain there.
#[test]
fn an_answer_proves_only_the_moment_of_its_question() {
    let mut tab = Tab::new(Some(pos(10)), &[("a", 5)]);
    tab.greet(epoch(1), 10);
    tab.pass(9 * 3_600_000);
    tab.sub_ok(1, 10);
    assert_eq!(tab.state(), FeedState::Suspect);
    assert!(!tab.covers("a", 10));
}

#[test]
fn a_repeated_old_frame_does_not_renew_the_lease() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    tab.inv(10, 12, &["a"]);
    tab.pass(LEASE_MS);
    tab.inv(10, 11, &["a"]);
    tab.pass(1);
    assert_eq!(tab.state(), FeedState::Suspect);
}

/// S20: nothing is believed, acknowledged or relayed before the store has it.
#[test]
fn the_cursor_waits_for_the_store() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    tab.hold = true;
    tab.inv(10, 12, &["a"]);
    tab.hb(12, 13);
    tab.hb(13, 14);
    assert_eq!(tab.cursor(), Some(10));
    let relayed = |tab: &Tab| tab.log.iter().any(|e| matches!(e, Effect::Relay(_)));
    assert!(!relayed(&tab) && !tab.log.iter().any(|e| matches!(e, Effect::Advance(_))));
    tab.commit_held();
    assert_eq!(tab.cursor(), Some(14));
    assert!(relayed(&tab) && tab.log.contains(&Effect::Advance(pos(14))));
}

#[test]
fn a_store_that_hangs_ends_the_lease_though_frames_arrive() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    tab.hold = true;
    tab.inv(10, 12, &["a"]);
    for seq in 12..20 {
        tab.pass(HB_MS);
        tab.hb(seq, seq + 1);
    }
    assert_eq!(tab.state(), FeedState::Suspect);
    tab.commit_held();
    assert_eq!(tab.state(), FeedState::Live);
}

/// S21: an aborted transaction is never skipped.
#[test]
fn a_failed_transaction_leads_to_a_resume_from_what_is_applied() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    tab.hold = true;
    tab.inv(10, 12, &["a"]);
    tab.inv(12, 14, &["a"]);
    tab.held.clear();
    tab.hold = false;
    let effects = tab.feed.on_apply_failed(tab.now);
    tab.perform(effects);
    assert!(tab.log.contains(&Effect::Disconnect));
    assert_ne!(tab.state(), FeedState::Live);
    tab.greet(epoch(1), 14);
    assert_eq!(tab.resumed_at(), Some(10));
}

/// S21: a purge that no log repeats comes again.
#[test]
fn a_failed_reset_is_owed_and_paid_before_the_next_greeting() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    tab.hold = true;
    tab.hear_text(r#"{"type":"reset","scope":{"topics":["a"]},"mode":"purge","reason":"scope","epoch":"01010101010101010101010101010101","upto":10}"#);
    tab.held.clear();
    tab.hold = false;
    let effects = tab.feed.on_apply_failed(tab.now);
    tab.perform(effects);
    tab.log.clear();
    tab.greet(epoch(1), 10);
    let first = tab
        .log
        .iter()
        .position(|e| matches!(e, Effect::Reset { .. }));
    let hello = tab.log.iter().position(|e| matches!(e, Effect::Send(_)));
    assert!(first.is_some() && first < hello);
    assert_eq!(tab.resets().len(), 1);
    assert_eq!(tab.saved.1, []);
}

/// S23: a new leader goes on from what the store holds.
#[test]
fn a_new_leader_resumes_from_the_saved_cursor() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    tab.hb(10, 50);
    assert_eq!(
        (tab.cursor(), tab.saved.0.clone()),
        (Some(50), Some(pos(10)))
    );
    let (cursor, topics) = tab.saved.clone();
    let effects = tab.feed.lead(2, cursor, topics, tab.now);
    tab.perform(effects);
    assert!(!tab.covers("a", 10));
    tab.greet(epoch(1), 50);
    assert_eq!(tab.resumed_at(), Some(10));
}

#[test]
fn cover_that_was_granted_on_a_lost_connection_is_void() {
    let mut tab = Tab::live(10, &[]);
    tab.hold = true;
    tab.inv(10, 11, &["x"]);
    tab.want("a", None);
    tab.sub_ok(tab.sent_rid(), 11);
    tab.lost();
    tab.commit_held();
    assert_eq!(tab.topics(), []);
    tab.greet(epoch(1), 12);
    tab.sub_ok(1, 11);
    assert!(!tab.covers("a", 12));
    tab.sub_ok(2, 12);
    assert!(tab.covers("a", 12), "it was asked for again");
}

#[test]
fn garbage_is_a_typed_fault_and_a_reconnect_with_a_growing_wait() {
    let long = "x".repeat((1 << 20) + 1);
    let garbage = [
        "",
        "{",
        "[]",
        "null",
        "\u{0}",
        "{}",
        r#"{"type":7}"#,
        r#"{"type":"inv"}"#,
        r#"{"type":"inv","prev":-1,"seq":1,"ops":[]}"#,
        r#"{"type":"inv","prev":1.5,"seq":2,"ops":[]}"#,
        r#"{"type":"inv","prev":11,"seq":10,"ops":[]}"#,
        r#"{"type":"inv","prev":10,"seq":9007199254740992,"ops":[]}"#,
        r#"{"type":"inv","prev":10,"seq":11,"ops":[["t"]]}"#,
        r#"{"type":"hb","prev":12,"upto":10,"t":0}"#,
        r#"{"type":"sub_ok","rid":1,"from":9007199254740992}"#,
        r#"{"type":"reset","scope":"all","mode":"drop","reason":"","epoch":"01010101010101010101010101010101","upto":9007199254740992}"#,
        r#"{"type":"reset","scope":"all","mode":"drop","reason":"","epoch":"nope","upto":1}"#,
        r#"{"type":"welcome","v":1,"session":"","epoch":"01010101010101010101010101010101","head":1,"floor":0,"index_floor":0,"hb_ms":1,"limits":{"topics":1,"frame_bytes":1}}"#,
        long.as_str(),
    ];
    for text in garbage {
        let mut tab = Tab::live(10, &[("a", 5)]);
        tab.hear_text(text);
        assert_eq!(tab.faults(), [ErrorKind::Incompatible], "{:.80}", text);
        assert!(tab.log.contains(&Effect::Disconnect));
        assert!(!tab.covers("a", 10));
        assert_eq!(tab.cursor(), Some(10));
    }
    // A hub that greets and then raves does not get a short wait each time.
    let mut tab = Tab::new(None, &[]);
    let mut waits = Vec::new();
    for _ in 0..8 {
        tab.greet(epoch(1), 10);
        tab.hear_text("{");
        waits.extend(tab.reconnects_after());
    }
    assert!(waits.last() >= Some(&5_000), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= 10_000));
}

#[test]
fn an_unknown_version_is_a_typed_fault_and_a_long_wait() {
    for text in [
        r#"{"type":"welcome","v":2}"#.to_owned(),
        text(&welcome(epoch(1), 10)).replace(r#""v":1"#, r#""v":9"#),
    ] {
        let mut tab = Tab::new(Some(pos(10)), &[("a", 5)]);
        let effects = tab.feed.on_connected(None, tab.now);
        tab.perform(effects);
        tab.hear_text(&text);
        assert_eq!(tab.faults(), [ErrorKind::Incompatible]);
        assert!(tab.reconnects_after() >= Some(5_000));
        assert_eq!(tab.state(), FeedState::Offline);
    }
}

#[test]
fn a_frame_before_the_welcome_is_out_of_turn() {
    let mut tab = Tab::new(Some(pos(10)), &[("a", 5)]);
    let effects = tab.feed.on_connected(None, tab.now);
    tab.perform(effects);
    tab.inv(10, 11, &["a"]);
    assert_eq!(tab.faults(), [ErrorKind::Incompatible]);
    assert_eq!(tab.applied(), []);
}

#[test]
fn an_answer_that_does_not_come_is_not_waited_for_for_ever() {
    let mut tab = Tab::new(Some(pos(10)), &[]);
    let effects = tab.feed.on_connected(None, tab.now);
    tab.perform(effects);
    assert_eq!(tab.feed.next_deadline(tab.now), Some(10_001));
    tab.pass(10_001);
    tab.timer();
    assert_eq!(tab.faults(), [ErrorKind::Timeout]);

    let mut tab = Tab::live(10, &[]);
    tab.want("a", None);
    tab.pass(9_000);
    tab.hb(10, 10);
    assert_eq!(tab.feed.next_deadline(tab.now), Some(1_001));
    tab.pass(1_001);
    tab.timer();
    assert_eq!(tab.faults(), [ErrorKind::Timeout]);
}

#[test]
fn a_hub_that_says_when_to_come_back_is_obeyed() {
    let mut tab = Tab::live(10, &[]);
    tab.hear_text(r#"{"type":"go_away","retry_ms":5000,"code":"drain"}"#);
    assert!(tab.log.contains(&Effect::Disconnect));
    let wait = tab.reconnects_after();
    assert!(wait >= Some(5_000) && wait <= Some(6_250), "{wait:?}");

    let mut tab = Tab::live(10, &[]);
    tab.hear_text(r#"{"type":"go_away","retry_ms":5000,"code":"denied","reconnect":false}"#);
    assert_eq!(
        (tab.reconnects_after(), tab.state()),
        (None, FeedState::Offline)
    );
    assert_eq!(tab.faults(), [ErrorKind::Unavailable]);
    tab.lost();
    assert_eq!(tab.reconnects_after(), None);
    let effects = tab.feed.set_offline(false, tab.now);
    tab.perform(effects);
    assert_eq!(tab.reconnects_after(), Some(0));
}

#[test]
fn offline_closes_the_connection_and_online_opens_one_at_once() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    let effects = tab.feed.set_offline(true, tab.now);
    tab.perform(effects);
    assert_eq!(tab.state(), FeedState::Offline);
    assert!(tab.log.contains(&Effect::State(FeedState::Offline)));
    assert!(!tab.covers("a", 10));
    tab.lost();
    assert_eq!(tab.reconnects_after(), None);
    let effects = tab.feed.on_connected(None, tab.now);
    assert_eq!(
        effects,
        [Effect::Disconnect],
        "a connection that came too late"
    );
    let effects = tab.feed.set_offline(false, tab.now);
    tab.perform(effects);
    assert_eq!(tab.reconnects_after(), Some(0));
    tab.greet(epoch(1), 10);
    tab.sub_ok(1, 10);
    assert!(tab.covers("a", 5));
}

#[test]
fn a_hub_that_cannot_be_reached_is_tried_less_and_less_often() {
    let mut tab = Tab::new(Some(pos(10)), &[]);
    assert_eq!(tab.state(), FeedState::Connecting);
    tab.lost();
    assert_eq!(tab.state(), FeedState::Offline);
    for _ in 0..10 {
        tab.lost();
    }
    assert!(tab.reconnects_after() >= Some(5_000));
    // A good connection makes the next wait short again.
    tab.greet(epoch(1), 10);
    tab.sub_ok(1, 10);
    tab.pass(10_000);
    tab.hb(10, 10);
    tab.lost();
    assert!(tab.reconnects_after() <= Some(1_000));
    assert_eq!(tab.state(), FeedState::Connecting);
}

#[test]
fn an_expiring_token_is_replaced_on_the_open_connection() {
    let mut tab = Tab::live(10, &[]);
    tab.want("a", None);
    tab.hear(&HubFrame::SubOk {
        rid: tab.sent_rid(),
        from: 10,
        topics: Vec::new(),
        denied: vec![TopicDenied {
            t: "a".into(),
            code: "forbidden".into(),
        }],
    });
    tab.hear_text(r#"{"type":"auth_expiring","in_s":60}"#);
    assert!(tab.log.contains(&Effect::Authenticate));
    tab.log.clear();
    let effects = tab.feed.on_token("new".into(), tab.now);
    let token = "new".into();
    assert_eq!(
        effects.first(),
        Some(&Effect::Send(ClientFrame::Auth { token }))
    );
    // What the old token did not allow is asked for again.
    tab.perform(effects);
    tab.sub_ok(tab.sent_rid(), 10);
    assert!(tab.covers("a", 10));
}

#[test]
fn cover_that_an_answer_broke_off_does_not_come_back_with_a_lost_connection() {
    let mut tab = Tab::new(Some(pos(10)), &[("a", 5)]);
    tab.greet(epoch(1), 20);
    tab.hold = true;
    tab.inv(10, 20, &["x"]);
    // Nothing is known of `a` between the cursor and this.
    tab.sub_ok(1, 15);
    tab.lost();
    tab.commit_held();
    assert_eq!(tab.cursor(), Some(20));
    assert_eq!(tab.topics(), []);
}

#[test]
fn an_answer_to_a_subscription_that_was_ended_meanwhile_covers_nothing() {
    let mut tab = Tab::live(10, &[]);
    tab.want("a", None);
    let first = tab.sent_rid();
    let effects = tab.feed.forget("a", tab.now);
    tab.perform(effects);
    tab.want("a", None);
    let second = tab.sent_rid();
    // The hub answers the first, ends it, and only then takes the second.
    tab.sub_ok(first, 10);
    tab.hb(10, 12);
    assert!(!tab.covers("a", 10));
    tab.sub_ok(second, 12);
    assert!(!tab.covers("a", 10) && tab.covers("a", 12));

    // The same while the answer waits for the store.
    let mut tab = Tab::live(10, &[]);
    tab.want("a", None);
    tab.hold = true;
    tab.inv(10, 11, &["x"]);
    tab.sub_ok(tab.sent_rid(), 11);
    let effects = tab.feed.forget("a", tab.now);
    tab.perform(effects);
    tab.want("a", None);
    tab.commit_held();
    assert!(!tab.covers("a", 11));
}

#[test]
fn transactions_that_end_out_of_order_count_in_order() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    tab.hold = true;
    tab.inv(10, 11, &["a"]);
    tab.inv(11, 12, &["a"]);
    let held = std::mem::take(&mut tab.held);
    let [first, second] = held.as_slice() else {
        panic!("two transactions");
    };
    let effects = tab.feed.on_applied(*second, tab.now);
    tab.perform(effects);
    assert_eq!(tab.cursor(), Some(10));
    let effects = tab.feed.on_applied(*first, tab.now);
    tab.perform(effects);
    assert_eq!(tab.cursor(), Some(12));
}

#[test]
fn a_topic_that_could_not_be_saved_as_dropped_is_saved_before_the_cursor_moves_again() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    tab.saved.1 = vec![("a".into(), 5)];
    tab.hold = true;
    let effects = tab.feed.forget("a", tab.now);
    tab.perform(effects);
    tab.held.clear();
    tab.hold = false;
    let effects = tab.feed.on_apply_failed(tab.now);
    tab.perform(effects);
    let effects = tab.feed.on_connected(None, tab.now);
    tab.perform(effects);
    assert_eq!(tab.saved, (Some(pos(10)), vec![]));
}
