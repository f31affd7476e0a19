use super::*;
use proptest::prelude::*;

fn epoch(byte: u8) -> Epoch {
    Epoch::from_bytes([byte; 16])
}

fn key(byte: u8) -> BlindKey {
    BlindKey([byte; 32])
}

fn tag(byte: u8) -> BlindTag {
    BlindTag([byte; 16])
}

fn fence() -> Fence {
    let mut fence = Fence::default();
    fence.adopt(epoch(1));
    fence
}

fn at(epoch: &Epoch, seq: u64, tick: u64) -> Filled<'_> {
    Filled {
        position: Some((epoch, seq)),
        tick,
        version: None,
    }
}

/// S01: a fill of before the change never stays; one that saw it (equal: the position is
/// captured before the read and numbers are given in commit order) and later ones do.
#[test]
fn a_fill_from_before_the_change_is_refused_and_from_then_on_admitted() {
    let log = epoch(1);
    for target in [Target::Key(key(1)), Target::Tag(tag(1)), Target::All] {
        let mut fence = fence();
        fence.give_up_at(10, [(target, false, None)]);
        for (seq, admitted) in [(9, false), (10, true), (11, true)] {
            assert_eq!(
                fence.admits(&key(1), &[tag(1)], &at(&log, seq, 0)),
                admitted
            );
        }
    }
}

/// S27: a tag given up while a member is being filled; another tag does not matter.
#[test]
fn only_covering_marks_count() {
    let log = epoch(1);
    let mut fence = fence();
    fence.give_up_at(
        10,
        [
            (Target::Tag(tag(1)), false, None),
            (Target::Key(key(7)), false, None),
        ],
    );
    assert!(fence.admits(&key(1), &[tag(2)], &at(&log, 1, 0)));
    assert!(!fence.admits(&key(1), &[tag(2), tag(1)], &at(&log, 1, 0)));
    assert!(!fence.admits(&key(7), &[], &at(&log, 1, 0)));
}

/// S06: an own invalidation refuses what was under way, and not what starts afterwards.
#[test]
fn a_local_invalidation_refuses_what_was_under_way() {
    let log = epoch(1);
    let mut fence = fence();
    let before = fence.tick();
    fence.give_up_local([Target::Tag(tag(1))]);
    for position in [None, Some((&log, 99))] {
        let old = Filled {
            position,
            tick: before,
            version: None,
        };
        assert!(!fence.admits(&key(1), &[tag(1)], &old));
        assert_eq!(fence.verdict(&key(1), &[tag(1)], &old), Verdict::Gone);
        let new = Filled {
            tick: fence.tick(),
            ..old
        };
        assert!(fence.admits(&key(1), &[tag(1)], &new));
    }
}

/// The lease: an origin without positions.
#[test]
fn without_a_position_anything_that_matches_meanwhile_refuses_the_fill() {
    let mut fence = fence();
    let started = fence.tick();
    let lease = Filled {
        position: None,
        tick: started,
        version: None,
    };
    fence.give_up_at(3, [(Target::Tag(tag(2)), false, None)]);
    assert!(fence.admits(&key(1), &[tag(1)], &lease));
    fence.give_up_at(4, [(Target::Tag(tag(1)), false, None)]);
    assert!(!fence.admits(&key(1), &[tag(1)], &lease));
}

/// S35: the echo of an own write.
#[test]
fn an_announced_version_that_is_already_held_gives_up_nothing() {
    let log = epoch(1);
    let mut fence = fence();
    fence.give_up_at(10, [(Target::Key(key(1)), false, Some(Version::N(3)))]);
    let held = |n: &'static Version| Filled {
        version: Some(n),
        ..at(&log, 5, 0)
    };
    assert_eq!(
        fence.verdict(&key(1), &[], &held(&Version::N(3))),
        Verdict::Stands
    );
    assert_eq!(
        fence.verdict(&key(1), &[], &held(&Version::N(2))),
        Verdict::Expired
    );
    fence.give_up_at(11, [(Target::Key(key(1)), false, Some(Version::N(4)))]);
    assert_eq!(
        fence.verdict(&key(1), &[], &held(&Version::N(3))),
        Verdict::Expired
    );
    fence.give_up_local([Target::Key(key(1))]);
    assert_eq!(
        fence.verdict(&key(1), &[], &held(&Version::N(4))),
        Verdict::Gone
    );
}

