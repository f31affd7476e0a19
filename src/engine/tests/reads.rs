//! Who asks the origin, how often, and what stays of its answer.

use super::{Origin, Ward, json, kind, value};
use crate::{
    Error, ErrorKind, Result,
    engine::{Cache, Fill, Freshness, Invalidate, Source},
    kernel::envelope::Body,
    store::Memory,
    testkit::Sim,
};

/// S40: one call for all; whoever gives up takes nothing from the others.
#[test]
fn a_thousand_readers_share_one_call_and_one_that_gives_up_hurts_nobody() -> Result<()> {
    let ward = Ward::new(None)?;
    let origin = Origin::default();
    let mut readings = Vec::new();
    for _ in 0..1_000 {
        readings.push(ward.begin_read("patient", &["p"], &origin)?);
    }
    let others = readings.split_off(50);
    for reading in readings {
        reading.cancel();
    }
    ward.sim.run_until_stalled();
    origin.answer(Ok(value("1")));
    ward.sim.run_until_stalled();
    for reading in others {
        let entry = reading.take().transpose()?;
        assert_eq!(entry.as_ref().map(json), Some("1"));
    }
    assert_eq!(origin.calls(), 1);
    Ok(())
}

#[test]
fn readers_of_different_keys_never_share_a_call() -> Result<()> {
    let ward = Ward::new(None)?;
    let origin = Origin::default();
    let a = ward.begin_read("patient", &["a"], &origin)?;
    let b = ward.begin_read("patient", &["b"], &origin)?;
    let c = ward.begin_read("summary", &["a"], &origin)?;
    assert_eq!(origin.calls(), 3);
    for text in ["1", "2", "3"] {
        origin.answer(Ok(value(text)));
    }
    ward.sim.run_until_stalled();
    for (reading, text) in [(a, "1"), (b, "2"), (c, "3")] {
        assert_eq!(reading.take().transpose()?.as_ref().map(json), Some(text));
    }
    Ok(())
}

#[test]
fn a_call_that_nobody_waits_for_is_dropped_and_the_next_read_begins_anew() -> Result<()> {
    let ward = Ward::new(None)?;
    let origin = Origin::default();
    ward.begin_read("patient", &["p"], &origin)?.cancel();
    ward.sim.run_until_stalled();
    let reading = ward.begin_read("patient", &["p"], &origin)?;
    assert_eq!(origin.calls(), 2);
    origin.answer(Ok(value("of nobody")));
    origin.answer(Ok(value("2")));
    ward.sim.run_until_stalled();
    assert_eq!(reading.take().transpose()?.as_ref().map(json), Some("2"));
    Ok(())
}

/// S06: what was read before `invalidate` reaches its caller and nobody else.
#[test]
fn an_answer_that_an_invalidation_overtook_is_handed_out_once_and_not_kept() -> Result<()> {
    let ward = Ward::new(None)?;
    let origin = Origin::default();
    let early = ward.begin_read("patient", &["p"], &origin)?;
    let tag = Invalidate::Tag("patient/p".into());
    ward.sim.run_timed(ward.cache.invalidate(&tag))?;
    origin.answer(Ok(value("1")));
    ward.sim.run_until_stalled();
    let entry = early.take().transpose()?;
    assert_eq!(entry.as_ref().map(json), Some("1"));
    assert_eq!(entry.map(|entry| entry.verified), Some(false));
    assert!(ward.get("patient", &["p"])?.is_none());
    Ok(())
}

/// A reader who asks after a change must not get an answer from before it.
#[test]
fn a_reader_after_an_invalidation_does_not_join_a_call_from_before_it() -> Result<()> {
    let ward = Ward::new(None)?;
    let origin = Origin::default();
    let early = ward.begin_read("patient", &["p"], &origin)?;
    let tag = Invalidate::Tag("patient/p".into());
    ward.sim.run_timed(ward.cache.invalidate(&tag))?;
    let late = ward.begin_read("patient", &["p"], &origin)?;
    assert_eq!(origin.calls(), 2);
    origin.answer(Ok(value("1")));
    origin.answer(Ok(value("2")));
    ward.sim.run_until_stalled();
    assert_eq!(early.take().transpose()?.as_ref().map(json), Some("1"));
    assert_eq!(late.take().transpose()?.as_ref().map(json), Some("2"));
    let held = ward.get("patient", &["p"])?;
    assert_eq!(held.as_ref().map(json), Some("2"));
    Ok(())
}

