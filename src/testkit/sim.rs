//! A deterministic executor with its own time and randomness.

use super::{SimClock, SimEntropy, SimKdf, lock};
use crate::platform::{BoxFuture, Clock, MaybeSend, Platform, SoloTabs, Spawn, Tabs};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    future::Future,
    pin::pin,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// A world for tests: tasks that run only when polled here, in an order that repeats, on a clock
/// that only moves when told.
///
/// Cheap to clone; the clones share the world. One simulation may hold several caches on several
/// simulated devices: give each its own [`platform`](Sim::platform_with).
#[derive(Clone)]
pub struct Sim {
    clock: SimClock,
    entropy: SimEntropy,
    tasks: SimSpawn,
    /// Decides which of several ready tasks runs; `None` runs them in the order of their waking.
    order: Option<SimEntropy>,
}

/// The tasks of a simulation.
#[derive(Clone, Default)]
pub struct SimSpawn {
    futures: Arc<Mutex<Futures>>,
    ready: Arc<Mutex<Ready>>,
}

#[derive(Default)]
struct Futures {
    next_id: u64,
    by_id: BTreeMap<u64, BoxFuture<'static, ()>>,
}

/// Ids of tasks to poll, each at most once.
#[derive(Default)]
struct Ready {
    queue: Vec<u64>,
    queued: BTreeSet<u64>,
}

impl Ready {
    fn push(&mut self, id: u64) {
        if self.queued.insert(id) {
            self.queue.push(id);
        }
    }

    fn take(&mut self, order: Option<&SimEntropy>) -> Option<u64> {
        if self.queue.is_empty() {
            return None;
        }
        let index = order.map_or(0, |order| order.below(self.queue.len()));
        let id = self.queue.remove(index);
        self.queued.remove(&id);
        Some(id)
    }
}

/// Holds only the id, never the future: a future need not be `Send` in a browser, a waker must.
struct TaskWaker {
    id: u64,
    ready: Arc<Mutex<Ready>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        lock(&self.ready).push(self.id);
    }
}

impl Spawn for SimSpawn {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        let id = {
            let mut futures = lock(&self.futures);
            futures.next_id += 1;
            let id = futures.next_id;
            futures.by_id.insert(id, task);
            id
        };
        lock(&self.ready).push(id);
    }
}

