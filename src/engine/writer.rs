//! The one writer of a tab: every change of the store goes through its queue.
//!
//! Whatever is queued when it turns to the store travels in one transaction (group commit).
//! Each transaction guards on the head row: if another tab changed what was given up, nothing
//! is written, the control rows are read again, and every fill is judged anew. So the fence is
//! evaluated inside the transaction, however far behind this tab was.

use super::{
    core::{Core, Open},
    event::Event,
    siblings::Word,
};
use crate::{
    error::{Error, ErrorKind, Result},
    kernel::{
        class::ClassId,
        control::{self, Head, Topics},
        crypto::{BlindKey, BlindTag, Nonce},
        envelope::Meta,
        invalidate::{
            Epoch, Position, Version,
            fence::{Fence, Filled, Target, Verdict},
        },
        table::Row,
    },
    platform::{Batch, Bytes, EntropyExt, GuardName, StoreError, Table as Rows},
};
use futures_channel::oneshot;
use std::{collections::VecDeque, sync::Arc};

/// Jobs of one transaction.
const GROUP_JOBS: usize = 1_024;
/// Bytes of one transaction, about.
const GROUP_BYTES: usize = 8 << 20;
/// Lost races before a write gives up.
const RACES_MAX: usize = 64;
/// Rows removed at once to make room.
const ROOM_ROWS: usize = 256;

/// A sealed row on its way into the store.
pub(super) struct Put {
    pub(super) key: BlindKey,
    pub(super) class: ClassId,
    pub(super) row: Row,
    pub(super) meta: Arc<Meta>,
    pub(super) tags: Arc<[BlindTag]>,
    pub(super) terms: Terms,
    /// Whether it was stored; `false` when the fence refused it.
    pub(super) ack: Option<oneshot::Sender<Result<bool>>>,
}

/// On what terms a fill was made.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    /// The position is the feed's cursor and not the origin's word: whatever matches and
    /// arrives while the fill is under way refuses it.
    pub(super) leased: bool,
    /// The era of the fill's start.
    pub(super) era: u64,
}

/// What is given up, so that it can be counted again after another tab was faster.
#[derive(Clone)]
pub(super) enum Mark {
    Local(Vec<Target>),
    At(u64, Vec<(Target, bool, Option<Version>)>),
    Enter(Epoch, u64, bool),
    Adopt(Epoch),
    Floor,
}

impl Mark {
    pub(super) fn apply(&self, fence: &mut Fence) {
        match self {
            Self::Local(targets) => fence.give_up_local(targets.iter().copied()),
            Self::At(seq, targets) => fence.give_up_at(*seq, targets.iter().cloned()),
            Self::Enter(epoch, upto, hard) => fence.enter(epoch.clone(), *upto, *hard),
            Self::Adopt(epoch) => fence.adopt(epoch.clone()),
            Self::Floor => fence.raise_floor(),
        }
    }
}

/// A change of the control rows and removals that belong to it.
#[derive(Default)]
pub(super) struct Change {
    /// Applied to the fence in memory when the change was queued.
    pub(super) marks: Vec<Mark>,
    pub(super) delete: Vec<BlindKey>,
    /// Rows that go only if they are still these: what was written meanwhile stays.
    pub(super) erase: Vec<(BlindKey, Row)>,
    pub(super) cursor: Option<Position>,
    pub(super) topics: bool,
    /// Takes the lead: a new leader generation.
    pub(super) lead: bool,
    pub(super) ack: Option<oneshot::Sender<Result<()>>>,
}

impl Change {
    /// Whether only the tab that leads may say this.
    const fn is_leading(&self) -> bool {
        self.cursor.is_some() || self.topics
    }
}

pub(super) enum Job {
    Put(Box<Put>),
    Change(Box<Change>),
}

impl Job {
    fn size(&self) -> usize {
        match self {
            Self::Put(put) => put.row.len(),
            Self::Change(change) => (change.delete.len() + change.erase.len()) * 32,
        }
    }

    fn marks(&self) -> &[Mark] {
        match self {
            Self::Put(_) => &[],
            Self::Change(change) => &change.marks,
        }
    }

    fn settle(self, result: Result<bool>) {
        // Whoever asked may be gone.
        match self {
            Self::Put(put) => drop(put.ack.map(|ack| ack.send(result))),
            Self::Change(change) => drop(change.ack.map(|ack| ack.send(result.map(drop)))),
        }
    }
}

/// Jobs in order.
#[derive(Default)]
pub(super) struct Queue {
    jobs: VecDeque<Job>,
    running: bool,
}

impl Queue {
    /// Fails everything that waits.
    pub(super) fn refuse(&mut self, error: &Error) {
        for job in self.jobs.drain(..) {
            job.settle(Err(error.clone()));
        }
    }

