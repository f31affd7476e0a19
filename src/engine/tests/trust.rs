//! What an entry may claim while the feed lives, lags, dies and comes back.

use super::{
    Origin, Ward,
    hub::{HB_MS, Hub},
    json, kind, value, value_at,
};
use crate::{
    ErrorKind, Result,
    engine::{Cache, Entry, Fill, Freshness, Source},
    kernel::{invalidate::feed::FeedState, protocol::OpMode},
    platform::Store,
    store::Memory,
    testkit::{Faulty, Op, Sim},
};

const LEASE_MS: u64 = 2 * HB_MS + 1_000;

/// A cache that is connected and live.
fn live() -> Result<(Ward, Hub)> {
    live_over(Memory::new())
}

fn live_over(store: impl Store) -> Result<(Ward, Hub)> {
    let sim = Sim::new(11);
    let mut hub = Hub::new(&sim);
    let builder = Cache::builder("ward", sim.platform()).store(store);
    let ward = Ward::open(&sim, builder, Some(&hub.transport))?;
    hub.settle();
    hub.beat();
    assert_eq!(ward.cache.feed_state(), FeedState::Live);
    Ok((ward, hub))
}

/// As [`live`], with verified patients `a` and `b`.
fn with_patients() -> Result<(Ward, Hub)> {
    let (ward, mut hub) = live()?;
    for part in ["a", "b"] {
        ward.read("patient", &[part], value_at("1", hub.head()))?;
        hub.settle();
        assert!(is_verified(&ward, part)?);
    }
    Ok((ward, hub))
}

fn patient(ward: &Ward, part: &str) -> Result<Option<Entry>> {
    ward.get("patient", &[part])
}

fn is_verified(ward: &Ward, part: &str) -> Result<bool> {
    Ok(patient(ward, part)?.is_some_and(|entry| entry.verified))
}

#[test]
fn a_verified_entry_answers_a_strong_read_without_the_origin() -> Result<()> {
    let (ward, _hub) = with_patients()?;
    let origin = Origin::default();
    let entry = ward
        .begin_read("patient", &["a"], &origin)?
        .take()
        .transpose()?;
    assert_eq!(
        entry.map(|entry| (entry.source, entry.verified)),
        Some((Source::Memory, true))
    );
    assert_eq!(origin.calls(), 0);
    Ok(())
}

#[test]
fn a_change_ends_trust_in_what_it_names_and_in_nothing_else() -> Result<()> {
    let (ward, mut hub) = with_patients()?;
    hub.publish("patient/a", OpMode::Expire);
    let entry = patient(&ward, "a")?;
    let standing = entry.map(|entry| (entry.freshness, entry.verified));
    assert_eq!(standing, Some((Freshness::Stale, false)));
    assert!(is_verified(&ward, "b")?);
    let entry = ward.read("patient", &["a"], value_at("2", hub.head()))?;
    assert_eq!(json(&entry), "2");
    hub.settle();
    assert!(is_verified(&ward, "a")?);
    Ok(())
}

/// I3: nothing survives a purge, whatever happens to the origin afterwards.
#[test]
fn what_was_removed_or_purged_is_not_shown_even_when_the_origin_fails() -> Result<()> {
    for mode in [OpMode::Remove, OpMode::Purge] {
        let (ward, mut hub) = with_patients()?;
        hub.publish("patient/a", mode);
        assert!(patient(&ward, "a")?.is_none());
        let error = ward.read_without_origin("patient", &["a"]);
        assert_eq!(kind(error), Some(ErrorKind::OriginFailed));
        assert!(is_verified(&ward, "b")?);
    }
    Ok(())
}

