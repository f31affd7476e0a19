//! The properties themselves.

#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use super::{Harness, agrees_with_memory};
use crate::platform::{Batch, Bytes, Durability, GuardName, Row, Store, StoreError, Table, Usage};
use futures_util::future::join_all;

type Outcome = Result<(), StoreError>;

fn bytes(value: impl AsRef<[u8]>) -> Bytes {
    value.as_ref().into()
}

fn row(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Row {
    (key.as_ref().to_vec(), bytes(value))
}

fn puts(table: Table, rows: &[Row]) -> Batch {
    let mut batch = Batch::new();
    for (key, value) in rows {
        batch.put(table, key.clone(), value.clone());
    }
    batch
}

fn put(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Batch {
    puts(Table::Records, &[row(key, value)])
}

fn guarded(mut batch: Batch, key: &[u8], expected: Option<&[u8]>) -> Batch {
    batch.expect(GuardName::Head, Table::Control, key, expected.map(bytes));
    batch
}

/// Keys of 32 bytes, as blind keys are, in byte order, with the extremes of a byte in them.
fn ordered_keys() -> Vec<Vec<u8>> {
    let mut keys = vec![vec![0; 32], vec![0xff; 32]];
    for byte in [0x01, 0x7f, 0x80, 0xfe] {
        keys.push(vec![byte; 32]);
    }
    for edge in [0x00, 0x7f, 0x80, 0xff] {
        let mut key = vec![0x80; 32];
        key[31] = edge;
        keys.push(key.clone());
        key[0] = edge;
        keys.push(key);
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn keys_of(rows: &[Row]) -> Vec<&[u8]> {
    rows.iter().map(|(key, _)| key.as_slice()).collect()
}

async fn get<S: Store>(store: &S, table: Table, key: impl AsRef<[u8]>) -> Option<Bytes> {
    store.get(table, key.as_ref()).await.unwrap()
}

async fn filled<H: Harness>(harness: &H, rows: &[Row]) -> H::Store {
    let store = harness.open().await;
    store.commit(puts(Table::Records, rows)).await.unwrap();
    store
}

properties! { $;
    /// A row that was put is read as it was until it is deleted; deleting again is no error.
    async fn a_row_comes_back_until_it_is_deleted(harness) {
        let store = filled(harness, &[row("a", "1")]).await;
        assert_eq!(get(&store, Table::Records, "a").await, Some(bytes("1")));
        for _ in 0..2 {
            let mut batch = Batch::new();
            batch.delete(Table::Records, *b"a");
            store.commit(batch).await.unwrap();
            assert_eq!(get(&store, Table::Records, "a").await, None);
        }
    }

    /// Absence is `None`, never an error.
    async fn an_absent_row_is_none(harness) {
        let store = harness.open().await;
        for &table in Table::ALL {
            assert_eq!(get(&store, table, "nothing").await, None);
        }
    }

    /// Answers stand in the order of the keys, with `None` for what is missing, and a key asked
    /// twice is answered twice.
    async fn many_rows_come_back_in_the_order_asked(harness) {
        let store = filled(harness, &[row("a", "1"), row("b", "2"), row("c", "3")]).await;
        let keys = ["c", "x", "a", "c"].map(|key| key.as_bytes().to_vec());
        let answers = store.get_many(Table::Records, &keys).await.unwrap();
        let expected = [Some(bytes("3")), None, Some(bytes("1")), Some(bytes("3"))];
        assert_eq!(answers, expected);
    }

    /// An empty question has an empty answer.
    async fn asking_for_no_rows_gives_none(harness) {
        let store = harness.open().await;
        assert_eq!(store.get_many(Table::Records, &[]).await.unwrap(), []);
    }

    /// A batch without guards and writes settles.
    async fn an_empty_batch_succeeds(harness) {
        let store = harness.open().await;
        store.commit(Batch::new()).await.unwrap();
    }

    /// A row may hold no bytes; it is not the same as no row.
    async fn an_empty_value_is_a_row(harness) {
        let store = filled(harness, &[row("a", "")]).await;
        assert_eq!(get(&store, Table::Records, "a").await, Some(bytes("")));
        let rows = store.scan(Table::Records, None, 10).await.unwrap();
        assert_eq!(rows, [row("a", "")]);
        let batch = guarded(put("b", "x"), b"head", Some(b""));
        let refused = Err(StoreError::Guard { name: GuardName::Head, found: None });
        assert_eq!(store.commit(batch).await, refused);
    }

    /// A value of 1 MiB is kept byte for byte.
    async fn a_mebibyte_comes_back_whole(harness) {
        let mut state = 1u32;
        let large: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(1 << 20)
        .collect();
        let store = filled(harness, &[row("large", &large)]).await;
        let read = get(&store, Table::Records, "large").await;
        assert!(read.as_deref() == Some(large.as_slice()));
    }

    /// Keys are compared byte by byte, over their whole length.
    async fn keys_that_differ_in_one_byte_are_different_rows(harness) {
        let keys = ordered_keys();
        let rows: Vec<Row> = keys.iter().map(|key| row(key, key)).collect();
        let store = filled(harness, &rows).await;
        for key in &keys {
            assert_eq!(get(&store, Table::Records, key).await, Some(bytes(key)));
        }
        assert_eq!(get(&store, Table::Records, &keys[0][..31]).await, None);
    }

    /// The same key in two tables is two rows.
    async fn tables_do_not_see_each_other(harness) {
        let store = harness.open().await;
        for &table in Table::ALL {
            let batch = puts(table, &[row("k", table.name())]);
            store.commit(batch).await.unwrap();
        }
        let mut batch = Batch::new();
        batch.delete(Table::Control, *b"k");
        store.commit(batch).await.unwrap();
        for &table in Table::ALL {
            let expected = (table != Table::Control).then(|| bytes(table.name()));
            assert_eq!(get(&store, table, "k").await, expected);
            let rows = store.scan(table, None, 10).await.unwrap();
            assert_eq!(rows.len(), usize::from(expected.is_some()));
        }
    }

    /// One batch may write to all tables, and does so whole.
    async fn one_batch_reaches_every_table(harness) {
        let store = harness.open().await;
        let mut batch = Batch::new();
        for &table in Table::ALL {
            batch.put(table, *b"k", bytes(table.name()));
        }
        store.commit(batch).await.unwrap();
        for &table in Table::ALL {
            assert_eq!(get(&store, table, "k").await, Some(bytes(table.name())));
        }
    }

    /// Writes are applied in order.
    async fn the_last_write_of_a_row_in_a_batch_wins(harness) {
        let store = filled(harness, &[row("gone", "0")]).await;
        let mut batch = Batch::new();
        batch.put(Table::Records, *b"twice", bytes("1"));
        batch.put(Table::Records, *b"twice", bytes("2"));
        batch.put(Table::Records, *b"gone", bytes("1"));
        batch.delete(Table::Records, *b"gone");
        batch.delete(Table::Records, *b"back");
        batch.put(Table::Records, *b"back", bytes("3"));
        store.commit(batch).await.unwrap();
        let rows = store.scan(Table::Records, None, 10).await.unwrap();
        assert_eq!(rows, [row("back", "3"), row("twice", "2")]);
    }

    /// Relaxed and strict batches are both readable once they resolved.
    async fn both_durabilities_commit(harness) {
        let store = harness.open().await;
        for durability in [Durability::Relaxed, Durability::Strict] {
            let key = format!("{durability:?}");
            let batch = Batch { durability, ..put(&key, "1") };
            store.commit(batch).await.unwrap();
            assert_eq!(get(&store, Table::Records, &key).await, Some(bytes("1")));
        }
    }

    /// A guard that holds is no obstacle, also when the batch rewrites the guarded row.
    async fn a_guard_that_holds_lets_the_batch_in(harness) {
        let store = harness.open().await;
        let mut batch = guarded(put("a", "1"), b"head", None);
        batch.put(Table::Control, *b"head", bytes("v1"));
        store.commit(batch).await.unwrap();
        let mut batch = guarded(put("a", "2"), b"head", Some(b"v1"));
        batch.put(Table::Control, *b"head", bytes("v2"));
        store.commit(batch).await.unwrap();
        assert_eq!(get(&store, Table::Control, "head").await, Some(bytes("v2")));
        assert_eq!(get(&store, Table::Records, "a").await, Some(bytes("2")));
    }

    /// A failed guard names itself, gives the row as it is, and nothing of the batch is written.
    async fn a_failed_guard_writes_nothing_and_tells_what_it_found(harness) {
        let store = filled(harness, &[row("a", "1")]).await;
        store.commit(puts(Table::Control, &[row("head", "v2")])).await.unwrap();
        let mut batch = guarded(put("a", "2"), b"head", Some(b"v1"));
        batch.put(Table::Log, *b"new", bytes("3"));
        batch.delete(Table::Control, *b"head");
        let refused = StoreError::Guard {
            name: GuardName::Head,
            found: Some(bytes("v2")),
        };
        assert_eq!(store.commit(batch).await, Err(refused));
        assert_eq!(get(&store, Table::Records, "a").await, Some(bytes("1")));
        assert_eq!(get(&store, Table::Log, "new").await, None);
        assert_eq!(get(&store, Table::Control, "head").await, Some(bytes("v2")));
        // The refusal leaves no transaction open behind it.
        store.commit(put("a", "4")).await.unwrap();
    }

    /// "Must not exist" holds once only.
    async fn a_guard_on_an_absent_row_fails_once_the_row_exists(harness) {
        let store = harness.open().await;
        let claim = |value: &str| {
            let mut batch = Batch::new();
            batch.expect(GuardName::Row, Table::Records, *b"a", None);
            batch.put(Table::Records, *b"a", bytes(value));
            batch
        };
        store.commit(claim("1")).await.unwrap();
        let refused = StoreError::Guard {
            name: GuardName::Row,
            found: Some(bytes("1")),
        };
        assert_eq!(store.commit(claim("2")).await, Err(refused));
        assert_eq!(get(&store, Table::Records, "a").await, Some(bytes("1")));
    }

    /// A guard that expects a row which is gone finds nothing.
    async fn a_guard_on_a_missing_row_finds_nothing(harness) {
        let store = harness.open().await;
        let batch = guarded(put("a", "1"), b"head", Some(b"v1"));
        let refused = StoreError::Guard { name: GuardName::Head, found: None };
        assert_eq!(store.commit(batch).await, Err(refused));
        assert_eq!(get(&store, Table::Records, "a").await, None);
    }

    /// With several guards, the first that fails is reported, and one failure is enough.
    async fn the_first_failed_guard_is_the_one_named(harness) {
        let store = harness.open().await;
        store.commit(puts(Table::Control, &[row("holds", "1")])).await.unwrap();
        let mut batch = put("a", "1");
        batch.expect(GuardName::Head, Table::Control, *b"holds", Some(bytes("1")));
        batch.expect(GuardName::LogHead, Table::Log, *b"fails", Some(bytes("2")));
        batch.expect(GuardName::Row, Table::Records, *b"fails", Some(bytes("3")));
        let refused = StoreError::Guard { name: GuardName::LogHead, found: None };
        assert_eq!(store.commit(batch).await, Err(refused));
        assert_eq!(get(&store, Table::Records, "a").await, None);
    }

    /// Guards are evaluated before the first write of their own batch.
    async fn guards_see_the_state_before_the_batch(harness) {
        let store = harness.open().await;
        let mut batch = Batch::new();
        batch.put(Table::Control, *b"head", bytes("v1"));
        batch.expect(GuardName::Head, Table::Control, *b"head", None);
        store.commit(batch).await.unwrap();
        assert_eq!(get(&store, Table::Control, "head").await, Some(bytes("v1")));
    }

    /// A prefix, an extension and an empty value are all different from the expected bytes.
    async fn guards_compare_every_byte(harness) {
        let store = harness.open().await;
        store.commit(puts(Table::Control, &[row("head", "abc")])).await.unwrap();
        for wrong in ["ab", "abcd", "abd", ""] {
            let batch = guarded(put("a", "1"), b"head", Some(wrong.as_bytes()));
            let refused = StoreError::Guard {
                name: GuardName::Head,
                found: Some(bytes("abc")),
            };
            assert_eq!(store.commit(batch).await, Err(refused));
        }
    }

    /// A batch without writes still checks its guards.
    async fn a_batch_of_guards_alone_is_checked(harness) {
        let store = harness.open().await;
        store.commit(guarded(Batch::new(), b"head", None)).await.unwrap();
        let refused = StoreError::Guard { name: GuardName::Head, found: None };
        let batch = guarded(Batch::new(), b"head", Some(b"v1"));
        assert_eq!(store.commit(batch).await, Err(refused));
    }

    /// Of several commits started together from the same expectation, one wins.
    async fn racing_guards_never_both_win(harness) {
        let store = harness.open().await;
        one_of_many_wins(&[&store, &store, &store, &store]).await;
    }

    /// The same from two connections, as from two tabs.
    async fn racing_guards_on_two_connections_never_both_win(harness) {
        let one = harness.open().await;
        let two = harness.open().await;
        one_of_many_wins(&[&one, &two, &one, &two]).await;
    }

    /// Read, guard, retry: the way every counter of the engine moves.
    async fn a_counter_under_contention_loses_no_step(harness) {
        let one = harness.open().await;
        let two = harness.open().await;
        let count = |store| async move {
            for _ in 0..10 {
                increment(store).await;
            }
        };
        join_all([count(&one), count(&two), count(&one)]).await;
        let total = get(&one, Table::Control, "counter").await;
        assert_eq!(total, Some(bytes([30])));
    }

    /// A batch is never seen in part.
    async fn a_reader_sees_all_of_a_batch_or_nothing(harness) {
        let writer = harness.open().await;
        let reader = harness.open().await;
        let keys: Vec<Vec<u8>> = (0..20u8).map(|key| vec![key]).collect();
        let write = async {
            for round in 0..10u8 {
                let rows: Vec<Row> = keys.iter().map(|key| row(key, [round])).collect();
                writer.commit(puts(Table::Records, &rows)).await.unwrap();
            }
        };
        let read = async {
            for _ in 0..20 {
                let seen = reader.get_many(Table::Records, &keys).await.unwrap();
                assert!(seen.iter().all(|value| value == &seen[0]));
                let seen = reader.scan(Table::Records, None, 100).await.unwrap();
                assert!(seen.is_empty() || seen.len() == keys.len());
                assert!(seen.iter().all(|(_, value)| value == &seen[0].1));
            }
        };
        futures_util::future::join(write, read).await;
    }

    /// Ascending by unsigned bytes, whatever the order of writing.
    async fn a_scan_is_in_byte_order(harness) {
        let keys = ordered_keys();
        let rows: Vec<Row> = keys.iter().rev().map(|key| row(key, "v")).collect();
        let store = filled(harness, &rows).await;
        let scanned = store.scan(Table::Records, None, 100).await.unwrap();
        assert_eq!(keys_of(&scanned), keys);
    }

    /// `after` itself is not part of the answer.
    async fn a_scan_goes_on_after_a_key(harness) {
        let keys = ordered_keys();
        let rows: Vec<Row> = keys.iter().map(|key| row(key, key)).collect();
        let store = filled(harness, &rows).await;
        for (index, key) in keys.iter().enumerate() {
            let scanned = store.scan(Table::Records, Some(key), 3).await.unwrap();
            let expected: Vec<Row> = rows.iter().skip(index + 1).take(3).cloned().collect();
            assert_eq!(scanned, expected);
        }
    }

    /// `after` need not exist; a short key stands before its extensions.
    async fn a_scan_after_an_absent_key_goes_on_behind_its_place(harness) {
        let store = filled(harness, &[row("a", "1"), row("ab", "2"), row("b", "3")]).await;
        for (after, expected) in [
            ("", vec!["a", "ab", "b"]),
            ("aa", vec!["ab", "b"]),
            ("abc", vec!["b"]),
            ("c", vec![]),
        ] {
            let scanned = store.scan(Table::Records, Some(after.as_bytes()), 9).await.unwrap();
            let expected: Vec<&[u8]> = expected.iter().map(|key| key.as_bytes()).collect();
            assert_eq!(keys_of(&scanned), expected);
        }
    }

    /// Paging by the last key of each page gives every row once; a short page is the last.
    async fn pages_cover_the_table_exactly_once(harness) {
        let rows: Vec<Row> = (0..103u16).map(|n| row(n.to_be_bytes(), "v")).collect();
        let store = filled(harness, &rows).await;
        for limit in [1, 10, 103, 200] {
            let mut seen: Vec<Row> = Vec::new();
            loop {
                let after = seen.last().map(|(key, _)| key.clone());
                let page = store.scan(Table::Records, after.as_deref(), limit).await.unwrap();
                assert!(page.len() <= limit);
                let last = page.len() < limit;
                seen.extend(page);
                if last {
                    break;
                }
            }
            assert_eq!(seen, rows);
        }
    }

    /// An empty table, and room for no row, give an empty answer.
    async fn a_scan_of_nothing_and_a_limit_of_nothing_are_empty(harness) {
        let store = filled(harness, &[row("a", "1")]).await;
        assert_eq!(store.scan(Table::Log, None, 10).await.unwrap(), []);
        assert_eq!(store.scan(Table::Records, None, 0).await.unwrap(), []);
    }

    /// The largest limit there is means everything.
    async fn a_scan_without_a_limit_gives_everything(harness) {
        let rows: Vec<Row> = (0..50u8).map(|n| row([n], [n])).collect();
        let store = filled(harness, &rows).await;
        assert_eq!(store.scan(Table::Records, None, usize::MAX).await.unwrap(), rows);
    }

    /// Rows and bytes of the records table, through puts, overwrites and deletes.
    async fn usage_counts_the_records_alone(harness) {
        let store = harness.open().await;
        assert_eq!(store.usage().await.unwrap(), Usage::default());
        let rows = [row("ab", "12345"), row("cd", "1")];
        store.commit(puts(Table::Records, &rows)).await.unwrap();
        store.commit(puts(Table::Control, &[row("head", "large")])).await.unwrap();
        assert_eq!(store.usage().await.unwrap(), Usage { rows: 2, bytes: 10 });
        let mut batch = put("ab", "1");
        batch.delete(Table::Records, *b"cd");
        store.commit(batch).await.unwrap();
        assert_eq!(store.usage().await.unwrap(), Usage { rows: 1, bytes: 3 });
    }

    /// A wipe removes every row of every table and leaves a store that works.
    async fn a_wiped_store_is_empty_and_usable(harness) {
        let store = harness.open().await;
        for &table in Table::ALL {
            store.commit(puts(table, &[row("k", "v")])).await.unwrap();
        }
        store.wipe().await.unwrap();
        for &table in Table::ALL {
            assert_eq!(store.scan(table, None, 10).await.unwrap(), []);
        }
        assert_eq!(store.usage().await.unwrap(), Usage::default());
        store.commit(guarded(put("a", "1"), b"head", None)).await.unwrap();
        assert_eq!(get(&store, Table::Records, "a").await, Some(bytes("1")));
    }

    /// Random calls are answered as the memory store answers them.
    async fn random_histories_agree_with_the_memory_store(harness) {
        let store = harness.open().await;
        for seed in 0..8 {
            store.wipe().await.unwrap();
            agrees_with_memory(&store, seed, 100).await;
        }
    }

    /// Closing and opening again keeps every row of a strict batch.
    async fn what_was_committed_is_there_after_reopening(harness) {
        let store = harness.open().await;
        let batch = Batch { durability: Durability::Strict, ..put("a", "1") };
        store.commit(batch).await.unwrap();
        store.close().await;
        drop(store);
        let store = harness.open().await;
        assert_eq!(get(&store, Table::Records, "a").await, Some(bytes("1")));
    }

    /// After `close`, every call is [`StoreError::Closed`], whatever it asks for.
    async fn a_closed_store_says_so(harness) {
        let store = filled(harness, &[row("a", "1")]).await;
        store.close().await;
        let table = Table::Records;
        let closed = StoreError::Closed;
        assert_eq!(store.get(table, b"a").await.unwrap_err(), closed);
        assert_eq!(store.get_many(table, &[vec![1]]).await.unwrap_err(), closed);
        assert_eq!(store.get_many(table, &[]).await.unwrap_err(), closed);
        assert_eq!(store.commit(put("b", "2")).await.unwrap_err(), closed);
        assert_eq!(store.commit(Batch::new()).await.unwrap_err(), closed);
        assert_eq!(store.scan(table, None, 1).await.unwrap_err(), closed);
        assert_eq!(store.scan(table, None, 0).await.unwrap_err(), closed);
        assert_eq!(store.usage().await.unwrap_err(), closed);
        assert_eq!(store.wipe().await.unwrap_err(), closed);
    }

    /// `close` may be called again.
    async fn closing_twice_is_harmless(harness) {
        let store = harness.open().await;
        store.close().await;
        store.close().await;
    }
}

async fn one_of_many_wins<S: Store>(stores: &[&S]) {
    for round in 0..5u8 {
        let expected = round.checked_sub(1).map(|last| bytes([last]));
        let attempts = stores.iter().enumerate().map(|(index, store)| {
            let mut batch = put(format!("{round}-{index}"), "won");
            batch.expect(GuardName::Head, Table::Control, *b"head", expected.clone());
            batch.put(Table::Control, *b"head", bytes([round]));
            store.commit(batch)
        });
        let outcomes: Vec<Outcome> = join_all(attempts).await;
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(won, 1, "{outcomes:?}");
        for (index, outcome) in outcomes.into_iter().enumerate() {
            let key = format!("{round}-{index}");
            let row = get(stores[0], Table::Records, key).await;
            assert_eq!(row.is_some(), outcome.is_ok());
            if let Err(error) = outcome {
                let found = Some(bytes([round]));
                let name = GuardName::Head;
                assert_eq!(error, StoreError::Guard { name, found });
            }
        }
    }
}

async fn increment(store: &impl Store) {
    loop {
        let current = get(store, Table::Control, "counter").await;
        let next = current.as_ref().map_or(1, |count| count[0] + 1);
        let mut batch = Batch::new();
        batch.expect(GuardName::Row, Table::Control, *b"counter", current);
        batch.put(Table::Control, *b"counter", bytes([next]));
        match store.commit(batch).await {
            Ok(()) => return,
            Err(StoreError::Guard { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
