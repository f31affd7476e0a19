//! Predictable bytes for repeatable tests.

use super::lock;
use crate::{
    error::{Error, ErrorKind, Result},
    platform::Entropy,
};
use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

/// A repeatable stream of bytes from a seed, shared by all clones: two devices of one test never
/// draw the same nonce. Nothing secret may be made from it.
#[derive(Clone)]
pub struct SimEntropy {
    state: Arc<Mutex<u64>>,
    broken: Arc<AtomicBool>,
}

impl SimEntropy {
    /// The stream of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            state: Arc::new(Mutex::new(seed)),
            broken: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Whether every draw fails with [`ErrorKind::Unavailable`] from now on.
    pub fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::Relaxed);
    }

    /// The next 64 bits, for the decisions of a test.
    #[must_use]
    pub fn draw(&self) -> u64 {
        // SplitMix64: every state is visited once, so a nonce does not repeat within a test.
        let mut state = lock(&self.state);
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`, for the decisions of a test; 0 when `bound` is 0.
    #[must_use]
    pub fn below(&self, bound: usize) -> usize {
        // The bias of the remainder does not matter to a test.
        (self.draw() % (bound.max(1) as u64)) as usize
    }
}

impl Entropy for SimEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<()> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the simulated random source is broken",
            ));
        }
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.draw().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl fmt::Debug for SimEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimEntropy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::EntropyExt;

    #[test]
    fn a_seed_repeats_and_a_clone_goes_on() {
        let one = SimEntropy::new(7);
        let two = SimEntropy::new(7);
        assert_eq!(one.bytes::<20>().unwrap(), two.bytes::<20>().unwrap());
        assert_ne!(
            one.bytes::<20>().unwrap(),
            one.clone().bytes::<20>().unwrap()
        );
    }

    #[test]
    fn a_broken_source_fails() {
        let entropy = SimEntropy::new(7);
        entropy.set_broken(true);
        let error = entropy.bytes::<1>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}