/// S01: the answer left before the change and arrives after it.
#[test]
fn an_answer_from_before_a_change_is_shown_once_unverified_and_never_kept() -> Result<()> {
    let (ward, mut hub) = live()?;
    let origin = Origin::default();
    let reading = ward.begin_read("patient", &["a"], &origin)?;
    hub.settle();
    let before = hub.head();
    hub.publish("patient/a", OpMode::Expire);
    origin.answer(Ok(value_at("old", before)));
    hub.settle();
    let entry = reading.take().transpose()?;
    assert_eq!(entry.as_ref().map(json), Some("old"));
    assert_eq!(entry.map(|entry| entry.verified), Some(false));
    assert!(patient(&ward, "a")?.is_none());
    assert_eq!(
        ward.cache
            .stats()
            .classes
            .iter()
            .map(|(_, class)| class.fenced)
            .sum::<u64>(),
        1
    );
    Ok(())
}

/// The store may take its time: what was heard counts for readers at once.
#[test]
fn a_change_that_is_not_in_the_store_yet_ends_trust_in_what_is_held_and_in_what_arrives()
-> Result<()> {
    let store = Faulty::new(Memory::new());
    let (ward, mut hub) = live_over(store.clone())?;
    ward.read("patient", &["a"], value_at("old", hub.head()))?;
    hub.settle();
    assert!(is_verified(&ward, "a")?);
    let origin = Origin::default();
    let reading = ward.begin_read("summary", &["a"], &origin)?;
    hub.settle();

    let before = hub.head();
    let held = store.hold_next(Op::Commit);
    hub.publish("patient/a", OpMode::Expire);
    hub.settle();
    let key = ward.session.key("patient", &["a"])?;
    let standing = |entry: Entry| (entry.freshness, entry.verified);
    assert_eq!(
        ward.session.peek(&key)?.map(standing),
        Some((Freshness::Stale, false))
    );
    origin.answer(Ok(value_at("old", before)));
    ward.sim.run_until_stalled();
    let shown = reading.take().transpose()?;
    assert!(shown.is_none_or(|entry| !entry.verified));
    drop(held);
    hub.settle();
    assert!(ward.get("summary", &["a"])?.is_none());
    Ok(())
}

/// S02: the answer is here before the invalidation that was sent before it.
#[test]
fn an_answer_that_comes_just_before_its_invalidation_is_given_up_by_it() -> Result<()> {
    let (ward, mut hub) = live()?;
    let origin = Origin::default();
    let reading = ward.begin_read("patient", &["a"], &origin)?;
    hub.settle();
    let before = hub.head();
    hub.publish_silently("patient/a", OpMode::Remove);
    origin.answer(Ok(value_at("old", before)));
    hub.settle();
    assert_eq!(reading.take().transpose()?.as_ref().map(json), Some("old"));
    hub.beat();
    assert!(patient(&ward, "a")?.is_none());
    Ok(())
}

/// S03: of two answers the later one was read first.
#[test]
fn an_overtaken_answer_gives_way_to_what_is_held_from_a_later_position() -> Result<()> {
    let (ward, mut hub) = live()?;
    let origin = Origin::default();
    let reading = ward.begin_read("patient", &["a"], &origin)?;
    hub.settle();
    let before = hub.head();
    let after = hub.publish("patient/a", OpMode::Expire);
    hub.settle();
    let fill = Fill {
        position: Some(after),
        ..Fill::default()
    };
    ward.put("patient", &["a"], "\"new\"", fill)?;
    // Given up again: still nobody is sent back to the value before it.
    hub.publish("patient/a", OpMode::Expire);
    hub.settle();
    origin.answer(Ok(value_at("\"old\"", before)));
    hub.settle();
    let entry = reading.take().transpose()?;
    assert_eq!(entry.as_ref().map(json), Some("\"new\""));
    assert_eq!(
        entry.map(|entry| (entry.freshness, entry.verified)),
        Some((Freshness::Stale, false))
    );
    Ok(())
}

/// S01: the other side of the edge.
#[test]
fn an_answer_that_saw_the_change_is_kept_and_verified() -> Result<()> {
    let (ward, mut hub) = live()?;
    let origin = Origin::default();
    let reading = ward.begin_read("patient", &["a"], &origin)?;
    hub.settle();
    let after = hub.publish("patient/a", OpMode::Expire);
    origin.answer(Ok(value_at("new", after)));
    hub.settle();
    assert_eq!(reading.take().transpose()?.as_ref().map(json), Some("new"));
    assert!(is_verified(&ward, "a")?);
    Ok(())
}

