//! Time as an argument.

use super::task::{BoxFuture, MaybeSend, MaybeSync};

/// Wall time, monotonic time and sleep.
///
/// # Contract
/// `wall_ms` may jump either way; `mono_ms` never goes back but may pause while a device
/// sleeps. `sleep` ends not before `ms` have passed on the monotonic clock, may end late, and
/// may be dropped at any time. A sleep of 0 lets whatever waits for the thread run first.
pub trait Clock: MaybeSend + MaybeSync {
    /// Milliseconds since the Unix epoch.
    fn wall_ms(&self) -> u64;
    /// Milliseconds since some fixed moment of this realm.
    fn mono_ms(&self) -> u64;
    /// Waits for `ms` milliseconds.
    fn sleep(&self, ms: u64) -> BoxFuture<'static, ()>;
}
