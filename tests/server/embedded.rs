//! The store in one file.

use clinicache::{
    ErrorKind,
    platform::{Batch, Bytes, Durability, GuardName, Store, StoreError, Table},
    server::Embedded,
};
use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

fn bytes(text: &str) -> Bytes {
    text.as_bytes().into()
}

fn put(table: Table, key: &str, value: &str) -> Batch {
    let mut batch = Batch::new();
    batch.put(table, key, bytes(value));
    batch
}

#[tokio::test]
async fn rows_are_there_after_the_store_is_closed_and_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    store.commit(put(Table::Records, "a", "1")).await.unwrap();
    store.commit(put(Table::Log, "a", "2")).await.unwrap();
    store.close().await;
    assert_eq!(store.get(Table::Log, b"a").await, Err(StoreError::Closed));
    assert_eq!(
        store.commit(Batch::new()).await,
        Err(StoreError::Closed),
        "a closed store takes no batch"
    );
    let store = Embedded::open(dir.path()).unwrap();
    assert_eq!(store.get(Table::Records, b"a").await, Ok(Some(bytes("1"))));
    assert_eq!(store.get(Table::Log, b"a").await, Ok(Some(bytes("2"))));
    assert_eq!(store.get(Table::Topics, b"a").await, Ok(None));
}

#[tokio::test]
async fn a_second_opener_of_the_same_folder_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let _held = Embedded::open(dir.path()).unwrap();
    let error = Embedded::open(dir.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Blocked);
}

#[tokio::test]
async fn a_damaged_file_is_an_error_and_not_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("clinicache.redb"), [7; 4096]).unwrap();
    let error = Embedded::open(dir.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[cfg(unix)]
#[tokio::test]
async fn the_folder_and_the_file_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("state");
    let _store = Embedded::open(&folder).unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&folder) & 0o777, 0o700);
    assert_eq!(mode(&folder.join("clinicache.redb")) & 0o777, 0o600);
}

/// Many writers count up one row under a guard. Lost updates would leave it short.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merged_commits_still_see_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let mut tasks = Vec::new();
    for _ in 0..16 {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            let mut refused = 0_u32;
            for _ in 0..10 {
                let mut held = store.get(Table::Control, b"n").await.unwrap();
                loop {
                    let next = held.as_ref().map_or(0, |row| row[0]) + 1;
                    let mut batch = Batch::new();
                    batch.expect(GuardName::Row, Table::Control, "n", held.clone());
                    batch.put(Table::Control, "n", vec![next]);
                    batch.put(Table::Log, vec![next], vec![next]);
                    match store.commit(batch).await {
                        Ok(()) => break,
                        Err(StoreError::Guard { found, .. }) => {
                            refused += 1;
                            held = found;
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            refused
        }));
    }
    let mut refused = 0;
    for task in tasks {
        refused += task.await.unwrap();
    }
    let row = store.get(Table::Control, b"n").await.unwrap().unwrap();
    assert_eq!(row[0], 160);
    assert_eq!(store.scan(Table::Log, None, 1000).await.unwrap().len(), 160);
    assert!(refused > 0, "the writers never met: this proves nothing");
}

#[tokio::test]
async fn a_batch_whose_guard_fails_leaves_its_neighbours_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let mut refused = put(Table::Records, "b", "2");
    refused.expect(GuardName::Head, Table::Control, "head", Some(bytes("x")));
    let (first, second, third) = tokio::join!(
        store.commit(put(Table::Records, "a", "1")),
        store.commit(refused),
        store.commit(put(Table::Records, "c", "3")),
    );
    assert_eq!((first, third), (Ok(()), Ok(())));
    assert_eq!(
        second,
        Err(StoreError::Guard {
            name: GuardName::Head,
            found: None
        })
    );
    let rows = store.scan(Table::Records, None, 10).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.0[0]).collect::<Vec<_>>(), b"ac");
}

#[tokio::test]
async fn usage_follows_puts_overwrites_and_deletes() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    store
        .commit(put(Table::Records, "a", "12345"))
        .await
        .unwrap();
    store.commit(put(Table::Records, "bb", "1")).await.unwrap();
    store
        .commit(put(Table::Control, "head", "1"))
        .await
        .unwrap();
    store.commit(put(Table::Records, "a", "1")).await.unwrap();
    let usage = store.usage().await.unwrap();
    assert_eq!((usage.rows, usage.bytes), (2, 5));
    let mut batch = Batch::new();
    batch.delete(Table::Records, "bb");
    batch.delete(Table::Records, "never there");
    store.commit(batch).await.unwrap();
    let usage = store.usage().await.unwrap();
    assert_eq!((usage.rows, usage.bytes), (1, 2));
}