impl Sim {
    /// A world whose randomness comes from `seed`; ready tasks run in the order of their waking.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            clock: SimClock::new(),
            entropy: SimEntropy::new(seed),
            tasks: SimSpawn::default(),
            order: None,
        }
    }

    /// A world that picks the next ready task at random: each seed is another interleaving, and
    /// the same one every time.
    #[must_use]
    pub fn shuffled(seed: u64) -> Self {
        Self {
            order: Some(SimEntropy::new(!seed)),
            ..Self::new(seed)
        }
    }

    /// The clock of this world.
    #[must_use]
    pub fn clock(&self) -> SimClock {
        self.clock.clone()
    }

    /// The randomness of this world.
    #[must_use]
    pub fn entropy(&self) -> SimEntropy {
        self.entropy.clone()
    }

    /// Starts background tasks in this world.
    #[must_use]
    pub fn spawner(&self) -> SimSpawn {
        self.tasks.clone()
    }

    /// A platform of this world without sibling tabs.
    #[must_use]
    pub fn platform(&self) -> Platform {
        self.platform_with(SoloTabs)
    }

    /// A platform of this world with sibling tabs.
    #[must_use]
    #[cfg_attr(
        target_arch = "wasm32",
        expect(
            clippy::arc_with_non_send_sync,
            reason = "the seams are `Arc` on every target; a realm has one thread"
        )
    )]
    pub fn platform_with(&self, tabs: impl Tabs + 'static) -> Platform {
        Platform {
            clock: Arc::new(self.clock()),
            entropy: Arc::new(self.entropy()),
            spawn: Arc::new(self.spawner()),
            kdf: Arc::new(SimKdf),
            tabs: Arc::new(tabs),
        }
    }

    /// Runs every task that can run now. No time passes.
    pub fn run_until_stalled(&self) {
        loop {
            let next = lock(&self.tasks.ready).take(self.order.as_ref());
            let Some(id) = next else { return };
            // Taken out while it runs: the task may start others or wake itself.
            let future = lock(&self.tasks.futures).by_id.remove(&id);
            let Some(mut future) = future else { continue };
            let waker = Waker::from(Arc::new(TaskWaker {
                id,
                ready: Arc::clone(&self.tasks.ready),
            }));
            if future
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
            {
                lock(&self.tasks.futures).by_id.insert(id, future);
            }
        }
    }

    /// Lets `ms` milliseconds pass and runs the tasks before, at each deadline on the way, and
    /// at the end.
    pub fn advance(&self, ms: u64) {
        let end = self.clock.mono_ms().saturating_add(ms);
        self.run_until_stalled();
        while let Some(deadline) = self.clock.next_deadline()
            && deadline <= end
        {
            self.clock.move_to(deadline);
            self.run_until_stalled();
        }
        self.clock.move_to(end);
        self.run_until_stalled();
    }

    /// Starts `future` as a task whose answer can be fetched. Dropping the answer's handle does
    /// not stop the task; see [`Started::cancel`].
    pub fn start<F>(&self, future: F) -> Started<F::Output>
    where
        F: Future + MaybeSend + 'static,
        F::Output: MaybeSend + 'static,
    {
        let cell = Arc::new(Mutex::new(None));
        let done = Arc::new(AtomicBool::new(false));
        let (answer, finished) = (Arc::clone(&cell), Arc::clone(&done));
        let (cancel, cancelled) = futures_channel::oneshot::channel::<()>();
        self.tasks.spawn(Box::pin(async move {
            let run = pin!(future);
            let stop = pin!(async move {
                if cancelled.await.is_err() {
                    // The handle went away without cancelling.
                    std::future::pending::<()>().await;
                }
            });
            if let futures_util::future::Either::Left((output, _)) =
                futures_util::future::select(run, stop).await
            {
                *lock(&answer) = Some(output);
                finished.store(true, Ordering::Release);
            }
        }));
        Started {
            cell,
            done,
            cancel: Some(cancel),
        }
    }

    /// Runs `future` to its end without letting time pass.
    ///
    /// # Panics
    /// When it can only go on after time has passed or something outside has happened.
    #[track_caller]
    pub fn run<F>(&self, future: F) -> F::Output
    where
        F: Future + MaybeSend + 'static,
        F::Output: MaybeSend + 'static,
    {
        let started = self.start(future);
        self.run_until_stalled();
        match started.take() {
            Some(output) => output,
            None => panic!("stalled: it waits for time to pass or for something outside"),
        }
    }

    /// Runs `future` to its end and lets as much time pass as it needs.
    ///
    /// # Panics
    /// When everything waits and no sleeper is left, or after a simulated year.
    #[track_caller]
    pub fn run_timed<F>(&self, future: F) -> F::Output
    where
        F: Future + MaybeSend + 'static,
        F::Output: MaybeSend + 'static,
    {
        const YEAR_MS: u64 = 365 * 24 * 3_600_000;
        let end = self.clock.mono_ms().saturating_add(YEAR_MS);
        let started = self.start(future);
        loop {
            self.run_until_stalled();
            if let Some(output) = started.take() {
                return output;
            }
            match self.clock.next_deadline() {
                Some(deadline) if deadline <= end => self.clock.move_to(deadline),
                _ => panic!("deadlocked: nothing can run and nobody sleeps"),
            }
        }
    }

    /// How many tasks have not ended; a leak shows here.
    #[must_use]
    pub fn tasks(&self) -> usize {
        lock(&self.tasks.futures).by_id.len()
    }
}

