//! Several tabs of one vault: what one does, the others see.

use super::{Origin, USER, Ward, hub::Hub, json, key_source, kind, value, value_at};
use crate::{
    ErrorKind, Result,
    engine::{Cache, CacheState, Fill, Invalidate},
    kernel::{invalidate::feed::FeedState, protocol::OpMode},
    platform::{StoreError, Tabs as _},
    store::Memory,
    testkit::{Fault, Faulty, Op, Sim, TabControl, TabHub},
};
use std::sync::Arc;

struct Tabs {
    sim: Sim,
    channel: TabHub,
    hub: Hub,
    store: Memory,
    a: Ward,
    a_tab: TabControl,
    b: Ward,
    b_tab: TabControl,
}

/// Two tabs; the first one leads. Both are live.
fn two_tabs() -> Result<Tabs> {
    let sim = Sim::new(17);
    let (channel, store) = (TabHub::new(), Memory::new());
    let mut hub = Hub::new(&sim);
    let open = || {
        let tabs = channel.tab();
        let control = tabs.control();
        let builder = Cache::builder("ward", sim.platform_with(tabs)).store(store.clone());
        Ward::open(&sim, builder, Some(&hub.transport)).map(|ward| (ward, control))
    };
    let ((a, a_tab), (b, b_tab)) = (open()?, open()?);
    for _ in 0..3 {
        hub.settle();
        hub.beat();
    }
    let tabs = Tabs {
        sim,
        channel,
        hub,
        store,
        a,
        a_tab,
        b,
        b_tab,
    };
    for tab in [&tabs.a, &tabs.b] {
        assert_eq!(tab.cache.feed_state(), FeedState::Live);
    }
    assert!(tabs.a.cache.stats().leader && !tabs.b.cache.stats().leader);
    Ok(tabs)
}

impl Tabs {
    /// Patient `p`, verified in both tabs.
    fn with_patient() -> Result<Self> {
        let mut tabs = two_tabs()?;
        tabs.a
            .read("patient", &["p"], value_at("1", tabs.hub.head()))?;
        for _ in 0..3 {
            tabs.hub.settle();
            tabs.hub.beat();
        }
        for tab in [&tabs.a, &tabs.b] {
            assert!(verified(tab)?);
        }
        Ok(tabs)
    }

    fn invalidate(&self, tab: &Ward) -> Result<()> {
        let tag = Invalidate::Tag("patient/p".into());
        self.sim.run_timed(tab.cache.invalidate(&tag))
    }
}

fn held(tab: &Ward) -> Result<Option<String>> {
    let entry = tab.get("patient", &["p"])?;
    Ok(entry.as_ref().map(|entry| json(entry).to_owned()))
}

fn verified(tab: &Ward) -> Result<bool> {
    let entry = tab.get("patient", &["p"])?;
    Ok(entry.is_some_and(|entry| entry.verified))
}

#[test]
fn what_one_tab_stores_the_other_reads_without_the_origin() -> Result<()> {
    let tabs = Tabs::with_patient()?;
    assert_eq!(held(&tabs.b)?.as_deref(), Some("1"));
    tabs.b.put("patient", &["p"], "2", Fill::default())?;
    tabs.sim.run_until_stalled();
    assert_eq!(held(&tabs.a)?.as_deref(), Some("2"));
    Ok(())
}

#[test]
fn what_one_tab_gives_up_no_tab_has() -> Result<()> {
    for from_leader in [true, false] {
        let tabs = Tabs::with_patient()?;
        tabs.invalidate(if from_leader { &tabs.a } else { &tabs.b })?;
        tabs.sim.run_until_stalled();
        assert_eq!((held(&tabs.a)?, held(&tabs.b)?), (None, None));
    }
    Ok(())
}

#[test]
fn a_change_reaches_the_tab_that_has_no_connection() -> Result<()> {
    let mut tabs = Tabs::with_patient()?;
    tabs.hub.publish("patient/p", OpMode::Expire);
    for tab in [&tabs.a, &tabs.b] {
        assert!(!verified(tab)?);
    }
    tabs.b
        .read("patient", &["p"], value_at("2", tabs.hub.head()))?;
    for _ in 0..3 {
        tabs.hub.settle();
        tabs.hub.beat();
    }
    for tab in [&tabs.a, &tabs.b] {
        assert_eq!(held(tab)?.as_deref(), Some("2"));
        assert!(verified(tab)?);
    }
    Ok(())
}

