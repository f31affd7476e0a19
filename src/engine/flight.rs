//! Single flight: one call to the origin for everybody who asks for the same entry.

use super::entry::Entry;
use crate::{
    error::Result,
    kernel::crypto::{BlindKey, BlindMap},
    platform::BoxFuture,
};
use futures_util::{
    FutureExt,
    future::{Shared, WeakShared},
};
use std::{fmt, sync::Arc};

/// A call under way. Whoever polls drives it; when the last one lets go, it is dropped, which is
/// how a fetcher learns that nobody waits any more.
pub(super) type Flight = Shared<BoxFuture<'static, Result<Arc<Entry>>>>;

/// The calls under way in this tab.
#[derive(Default)]
pub(super) struct Flights(BlindMap<BlindKey, Call>);

struct Call {
    flight: WeakShared<BoxFuture<'static, Result<Arc<Entry>>>>,
    /// The fence's tick when the call started.
    tick: u64,
}

impl Call {
    // A finished call is not joined: its answer may be older than the caller's question.
    fn under_way(&self) -> Option<Flight> {
        self.flight
            .upgrade()
            .filter(|flight| flight.peek().is_none())
    }
}

impl Flights {
    /// Joins the call for this entry, if there is one and `stands` says of the tick at which it
    /// started that nothing has been given up since: whoever asks after a change must not get
    /// an answer from before it.
    pub(super) fn join(&self, key: &BlindKey, stands: impl Fn(u64) -> bool) -> Option<Flight> {
        let call = self.0.get(key)?;
        call.under_way().filter(|_| stands(call.tick))
    }

    /// Starts a call.
    pub(super) fn start(
        &mut self,
        key: BlindKey,
        tick: u64,
        call: BoxFuture<'static, Result<Arc<Entry>>>,
    ) -> Flight {
        let flight = call.shared();
        if let Some(weak) = flight.downgrade() {
            let flight = weak;
            self.0.insert(key, Call { flight, tick });
        }
        if self.0.len() > 64 {
            self.0.retain(|_, call| call.under_way().is_some());
        }
        flight
    }
}

impl fmt::Debug for Flights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flights")
    }
}
