//! A store that fails on command.

use super::lock;
use crate::platform::{Batch, Bytes, Row, Store, StoreError, Table, Usage};
use futures_channel::oneshot;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

/// The calls of a store that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// [`Store::get`].
    Get,
    /// [`Store::get_many`].
    GetMany,
    /// [`Store::commit`].
    Commit,
    /// [`Store::scan`].
    Scan,
    /// [`Store::usage`].
    Usage,
    /// [`Store::wipe`].
    Wipe,
}

/// What a failing call does before it fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    Refused(StoreError),
    /// Its work: only the answer is lost, as when a process dies right after its commit.
    AnswerLost(StoreError),
}

/// Any store, with failures that a test plans. Clones share the plan.
pub struct Faulty<S> {
    store: Arc<S>,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Default)]
struct Plan {
    faults: Vec<Planned>,
    counts: BTreeMap<Op, usize>,
    held: BTreeMap<Op, Vec<oneshot::Receiver<()>>>,
}

struct Planned {
    /// `None` counts every call.
    op: Option<Op>,
    /// Calls that still succeed before the fault.
    skip: usize,
    /// How many fail; `None` for all from then on.
    times: Option<usize>,
    fault: Fault,
}

impl<S: Store> Faulty<S> {
    /// A store without faults.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self {
            store: Arc::new(store),
            plan: Arc::default(),
        }
    }

    /// The store inside, to look at what really happened.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.store
    }

    /// Lets `skip` more calls succeed, whatever they are, and fails the one after them.
    pub fn fail_after(&self, skip: usize, fault: Fault) {
        self.plan(None, skip, Some(1), fault);
    }

    /// Lets `skip` more calls of one kind succeed and fails the one after them.
    pub fn fail_op_after(&self, op: Op, skip: usize, fault: Fault) {
        self.plan(Some(op), skip, Some(1), fault);
    }

    /// Fails every call of one kind from now on, until [`Faulty::heal`].
    pub fn fail_always(&self, op: Op, fault: Fault) {
        self.plan(Some(op), 0, None, fault);
    }

    /// Forgets every planned fault.
    pub fn heal(&self) {
        lock(&self.plan).faults.clear();
    }

    /// How many calls of a kind there were, failed ones included.
    #[must_use]
    pub fn count(&self, op: Op) -> usize {
        lock(&self.plan).counts.get(&op).copied().unwrap_or(0)
    }

    /// Makes the next call of a kind wait, before it does anything, until the answer is dropped.
    pub fn hold_next(&self, op: Op) -> Held {
        let (sender, receiver) = oneshot::channel();
        lock(&self.plan).held.entry(op).or_default().push(receiver);
        Held(sender)
    }

    fn plan(&self, op: Option<Op>, skip: usize, times: Option<usize>, fault: Fault) {
        lock(&self.plan).faults.push(Planned {
            op,
            skip,
            times,
            fault,
        });
    }

    async fn call<T>(
        &self,
        op: Op,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let (fault, held) = lock(&self.plan).begin(op);
        if let Some(held) = held {
            let _ = held.await;
        }
        match fault {
            None => work.await,
            Some(Fault::Refused(error)) => Err(error),
            Some(Fault::AnswerLost(error)) => {
                work.await?;
                Err(error)
            }
        }
    }
}

impl Plan {
    fn begin(&mut self, op: Op) -> (Option<Fault>, Option<oneshot::Receiver<()>>) {
        *self.counts.entry(op).or_default() += 1;
        let held = self.held.get_mut(&op).filter(|held| !held.is_empty());
        let held = held.map(|held| held.remove(0));
        let mut found = None;
        for planned in &mut self.faults {
            if planned.op.is_some_and(|planned| planned != op) {
                continue;
            }
            if planned.skip > 0 {
                planned.skip -= 1;
            } else if found.is_none() {
                found = Some(planned.fault.clone());
                planned.times = planned.times.map(|times| times.saturating_sub(1));
            }
        }
        self.faults.retain(|planned| planned.times != Some(0));
        (found, held)
    }
}

