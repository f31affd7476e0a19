//! The time that expiry goes by: never back, and never slower than either clock.

use crate::{kernel::invalidate::feed::Now, platform::Clock};

/// The current moment of both clocks.
pub(super) fn now(clock: &dyn Clock) -> Now {
    Now {
        wall_ms: clock.wall_ms(),
        mono_ms: clock.mono_ms(),
    }
}

/// Turns two untrusted clocks into one pessimistic time.
///
/// A wall clock that was set back does not make an entry young again: time goes on from the
/// latest moment seen, at the pace of the monotonic clock. A wall clock that ran on while the
/// device slept is believed.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeKeeper {
    latest_ms: u64,
    mono_ms: u64,
}

impl TimeKeeper {
    /// Starts from a stored high-water mark.
    pub(super) const fn new(high_ms: u64, now: Now) -> Self {
        let latest_ms = if high_ms > now.wall_ms {
            high_ms
        } else {
            now.wall_ms
        };
        Self {
            latest_ms,
            mono_ms: now.mono_ms,
        }
    }

    /// The pessimistic time, in Unix milliseconds.
    pub(super) fn observe(&mut self, now: Now) -> u64 {
        let elapsed = now.mono_ms.saturating_sub(self.mono_ms);
        self.mono_ms = self.mono_ms.max(now.mono_ms);
        self.latest_ms = self.latest_ms.saturating_add(elapsed).max(now.wall_ms);
        self.latest_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(wall_ms: u64, mono_ms: u64) -> Now {
        Now { wall_ms, mono_ms }
    }

    #[test]
    fn it_takes_the_later_clock_and_never_goes_back() {
        let mut time = TimeKeeper::new(0, at(1_000, 50));
        assert_eq!(time.observe(at(1_010, 60)), 1_010);
        // The wall clock is set back: time goes on by the other one.
        assert_eq!(time.observe(at(500, 80)), 1_030);
        // The device slept: the wall clock went on alone.
        assert_eq!(time.observe(at(9_000, 81)), 9_000);
    }

    #[test]
    fn a_stored_high_water_mark_beats_a_clock_that_was_set_back() {
        let mut time = TimeKeeper::new(5_000, at(1_000, 0));
        assert_eq!(time.observe(at(1_100, 100)), 5_100);
    }
}
