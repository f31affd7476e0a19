//! A token bucket, in whole units.

/// Units that refill with time. A charge may overdraw it: the debt is then waited off.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Thousandths of a unit, so that slow refills do not round away.
    milli: i64,
    capacity: u32,
    per_second: u32,
    at_ms: u64,
}

impl Bucket {
    /// A full bucket.
    pub fn new(capacity: u32, per_second: u32, now_ms: u64) -> Self {
        Self {
            milli: i64::from(capacity) * 1000,
            capacity,
            per_second,
            at_ms: now_ms,
        }
    }

    /// Takes `cost` when the bucket is not in debt.
    pub fn take(&mut self, cost: u32, now_ms: u64) -> bool {
        self.refill(now_ms);
        if self.milli <= 0 {
            return false;
        }
        self.charge(cost);
        true
    }

    /// Whether nothing is missing: then it need not be remembered.
    pub fn is_full(&mut self, now_ms: u64) -> bool {
        self.refill(now_ms);
        self.milli >= i64::from(self.capacity) * 1000
    }

    fn refill(&mut self, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.at_ms);
        self.at_ms = self.at_ms.max(now_ms);
        let refill = i64::try_from(passed)
            .unwrap_or(i64::MAX)
            .saturating_mul(i64::from(self.per_second));
        self.milli = self
            .milli
            .saturating_add(refill)
            .min(i64::from(self.capacity) * 1000);
    }

    /// Takes `cost` for work that turned out dearer than known before.
    pub fn charge(&mut self, cost: u32) {
        self.milli = self.milli.saturating_sub(i64::from(cost) * 1000);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_dry_and_refills() {
        let mut bucket = Bucket::new(2, 1, 0);
        assert!(bucket.take(1, 0) && bucket.take(1, 0));
        assert!(!bucket.take(1, 0));
        assert!(bucket.take(1, 1), "a thousandth of a unit is no debt");
        assert!(!bucket.take(1, 500));
        assert!(bucket.take(1, 2_000));
    }

    #[test]
    fn a_debt_is_waited_off() {
        let mut bucket = Bucket::new(10, 1, 0);
        assert!(bucket.take(1, 0));
        bucket.charge(109);
        assert!(!bucket.take(1, 99_000));
        assert!(bucket.take(1, 101_000));
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing() {
        let mut bucket = Bucket::new(1, 1000, 10_000);
        assert!(bucket.take(1, 10_000));
        assert!(!bucket.take(1, 0));
        assert!(!bucket.take(1, 10_000));
    }
}
