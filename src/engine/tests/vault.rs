//! Keys, locks, damage and the disk.

use super::{Origin, USER, Ward, json, key_source, kind, value};
use crate::{
    ErrorKind, Result,
    engine::{Cache, CacheState, Event, Fill, KeySource, Purpose},
    kernel::envelope::Body,
    platform::{Batch, Store, Table},
    store::Memory,
    testkit::Sim,
};
use futures_util::{FutureExt, StreamExt};

/// Opens a cache over a store.
fn ward_over(sim: &Sim, store: &Memory) -> Result<Ward> {
    let builder = Cache::builder("ward", sim.platform()).store(store.clone());
    Ward::open(sim, builder, None)
}

/// A closed cache's store with patients `a` and `b`.
fn stored(sim: &Sim) -> Result<Memory> {
    let store = Memory::new();
    let ward = ward_over(sim, &store)?;
    for part in ["a", "b"] {
        ward.put("patient", &[part], &format!("\"{part}\""), Fill::default())?;
    }
    close(&ward);
    Ok(store)
}

fn close(ward: &Ward) {
    let cache = ward.cache.clone();
    ward.sim.run_timed(async move { cache.close().await });
}

fn rows(sim: &Sim, store: &Memory, table: Table) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let store = store.clone();
    let rows = sim.run(async move { store.scan(table, None, 10_000).await })?;
    Ok(rows
        .into_iter()
        .map(|(key, row)| (key, row.to_vec()))
        .collect())
}

fn write(sim: &Sim, store: &Memory, table: Table, key: &[u8], row: Vec<u8>) -> Result<()> {
    let (store, mut batch) = (store.clone(), Batch::new());
    batch.put(table, key, row);
    Ok(sim.run(async move { store.commit(batch).await })?)
}

fn patient(ward: &Ward, part: &str) -> Result<Option<String>> {
    let entry = ward.get("patient", &[part])?;
    Ok(entry.as_ref().map(|entry| json(entry).to_owned()))
}

/// How the reads of `a` and `b` end in a damaged store: an error kind or a value.
fn both(ward: &Ward) -> [Result<Option<String>>; 2] {
    [patient(ward, "a"), patient(ward, "b")]
}

#[test]
fn what_was_stored_is_there_after_reopening_and_another_key_opens_nothing() -> Result<()> {
    let sim = Sim::new(1);
    let store = stored(&sim)?;
    let ward = ward_over(&sim, &store)?;
    assert_eq!(patient(&ward, "a")?.as_deref(), Some("\"a\""));
    close(&ward);
    let builder = Cache::builder("ward", sim.platform())
        .store(store.clone())
        .user(USER)
        .keys(KeySource::bytes(&[8; 32])?);
    assert_eq!(
        kind(sim.run_timed(builder.open())),
        Some(ErrorKind::WrongKey)
    );
    let ward = ward_over(&sim, &store)?;
    assert_eq!(patient(&ward, "b")?.as_deref(), Some("\"b\""));
    Ok(())
}

#[test]
fn a_read_that_a_lock_overtakes_ends_as_locked_and_stores_nothing() -> Result<()> {
    let sim = Sim::new(2);
    let store = Memory::new();
    let ward = ward_over(&sim, &store)?;
    let origin = Origin::default();
    let reading = ward.begin_read("patient", &["a"], &origin)?;
    ward.cache.lock();
    origin.answer(Ok(value("1")));
    sim.run_until_stalled();
    assert_eq!(reading.take().and_then(kind), Some(ErrorKind::Locked));
    assert_eq!(kind(ward.get("patient", &["a"])), Some(ErrorKind::Locked));
    assert_eq!(rows(&sim, &store, Table::Records)?.len(), 0);
    Ok(())
}

/// Neither does an answer that comes after the vault was opened again.
#[test]
fn an_answer_from_before_a_lock_does_not_cross_it() -> Result<()> {
    let sim = Sim::new(3);
    let store = Memory::new();
    let ward = ward_over(&sim, &store)?;
    let origin = Origin::default();
    let reading = ward.begin_read("patient", &["a"], &origin)?;
    ward.cache.lock();
    let (cache, key) = (ward.cache.clone(), key_source()?);
    sim.run_timed(async move { cache.unlock(key).await })?;
    origin.answer(Ok(value("1")));
    sim.run_until_stalled();
    assert_eq!(reading.take().and_then(kind), Some(ErrorKind::Locked));
    assert_eq!(patient(&ward, "a")?, None);
    Ok(())
}

#[test]
fn an_idle_vault_locks_by_itself_also_when_the_device_slept() -> Result<()> {
    for asleep in [false, true] {
        let sim = Sim::new(4);
        let builder = Cache::builder("ward", sim.platform())
            .store(Memory::new())
            .auto_lock_ms(120_000);
        let ward = Ward::open(&sim, builder, None)?;
        sim.advance(119_000);
        ward.put("patient", &["a"], "1", Fill::default())?;
        sim.advance(119_000);
        assert_eq!(
            ward.cache.state(),
            CacheState::Open,
            "it was used meanwhile"
        );
        if asleep {
            sim.clock().suspend(120_000);
        } else {
            sim.advance(120_000);
        }
        let key = ward.session.key("patient", &["a"])?;
        assert_eq!(kind(ward.session.peek(&key)), Some(ErrorKind::Locked));
    }
    Ok(())
}

