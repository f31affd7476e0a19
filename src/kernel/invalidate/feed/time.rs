//! Time as the feed sees it: told, never asked for, and read with suspicion.

/// A moment, as the two clocks of the platform tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since the Unix epoch. May jump either way.
    pub wall_ms: u64,
    /// Milliseconds since some fixed moment of this realm. Never goes back; may pause while the
    /// device sleeps.
    pub mono_ms: u64,
}

impl Now {
    /// Milliseconds since an earlier moment, by the clock that says more: the monotonic one may
    /// have slept, the wall clock may have been set. A clock that went back proves that it
    /// cannot be trusted, so any time may have passed: [`u64::MAX`].
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        let (Some(wall), Some(mono)) = (
            self.wall_ms.checked_sub(earlier.wall_ms),
            self.mono_ms.checked_sub(earlier.mono_ms),
        ) else {
            return u64::MAX;
        };
        if wall > mono { wall } else { mono }
    }
}

/// Requests in bursts, then at a rate: a hub refuses a client that asks too often.
#[derive(Debug)]
pub(super) struct Pace {
    /// The monotonic moment from which the burst counts as unused.
    free_at_ms: u64,
}

impl Pace {
    /// What one request costs, in milliseconds of the steady rate.
    const COST_MS: u64 = 125;
    /// How far requests may run ahead of that rate.
    const BURST_MS: u64 = 64 * Self::COST_MS;

    pub(super) const fn new(now: Now) -> Self {
        Self {
            free_at_ms: now.mono_ms,
        }
    }

    /// Milliseconds until a request may be sent.
    pub(super) const fn ready_in(&self, now: Now) -> u64 {
        self.free_at_ms
            .saturating_sub(now.mono_ms.saturating_add(Self::BURST_MS))
    }

    pub(super) fn spend(&mut self, requests: u64, now: Now) {
        self.free_at_ms = self
            .free_at_ms
            .max(now.mono_ms)
            .saturating_add(requests.saturating_mul(Self::COST_MS));
    }

    /// The hub says that this was too much: waits for a second.
    pub(super) fn exhaust(&mut self, now: Now) {
        self.free_at_ms = now.mono_ms.saturating_add(Self::BURST_MS + 1_000);
    }
}

/// Exponential back-off with jitter. The seed is the caller's: nothing is drawn in here.
#[derive(Debug)]
pub(super) struct Backoff {
    min_ms: u64,
    max_ms: u64,
    failures: u32,
    state: u64,
}

impl Backoff {
    pub(super) const fn new(min_ms: u64, max_ms: u64, seed: u64) -> Self {
        Self {
            min_ms,
            max_ms,
            failures: 0,
            state: seed,
        }
    }

    /// Attempts that failed since the last stable connection.
    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) const fn reset(&mut self) {
        self.failures = 0;
    }

    /// Counts a failure.
    pub(super) const fn fail(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// Goes to the longest wait at once: nothing will change soon.
    pub(super) const fn fail_for_long(&mut self) {
        if self.failures < 16 {
            self.failures = 16;
        }
    }

    /// How long to wait: between half and all of `min · 2^failures`, at most the maximum. The
    /// spread keeps the clients of a restarted hub from coming back in one wave.
    pub(super) fn wait_ms(&mut self) -> u64 {
        let full = self
            .min_ms
            .saturating_mul(1 << self.failures.min(20))
            .min(self.max_ms);
        self.spread(full / 2, full - full / 2)
    }

    /// A number in `base..=base + width`.
    pub(super) fn spread(&mut self, base: u64, width: u64) -> u64 {
        base.saturating_add(self.next() % width.saturating_add(1).max(1))
    }

    /// SplitMix64: enough to spread clients, not for secrets.
    const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(wall_ms: u64, mono_ms: u64) -> Now {
        Now { wall_ms, mono_ms }
    }

    #[test]
    fn elapsed_time_is_the_larger_of_both_clocks() {
        assert_eq!(at(150, 20).since(at(100, 10)), 50);
        assert_eq!(at(110, 90).since(at(100, 10)), 80);
    }

    #[test]
    fn a_clock_that_went_back_means_any_time_may_have_passed() {
        assert_eq!(at(99, 20).since(at(100, 10)), u64::MAX);
        assert_eq!(at(200, 9).since(at(100, 10)), u64::MAX);
    }

    #[test]
    fn waits_double_up_to_the_maximum_and_are_spread() {
        let mut waits = Backoff::new(1_000, 30_000, 7);
        for failures in 0..40_u32 {
            let full = (1_000_u64 << failures.min(20)).min(30_000);
            let wait = waits.wait_ms();
            assert!(wait >= full / 2 && wait <= full, "{failures}: {wait}");
            waits.fail();
        }
        let distinct: std::collections::BTreeSet<u64> = (0..100).map(|_| waits.wait_ms()).collect();
        assert!(distinct.len() > 50);
    }
}
