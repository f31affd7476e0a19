//! A read of a sealed entry of 1 KB from memory, beside the cipher alone.

use crate::{Result, stats};
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, aead::inout::InOutBuf};
use clinicache::{
    Cache, Fill, KeySource, Purpose, kernel::envelope::Body, platform::Platform, store::Memory,
};
use std::{hint::black_box, time::Instant};

const BYTES: usize = 1_024;
/// Entries, read in turn: more than a processor's first caches hold.
const ENTRIES: usize = 1_000;
/// The most that a read may cost, in times of the cipher alone.
const BUDGET: f64 = 2.0;

pub(crate) async fn run(rounds: usize) -> Result<()> {
    let cache = Cache::builder("bench", Platform::system())
        .store(Memory::new())
        .user("dr-lee")
        .keys(KeySource::bytes(&[7; 32])?)
        .open()
        .await?;
    let session = cache.session("dr-lee", Purpose::Treatment)?;
    let mut keys = Vec::new();
    let mut rows = Vec::new();
    for n in 0..ENTRIES {
        let key = session.key("patient", &[&format!("p{n}")])?;
        let body = Body::Bytes(vec![n as u8; BYTES]);
        rows.push((key.clone(), body, Fill::default()));
        keys.push(key);
    }
    for stored in session.put_many(rows).await? {
        stored?;
    }

    let cipher = Aes256Gcm::new(&[7; 32].into());
    let nonce = [1; 12].into();
    let mut sealed = vec![0; BYTES];
    let tag = cipher
        .encrypt_inout_detached(&nonce, b"", InOutBuf::from(&mut sealed[..]))
        .map_err(|_| "the cipher refuses")?;

    let (mut own, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let start = Instant::now();
        for key in &keys {
            black_box(session.peek(key)?.ok_or("an entry is missing")?);
        }
        own.push(start.elapsed() / ENTRIES as u32);
        let start = Instant::now();
        for _ in 0..ENTRIES {
            let mut text = sealed.clone();
            cipher
                .decrypt_inout_detached(&nonce, b"", InOutBuf::from(&mut text[..]), &tag)
                .map_err(|_| "the cipher refuses")?;
            black_box(text);
        }
        floor.push(start.elapsed() / ENTRIES as u32);
    }
    println!("sealed get, 1 KB, one thread");
    stats::line("clinicache, to bytes", &own);
    stats::line("AES-256-GCM alone", &floor);
    stats::ratio(&own, &floor, BUDGET);
    cache.close().await;
    Ok(())
}
