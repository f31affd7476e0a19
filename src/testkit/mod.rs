//! Simulated time, links and tabs, a faulty store, and the store conformance suite.
//!
//! Everything here is repeatable: no thread, no timer, no randomness but from a seed. It is for
//! tests; a program that ships enables none of it.

mod clock;
pub mod conformance;
mod entropy;
mod faulty;
mod kdf;
mod link;
mod sim;
mod tabs;

pub use clock::SimClock;
pub use entropy::SimEntropy;
pub use faulty::{Fault, Faulty, Held, Op};
pub use kdf::SimKdf;
pub use link::{SimPeer, SimTransport};
pub use sim::{Sim, SimSpawn, Started, block_on};
pub use tabs::{SimTabs, TabControl, TabHub};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A test that panicked while it held a lock must not hide its message behind a second panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