#[test]
fn after_close_every_call_says_closed() -> Result<()> {
    let ward = Ward::new(None)?;
    close(&ward);
    assert_eq!(ward.cache.state(), CacheState::Closed);
    assert_eq!(kind(ward.get("patient", &["a"])), Some(ErrorKind::Closed));
    assert_eq!(
        kind(ward.put("patient", &["a"], "1", Fill::default())),
        Some(ErrorKind::Closed)
    );
    let session = ward.cache.session(USER, Purpose::Treatment);
    assert_eq!(kind(session), Some(ErrorKind::Closed));
    let (cache, key) = (ward.cache.clone(), key_source()?);
    let unlocked = ward.sim.run_timed(async move { cache.unlock(key).await });
    assert_eq!(kind(unlocked), Some(ErrorKind::Closed));
    Ok(())
}

/// One damaged row: it alone is `Tampered`, or `Incompatible` where it has not the form of one,
/// once, and then a miss.
fn assert_alone_tampered(sim: &Sim, store: &Memory, at: &str) -> Result<()> {
    let ward = ward_over(sim, store)?;
    let mut events = ward.cache.events();
    let [a, b] = both(&ward);
    let kinds = [kind(a), kind(b)];
    let good = usize::from(kinds[0].is_some());
    let damaged = |kind| matches!(kind, Some(ErrorKind::Tampered | ErrorKind::Incompatible));
    assert_eq!(
        (damaged(kinds[1 - good]), kinds[good]),
        (true, None),
        "{at}: {kinds:?}"
    );
    sim.run_until_stalled();
    let mut told = false;
    while let Some(Some(event)) = events.next().now_or_never() {
        told |= event == Event::Tampered;
    }
    assert!(told, "{at}");
    let parts = ["a", "b"];
    for (n, part) in parts.into_iter().enumerate() {
        let expected = (n == good).then(|| format!("\"{part}\""));
        assert_eq!(patient(&ward, part)?, expected, "{at}");
    }
    close(&ward);
    Ok(())
}

#[test]
fn a_flipped_byte_anywhere_is_tampered_and_hurts_no_other_row() -> Result<()> {
    let sim = Sim::new(5);
    let len = rows(&sim, &stored(&sim)?, Table::Records)?[0].1.len();
    // Every byte of the form and of what else stands outside of the seal, and some behind it.
    for at in (0..60).chain((60..len).step_by(7)).chain([len - 1]) {
        let store = stored(&sim)?;
        let (key, mut row) = rows(&sim, &store, Table::Records)?.swap_remove(0);
        row[at] ^= 0x10;
        write(&sim, &store, Table::Records, &key, row)?;
        assert_alone_tampered(&sim, &store, &format!("byte {at}"))?;
    }
    Ok(())
}

#[test]
fn a_row_copied_over_another_is_tampered_and_never_answers_for_it() -> Result<()> {
    let sim = Sim::new(6);
    let store = stored(&sim)?;
    let all = rows(&sim, &store, Table::Records)?;
    write(&sim, &store, Table::Records, &all[0].0, all[1].1.clone())?;
    assert_alone_tampered(&sim, &store, "copied")
}

#[test]
fn a_row_of_another_vault_is_tampered() -> Result<()> {
    let sim = Sim::new(7);
    let (store, other) = (stored(&sim)?, stored(&sim)?);
    // The same user, patient and passphrase: the vault's key is another one all the same.
    let foreign = rows(&sim, &other, Table::Records)?[0].1.clone();
    let key = rows(&sim, &store, Table::Records)?[0].0.clone();
    write(&sim, &store, Table::Records, &key, foreign)?;
    assert_alone_tampered(&sim, &store, "foreign")
}

/// The fence of another day beside the head of today: nothing of it is believed.
#[test]
fn control_rows_of_different_days_start_the_vault_anew() -> Result<()> {
    let sim = Sim::new(8);
    let store = stored(&sim)?;
    let old = rows(&sim, &store, Table::Control)?;
    let ward = ward_over(&sim, &store)?;
    let tag = crate::engine::Invalidate::Tag("patient/a".into());
    sim.run_timed(ward.cache.invalidate(&tag))?;
    close(&ward);
    let (name, fence) = old
        .into_iter()
        .find(|(name, _)| name == b"fence")
        .unwrap_or_default();
    write(&sim, &store, Table::Control, &name, fence)?;
    let ward = ward_over(&sim, &store)?;
    assert_eq!([patient(&ward, "a")?, patient(&ward, "b")?], [None, None]);
    Ok(())
}