impl<S: Store> Store for Faulty<S> {
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.call(Op::Get, self.store.get(table, key)).await
    }

    async fn get_many(
        &self,
        table: Table,
        keys: &[Vec<u8>],
    ) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.call(Op::GetMany, self.store.get_many(table, keys))
            .await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.call(Op::Commit, self.store.commit(batch)).await
    }

    async fn scan(
        &self,
        table: Table,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.call(Op::Scan, self.store.scan(table, after, limit))
            .await
    }

    async fn usage(&self) -> Result<Usage, StoreError> {
        self.call(Op::Usage, self.store.usage()).await
    }

    async fn wipe(&self) -> Result<(), StoreError> {
        self.call(Op::Wipe, self.store.wipe()).await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}

/// Keeps a call of a [`Faulty`] store waiting until it is dropped.
#[derive(Debug)]
#[must_use = "dropping it lets the call go on"]
pub struct Held(#[expect(dead_code, reason = "its drop is the signal")] oneshot::Sender<()>);

impl<S> Clone for Faulty<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            plan: Arc::clone(&self.plan),
        }
    }
}

impl<S> fmt::Debug for Faulty<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        store::Memory,
        testkit::{Sim, block_on},
    };

    fn put(key: u8) -> Batch {
        let mut batch = Batch::new();
        batch.put(Table::Records, [key], vec![key]);
        batch
    }

    #[test]
    fn the_planned_call_fails_once_and_does_nothing() {
        block_on(async {
            let store = Faulty::new(Memory::new());
            store.fail_op_after(Op::Commit, 1, Fault::Refused(StoreError::Quota));
            store.commit(put(1)).await.unwrap();
            store.get(Table::Records, &[1]).await.unwrap();
            assert_eq!(store.commit(put(2)).await, Err(StoreError::Quota));
            assert_eq!(store.inner().get(Table::Records, &[2]).await, Ok(None));
            store.commit(put(2)).await.unwrap();
            assert_eq!(store.count(Op::Commit), 3);
        });
    }

    #[test]
    fn a_countdown_over_all_calls_hits_the_nth() {
        block_on(async {
            let store = Faulty::new(Memory::new());
            store.fail_after(2, Fault::Refused(StoreError::Aborted));
            store.get(Table::Records, &[1]).await.unwrap();
            store.usage().await.unwrap();
            assert_eq!(store.commit(put(1)).await, Err(StoreError::Aborted));
        });
    }

    #[test]
    fn a_lost_answer_leaves_the_work_done() {
        block_on(async {
            let store = Faulty::new(Memory::new());
            store.fail_after(0, Fault::AnswerLost(StoreError::Closed));
            assert_eq!(store.commit(put(1)).await, Err(StoreError::Closed));
            let row = store.get(Table::Records, &[1]).await.unwrap();
            assert_eq!(row.as_deref(), Some(&[1][..]));
        });
    }

    #[test]
    fn a_lasting_fault_lasts_until_it_is_healed() {
        block_on(async {
            let store = Faulty::new(Memory::new());
            store.fail_always(Op::Commit, Fault::Refused(StoreError::Quota));
            for _ in 0..3 {
                assert_eq!(store.commit(put(1)).await, Err(StoreError::Quota));
            }
            store.heal();
            store.commit(put(1)).await.unwrap();
        });
    }

    #[test]
    fn a_held_call_waits_and_has_done_nothing_yet() {
        let sim = Sim::new(1);
        let store = Faulty::new(Memory::new());
        let held = store.hold_next(Op::Commit);
        let slow = store.clone();
        let commit = sim.start(async move { slow.commit(put(1)).await });
        sim.run_until_stalled();
        assert!(!commit.is_done());
        assert_eq!(block_on(store.usage()).unwrap().rows, 0);
        drop(held);
        sim.run_until_stalled();
        assert_eq!(commit.take(), Some(Ok(())));
    }
}
