//! Several tabs.

use super::*;

/// A leader and a follower with a channel between them that keeps messages until delivered.
struct Tabs {
    leader: Tab,
    follower: Feed,
    /// What the follower was told to do.
    done: Vec<Effect>,
    /// Messages from the leader that were not delivered.
    channel: VecDeque<Relay>,
    sent: usize,
    /// The follower's store does not answer.
    slow: bool,
}

impl Tabs {
    fn new() -> Self {
        let leader = Tab::live(10, &[("a", 5)]);
        let config = FeedConfig::new("test", "device", 8);
        let mut follower = Feed::new(config, Some(pos(10)), [("a".to_owned(), 5)]);
        let ask = follower.follow(leader.now);
        let mut tabs = Self {
            leader,
            follower,
            done: Vec::new(),
            channel: VecDeque::new(),
            sent: 0,
            slow: false,
        };
        assert_eq!(ask, [Effect::Relay(Relay::Ask)]);
        tabs.leader_does(ask);
        tabs.deliver();
        assert_eq!(tabs.state(), FeedState::Live);
        assert!(tabs.has_reloaded());
        tabs.done.clear();
        tabs
    }

    fn leader_does(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Relay(relay) => {
                    let effects = self.leader.feed.on_relay(relay, self.leader.now);
                    self.leader.perform(effects);
                }
                Effect::Reload { ticket } if !self.slow => {
                    self.done.push(Effect::Reload { ticket });
                    let effects = self.follower.on_applied(ticket, self.leader.now);
                    self.leader_does(effects);
                }
                other => self.done.push(other),
            }
        }
    }

    /// Collects what the leader relayed.
    fn collect(&mut self) {
        for effect in self.leader.log.iter().skip(self.sent) {
            if let Effect::Relay(relay) = effect {
                self.channel.push_back(relay.clone());
            }
        }
        self.sent = self.leader.log.len();
    }

    fn deliver(&mut self) {
        self.collect();
        while let Some(relay) = self.channel.pop_front() {
            // It crosses as bytes.
            let relay = Relay::decode(&relay.encode()).expect("a message is read back");
            let effects = self.follower.on_relay(relay, self.leader.now);
            self.leader_does(effects);
            self.collect();
        }
    }

    fn drop_one(&mut self) {
        self.collect();
        self.channel.pop_front();
    }

    fn has_reloaded(&self) -> bool {
        let mut done = self.done.iter();
        done.any(|effect| matches!(effect, Effect::Reload { .. }))
    }

    fn state(&self) -> FeedState {
        self.follower.state(self.leader.now)
    }

    fn covers(&self, topic: &str, seq: u64) -> bool {
        self.follower.covers(&[topic], &pos(seq), self.leader.now)
    }
}

#[test]
fn a_follower_applies_what_the_leader_applied_and_not_sooner() {
    let mut tabs = Tabs::new();
    assert!(tabs.covers("a", 5));
    tabs.leader.hold = true;
    tabs.leader.inv(10, 12, &["a"]);
    tabs.deliver();
    assert_eq!(tabs.follower.cursor(), Some(&pos(10)));
    tabs.leader.commit_held();
    tabs.deliver();
    assert_eq!(tabs.follower.cursor(), Some(&pos(12)));
    assert_eq!(
        tabs.done,
        [Effect::Follow {
            ops: vec![tag("a")].into(),
            at: pos(12)
        }]
    );
}

/// S22: a tab that was frozen while the leader applied.
#[test]
fn a_follower_that_missed_a_message_drops_its_memory_and_begins_anew() {
    let mut tabs = Tabs::new();
    tabs.leader.inv(10, 12, &["a"]);
    tabs.drop_one();
    tabs.leader.hb(12, 13);
    tabs.deliver();
    assert!(tabs.has_reloaded());
    assert_eq!(tabs.follower.cursor(), Some(&pos(13)));
    assert_eq!(tabs.state(), FeedState::Live);
    assert!(
        tabs.done.contains(&Effect::State(FeedState::Connecting)),
        "not live in between"
    );
}

/// S22: even a message that names no position counts.
#[test]
fn a_follower_that_missed_a_lost_topic_notices() {
    let mut tabs = Tabs::new();
    let effects = tabs.leader.feed.forget("a", tabs.leader.now);
    tabs.leader.perform(effects);
    tabs.drop_one();
    tabs.leader.hb(10, 11);
    tabs.deliver();
    assert!(!tabs.covers("a", 11));
    assert_eq!(tabs.state(), FeedState::Live);
}

/// S22: what lay in a frozen tab's queue is as old as it is.
#[test]
fn a_thawed_follower_is_suspect_until_a_recent_message() {
    let mut tabs = Tabs::new();
    tabs.leader.pass(HB_MS);
    tabs.leader.hb(10, 11);
    tabs.collect();
    tabs.leader.pass(LEASE_MS + 1);
    assert_eq!(tabs.state(), FeedState::Suspect);
    tabs.deliver();
    assert_eq!(
        tabs.state(),
        FeedState::Suspect,
        "heard long ago by the leader"
    );
    assert!(!tabs.covers("a", 11));
}