/// S18: numbers of another log mean nothing, however large.
#[test]
fn another_log_gives_up_everything_of_the_old_one() {
    let (old, new) = (epoch(1), epoch(2));
    let mut fence = fence();
    let tick = fence.tick();
    fence.enter(new.clone(), 5, false);
    assert_eq!(
        fence.verdict(&key(1), &[], &at(&old, 1_000_000, tick)),
        Verdict::Expired
    );
    assert!(!fence.admits(&key(1), &[], &at(&old, 1_000_000, fence.tick())));
    assert!(!fence.admits(&key(1), &[], &at(&new, 4, fence.tick())));
    assert!(fence.admits(&key(1), &[], &at(&new, 5, fence.tick())));
}

#[test]
fn expired_may_be_shown_and_gone_may_not() {
    let log = epoch(1);
    let mut fence = fence();
    fence.give_up_at(10, [(Target::Tag(tag(1)), false, None)]);
    assert_eq!(
        fence.verdict(&key(1), &[tag(1)], &at(&log, 1, 0)),
        Verdict::Expired
    );
    fence.give_up_at(11, [(Target::All, true, None)]);
    assert_eq!(
        fence.verdict(&key(1), &[tag(1)], &at(&log, 1, 0)),
        Verdict::Gone
    );
}

#[derive(Clone, Debug)]
enum Act {
    Hub(u8, u8, bool),
    Local(u8, u8),
    Raise,
    Fill(u8, u8, u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0u8..3, 0u8..3, any::<bool>()).prop_map(|(a, b, c)| Act::Hub(a, b, c)),
        (0u8..3, 0u8..3).prop_map(|(a, b)| Act::Local(a, b)),
        Just(Act::Raise),
        (0u8..3, 0u8..3, 0u64..12).prop_map(|(a, b, c)| Act::Fill(a, b, c)),
    ]
}

fn target(kind: u8, id: u8) -> Target {
    match kind {
        0 => Target::Key(key(id)),
        1 => Target::Tag(tag(id)),
        _ => Target::All,
    }
}

proptest! {
    /// Against the plain list of everything that ever happened: the fence never admits a fill
    /// that the list refuses, and refuses more only below a raised floor.
    #[test]
    fn it_never_admits_what_the_full_list_refuses(acts in proptest::collection::vec(act(), 1..40)) {
        let log = epoch(1);
        let mut fence = fence();
        let mut list: Vec<(Target, u64, bool)> = Vec::new();
        let (mut seq, mut raised) = (0u64, false);
        for act in acts {
            match act {
                Act::Hub(kind, id, hard) => {
                    seq += 1;
                    fence.give_up_at(seq, [(target(kind, id), hard, None)]);
                    list.push((target(kind, id), seq, false));
                }
                Act::Local(kind, id) => {
                    fence.give_up_local([target(kind, id)]);
                    list.push((target(kind, id), fence.tick(), true));
                }
                Act::Raise => { fence.raise_floor(); raised = true; }
                Act::Fill(id, tag_id, back) => {
                    let (at_seq, tick) = (seq.saturating_sub(back), fence.tick().saturating_sub(back));
                    let refused = list.iter().any(|(target, n, local)| {
                        let hit = matches!(target, Target::All) || *target == Target::Key(key(id)) || *target == Target::Tag(tag(tag_id));
                        hit && if *local { tick < *n } else { at_seq < *n }
                    });
                    let admitted = fence.admits(&key(id), &[tag(tag_id)], &at(&log, at_seq, tick));
                    if refused { prop_assert!(!admitted); } else if !raised { prop_assert!(admitted); }
                }
            }
            let decoded = Fence::decode(&fence.encode());
            prop_assert_eq!(decoded.as_ref(), Some(&fence));
        }
    }

    #[test]
    fn decoding_garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Fence::decode(&bytes);
    }
}