/// S03: the older of two calls ends last.
#[test]
fn an_older_answer_that_comes_last_does_not_replace_a_newer_one() -> Result<()> {
    let ward = Ward::new(None)?;
    let (first, second) = (Origin::default(), Origin::default());
    let early = ward.begin_read("patient", &["p"], &first)?;
    let tag = Invalidate::Tag("patient/p".into());
    ward.sim.run_timed(ward.cache.invalidate(&tag))?;
    let late = ward.begin_read("patient", &["p"], &second)?;
    second.answer(Ok(value("2")));
    ward.sim.run_until_stalled();
    first.answer(Ok(value("1")));
    ward.sim.run_until_stalled();
    assert_eq!(late.take().transpose()?.as_ref().map(json), Some("2"));
    assert_eq!(early.take().transpose()?.as_ref().map(json), Some("1"));
    assert_eq!(ward.get("patient", &["p"])?.as_ref().map(json), Some("2"));
    Ok(())
}

/// S41: a stale value for a class that allows it, and an error where there is none.
#[test]
fn a_failed_origin_leaves_the_held_value_marked_or_an_error() -> Result<()> {
    let ward = Ward::new(None)?;
    let error = ward.read_without_origin("patient", &["p"]);
    assert_eq!(kind(error), Some(ErrorKind::OriginFailed));
    ward.fill("patient", &["p"], None)?;
    ward.sim.advance(3_600_000);
    let entry = ward.read_without_origin("patient", &["p"])?;
    assert_eq!((entry.freshness, entry.verified), (Freshness::Stale, false));
    let tag = Invalidate::Tag("patient/p".into());
    ward.sim.run_timed(ward.cache.invalidate(&tag))?;
    let error = ward.read_without_origin("patient", &["p"]);
    assert_eq!(kind(error), Some(ErrorKind::OriginFailed));
    Ok(())
}

#[test]
fn an_eventual_class_shows_the_stale_value_and_refreshes_behind_it_once() -> Result<()> {
    let ward = Ward::new(None)?;
    ward.fill("doctor", &["d"], None)?;
    ward.sim.advance(3_600_000);
    let origin = Origin::default();
    for _ in 0..3 {
        let reading = ward.begin_read("doctor", &["d"], &origin)?;
        let entry = reading.take().transpose()?;
        assert_eq!(entry.map(|entry| entry.freshness), Some(Freshness::Stale));
    }
    assert_eq!(origin.calls(), 1);
    origin.answer(Ok(value("2")));
    ward.sim.run_until_stalled();
    let entry = ward.get("doctor", &["d"])?;
    assert_eq!(entry.as_ref().map(json), Some("2"));
    assert_eq!(entry.map(|entry| entry.freshness), Some(Freshness::Fresh));
    Ok(())
}

#[test]
fn without_a_feed_a_strong_class_asks_the_origin_each_time_and_an_eventual_one_does_not()
-> Result<()> {
    let ward = Ward::new(None)?;
    for (class, expected) in [("patient", "2"), ("doctor", "1")] {
        ward.read(class, &["x"], value("1"))?;
        let entry = ward.read(class, &["x"], value("2"))?;
        assert_eq!(json(&entry), expected, "{class}");
    }
    Ok(())
}

/// S42, S43: "there is none" is an answer, kept briefly, and never for a strong class.
#[test]
fn an_absence_is_remembered_for_half_a_minute_and_not_at_all_by_strong_classes() -> Result<()> {
    let ward = Ward::new(None)?;
    let none = || crate::engine::Fetched::new(Body::Absent);
    for class in ["doctor", "patient"] {
        assert!(ward.read(class, &["x"], none())?.is_absent());
    }
    assert!(
        ward.get("doctor", &["x"])?
            .is_some_and(|entry| entry.is_absent())
    );
    assert!(ward.get("patient", &["x"])?.is_none());
    ward.sim.advance(30_000);
    assert!(ward.get("doctor", &["x"])?.is_none());
    Ok(())
}

/// S44: what was loaded together does not expire together; jitter only shortens.
#[test]
fn entries_loaded_together_expire_apart_and_never_late() -> Result<()> {
    let ward = Ward::new(None)?;
    let mut ends = std::collections::BTreeSet::new();
    for n in 0..50 {
        let entry = ward.read("doctor", &[&n.to_string()], value("1"))?;
        let life = entry.expires_at_ms - entry.stored_at_ms;
        assert!((3_600_000 * 9 / 10..=3_600_000).contains(&life));
        ends.insert(life);
        let entry = ward.read("patient", &[&n.to_string()], value("1"))?;
        assert_eq!(entry.expires_at_ms - entry.stored_at_ms, 3_600_000);
    }
    assert!(ends.len() > 25, "{}", ends.len());
    Ok(())
}