/// An origin that tells no position: anything that matches meanwhile refuses the fill.
#[test]
fn an_answer_without_a_position_is_not_kept_if_anything_matched_meanwhile() -> Result<()> {
    for (tag, kept) in [("patient/a", false), ("patient/b", true)] {
        let (ward, mut hub) = with_patients()?;
        hub.publish("patient/a", OpMode::Remove);
        let origin = Origin::default();
        let reading = ward.begin_read("patient", &["a"], &origin)?;
        hub.settle();
        hub.publish(tag, OpMode::Expire);
        origin.answer(Ok(value("2")));
        hub.settle();
        assert_eq!(reading.take().transpose()?.as_ref().map(json), Some("2"));
        assert_eq!(patient(&ward, "a")?.is_some(), kept, "{tag}");
    }
    Ok(())
}

/// S26: giving up a tag says nothing about what was read after it.
#[test]
fn a_member_read_after_its_tag_was_given_up_stays() -> Result<()> {
    let (ward, mut hub) = live()?;
    let before = hub.head();
    let after = hub.publish("patient/a", OpMode::Expire);
    ward.read("patient", &["a"], value_at("old", before))?;
    hub.settle();
    assert!(!is_verified(&ward, "a")?);
    ward.read("patient", &["a"], value_at("new", after))?;
    hub.settle();
    assert!(is_verified(&ward, "a")?);
    Ok(())
}

/// S28: the tags of a version give that version up.
#[test]
fn an_entry_is_given_up_by_the_tags_that_it_was_filled_with() -> Result<()> {
    let (ward, mut hub) = live()?;
    let mut fetched = value_at("1", hub.head());
    fetched.fill.tags = vec!["ward/3".into()];
    ward.read("patient", &["a"], fetched)?;
    hub.settle();
    assert!(is_verified(&ward, "a")?);
    hub.publish("ward/3", OpMode::Expire);
    assert!(!is_verified(&ward, "a")?);
    let mut fetched = value_at("2", hub.head());
    fetched.fill.tags = vec!["ward/4".into()];
    ward.read("patient", &["a"], fetched)?;
    hub.settle();
    hub.publish("ward/3", OpMode::Expire);
    assert!(is_verified(&ward, "a")?, "it has left that ward");
    hub.publish("ward/4", OpMode::Expire);
    assert!(!is_verified(&ward, "a")?);
    Ok(())
}

/// A purge of a patient must find what is theirs.
#[test]
fn a_report_that_does_not_say_whose_it_is_is_never_verified() -> Result<()> {
    let (ward, mut hub) = live()?;
    for (class, part) in [("report:meta", "r"), ("appointment", "a")] {
        for (tag, verified) in [("ward/3", false), ("patient/p", true)] {
            let mut fetched = value_at("1", hub.head());
            fetched.fill.tags = vec![tag.into()];
            fetched.fill.ttl_ms = Some(1_000);
            ward.read(class, &[part], fetched)?;
            hub.settle();
            let entry = ward.get(class, &[part])?;
            assert_eq!(
                entry.map(|entry| entry.verified),
                Some(verified),
                "{class} {tag}"
            );
            ward.sim.advance(1_000);
        }
    }
    hub.publish("patient/p", OpMode::Purge);
    assert!(ward.get("report:meta", &["r"])?.is_none());
    Ok(())
}

/// I3: an entry that can never be verified is purged all the same.
#[test]
fn a_purge_reaches_what_was_stored_without_a_position() -> Result<()> {
    let (ward, mut hub) = live()?;
    ward.put("patient", &["a"], "1", Fill::default())?;
    hub.settle();
    assert!(patient(&ward, "a")?.is_some_and(|entry| !entry.verified));
    hub.publish("patient/a", OpMode::Purge);
    assert!(patient(&ward, "a")?.is_none());
    Ok(())
}

