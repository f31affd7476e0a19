//! A hub's log and its subscribers, as a state machine.
//!
//! [`Log`] holds the newest records and an index of when each topic was last touched.
//! [`Peer`] is one client: it turns the client's frames and the log's growth into frames for
//! that client. Nothing here waits, stores or tells the time; the hub's shell does.

mod bucket;
mod coalesce;
mod index;
mod invalidation;
mod log;
mod peer;
mod record;
mod replay;

#[cfg(test)]
mod tests;

pub use bucket::Bucket;
pub use index::{TopicHash, Touched};
pub use invalidation::{Checked, Invalidation};
pub use log::{Blind, Growth, Log, Restored, Retention, Trim, Window};
pub use peer::{CloseCode, Moment, Out, Peer, PeerLimits, View};
pub use record::Record;
