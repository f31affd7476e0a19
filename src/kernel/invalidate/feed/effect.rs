//! What a feed asks of the engine.

use super::{super::position::Position, relay::Relay};
use crate::{
    error::ErrorKind,
    kernel::protocol::{ClientFrame, Op, ResetMode, ResetScope},
};
use std::sync::Arc;

/// Names a store transaction that a feed waits for; later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub(super) u64);

/// What may be said about the cache right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FeedState {
    /// There is no feed: nothing was started, or no leader was heard of yet.
    Off,
    /// A connection is being made, or its continuity is being proven: soon live, or not.
    Connecting,
    /// Everything up to the cursor is applied, and a frame said so within the lease.
    Live,
    /// The connection looks open, but nothing was heard for too long.
    Suspect,
    /// No hub can be reached, the app is offline, or the hub asked not to come back.
    Offline,
}

/// Why entries were given up without being named one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResetReason {
    /// The first position ever: what is held was never verified.
    First,
    /// The log has another life: positions of the old one say nothing.
    Epoch,
    /// The hub said so.
    Hub,
    /// An operation or a frame of a later version: what it gives up is unknown (rule R11).
    Unknown,
}

/// One thing to do. The engine performs effects in the order in which they were returned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// Send this frame.
    Send(ClientFrame),
    /// Give up what `ops` name among entries filled before `at`, in memory at once and in the
    /// store, and save `cursor`: one transaction (rule R2). Then call
    /// [`Feed::on_applied`](super::Feed::on_applied), or
    /// [`Feed::on_apply_failed`](super::Feed::on_apply_failed).
    Apply {
        /// Names the transaction.
        ticket: Ticket,
        /// What is given up. Never of an unknown kind or mode.
        ops: Arc<[Op]>,
        /// The position of the newest of the operations: entries filled at or after it stay.
        at: Position,
        /// The cursor to save. Unchanged while a resume is outstanding.
        cursor: Position,
    },
    /// Give up everything in `scope` that was filled before `upto`, raise the fence's floor
    /// there to `upto` (rule R10), and save `cursor` and [`Feed::topics`](super::Feed::topics):
    /// one transaction, confirmed like [`Effect::Apply`]. An entry of another epoch than
    /// `upto`'s was filled before it.
    Reset {
        /// Names the transaction.
        ticket: Ticket,
        /// How much.
        scope: ResetScope,
        /// What to do with the entries.
        mode: ResetMode,
        /// Fills from before this position are refused.
        upto: Position,
        /// The cursor to save.
        cursor: Position,
        /// Why.
        reason: ResetReason,
    },
    /// Save [`Feed::topics`](super::Feed::topics); confirmed like [`Effect::Apply`]. Comes
    /// before any cursor that no longer speaks for a dropped topic.
    Topics {
        /// Names the transaction.
        ticket: Ticket,
    },
    /// The cursor moved and nothing was given up. Saving it may wait and may be skipped: an
    /// older saved cursor means a longer replay, never a wrong one.
    Advance(Position),
    /// Follower: the leader's store transaction gave up what `ops` name among entries filled
    /// before `at`. Do so in memory; the store has it already.
    Follow {
        /// What is given up.
        ops: Arc<[Op]>,
        /// The position of the newest of the operations.
        at: Position,
    },
    /// Follower: the leader applied this [`Effect::Reset`]. Do so in memory.
    FollowReset {
        /// How much.
        scope: ResetScope,
        /// What to do with the entries.
        mode: ResetMode,
        /// Fills from before this position are refused.
        upto: Position,
    },
    /// Follower: something that the leader applied to the store may be missing here: drop the
    /// memory tier and read the store's control rows again; confirmed like [`Effect::Apply`].
    /// Nothing is covered until then.
    Reload {
        /// Names the reading.
        ticket: Ticket,
    },
    /// Send this to the other tabs.
    Relay(Relay),
    /// Open a connection after this many milliseconds; then call
    /// [`Feed::on_connected`](super::Feed::on_connected) or
    /// [`Feed::on_lost`](super::Feed::on_lost). Replaces an earlier one.
    Connect {
        /// The wait, in milliseconds; jitter is in it.
        after_ms: u64,
    },
    /// Drop the connection, or the wait for one, without reporting it as lost.
    Disconnect,
    /// The token ends soon: get another and call [`Feed::on_token`](super::Feed::on_token).
    Authenticate,
    /// The state is now this.
    State(FeedState),
    /// More may be verified than before: readers that wait should ask again.
    Wake,
    /// The hub misbehaves; for events and metrics. What to do about it is done already.
    Fault(ErrorKind, &'static str),
}