/// S15, I4: silence ends trust, and reads go on at the origin.
#[test]
fn a_silent_hub_ends_trust_within_the_lease_and_strong_reads_ask_the_origin() -> Result<()> {
    let (ward, hub) = with_patients()?;
    ward.sim.advance(LEASE_MS);
    assert!(is_verified(&ward, "a")?);
    ward.sim.advance(1);
    assert!(!is_verified(&ward, "a")?);
    let entry = ward.read("patient", &["a"], value_at("2", hub.head()))?;
    assert_eq!((json(&entry), entry.verified), ("2", false));
    Ok(())
}

/// S16: a tablet that slept trusts nothing when it wakes, before any timer has run.
#[test]
fn after_a_sleep_nothing_is_verified_before_the_hub_has_answered() -> Result<()> {
    let (ward, mut hub) = with_patients()?;
    ward.sim.clock().suspend(9 * 3_600_000);
    let key = ward.session.key("patient", &["a"])?;
    let entry = ward.session.peek(&key)?;
    assert_eq!(entry.map(|entry| entry.verified), Some(false));
    hub.connect();
    assert!(is_verified(&ward, "b")?);
    Ok(())
}

/// S17: what was missed arrives by resume, and nothing else is fetched again.
#[test]
fn a_client_that_was_away_learns_exactly_what_it_missed() -> Result<()> {
    let (ward, mut hub) = with_patients()?;
    hub.disconnect();
    hub.publish_silently("patient/a", OpMode::Expire);
    ward.sim.advance(60_000);
    assert!(!is_verified(&ward, "a")? && !is_verified(&ward, "b")?);
    hub.connect();
    assert!(!is_verified(&ward, "a")?);
    assert!(is_verified(&ward, "b")?);
    assert_eq!(ward.cache.stats().resets, 0, "nothing was dropped");
    Ok(())
}

/// A cache that opens with a full store and a feed that still connects.
fn reopened(answer: bool) -> Result<(Ward, Hub, Origin, super::Reading)> {
    let sim = Sim::new(13);
    let mut hub = Hub::new(&sim);
    let store = Memory::new();
    {
        let builder = Cache::builder("ward", sim.platform()).store(store.clone());
        let ward = Ward::open(&sim, builder, Some(&hub.transport))?;
        hub.settle();
        hub.beat();
        ward.read("patient", &["a"], value_at("1", hub.head()))?;
        hub.settle();
        hub.live_on(30_000);
        let cache = ward.cache.clone();
        sim.run_timed(async move { cache.close().await });
    }
    hub.settle();
    let builder = Cache::builder("ward", sim.platform()).store(store);
    let ward = Ward::open(&sim, builder, Some(&hub.transport))?;
    let origin = Origin::default();
    let reading = ward.begin_read("patient", &["a"], &origin)?;
    if answer {
        hub.settle();
        hub.beat();
    }
    Ok((ward, hub, origin, reading))
}

/// One resume verifies the whole cache, which is cheaper than asking for each entry again.
#[test]
fn a_strong_read_waits_for_a_feed_that_is_connecting_instead_of_asking_the_origin() -> Result<()> {
    let (_ward, _hub, origin, reading) = reopened(true)?;
    let entry = reading.take().transpose()?;
    assert_eq!(entry.map(|entry| entry.verified), Some(true));
    assert_eq!(origin.calls(), 0);
    Ok(())
}

#[test]
fn a_strong_read_waits_half_a_second_at_most() -> Result<()> {
    let (ward, _hub, origin, _reading) = reopened(false)?;
    ward.sim.advance(499);
    assert_eq!(origin.calls(), 0);
    ward.sim.advance(1);
    assert_eq!(origin.calls(), 1);
    Ok(())
}

#[test]
fn a_subscriber_wakes_when_its_entry_loses_its_standing() -> Result<()> {
    use futures_util::{FutureExt, StreamExt};
    let (ward, mut hub) = with_patients()?;
    let key = ward.session.key("patient", &["a"])?;
    let mut watch = ward.session.subscribe(&key)?;
    while watch.next().now_or_never().is_some() {}
    hub.publish("patient/a", OpMode::Expire);
    assert!(watch.next().now_or_never().is_some());
    Ok(())
}
