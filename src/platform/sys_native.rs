//! The native world: system clock, operating-system randomness, tokio tasks.

use super::{
    Platform,
    clock::Clock,
    entropy::Entropy,
    kdf::Kdf,
    tabs::SoloTabs,
    task::{BoxFuture, Spawn},
};
use crate::{
    error::{Error, ErrorKind, Result},
    kernel::crypto::Secret,
};
use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The operating system's clocks; sleeps on tokio's timer.
#[derive(Debug, Clone)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn wall_ms(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| {
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            })
    }

    fn mono_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn sleep(&self, ms: u64) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(ms)))
    }
}

/// The operating system's secure random source.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<()> {
        getrandom::fill(buffer)
            .map_err(|_| Error::new(ErrorKind::Unavailable, "no secure random source"))
    }
}

/// Tasks on the tokio runtime that is current when a task starts.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemSpawn;

impl Spawn for SystemSpawn {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        drop(tokio::spawn(task));
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct NativeKdf;

impl Kdf for NativeKdf {
    fn pbkdf2_sha256(
        &self,
        secret: Secret<Vec<u8>>,
        salt: Vec<u8>,
        rounds: u32,
    ) -> BoxFuture<'static, Result<Secret<[u8; 32]>>> {
        Box::pin(async move {
            // Hundreds of milliseconds of arithmetic: never on an async worker.
            tokio::task::spawn_blocking(move || {
                let mut out = Secret::new([0; 32]);
                pbkdf2::pbkdf2_hmac::<sha2::Sha256>(
                    secret.expose(),
                    &salt,
                    rounds,
                    out.expose_mut(),
                );
                out
            })
            .await
            .map_err(|_| Error::new(ErrorKind::Internal, "key stretching did not finish"))
        })
    }
}

impl Platform {
    /// The operating system and the current tokio runtime.
    #[must_use]
    pub fn system() -> Self {
        Self {
            clock: Arc::new(SystemClock::default()),
            entropy: Arc::new(SystemEntropy),
            spawn: Arc::new(SystemSpawn),
            kdf: Arc::new(NativeKdf),
            tabs: Arc::new(SoloTabs),
        }
    }
}