/// R3 between tabs: a fill of a tab that has not heard of the invalidation is refused by the
/// guard on the head row.
#[test]
fn a_tab_that_missed_an_invalidation_cannot_bring_the_old_value_back() -> Result<()> {
    let tabs = Tabs::with_patient()?;
    let origin = Origin::default();
    tabs.invalidate(&tabs.b)?;
    tabs.sim.run_until_stalled();
    let reading = tabs.b.begin_read("patient", &["p"], &origin)?;
    tabs.channel.lose_next(100);
    tabs.invalidate(&tabs.a)?;
    origin.answer(Ok(value("old")));
    tabs.sim.run_until_stalled();
    assert_eq!(reading.take().transpose()?.as_ref().map(json), Some("old"));
    assert_eq!((held(&tabs.a)?, held(&tabs.b)?), (None, None));
    Ok(())
}

/// S22: a tab in the back-forward cache hears nothing; when it runs again it trusts nothing.
#[test]
fn a_thawed_tab_has_dropped_what_it_missed_before_it_shows_anything() -> Result<()> {
    let mut tabs = Tabs::with_patient()?;
    tabs.b_tab.freeze();
    tabs.hub.publish("patient/p", OpMode::Remove);
    assert_eq!(held(&tabs.a)?, None);
    tabs.b_tab.thaw();
    tabs.sim.run_until_stalled();
    assert_eq!(held(&tabs.b)?, None);
    Ok(())
}

/// S23: the connection goes on in another tab.
#[test]
fn when_the_leading_tab_closes_the_other_takes_over_and_misses_nothing() -> Result<()> {
    let mut tabs = Tabs::with_patient()?;
    let cache = tabs.a.cache.clone();
    tabs.sim.run_timed(async move { cache.close().await });
    tabs.hub.publish_silently("patient/p", OpMode::Expire);
    tabs.hub.connect();
    assert!(tabs.b.cache.stats().leader);
    assert_eq!(tabs.b.cache.feed_state(), FeedState::Live);
    assert!(!verified(&tabs.b)?);
    Ok(())
}

/// R13: a leader that was frozen, robbed and has not noticed saves no cursor over the new one's:
/// the new leader may hold topics that the old one has never heard of.
#[test]
fn a_robbed_leader_does_not_move_the_cursor() -> Result<()> {
    let mut tabs = Tabs::with_patient()?;
    let saved = |tabs: &Tabs| {
        let builder = Cache::builder("ward", tabs.sim.platform()).store(tabs.store.clone());
        Ward::open(&tabs.sim, builder, None).map(|ward| ward.cache.cursor())
    };
    tabs.a_tab.freeze();
    let thief = tabs.channel.tab();
    drop(tabs.sim.run_timed(thief.lead(true)));
    tabs.hub.settle();
    assert!(tabs.b.cache.stats().leader);
    let before = saved(&tabs)?;
    tabs.hub.publish_to(0, "patient/p", OpMode::Expire);
    tabs.sim.run_until_stalled();
    assert_eq!(saved(&tabs)?, before);
    // It follows from now on, and the news reach it by the new leader.
    tabs.hub.beat();
    tabs.a_tab.thaw();
    tabs.sim.run_until_stalled();
    assert!(!tabs.a.cache.stats().leader);
    for tab in [&tabs.a, &tabs.b] {
        assert!(!verified(tab)?);
    }
    Ok(())
}

