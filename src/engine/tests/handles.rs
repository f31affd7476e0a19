//! What remains when an app lets go, and what one tab removes that it never saw.

use super::{USER, Ward, key_source};
use crate::{
    Error, ErrorKind, Result,
    engine::{Cache, Fill, Invalidate, Purpose},
    kernel::{class::Tighten, envelope::Body},
    platform::{Store, Table},
    store::Memory,
    testkit::Sim,
};

fn records(sim: &Sim, store: &Memory) -> usize {
    let store = store.clone();
    sim.run(async move { Store::scan(&store, Table::Records, None, 100).await })
        .map_or(0, |rows| rows.len())
}

#[test]
fn the_last_handle_takes_the_keys_and_the_tasks_with_it() -> Result<()> {
    let ward = Ward::new(None)?;
    ward.put("patient", &["1"], "{}", Fill::default())?;
    let Ward {
        sim,
        cache,
        session,
    } = ward;
    drop(cache);
    assert!(session.peek(&session.key("patient", &["1"])?)?.is_some());
    drop(session);
    sim.advance(120_000);
    assert_eq!(sim.tasks(), 0);
    Ok(())
}

#[test]
fn giving_up_everything_removes_rows_that_this_tab_never_saw() -> Result<()> {
    let (sim, store) = (Sim::new(3), Memory::new());
    let open = || {
        let builder = Cache::builder("ward", sim.platform())
            .store(store.clone())
            .user(USER)
            .keys(key_source()?);
        sim.run_timed(builder.open())
    };
    // No sibling tabs tell each other anything here: the messages are all lost.
    let (a, b) = (open()?, open()?);
    let session = b.session(USER, Purpose::Treatment)?;
    let key = session.key("patient", &["1"])?;
    let put = {
        let (session, key) = (session.clone(), key.clone());
        async move {
            session
                .put(&key, Body::Json("{}".into()), Fill::default())
                .await
        }
    };
    sim.run_timed(put)?;
    assert_eq!(records(&sim, &store), 1);
    sim.run_timed(async move { a.invalidate(&Invalidate::All).await })?;
    sim.run_until_stalled();
    assert_eq!(records(&sim, &store), 0);
    Ok(())
}

#[test]
fn after_the_end_everything_is_closed() -> Result<()> {
    let ward = Ward::new(None)?;
    let (cache, key) = (ward.cache.clone(), ward.session.key("patient", &["1"])?);
    ward.sim.run_timed(async move { cache.close().await });
    let kind = |error: Error| error.kind();
    assert_eq!(
        ward.session.peek(&key).map_err(kind),
        Err(ErrorKind::Closed)
    );
    assert_eq!(
        ward.cache
            .session(USER, Purpose::Treatment)
            .map(drop)
            .map_err(kind),
        Err(ErrorKind::Closed)
    );
    let cache = ward.cache.clone();
    let unlocked = ward
        .sim
        .run_timed(async move { cache.unlock(key_source()?).await });
    assert_eq!(unlocked.map_err(kind), Err(ErrorKind::Closed));
    Ok(())
}

#[test]
fn an_expired_row_that_another_tab_has_written_anew_stays() -> Result<()> {
    const MINUTE: u64 = 60_000;
    let (sim, store) = (Sim::new(4), Memory::new());
    let open = || {
        let rules = Tighten {
            fresh_ms: Some(10 * MINUTE),
            keep_ms: Some(60 * MINUTE),
            ..Tighten::default()
        };
        let builder = Cache::builder("ward", sim.platform())
            .store(store.clone())
            .user(USER)
            .tighten("patient", &rules)
            .keys(key_source()?);
        sim.run_timed(builder.open())
    };
    // No sibling tabs tell each other anything here: the messages are all lost.
    let (a, b) = (open()?, open()?);
    let put = |cache: &Cache| {
        let session = cache.session(USER, Purpose::Treatment)?;
        let key = session.key("patient", &["1"])?;
        sim.run(async move {
            session
                .put(&key, Body::Json("{}".into()), Fill::default())
                .await
        })
    };
    put(&a)?;
    sim.advance(59 * MINUTE);
    put(&b)?;
    sim.advance(30 * MINUTE);
    assert_eq!(
        a.stats().entries,
        0,
        "the first tab has let go of its expired row"
    );
    assert_eq!(
        records(&sim, &store),
        1,
        "and not of the other tab's new one"
    );
    sim.advance(60 * MINUTE);
    assert_eq!(records(&sim, &store), 0);
    Ok(())
}

#[test]
fn debug_forms_name_nobody() {
    let fill = Fill {
        tags: vec!["patient/4711".into()],
        ..Fill::default()
    };
    for text in [
        format!("{fill:?}"),
        format!("{:?}", Invalidate::Tag("patient/4711".into())),
        format!("{:?}", Body::Json("4711".into())),
    ] {
        assert!(!text.contains("4711"), "{text}");
    }
}
