//! Async orchestration over the seams: the cache handle, sessions, reads, writes, the feed, the
//! sibling tabs. Nothing in here knows which target it runs on.

mod builder;
mod core;
mod entry;
mod event;
mod fill;
mod flight;
mod give_up;
mod idle;
mod keys;
mod maintain;
mod pump;
mod read;
mod session;
mod siblings;
mod stats;
mod time;
mod vault;
mod wipe;
mod writer;

pub use builder::CacheBuilder;
pub use core::{Cache, CacheState};
pub use entry::{Entry, Fetched, Fill, Freshness, Source};
pub use event::{Event, EventStream, Subscription};
pub use give_up::Invalidate;
pub use keys::KeySource;
pub use session::{Purpose, Session};
pub use stats::{ClassStats, Stats};
pub use wipe::WipeReport;

#[cfg(test)]
mod tests;