#[test]
fn a_follower_is_told_when_the_leader_loses_trust() {
    let mut tabs = Tabs::new();
    tabs.leader.hb(12, 12);
    tabs.deliver();
    assert_eq!(tabs.state(), FeedState::Connecting);
    assert!(!tabs.covers("a", 10));
    tabs.leader.lost();
    tabs.leader.lost();
    tabs.deliver();
    assert_eq!(tabs.state(), FeedState::Offline);
}

#[test]
fn a_reset_reaches_followers() {
    let mut tabs = Tabs::new();
    tabs.leader.hear_text(r#"{"type":"reset","scope":"all","mode":"drop","reason":"","epoch":"01010101010101010101010101010101","upto":20}"#);
    tabs.deliver();
    assert!(matches!(tabs.done.first(), Some(Effect::FollowReset { upto, .. }) if upto.seq == 20));
    assert!(!tabs.covers("a", 19) && tabs.covers("a", 20));
}

#[test]
fn a_reset_to_another_log_reaches_followers() {
    let mut tabs = Tabs::new();
    tabs.leader.hear_text(r#"{"type":"reset","scope":"all","mode":"drop","reason":"","epoch":"02020202020202020202020202020202","upto":3}"#);
    tabs.deliver();
    let at = Position::new(epoch(2), 3);
    assert!(!tabs.covers("a", 10) && tabs.follower.covers(&["a"], &at, tabs.leader.now));
}

/// S30: entries that a follower filled depend on topics that only the leader can subscribe.
#[test]
fn a_follower_gets_its_topics_through_the_leader() {
    let mut tabs = Tabs::new();
    let effects = tabs.follower.want("b", Some(pos(8)), tabs.leader.now);
    tabs.leader_does(effects);
    assert!(matches!(
        tabs.leader.sent(),
        Some(ClientFrame::Sub { topics, .. }) if topics.first().and_then(|t| t.since) == Some(8)
    ));
    assert!(
        tabs.follower
            .want("b", Some(pos(8)), tabs.leader.now)
            .is_empty(),
        "told once"
    );
    tabs.leader.sub_ok(tabs.leader.sent_rid(), 8);
    tabs.deliver();
    assert!(tabs.covers("b", 8) && !tabs.covers("b", 7));
}

/// S23: a robbed leader that thawed goes on talking.
#[test]
fn a_leader_of_an_older_generation_is_not_heard() {
    let mut tabs = Tabs::new();
    let old = Relay::Led(Led {
        leader: 1,
        n: 100,
        heard_wall_ms: tabs.leader.now.wall_ms,
        body: Body::Moved {
            prev: pos(10),
            upto: pos(99),
            at: 99,
            ops: Vec::new().into(),
        },
    });
    let (cursor, topics) = tabs.leader.saved.clone();
    let effects = tabs.leader.feed.lead(2, cursor, topics, tabs.leader.now);
    tabs.leader.perform(effects);
    tabs.leader.greet(epoch(1), 10);
    tabs.leader.sub_ok(1, 10);
    tabs.deliver();
    assert_eq!(tabs.state(), FeedState::Live);
    let effects = tabs.follower.on_relay(old, tabs.leader.now);
    assert_eq!(effects, []);
    assert_eq!(tabs.follower.cursor(), Some(&pos(10)));
}

#[test]
fn a_follower_whose_question_was_lost_asks_again() {
    let config = FeedConfig::new("test", "device", 8);
    let mut follower = Feed::new(config, None, []);
    let mut now = Now {
        wall_ms: 1_000,
        mono_ms: 0,
    };
    assert_eq!(follower.state(now), FeedState::Off);
    assert_eq!(follower.follow(now), [Effect::Relay(Relay::Ask)]);
    assert_eq!(follower.next_deadline(now), Some(1_000));
    now.mono_ms += 999;
    assert_eq!(follower.on_timer(now), []);
    now.mono_ms += 1;
    assert_eq!(follower.on_timer(now), [Effect::Relay(Relay::Ask)]);
}

/// S22: a follower's silence is noticed without any message.
#[test]
fn a_follower_whose_leader_froze_becomes_suspect() {
    let mut tabs = Tabs::new();
    assert_eq!(
        tabs.follower.next_deadline(tabs.leader.now),
        Some(LEASE_MS + 1)
    );
    tabs.leader.pass(LEASE_MS + 1);
    assert_eq!(tabs.state(), FeedState::Suspect);
    let effects = tabs.follower.on_timer(tabs.leader.now);
    assert_eq!(effects, [Effect::State(FeedState::Suspect)]);
}

/// S22: what is in memory may be behind until it is read again.
#[test]
fn a_follower_vouches_for_nothing_while_it_reads_the_store_again() {
    let mut tabs = Tabs::new();
    tabs.slow = true;
    tabs.leader.inv(10, 12, &["a"]);
    tabs.drop_one();
    tabs.leader.hb(12, 13);
    tabs.deliver();
    assert_eq!(tabs.state(), FeedState::Connecting);
    assert!(!tabs.covers("a", 13));
    let ticket = tabs.done.iter().find_map(|effect| match effect {
        Effect::Reload { ticket } => Some(*ticket),
        _ => None,
    });
    // It failed: the follower asks again, and again vouches for nothing.
    tabs.leader.pass(1_000);
    let effects = tabs.follower.on_apply_failed(tabs.leader.now);
    assert!(effects.contains(&Effect::Relay(Relay::Ask)));
    tabs.leader_does(effects);
    tabs.deliver();
    let effects = tabs
        .follower
        .on_applied(ticket.expect("a reload"), tabs.leader.now);
    assert_eq!(
        effects,
        [],
        "the first reading says nothing about the second"
    );
    assert!(!tabs.covers("a", 13));
    let Some(Effect::Reload { ticket }) = tabs
        .done
        .iter()
        .rfind(|effect| matches!(effect, Effect::Reload { .. }))
    else {
        panic!("a reload");
    };
    let effects = tabs.follower.on_applied(*ticket, tabs.leader.now);
    assert!(effects.contains(&Effect::Wake));
    assert!(tabs.covers("a", 13));
}

/// S30: wishes outlive the leader that was told of them, or was not there.
#[test]
fn a_wish_that_no_leader_has_answered_is_told_to_the_next_one() {
    let mut tabs = Tabs::new();
    let effects = tabs.follower.want("b", Some(pos(8)), tabs.leader.now);
    assert!(
        matches!(effects.as_slice(), [Effect::Relay(Relay::Want(_))]),
        "lost on the way"
    );
    let (cursor, topics) = tabs.leader.saved.clone();
    let effects = tabs.leader.feed.lead(2, cursor, topics, tabs.leader.now);
    tabs.leader.perform(effects);
    tabs.leader.greet(epoch(1), 10);
    tabs.leader.sub_ok(1, 10);
    tabs.deliver();
    tabs.leader.sub_ok(tabs.leader.sent_rid(), 8);
    tabs.deliver();
    assert!(tabs.covers("b", 8));

    // Or the one that wished becomes the leader.
    let effects = tabs.follower.want("c", None, tabs.leader.now);
    assert_eq!(effects.len(), 1);
    let saved = vec![("a".to_owned(), 5)];
    let _ = tabs.follower.lead(3, Some(pos(10)), saved, tabs.leader.now);
    let _ = tabs.follower.on_connected(None, tabs.leader.now);
    let effects = tabs
        .follower
        .on_text(&text(&welcome(epoch(1), 10)), tabs.leader.now);
    assert!(effects.iter().any(|effect| matches!(
        effect,
        Effect::Send(ClientFrame::Sub { topics, .. }) if topics.iter().any(|t| t.t == "c")
    )));
}

/// S21: what a failed transaction would have told is told.
#[test]
fn a_failed_transaction_makes_followers_begin_anew() {
    let mut tabs = Tabs::new();
    tabs.leader.hold = true;
    let effects = tabs.leader.feed.forget("a", tabs.leader.now);
    tabs.leader.perform(effects);
    tabs.leader.held.clear();
    tabs.leader.hold = false;
    let effects = tabs.leader.feed.on_apply_failed(tabs.leader.now);
    tabs.leader.perform(effects);
    tabs.leader.greet(epoch(1), 12);
    tabs.leader.inv(10, 12, &[]);
    tabs.leader.sub_ok(1, 10);
    tabs.deliver();
    assert!(tabs.has_reloaded());
    assert_eq!(
        (tabs.state(), tabs.covers("a", 10)),
        (FeedState::Live, false)
    );
}

#[test]
fn a_follower_learns_which_topics_a_smaller_hub_left_out() {
    let mut tabs = Tabs::new();
    tabs.leader.lost();
    let effects = tabs.leader.feed.on_connected(None, tabs.leader.now);
    tabs.leader.perform(effects);
    let small = text(&welcome(epoch(1), 10)).replace(r#""topics":64"#, r#""topics":0"#);
    tabs.leader.hear_text(&small);
    tabs.leader.sub_ok(1, 10);
    tabs.deliver();
    assert_eq!(
        (tabs.state(), tabs.covers("a", 10)),
        (FeedState::Live, false)
    );
}

/// Rule R1 for the relay: the number is right, the place is not.
#[test]
fn a_message_that_goes_on_from_elsewhere_ends_trust() {
    let mut tabs = Tabs::new();
    tabs.leader.hb(10, 11);
    tabs.collect();
    let Some(Relay::Led(led)) = tabs.channel.pop_front() else {
        panic!("the heartbeat is relayed");
    };
    let body = Body::Moved {
        prev: pos(12),
        upto: pos(13),
        at: 13,
        ops: Vec::new().into(),
    };
    let wrong = Relay::Led(Led { body, ..led });
    let effects = tabs.follower.on_relay(wrong, tabs.leader.now);
    assert!(effects.contains(&Effect::Relay(Relay::Ask)));
    assert!(!tabs.covers("a", 10));
}
