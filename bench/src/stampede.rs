//! A thousand readers of one entry that nobody holds: how long until all have it, and how many
//! of them asked the origin.

use crate::{Result, stats};
use clinicache::{
    Cache, Fetched, KeySource, Purpose, kernel::envelope::Body, platform::Platform, store::Memory,
};
use futures_util::future::try_join_all;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

const READERS: usize = 1_000;
/// How long the origin takes.
const ORIGIN: Duration = Duration::from_millis(50);
/// The longest that the slowest reader should wait.
const BUDGET: Duration = Duration::from_millis(60);

pub(crate) async fn run(rounds: usize) -> Result<()> {
    let cache = Cache::builder("bench", Platform::system())
        .store(Memory::new())
        .user("dr-lee")
        .keys(KeySource::bytes(&[7; 32])?)
        .open()
        .await?;
    let session = cache.session("dr-lee", Purpose::Treatment)?;
    let calls = Arc::new(AtomicUsize::new(0));
    let mut waits = Vec::new();
    for round in 0..rounds {
        let key = session.key("patient", &[&format!("p{round}")])?;
        let start = Instant::now();
        let readers = (0..READERS).map(|_| {
            let calls = calls.clone();
            let read = session.get_or_fetch(&key, move || async move {
                calls.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(ORIGIN).await;
                Ok(Fetched::new(Body::Json("1".into())))
            });
            async move { read.await.map(|_| start.elapsed()) }
        });
        waits.extend(try_join_all(readers).await?);
    }
    let calls = calls.load(Ordering::Relaxed);
    println!("1,000 readers of one missing entry, an origin of 50 ms");
    stats::line("clinicache", &waits);
    let slowest = stats::quantile(&waits, 0.99);
    let verdict = if slowest <= BUDGET { "within" } else { "over" };
    println!("  → {calls} calls of the origin in {rounds} rounds, budget {BUDGET:?}: {verdict}");
    cache.close().await;
    Ok(())
}
