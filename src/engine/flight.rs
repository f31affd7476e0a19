//! Single flight: one call to the origin for everybody who asks for the same entry.

use super::entry::Entry;
use crate::{error::Result, kernel::crypto::BlindKey, platform::BoxFuture};
use futures_util::{
    FutureExt,
    future::{Shared, WeakShared},
};
use std::{collections::HashMap, fmt, sync::Arc};

/// A call under way. Whoever polls drives it; when the last one lets go, it is dropped, which is
/// how a fetcher learns that nobody waits any more.
pub(super) type Flight = Shared<BoxFuture<'static, Result<Arc<Entry>>>>;

/// The calls under way in this tab.
#[derive(Default)]
pub(super) struct Flights(HashMap<BlindKey, WeakShared<BoxFuture<'static, Result<Arc<Entry>>>>>);

impl Flights {
    /// Joins the call for this entry, if there is one.
    pub(super) fn join(&self, key: &BlindKey) -> Option<Flight> {
        // A finished call is not joined: its answer may be older than the caller's question.
        self.0
            .get(key)?
            .upgrade()
            .filter(|flight| flight.peek().is_none())
    }

    /// Starts a call.
    pub(super) fn start(
        &mut self,
        key: BlindKey,
        call: BoxFuture<'static, Result<Arc<Entry>>>,
    ) -> Flight {
        let flight = call.shared();
        if let Some(weak) = flight.downgrade() {
            self.0.insert(key, weak);
        }
        if self.0.len() > 64 {
            self.0
                .retain(|_, weak| weak.upgrade().is_some_and(|flight| flight.peek().is_none()));
        }
        flight
    }
}

impl fmt::Debug for Flights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flights")
    }
}