#[tokio::test]
async fn a_wipe_leaves_no_byte_of_a_row_in_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let marker = "a-row-that-must-not-stay";
    store
        .commit(put(Table::Records, "k", marker))
        .await
        .unwrap();
    let found = |dir: &std::path::Path| {
        std::fs::read_dir(dir).unwrap().any(|entry| {
            let content = std::fs::read(entry.unwrap().path()).unwrap();
            content
                .windows(marker.len())
                .any(|part| part == marker.as_bytes())
        })
    };
    assert!(found(dir.path()), "the scanner must see an unsealed row");
    store.wipe().await.unwrap();
    assert!(!found(dir.path()));
    assert_eq!(store.usage().await.unwrap().rows, 0);
    store.commit(put(Table::Records, "k", "2")).await.unwrap();
    assert_eq!(store.get(Table::Records, b"k").await, Ok(Some(bytes("2"))));
}

#[test]
fn the_store_works_outside_a_runtime() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    futures_executor(async {
        store.commit(put(Table::Records, "a", "1")).await.unwrap();
        assert_eq!(store.get(Table::Records, b"a").await, Ok(Some(bytes("1"))));
    });
}

/// Runs a future with no runtime around it.
fn futures_executor(future: impl Future<Output = ()>) {
    use std::{sync::Arc, task, thread};
    struct Unpark(thread::Thread);
    impl task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut future = std::pin::pin!(future);
    while future
        .as_mut()
        .poll(&mut task::Context::from_waker(&waker))
        .is_pending()
    {
        thread::park();
    }
}

const CHILD_DIR: &str = "CLINICACHE_TEST_CHILD_DIR";

/// The child half of the test below; on its own it has nothing to do.
#[tokio::test]
async fn child_commits_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else {
        return;
    };
    let store = Embedded::open(dir).unwrap();
    for n in 0_u32.. {
        let mut batch = put(Table::Records, &format!("{n:08}"), "value");
        batch.put(Table::Log, format!("{n:08}"), bytes("value"));
        batch.durability = [Durability::Relaxed, Durability::Strict][n as usize % 2];
        store.commit(batch).await.unwrap();
        let mut out = std::io::stderr().lock();
        writeln!(out, "{n}").unwrap();
    }
}

#[tokio::test]
async fn a_committed_batch_survives_the_death_of_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "embedded::child_commits_until_it_is_killed",
        ])
        .env(CHILD_DIR, dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut last = 0;
    for line in lines.by_ref() {
        last = line.unwrap().parse::<usize>().unwrap();
        if last == 40 {
            child.kill().unwrap();
            break;
        }
    }
    // What was acknowledged between the decision and the kill counts too; the last line may be
    // cut short.
    for line in lines.map_while(Result::ok) {
        last = line.parse::<usize>().map_or(last, |n| n.max(last));
    }
    child.wait().unwrap();
    assert!(last >= 40);
    let store = Embedded::open(dir.path()).unwrap();
    let records = store.scan(Table::Records, None, usize::MAX).await.unwrap();
    let log = store.scan(Table::Log, None, usize::MAX).await.unwrap();
    assert!(records.len() > last, "{} of {last}", records.len());
    assert_eq!(records, log, "a batch is there as a whole or not at all");
}

const FULL_DIR: &str = "CLINICACHE_TEST_FULL_DIR";

/// The child half of the test below, in a process whose files may not grow beyond 8 MiB.
#[tokio::test]
async fn child_fills_its_disk() {
    let Some(dir) = std::env::var_os(FULL_DIR) else {
        return;
    };
    let store = Embedded::open(&dir).unwrap();
    let row = |n: u32| {
        let mut batch = Batch::new();
        batch.put(Table::Records, n.to_be_bytes(), vec![n as u8; 100_000]);
        batch
    };
    let mut kept = 0;
    let error = loop {
        match store.commit(row(kept)).await {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 200, "the disk is not full");
    };
    assert_eq!(error, StoreError::Quota);
    assert!(kept > 10);
    // Nothing of the refused batch is there, everything before it is.
    let rows = store.scan(Table::Records, None, 1000).await.unwrap();
    assert_eq!(rows.len(), kept as usize);
    for (n, (key, value)) in (0_u32..).zip(&rows) {
        assert_eq!((&key[..], value[0]), (&n.to_be_bytes()[..], n as u8));
    }
    // One that does not fit does not take a small one with it.
    let (large, small) = tokio::join!(
        store.commit(row(kept)),
        store.commit(put(Table::Control, "small", "1"))
    );
    assert_eq!((large, small), (Err(StoreError::Quota), Ok(())));
    // Room that is made is room.
    for n in 0..kept / 2 {
        let mut batch = Batch::new();
        batch.delete(Table::Records, n.to_be_bytes());
        store.commit(batch).await.unwrap();
    }
    store.commit(row(kept)).await.unwrap();
    store.close().await;
    let store = Embedded::open(&dir).unwrap();
    let usage = store.usage().await.unwrap();
    assert_eq!(usage.rows, u64::from(kept - kept / 2 + 1));
    assert_eq!(
        store.get(Table::Control, b"small").await,
        Ok(Some(bytes("1")))
    );
}

#[cfg(unix)]
#[test]
fn a_full_disk_refuses_what_does_not_fit_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    // Blocks of 512 bytes; without the trap the signal would end the process first.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 16384; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "embedded::child_fills_its_disk"])
        .env(FULL_DIR, dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}