    fn take_group(&mut self) -> Vec<Job> {
        let (mut group, mut bytes) = (Vec::new(), 0);
        while group.len() < GROUP_JOBS && bytes < GROUP_BYTES {
            let Some(job) = self.jobs.pop_front() else {
                break;
            };
            bytes += job.size();
            group.push(job);
        }
        group
    }
}

/// What a transaction will mean once it is stored.
struct Plan {
    refused: Vec<bool>,
    head: Option<(Head, Bytes)>,
    fence_tick: Option<u64>,
    gave_up: bool,
    put: Vec<BlindKey>,
}

impl Core {
    /// Queues a job and sees to it that the writer runs.
    pub(super) fn enqueue(self: &Arc<Self>, open: &mut Open, generation: u64, job: Job) {
        open.queue.jobs.push_back(job);
        if !open.queue.running {
            open.queue.running = true;
            let core = self.clone();
            // Started in a later turn: whatever else is put in this one travels along.
            self.spawn(Box::pin(async move { core.write_all(generation).await }));
        }
    }

    /// Queues a change and waits until it is stored.
    pub(super) async fn change(
        self: &Arc<Self>,
        generation: u64,
        mut change: Change,
    ) -> Result<()> {
        let (ack, stored) = oneshot::channel();
        change.ack = Some(ack);
        {
            let mut state = self.state();
            let open = state.same(generation)?;
            for mark in &change.marks {
                mark.apply(&mut open.fence);
            }
            self.enqueue(open, generation, Job::Change(Box::new(change)));
        }
        stored.await.unwrap_or_else(|_| Err(super::core::locked()))
    }

    /// Waits until everything that is queued now is stored.
    pub(super) async fn drain(&self) {
        let (ack, stored) = oneshot::channel();
        {
            let mut state = self.state();
            let Ok(open) = state.open() else {
                return;
            };
            if !open.queue.running {
                return;
            }
            open.queue.jobs.push_back(Job::Change(Box::new(Change {
                ack: Some(ack),
                ..Change::default()
            })));
        }
        // Either stored or refused: both are an end.
        let _ = stored.await;
    }

    async fn write_all(self: Arc<Self>, generation: u64) {
        loop {
            let group = {
                let mut state = self.state();
                let Ok(open) = state.same(generation) else {
                    return;
                };
                let group = open.queue.take_group();
                if group.is_empty() {
                    open.queue.running = false;
                    return;
                }
                group
            };
            self.write(generation, group).await;
        }
    }

    async fn write(self: &Arc<Self>, generation: u64, group: Vec<Job>) {
        let mut singly = vec![group];
        while let Some(mut group) = singly.pop() {
            match self.write_group(generation, &group).await {
                Ok(plan) => self.stored(generation, group, plan),
                // One value may be too large for what is left; its neighbours are not.
                Err(error) if error.kind() == ErrorKind::QuotaExceeded && group.len() > 1 => {
                    while let Some(job) = group.pop() {
                        singly.push(vec![job]);
                    }
                }
                Err(error) => {
                    self.report(&error);
                    for job in group {
                        job.settle(Err(error.clone()));
                    }
                }
            }
        }
    }

    async fn write_group(self: &Arc<Self>, generation: u64, group: &[Job]) -> Result<Plan> {
        self.state().same(generation)?.writing =
            group.iter().flat_map(Job::marks).cloned().collect();
        let written = self.try_to_write(generation, group).await;
        if let Ok(open) = self.state().same(generation) {
            open.writing.clear();
            if let Ok(plan) = &written {
                open.saved(plan);
            }
        }
        written
    }