/// The answer of a task that [`Sim::start`] started.
#[must_use = "the answer of the task comes through here"]
pub struct Started<T> {
    cell: Arc<Mutex<Option<T>>>,
    done: Arc<AtomicBool>,
    cancel: Option<futures_channel::oneshot::Sender<()>>,
}

impl<T> Started<T> {
    /// Whether the task has ended.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    /// The answer, once; `None` before the end and afterwards.
    #[must_use]
    pub fn take(&self) -> Option<T> {
        lock(&self.cell).take()
    }

    /// Drops the task's future the next time tasks run.
    pub fn cancel(mut self) {
        if let Some(cancel) = self.cancel.take() {
            let _ = cancel.send(());
        }
    }
}

impl<T> fmt::Debug for Started<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started")
            .field("done", &self.is_done())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim")
            .field("clock", &self.clock)
            .field("tasks", &self.tasks())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SimSpawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimSpawn")
    }
}

/// Runs one future on this thread, which sleeps while the future waits.
pub fn block_on<F: Future>(future: F) -> F::Output {
    #[derive(Default)]
    struct Signal {
        woken: Mutex<bool>,
        changed: Condvar,
    }
    impl Wake for Signal {
        fn wake(self: Arc<Self>) {
            *lock(&self.woken) = true;
            self.changed.notify_one();
        }
    }
    let signal = Arc::new(Signal::default());
    let waker = Waker::from(Arc::clone(&signal));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        let mut woken = lock(&signal.woken);
        while !*woken {
            woken = signal
                .changed
                .wait(woken)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *woken = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_started_task_does_not_run_inside_the_call() {
        let sim = Sim::new(1);
        let task = sim.start(async { 5 });
        assert!(!task.is_done());
        sim.run_until_stalled();
        assert_eq!(task.take(), Some(5));
        assert_eq!(sim.tasks(), 0);
    }

    #[test]
    fn a_cancelled_task_is_dropped() {
        struct Probe(Arc<AtomicBool>);
        impl Drop for Probe {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Release);
            }
        }
        let sim = Sim::new(1);
        let dropped = Arc::new(AtomicBool::new(false));
        let probe = Probe(Arc::clone(&dropped));
        let clock = sim.clock();
        let task = sim.start(async move {
            clock.sleep(1_000).await;
            drop(probe);
        });
        sim.run_until_stalled();
        task.cancel();
        sim.run_until_stalled();
        assert!(dropped.load(Ordering::Acquire));
        assert_eq!((sim.tasks(), sim.clock().sleepers()), (0, 0));
    }

    #[test]
    fn dropping_the_handle_leaves_the_task_running() {
        let sim = Sim::new(1);
        let clock = sim.clock();
        let (send, receive) = std::sync::mpsc::channel();
        drop(sim.start(async move {
            clock.sleep(5).await;
            send.send(()).unwrap();
        }));
        sim.advance(5);
        assert_eq!(receive.try_recv(), Ok(()));
    }

    #[test]
    fn time_passes_as_far_as_a_timed_run_needs_and_no_further() {
        let sim = Sim::new(1);
        let clock = sim.clock();
        sim.run_timed(async move { clock.sleep(1_234).await });
        assert_eq!(sim.clock().mono_ms(), 1_234);
    }

    #[test]
    fn a_shuffled_world_repeats_with_its_seed_and_differs_between_seeds() {
        let order = |seed| {
            let sim = Sim::shuffled(seed);
            let (send, receive) = std::sync::mpsc::channel();
            for n in 0..8 {
                let send = send.clone();
                drop(sim.start(async move { send.send(n).unwrap() }));
            }
            sim.run_until_stalled();
            receive.try_iter().collect::<Vec<_>>()
        };
        assert_eq!(order(3), order(3));
        assert_ne!(order(3), order(4));
    }
}