#[test]
fn a_shorter_time_to_live_is_taken_and_a_longer_one_is_cut() -> Result<()> {
    let ward = Ward::new(None)?;
    for (ttl, life) in [(1_000, 1_000), (u64::MAX, 3_600_000)] {
        let mut fetched = value("1");
        fetched.fill.ttl_ms = Some(ttl);
        let entry = ward.read("patient", &["p"], fetched)?;
        assert_eq!(entry.expires_at_ms - entry.stored_at_ms, life);
    }
    Ok(())
}

#[test]
fn offline_a_read_shows_what_is_held_without_asking_or_says_that_there_is_none() -> Result<()> {
    let ward = Ward::new(None)?;
    ward.fill("patient", &["p"], None)?;
    ward.cache.set_offline(true);
    let origin = Origin::default();
    let held = ward.begin_read("patient", &["p"], &origin)?.take();
    let entry = held.transpose()?;
    assert_eq!(
        entry.map(|entry| (entry.source, entry.verified)),
        Some((Source::Memory, false))
    );
    let missing = ward.begin_read("patient", &["q"], &origin)?.take();
    assert_eq!(missing.and_then(kind), Some(ErrorKind::Unavailable));
    assert_eq!(origin.calls(), 0);
    Ok(())
}

/// S05: a label says nothing about age, and a removal starts over.
#[test]
fn after_a_removal_a_lower_version_is_taken() -> Result<()> {
    use crate::kernel::invalidate::Version;
    let ward = Ward::new(None)?;
    let with = |json: &str, n| value(json).version(Version::N(n));
    ward.read("patient", &["p"], with("5", 5))?;
    ward.read("patient", &["p"], with("4", 4))?;
    let held = ward.get("patient", &["p"])?;
    assert_eq!(
        held.as_ref().map(json),
        Some("5"),
        "an older version does not replace"
    );
    let key = ward.session.key("patient", &["p"])?;
    let session = ward.session.clone();
    ward.sim
        .run_timed(async move { session.remove(&key).await })?;
    ward.read("patient", &["p"], with("1", 1))?;
    assert_eq!(ward.get("patient", &["p"])?.as_ref().map(json), Some("1"));
    Ok(())
}

#[test]
fn the_cause_of_a_failed_origin_is_attached_and_its_text_is_not_ours() -> Result<()> {
    use std::error::Error as _;
    let ward = Ward::new(None)?;
    let origin = Origin::default();
    let reading = ward.begin_read("patient", &["p"], &origin)?;
    origin.answer(Err(Error::new(ErrorKind::Timeout, "secret")));
    ward.sim.run_until_stalled();
    let error = reading.take().and_then(Result::err);
    assert_eq!(
        error.as_ref().map(Error::kind),
        Some(ErrorKind::OriginFailed)
    );
    assert!(error.as_ref().is_some_and(|error| error.source().is_some()));
    assert!(!error.is_some_and(|error| format!("{error} {error:?}").contains("secret")));
    Ok(())
}

#[test]
fn more_entries_than_memory_holds_are_read_in_one_call() -> Result<()> {
    let sim = Sim::new(7);
    let small = Cache::builder("ward", sim.platform())
        .store(Memory::new())
        .memory_bytes_max(64 << 10);
    let ward = Ward::open(&sim, small, None)?;
    let ids: Vec<_> = (0..100).map(|n| format!("p{n}")).collect();
    let mut items = Vec::new();
    for (n, id) in ids.iter().enumerate() {
        // Bytes are not compressed: 100 rows of 4 KiB are six times the budget.
        let body = Body::Bytes(vec![n as u8; 4 << 10]);
        items.push((ward.session.key("patient", &[id])?, body, Fill::default()));
    }
    let keys: Vec<_> = items.iter().map(|(key, ..)| key.clone()).collect();
    let session = ward.session.clone();
    let put = sim.run_timed(async move { session.put_many(items).await })?;
    assert!(put.iter().all(Result::is_ok));
    assert!(ward.cache.stats().entries_in_memory < 20);
    let (session, asked) = (ward.session.clone(), keys.clone());
    let found = sim.run_timed(async move { session.get_many(&asked).await })?;
    for (n, entry) in found.into_iter().enumerate() {
        let body = entry?.map(|entry| entry.body);
        assert!(body == Some(Body::Bytes(vec![n as u8; 4 << 10])), "{n}");
    }
    Ok(())
}