    async fn try_to_write(self: &Arc<Self>, generation: u64, group: &[Job]) -> Result<Plan> {
        let (mut made_room, mut erase) = (false, true);
        for _ in 0..RACES_MAX {
            let (batch, plan) = self.build(generation, group, erase)?;
            if batch.writes.is_empty() {
                return Ok(plan);
            }
            match self.store.commit(batch).await {
                Ok(()) => return Ok(plan),
                // A row that was to be erased was written anew: it stays, and whoever finds
                // another reason to erase one of the others comes again.
                Err(StoreError::Guard {
                    name: GuardName::Row,
                    ..
                }) => erase = false,
                Err(StoreError::Guard { .. }) => {
                    self.reload_control(generation).await?;
                }
                Err(StoreError::Quota) => {
                    self.state().counters.quota_errors += 1;
                    if made_room {
                        return Err(StoreError::Quota.into());
                    }
                    made_room = true;
                    self.make_room(generation).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::new(
            ErrorKind::Busy,
            "other tabs keep changing this vault",
        ))
    }

    /// Judges every fill and writes the batch down.
    fn build(&self, generation: u64, group: &[Job], erase: bool) -> Result<(Batch, Plan)> {
        let now = self.now();
        let nonce = || self.platform.entropy.nonce();
        let mut state = self.state();
        let open = state.same(generation)?;
        let mut batch = Batch::new();
        let mut plan = Plan {
            refused: Vec::with_capacity(group.len()),
            head: None,
            fence_tick: None,
            gave_up: false,
            put: Vec::new(),
        };
        let (mut control, mut topics) = (false, false);
        for job in group {
            let refused = match job {
                Job::Put(put) => {
                    let refused = !open.admits(&put.key, &put.tags, &put.meta, put.terms);
                    if !refused {
                        batch.put(Rows::Records, put.key.0, put.row.clone());
                        plan.put.push(put.key);
                    }
                    refused
                }
                // A leader that was robbed may know of fewer topics than the one that leads now:
                // its word on the cursor counts no more. What it gave up was given up by
                // the hub, so the fence keeps it.
                Job::Change(change) if change.is_leading() && !open.leader => true,
                Job::Change(change) => {
                    for key in &change.delete {
                        batch.delete(Rows::Records, key.0);
                    }
                    for (key, row) in change.erase.iter().filter(|_| erase) {
                        let row = Some(row.clone());
                        batch.expect(GuardName::Row, Rows::Records, key.0, row);
                        batch.delete(Rows::Records, key.0);
                    }
                    if let Some(cursor) = &change.cursor {
                        open.head.cursor = Some(cursor.clone());
                        control = true;
                    }
                    if change.lead {
                        open.head.leader_gen += 1;
                        control = true;
                    }
                    plan.gave_up |= !change.marks.is_empty();
                    topics |= change.topics;
                    false
                }
            };
            plan.refused.push(refused);
        }
        if control || topics || plan.gave_up {
            open.head.tick = open.fence.tick();
            open.head.clock_high = open.time.observe(now);
            let head = open.seal_control(control::HEAD, &open.head.encode(), nonce()?)?;
            batch.put(Rows::Control, control::HEAD, head.clone());
            plan.head = Some((open.head.clone(), head));
            // Marks of a later job, or of one that failed, are in the fence already: a head
            // with their tick needs a fence with them.
            if plan.gave_up || open.fence.tick() != open.fence_row_tick {
                plan.fence_tick = Some(open.fence.tick());
                let fence = open.seal_control(control::FENCE, &open.fence.encode(), nonce()?)?;
                batch.put(Rows::Control, control::FENCE, fence);
            }
            if topics {
                let mut rows = Topics::default();
                let covered = open.feed.topics();
                rows.0
                    .extend(covered.map(|(topic, from)| (topic.to_owned(), from)));
                let plain = rows.encode();
                let row = open.seal_control(control::TOPICS, &plain, nonce()?)?;
                batch.put(Rows::Control, control::TOPICS, row);
            }
        }
        batch.expect(
            GuardName::Head,
            Rows::Control,
            control::HEAD,
            open.head_row.clone(),
        );
        Ok((batch, plan))
    }

    /// What a stored group means for this tab and its siblings.
    fn stored(&self, generation: u64, group: Vec<Job>, plan: Plan) {
        let mut changed = Vec::new();
        {
            let mut state = self.state();
            state.counters.commits += 1;
            if let Ok(open) = state.same(generation) {
                for (job, refused) in group.iter().zip(&plan.refused) {
                    let Job::Put(put) = job else {
                        continue;
                    };
                    if *refused {
                        open.drop_if(&put.key, put.meta.write_seq);
                    } else if open.keep(put) {
                        changed.push(put.key);
                    }
                }
                let words = [
                    (!plan.put.is_empty()).then_some(Word::Changed(plan.put)),
                    plan.gave_up.then_some(Word::Control),
                ];
                for word in words.into_iter().flatten() {
                    self.tell_siblings(&open.ring, &word);
                }
            }
            for (job, refused) in group.iter().zip(&plan.refused) {
                let Job::Put(put) = job else {
                    continue;
                };
                let counters = state.counters.class(put.class.index());
                if *refused {
                    counters.fenced += 1;
                } else {
                    counters.stored += 1;
                }
            }
            state.listeners.changed(&changed);
        }
        for (job, refused) in group.into_iter().zip(plan.refused) {
            let robbed = refused && matches!(job, Job::Change(_));
            job.settle(if robbed {
                Err(Error::new(ErrorKind::Conflict, "another tab leads by now"))
            } else {
                Ok(!refused)
            });
        }
    }

    /// Another tab changed the control rows: reads them, and counts own marks that are not
    /// stored yet again on top.
    pub(super) async fn reload_control(&self, generation: u64) -> Result<()> {
        let ring = self.state().same(generation)?.ring.clone();
        let control = match self.read_control(&ring).await {
            Ok(Some(control)) => control,
            // The vault was wiped, or its control rows were damaged, by somebody else.
            Ok(None) => {
                self.lock(false);
                return Err(super::core::locked());
            }
            Err(error) => {
                if error.kind() == ErrorKind::Tampered {
                    self.lock(false);
                }
                return Err(error);
            }
        };
        let mut state = self.state();
        let open = state.same(generation)?;
        let robbed = open.leader && control.head.leader_gen != open.head.leader_gen;
        open.head = control.head;
        open.head_row = control.head_row;
        open.fence = control.fence;
        open.fence_row_tick = open.fence.tick();
        let queued = open.queue.jobs.iter().flat_map(Job::marks);
        for mark in open.writing.iter().chain(queued) {
            mark.apply(&mut open.fence);
            if matches!(mark, Mark::Local(_)) {
                open.era += 1;
            }
        }
        if robbed {
            open.leader = false;
            // The pump may have ended already.
            let _ = open.pump.unbounded_send(super::pump::Command::Robbed);
        }
        state.listeners.all_changed();
        Ok(())
    }

    /// Makes room in a full store: what has expired goes, then what was not used for longest.
    async fn make_room(&self, generation: u64) -> Result<()> {
        let (keys, head_row) = {
            let now = self.now();
            let mut state = self.state();
            state.listeners.tell(&Event::Quota);
            let open = state.same(generation)?;
            let time = open.time.observe(now);
            let mut keys = open.table.expired(time, ROOM_ROWS);
            if keys.is_empty() {
                let count = (open.table.len() / 8).clamp(1, ROOM_ROWS);
                keys = open.table.oldest(count);
            }
            for key in &keys {
                open.table.remove(key);
            }
            (keys, open.head_row.clone())
        };
        let mut batch = Batch::new();
        batch.expect(GuardName::Head, Rows::Control, control::HEAD, head_row);
        for key in keys {
            batch.delete(Rows::Records, key.0);
        }
        match self.store.commit(batch).await {
            // Somebody else writes too: the retry finds out.
            Ok(()) | Err(StoreError::Guard { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Open {
    /// The control rows are in the store as planned, whatever was read from it meanwhile.
    fn saved(&mut self, plan: &Plan) {
        if let Some((head, row)) = &plan.head {
            self.head = head.clone();
            self.head_row = Some(row.clone());
        }
        self.fence_row_tick = plan.fence_tick.unwrap_or(self.fence_row_tick);
    }

    /// Whether a fill may stay (protocol R3).
    pub(super) fn admits(
        &self,
        key: &BlindKey,
        tags: &[BlindTag],
        meta: &Meta,
        terms: Terms,
    ) -> bool {
        let filled = filled(meta);
        let lease = Filled {
            position: None,
            ..filled
        };
        terms.era == self.era
            && self.fence.admits(key, tags, &filled)
            && (!terms.leased || self.fence.admits(key, tags, &lease))
    }

    /// What has become of an entry.
    pub(super) fn verdict(&self, key: &BlindKey, tags: &[BlindTag], meta: &Meta) -> Verdict {
        self.fence.verdict(key, tags, &filled(meta))
    }

    /// Keeps a stored row in memory unless something newer is there or it was given up
    /// meanwhile. Whether it is kept.
    fn keep(&mut self, put: &Put) -> bool {
        let newer = |meta: &Arc<Meta>| meta.write_seq >= put.meta.write_seq;
        if self.table.meta(&put.key).is_some_and(newer) {
            return true;
        }
        self.verdict(&put.key, &put.tags, &put.meta) != Verdict::Gone
            && self
                .table
                .insert(put.key, put.row.clone(), Some(put.meta.clone()), false)
                .is_ok()
    }

    /// Takes a fill that was refused after all out of memory.
    fn drop_if(&mut self, key: &BlindKey, write_seq: u64) {
        if self
            .table
            .meta(key)
            .is_some_and(|meta| meta.write_seq == write_seq)
        {
            self.table.remove(key);
        }
    }

    fn seal_control(&self, name: &[u8], plain: &[u8], nonce: Nonce) -> Result<Bytes> {
        Ok(self
            .ring
            .seal_row(control::TABLE, name, plain, nonce)?
            .into())
    }
}

/// An entry as the fence sees it.
pub(super) fn filled(meta: &Meta) -> Filled<'_> {
    Filled {
        position: meta.position.as_ref().map(|(epoch, seq)| (epoch, *seq)),
        tick: meta.tick,
        version: meta.version.as_ref(),
    }
}