/// What is being written counts while the control rows are read again.
#[test]
fn an_invalidation_under_way_is_not_forgotten_when_the_tab_looks_at_the_store_again() -> Result<()>
{
    let sim = Sim::new(19);
    let (channel, store) = (TabHub::new(), Arc::new(Faulty::new(Memory::new())));
    let tabs = channel.tab();
    let control = tabs.control();
    let builder = Cache::builder("ward", sim.platform_with(tabs)).boxed_store(store.clone());
    let tab = Ward::open(&sim, builder, None)?;
    let origin = Origin::default();
    let reading = tab.begin_read("patient", &["p"], &origin)?;
    let held = store.hold_next(Op::Commit);
    let tag = Invalidate::Tag("patient/p".into());
    let given_up = sim.start(tab.cache.invalidate(&tag));
    sim.run_until_stalled();
    control.freeze();
    control.thaw();
    sim.run_until_stalled();
    drop(held);
    sim.run_until_stalled();
    given_up.take().transpose()?;
    origin.answer(Ok(value("old")));
    sim.run_until_stalled();
    assert_eq!(reading.take().transpose()?.as_ref().map(json), Some("old"));
    assert_eq!(tab.get("patient", &["p"])?, None);
    Ok(())
}

/// Head and fence are always of one time in the store, whatever failed before.
#[test]
fn an_invalidation_that_could_not_be_stored_leaves_a_vault_that_opens() -> Result<()> {
    let sim = Sim::new(23);
    let (store, mut hub) = (Memory::new(), Hub::new(&sim));
    let faulty = Arc::new(Faulty::new(store.clone()));
    let builder = Cache::builder("ward", sim.platform()).boxed_store(faulty.clone());
    let tab = Ward::open(&sim, builder, Some(&hub.transport))?;
    hub.settle();
    hub.beat();
    tab.put("patient", &["q"], "1", Fill::default())?;
    faulty.fail_op_after(
        Op::Commit,
        0,
        Fault::Refused(StoreError::Io("the test said so")),
    );
    let tag = Invalidate::Tag("patient/p".into());
    assert!(sim.run_timed(tab.cache.invalidate(&tag)).is_err());
    // Cursors are saved in between.
    hub.publish("doctor/d", OpMode::Expire);
    hub.live_on(60_000);
    let cache = tab.cache.clone();
    sim.run_timed(async move { cache.close().await });
    let tab = Ward::open(
        &sim,
        Cache::builder("ward", sim.platform()).store(store),
        None,
    )?;
    assert!(tab.get("patient", &["q"])?.is_some());
    Ok(())
}

#[test]
fn a_lock_in_one_tab_locks_them_all_and_each_unlocks_for_itself() -> Result<()> {
    let tabs = Tabs::with_patient()?;
    tabs.a.cache.lock();
    tabs.sim.run_until_stalled();
    for tab in [&tabs.a, &tabs.b] {
        assert_eq!(tab.cache.state(), CacheState::Locked);
        assert_eq!(kind(tab.get("patient", &["p"])), Some(ErrorKind::Locked));
    }
    let cache = tabs.b.cache.clone();
    let key = key_source()?;
    tabs.sim.run_timed(async move { cache.unlock(key).await })?;
    assert_eq!(held(&tabs.b)?.as_deref(), Some("1"));
    assert_eq!(tabs.a.cache.state(), CacheState::Locked);
    Ok(())
}

#[test]
fn a_wipe_in_one_tab_leaves_nothing_in_any() -> Result<()> {
    let tabs = Tabs::with_patient()?;
    let cache = tabs.b.cache.clone();
    let report = tabs.sim.run_timed(async move { cache.wipe().await })?;
    tabs.sim.run_until_stalled();
    assert!(report.rows_erased && !report.shredded);
    for tab in [&tabs.a, &tabs.b] {
        assert_eq!(kind(tab.get("patient", &["p"])), Some(ErrorKind::Locked));
        let cache = tab.cache.clone();
        let key = key_source()?;
        tabs.sim.run_timed(async move { cache.unlock(key).await })?;
        assert_eq!(held(tab)?, None);
    }
    Ok(())
}

#[test]
fn a_tab_of_another_user_has_another_vault() -> Result<()> {
    let tabs = Tabs::with_patient()?;
    let other = tabs.a.cache.session("dr-wu", super::Purpose::Treatment);
    assert_eq!(kind(other), Some(ErrorKind::AccessDenied));
    assert!(
        tabs.a
            .cache
            .session(USER, super::Purpose::Treatment)
            .is_ok()
    );
    Ok(())
}
