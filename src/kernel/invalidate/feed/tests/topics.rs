//! Topics: asked for, covered, refused, making room.

use super::*;

#[test]
fn an_entry_read_before_the_subscription_is_covered_only_if_the_hub_goes_back_for_it() {
    let mut tab = Tab::live(10, &[]);
    tab.want("a", None);
    tab.sub_ok(tab.sent_rid(), 10);
    tab.hb(10, 12);
    assert!(!tab.covers("a", 8));
    tab.want("a", Some(8));
    assert!(matches!(
        tab.sent(),
        Some(ClientFrame::Sub { topics, .. }) if topics.first().and_then(|t| t.since) == Some(8)
    ));
    assert!(tab.covers("a", 10), "what is covered stays so meanwhile");
    tab.inv(11, 11, &["a"]);
    assert_eq!(tab.applied(), [(11, "a".into())]);
    tab.sub_ok(tab.sent_rid(), 8);
    assert!(tab.covers("a", 8) && !tab.covers("a", 7));
}

#[test]
fn a_topic_that_cannot_be_covered_from_there_is_not_asked_for_twice() {
    let mut tab = Tab::live(10, &[]);
    tab.want("a", Some(4));
    tab.sub_ok(tab.sent_rid(), 9);
    assert!(!tab.covers("a", 8) && tab.covers("a", 9));
    tab.log.clear();
    tab.want("a", Some(4));
    tab.want("a", Some(3));
    tab.want("a", None);
    assert_eq!(tab.sent(), None);
    tab.want("a", Some(8));
    tab.sub_ok(tab.sent_rid(), 8);
    assert!(tab.covers("a", 8));
}

#[test]
fn each_topic_has_its_own_cover() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    let effects = tab.feed.want_all(
        [("b".to_owned(), Some(pos(7))), ("c".to_owned(), None)],
        tab.now,
    );
    tab.perform(effects);
    tab.hear(&HubFrame::SubOk {
        rid: tab.sent_rid(),
        from: 10,
        topics: vec![TopicFrom {
            t: "b".into(),
            from: 7,
        }],
        denied: Vec::new(),
    });
    assert_eq!(
        tab.topics(),
        [("a".into(), 5), ("b".into(), 7), ("c".into(), 10)]
    );
    assert!(tab.feed.covers(&["a", "b"], &pos(7), tab.now));
    assert!(!tab.feed.covers(&["a", "b", "c"], &pos(7), tab.now));
    assert!(!tab.feed.covers(&["a", "d"], &pos(10), tab.now));
    assert!(!tab.feed.covers(&[""; 0], &pos(10), tab.now));
}

#[test]
fn an_answer_to_nothing_covers_nothing() {
    let mut tab = Tab::live(10, &[]);
    tab.want("a", None);
    let rid = tab.sent_rid();
    tab.sub_ok(rid + 7, 0);
    assert!(!tab.covers("a", 10));
    tab.sub_ok(rid, 10);
    tab.sub_ok(rid, 0);
    assert_eq!(tab.topics(), [("a".into(), 10)]);
}

#[test]
fn beyond_the_limit_the_topics_that_were_wanted_longest_ago_make_room() {
    let mut tab = Tab::live(10, &[]);
    for n in 0..64 {
        tab.want(&format!("t{n:02}"), None);
        tab.sub_ok(tab.sent_rid(), 10);
    }
    // Wanted again, as the tag of a whole class is at every fill.
    tab.want("t00", Some(10));
    tab.log.clear();
    tab.want("more", None);
    let ended = tab.log.iter().find_map(|effect| match effect {
        Effect::Send(ClientFrame::Unsub { topics, .. }) => Some(topics.clone()),
        _ => None,
    });
    let ended: Vec<String> = ended.into_iter().flatten().map(|topic| topic.t).collect();
    assert_eq!(ended, ["t01", "t02", "t03", "t04", "t05"], "a few at once");
    assert!(!tab.saved.1.iter().any(|(topic, _)| ended.contains(topic)));
    tab.pass(2_000);
    tab.timer();
    tab.sub_ok(tab.sent_rid(), 10);
    assert!(tab.covers("more", 10) && tab.covers("t00", 10) && !tab.covers("t01", 10));
    assert_eq!(tab.faults(), []);
}

#[test]
fn more_topics_at_once_than_the_limit_stay_uncovered_without_a_fault() {
    let mut tab = Tab::live(10, &[]);
    let wants = (0..100).map(|n| (format!("t{n:02}"), None));
    let effects = tab.feed.want_all(wants.collect::<Vec<_>>(), tab.now);
    tab.perform(effects);
    tab.sub_ok(tab.sent_rid(), 10);
    assert_eq!((tab.topics().len(), tab.faults()), (64, vec![]));
    assert!(tab.covers("t63", 10) && !tab.covers("t64", 10));
    let effects = tab.feed.forget("t00", tab.now);
    tab.perform(effects);
    tab.want("t64", None);
    tab.sub_ok(tab.sent_rid(), 10);
    assert!(tab.covers("t64", 10));
}

