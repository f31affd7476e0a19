//! A clock that only moves when told.

use super::lock;
use crate::platform::{BoxFuture, Clock};
use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

/// 2026-01-01T00:00:00Z: where the wall clock starts.
const WALL_START_MS: u64 = 1_767_225_600_000;

/// Simulated time, shared by all clones. Works with any executor: a sleeper is a waker.
///
/// Moving it wakes sleepers in the order of their deadlines, but runs nothing by itself;
/// [`Sim::advance`](super::Sim::advance) runs the tasks between one deadline and the next.
#[derive(Clone)]
pub struct SimClock {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    wall_ms: u64,
    mono_ms: u64,
    next_id: u64,
    /// By deadline, then by order of arrival.
    sleepers: BTreeMap<(u64, u64), Waker>,
}

impl SimClock {
    /// A clock at the start of 2026 and at monotonic time 0.
    #[must_use]
    pub fn new() -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                wall_ms: WALL_START_MS,
                mono_ms: 0,
                next_id: 0,
                sleepers: BTreeMap::new(),
            })),
        }
    }

    /// Lets `ms` milliseconds pass on both clocks. Each sleeper is woken at its own deadline.
    pub fn advance(&self, ms: u64) {
        let end = self.mono_ms().saturating_add(ms);
        while let Some(deadline) = self.next_deadline()
            && deadline <= end
        {
            self.move_to(deadline);
        }
        self.move_to(end);
    }

    /// Moves the wall clock alone, either way: an administrator or a time server set it.
    pub fn jump_wall(&self, delta_ms: i64) {
        let mut inner = lock(&self.inner);
        inner.wall_ms = inner.wall_ms.saturating_add_signed(delta_ms);
    }

    /// Moves the wall clock while the monotonic clock stands still: the device slept.
    pub fn suspend(&self, ms: u64) {
        let mut inner = lock(&self.inner);
        inner.wall_ms = inner.wall_ms.saturating_add(ms);
    }

    /// The monotonic time at which the next sleeper wakes.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        let inner = lock(&self.inner);
        inner.sleepers.first_key_value().map(|(&(at, _), _)| at)
    }

    /// How many sleepers there are; 0 when nothing is armed any more.
    #[must_use]
    pub fn sleepers(&self) -> usize {
        lock(&self.inner).sleepers.len()
    }

    /// Moves to a monotonic moment and wakes whoever is due by then.
    pub(super) fn move_to(&self, mono_ms: u64) {
        let due = {
            let mut inner = lock(&self.inner);
            let passed = mono_ms.saturating_sub(inner.mono_ms);
            inner.mono_ms += passed;
            inner.wall_ms = inner.wall_ms.saturating_add(passed);
            let later = inner.sleepers.split_off(&(mono_ms.saturating_add(1), 0));
            std::mem::replace(&mut inner.sleepers, later)
        };
        // Outside of the lock: a waker may run the sleeper at once.
        for waker in due.into_values() {
            waker.wake();
        }
    }
}

impl Clock for SimClock {
    fn wall_ms(&self) -> u64 {
        lock(&self.inner).wall_ms
    }

    fn mono_ms(&self) -> u64 {
        lock(&self.inner).mono_ms
    }

    fn sleep(&self, ms: u64) -> BoxFuture<'static, ()> {
        let mut inner = lock(&self.inner);
        inner.next_id += 1;
        Box::pin(Sleep {
            clock: self.clone(),
            key: (inner.mono_ms.saturating_add(ms), inner.next_id),
            yielded: false,
        })
    }
}

/// Ends at its deadline; leaves nothing behind when dropped before.
struct Sleep {
    clock: SimClock,
    key: (u64, u64),
    yielded: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let (deadline, _) = self.key;
        if deadline > self.clock.mono_ms() {
            let mut inner = lock(&self.clock.inner);
            inner.sleepers.insert(self.key, context.waker().clone());
            return Poll::Pending;
        }
        // A sleep of no length still lets the others run first, as a timer does.
        if !self.yielded {
            self.yielded = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        lock(&self.clock.inner).sleepers.remove(&self.key);
    }
}

impl Default for SimClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SimClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = lock(&self.inner);
        f.debug_struct("SimClock")
            .field("wall_ms", &inner.wall_ms)
            .field("mono_ms", &inner.mono_ms)
            .field("sleepers", &inner.sleepers.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Sim;
    use std::sync::mpsc;

    #[test]
    fn sleepers_wake_in_the_order_of_their_deadlines_and_see_their_own_time() {
        let sim = Sim::new(1);
        let (woken, order) = mpsc::channel();
        for ms in [30, 10, 20] {
            let (clock, woken) = (sim.clock(), woken.clone());
            let _task = sim.start(async move {
                clock.sleep(ms).await;
                woken.send((ms, clock.mono_ms())).unwrap();
            });
        }
        sim.advance(25);
        assert_eq!(order.try_iter().collect::<Vec<_>>(), [(10, 10), (20, 20)]);
        sim.advance(5);
        assert_eq!(order.try_iter().collect::<Vec<_>>(), [(30, 30)]);
    }

    #[test]
    fn a_wall_jump_wakes_nobody_and_moves_no_monotonic_time() {
        let sim = Sim::new(1);
        let clock = sim.clock();
        let sleeper = sim.start(clock.sleep(10));
        let before = clock.wall_ms();
        clock.jump_wall(-5_000);
        sim.run_until_stalled();
        assert_eq!((clock.wall_ms(), clock.mono_ms()), (before - 5_000, 0));
        assert!(!sleeper.is_done());
    }

    #[test]
    fn a_dropped_sleep_leaves_no_sleeper() {
        let sim = Sim::new(1);
        let clock = sim.clock();
        let mut sleep = clock.sleep(10);
        let waker = Waker::noop();
        assert!(
            sleep
                .as_mut()
                .poll(&mut Context::from_waker(waker))
                .is_pending()
        );
        assert_eq!(clock.sleepers(), 1);
        drop(sleep);
        assert_eq!(clock.sleepers(), 0);
    }
}