/// An old row brought back after its entry was given up stays dead.
#[test]
fn a_row_that_was_given_up_stays_dead_when_it_is_brought_back() -> Result<()> {
    let sim = Sim::new(9);
    let store = stored(&sim)?;
    let old = rows(&sim, &store, Table::Records)?;
    let ward = ward_over(&sim, &store)?;
    let tag = crate::engine::Invalidate::Tag("patient/a".into());
    sim.run_timed(ward.cache.invalidate(&tag))?;
    close(&ward);
    for (key, row) in old {
        write(&sim, &store, Table::Records, &key, row)?;
    }
    let ward = ward_over(&sim, &store)?;
    assert_eq!(patient(&ward, "a")?, None);
    assert_eq!(patient(&ward, "b")?.as_deref(), Some("\"b\""));
    Ok(())
}

#[test]
fn nothing_readable_is_in_any_row_of_any_table() -> Result<()> {
    let sim = Sim::new(10);
    let store = Memory::new();
    let ward = ward_over(&sim, &store)?;
    let fill = Fill {
        tags: vec!["ward/Sonnenblick".into()],
        ..Fill::default()
    };
    let name = "Maria Zimmermann";
    ward.put("patient", &["MRN-4711"], &format!("\"{name}\""), fill)?;
    let tag = crate::engine::Invalidate::Tag("patient/MRN-0815".into());
    sim.run_timed(ward.cache.invalidate(&tag))?;
    close(&ward);
    let needles = ["Zimmermann", "4711", "0815", "Sonnenblick", "patient", USER];
    for table in Table::ALL {
        for (key, row) in rows(&sim, &store, *table)? {
            for needle in needles {
                let found = |bytes: &[u8]| {
                    bytes
                        .windows(needle.len())
                        .any(|window| window == needle.as_bytes())
                };
                assert!(!found(&key) && !found(&row), "{needle} in {}", table.name());
            }
        }
    }
    Ok(())
}

#[test]
fn what_has_expired_is_erased_from_the_store_without_being_read() -> Result<()> {
    let sim = Sim::new(11);
    let store = Memory::new();
    let ward = ward_over(&sim, &store)?;
    ward.put("device:status", &["d"], "1", Fill::default())?;
    ward.put("patient", &["p"], "1", Fill::default())?;
    assert_eq!(rows(&sim, &store, Table::Records)?.len(), 2);
    // One day of retention, the bucket's quarter of an hour, and a sweep a minute.
    sim.advance(86_400_000 + 16 * 60_000);
    assert_eq!(rows(&sim, &store, Table::Records)?.len(), 1);
    Ok(())
}

/// A7: a clock that is set back revives nothing, also over a restart.
#[test]
fn a_clock_set_back_revives_no_expired_entry() -> Result<()> {
    let sim = Sim::new(12);
    let store = stored(&sim)?;
    let ward = ward_over(&sim, &store)?;
    sim.advance(7 * 86_400_000);
    assert_eq!(patient(&ward, "a")?, None);
    close(&ward);
    sim.clock().jump_wall(-6 * 86_400_000);
    let ward = ward_over(&sim, &store)?;
    assert_eq!([patient(&ward, "a")?, patient(&ward, "b")?], [None, None]);
    Ok(())
}

#[test]
fn a_full_store_refuses_what_does_not_fit_and_goes_on() -> Result<()> {
    let sim = Sim::new(13);
    let store = Memory::with_bytes_max(20_000);
    let ward = ward_over(&sim, &store)?;
    ward.put("patient", &["a"], "1", Fill::default())?;
    let key = ward.session.key("image:meta", &["i"])?;
    // Noise does not compress.
    let noise = (0..40_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let session = ward.session.clone();
    let put = async move { session.put(&key, Body::Bytes(noise), Fill::default()).await };
    assert_eq!(kind(sim.run_timed(put)), Some(ErrorKind::QuotaExceeded));
    ward.put("patient", &["b"], "2", Fill::default())?;
    assert_eq!(patient(&ward, "b")?.as_deref(), Some("2"));
    Ok(())
}

#[test]
fn an_ephemeral_vault_leaves_nothing_to_the_next_one() -> Result<()> {
    let sim = Sim::new(14);
    let store = Memory::new();
    let open = || {
        let builder = Cache::builder("ward", sim.platform())
            .store(store.clone())
            .user(USER)
            .keys(KeySource::Ephemeral);
        let cache = sim.run_timed(builder.open())?;
        let session = cache.session(USER, Purpose::Treatment)?;
        Ok::<_, crate::Error>(Ward {
            sim: sim.clone(),
            cache,
            session,
        })
    };
    let ward = open()?;
    ward.put("patient", &["a"], "1", Fill::default())?;
    close(&ward);
    let ward = open()?;
    assert_eq!(patient(&ward, "a")?, None);
    assert_eq!(rows(&sim, &store, Table::Records)?.len(), 0);
    Ok(())
}