#[test]
fn a_hub_that_takes_fewer_topics_than_are_saved_leaves_the_rest_uncovered() {
    let mut tab = Tab::new(Some(pos(10)), &[("a", 5), ("b", 5), ("c", 5)]);
    let effects = tab.feed.on_connected(None, tab.now);
    tab.perform(effects);
    let HubFrame::Welcome {
        v,
        session,
        epoch,
        head,
        floor,
        index_floor,
        hb_ms,
        limits,
    } = welcome(epoch(1), 12)
    else {
        panic!("welcome is a welcome");
    };
    tab.hear(&HubFrame::Welcome {
        v,
        session,
        epoch,
        head,
        floor,
        index_floor,
        hb_ms,
        limits: Limits {
            topics: 2,
            ..limits
        },
    });
    assert_eq!(
        tab.saved.1,
        [("a".into(), 5), ("b".into(), 5)],
        "saved before the cursor moves"
    );
    tab.sub_ok(1, 10);
    assert!(tab.covers("b", 5) && !tab.covers("c", 12));
}

#[test]
fn many_topics_travel_in_frames_that_the_hub_accepts() {
    let long = "x".repeat(2_000);
    let names: Vec<String> = (0..64).map(|n| format!("{n:02}{long}")).collect();
    let topics: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 5)).collect();
    let mut tab = Tab::new(Some(pos(10)), &topics);
    let effects = tab.feed.on_connected(None, tab.now);
    tab.perform(effects);
    tab.hear_text(&text(&welcome(epoch(1), 10)).replace("1048576", "20000"));
    let sizes: Vec<usize> = tab
        .log
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send(frame) => serde_json::to_string(frame).ok().map(|text| text.len()),
            _ => None,
        })
        .collect();
    assert!(
        sizes.len() > 6 && sizes.iter().all(|size| *size <= 20_000),
        "{sizes:?}"
    );
    // The cover of all of them waits for every answer.
    let requests = u64::try_from(sizes.len()).unwrap_or(0) - 1;
    for rid in 1..=requests {
        assert_eq!(tab.state(), FeedState::Connecting);
        tab.sub_ok(rid, 10);
    }
    assert_eq!(tab.state(), FeedState::Live);
    assert_eq!(tab.topics().len(), 64);
}

#[test]
fn a_resume_after_a_gap_names_topics_that_are_not_answered_yet() {
    let mut tab = Tab::live(10, &[("a", 5)]);
    tab.want("b", None);
    let asked = tab.sent_rid();
    tab.hb(11, 12);
    assert!(matches!(
        tab.sent(),
        Some(ClientFrame::Resume { topics, .. }) if topics.len() == 2
    ));
    tab.sub_ok(asked, 12);
    tab.inv(10, 13, &["b"]);
    tab.sub_ok(tab.sent_rid(), 10);
    assert_eq!(tab.applied(), [(13, "b".into())]);
    assert!(tab.covers("b", 12) && !tab.covers("b", 9));
}

#[test]
fn topics_are_asked_for_in_bursts_and_then_at_a_pace_that_a_hub_accepts() {
    let mut tab = Tab::live(10, &[]);
    let sent = |tab: &Tab| {
        let subs = tab
            .log
            .iter()
            .filter(|effect| matches!(effect, Effect::Send(ClientFrame::Sub { .. })));
        subs.count()
    };
    for n in 0..200 {
        // The same few topics, further and further back.
        tab.want(&format!("t{}", n % 50), Some(300 - n));
        tab.sub_ok(tab.sent_rid(), 300 - n);
    }
    let burst = sent(&tab);
    assert!((60..70).contains(&burst), "{burst}");
    let due = tab.feed.next_deadline(tab.now).unwrap_or(u64::MAX);
    assert!(due > 0 && due <= 125, "{due}");
    tab.pass(due);
    tab.timer();
    assert_eq!(sent(&tab), burst + 1, "all that waited goes in one");
}

#[test]
fn a_topic_refused_for_the_rate_is_asked_for_again_later() {
    let mut tab = Tab::live(10, &[]);
    tab.want("a", Some(8));
    tab.log.clear();
    tab.hear_text(r#"{"type":"denied","rid":2,"code":"rate"}"#);
    assert_eq!(tab.sent(), None);
    assert_eq!(tab.feed.next_deadline(tab.now), Some(1_000));
    tab.pass(1_000);
    tab.timer();
    assert!(matches!(
        tab.sent(),
        Some(ClientFrame::Sub { topics, .. }) if topics.first().and_then(|t| t.since) == Some(8)
    ));
}
