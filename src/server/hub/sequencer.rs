//! The one writer of the log: gives positions, stores, then tells.

use super::{shared::Shared, storage::Storage};
use crate::{
    error::{Error, ErrorKind, Result},
    kernel::invalidate::{
        Position,
        hub_log::{Checked, Growth, Log, Retention},
    },
};
use std::sync::{Arc, PoisonError};
use tokio::sync::{mpsc, oneshot, watch};

/// Publishes of one transaction at most.
const GROUP_MAX: usize = 256;
/// Tries to append against somebody else who writes the same log.
const ATTEMPTS: usize = 5;
/// How often compaction is considered, in milliseconds.
const COMPACT_MS: u64 = 60_000;
/// Records after which compaction is considered early.
const COMPACT_RECORDS: usize = 4096;

/// One publish that waits for its position.
pub(super) struct Publish {
    pub(super) item: Checked,
    pub(super) answer: oneshot::Sender<Result<Position>>,
}

/// Runs until the hub closes; then takes what is queued and ends.
pub(super) async fn run(
    shared: Arc<Shared>,
    mut storage: Storage,
    mut queue: mpsc::Receiver<Publish>,
    retention: Retention,
    done: watch::Sender<bool>,
) {
    let mut closing = shared.closing.subscribe();
    let mut appended = 0;
    loop {
        if *closing.borrow() {
            break;
        }
        let first = tokio::select! {
            _ = closing.changed() => break,
            first = queue.recv() => first,
            () = shared.platform.clock.sleep(COMPACT_MS) => {
                compact(&shared, &mut storage, &retention).await;
                continue;
            }
        };
        let Some(first) = first else { break };
        appended += group(&shared, &mut storage, &mut queue, first).await;
        if appended >= COMPACT_RECORDS {
            appended = 0;
            compact(&shared, &mut storage, &retention).await;
        }
    }
    queue.close();
    while let Some(first) = queue.recv().await {
        group(&shared, &mut storage, &mut queue, first).await;
    }
    // Whoever waits for the end may open the store again.
    drop(storage);
    done.send_replace(true);
}

/// Publishes everything that waits, in one transaction.
async fn group(
    shared: &Shared,
    storage: &mut Storage,
    queue: &mut mpsc::Receiver<Publish>,
    first: Publish,
) -> usize {
    let (mut items, mut answers) = (vec![first.item], vec![first.answer]);
    while items.len() < GROUP_MAX
        && let Ok(next) = queue.try_recv()
    {
        items.push(next.item);
        answers.push(next.answer);
    }
    let outcome = append(shared, storage, items).await;
    let count = answers.len();
    for (at, answer) in answers.into_iter().enumerate() {
        let position = |first: &Position| Position::new(first.epoch.clone(), first.seq + at as u64);
        // A caller that went away is told nothing.
        let _ = answer.send(outcome.as_ref().map(position).map_err(Clone::clone));
    }
    count
}

/// Gives positions, stores, applies, wakes. Tells the first position.
async fn append(shared: &Shared, storage: &mut Storage, items: Vec<Checked>) -> Result<Position> {
    let now_ms = shared.platform.clock.wall_ms();
    for _ in 0..ATTEMPTS {
        // The sequencer alone changes the log, so the plan stays true until it is applied.
        let growth = shared.log().grow(items.clone(), now_ms)?;
        match store(shared, storage, &growth).await {
            Ok(()) => {
                let first = {
                    let mut log = shared.log.write().unwrap_or_else(PoisonError::into_inner);
                    let mut first = log.position();
                    first.seq += 1;
                    log.apply(&growth);
                    first
                };
                shared.wake(&growth.records);
                return Ok(first);
            }
            // Somebody else appended, or the store was wiped: begin again from what it holds.
            Err(error) if error.kind() == ErrorKind::Conflict => reload(shared, storage).await?,
            // A full store wrote nothing.
            Err(error) if error.kind() == ErrorKind::QuotaExceeded => return Err(error),
            Err(error) => {
                // The store may or may not hold the records now; what it holds decides.
                reload(shared, storage).await?;
                return Err(error);
            }
        }
    }
    Err(Error::new(
        ErrorKind::Conflict,
        "another hub writes the same log",
    ))
}

async fn store(shared: &Shared, storage: &mut Storage, growth: &Growth) -> Result<()> {
    // Sealing needs the log, storing must not hold it.
    let prepared = storage.append(&shared.log(), growth)?;
    storage.commit(prepared).await
}

async fn reload(shared: &Shared, storage: &mut Storage) -> Result<()> {
    let outcome = try_reload(shared, storage).await;
    if outcome.is_err() {
        storage.distrust();
    }
    outcome
}

async fn try_reload(shared: &Shared, storage: &mut Storage) -> Result<()> {
    let before = shared.log().position();
    let mut log = storage.load().await?;
    let now = log.position();
    if now.epoch == before.epoch && now.seq < before.seq {
        // Positions were given out that the store does not know.
        log = storage.begin().await?;
    }
    replace(shared, log);
    Ok(())
}

fn replace(shared: &Shared, log: Log) {
    *shared.log.write().unwrap_or_else(PoisonError::into_inner) = log;
    shared.wake_all();
}

async fn compact(shared: &Shared, storage: &mut Storage, retention: &Retention) {
    let now_ms = shared.platform.clock.wall_ms();
    loop {
        let plan = shared.log().compact(now_ms, retention);
        let Some(trim) = plan else { return };
        let prepared = storage.trim(&shared.log(), &trim);
        let stored = match prepared {
            Ok(prepared) => storage.commit(prepared).await,
            Err(error) => Err(error),
        };
        if stored.is_err() {
            // The next append finds out what is wrong, and says so to its caller.
            return;
        }
        let mut log = shared.log.write().unwrap_or_else(PoisonError::into_inner);
        log.trim(&trim);
    }
}
