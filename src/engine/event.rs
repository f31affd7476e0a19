//! What a cache tells: bounded streams, coalesced where only the newest matters.

use crate::error::ErrorKind;
use crate::kernel::crypto::{BlindKey, BlindMap};
use futures_channel::mpsc;
use futures_util::{Stream, StreamExt};
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

/// Events that one listener may be behind before it is told that it lagged.
const EVENTS_MAX: usize = 256;

/// Something that happened. None holds a key or a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Entries changed, went, or became verified: readers should look again.
    Change,
    /// The vault was locked: by this tab, another one, or an order.
    Lock,
    /// The vault was unlocked.
    Unlock,
    /// The feed's state changed; [`Cache::feed_state`](super::Cache::feed_state) tells it.
    Feed,
    /// Continuity was lost: entries are unverified until they are read again.
    Reset,
    /// A row failed authentication and was removed.
    Tampered,
    /// The store was empty or unreadable where rows were expected.
    ColdStart,
    /// The store had no room.
    Quota,
    /// Something went wrong in the background; the kind says what.
    Fault(ErrorKind),
    /// The cache was closed.
    Closed,
    /// Events were lost because the listener was slow: look at everything again.
    Lagged,
}

/// A listener's end of the events.
pub struct EventStream(mpsc::Receiver<Event>);

impl Stream for EventStream {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_next_unpin(cx)
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventStream")
    }
}

/// Wakes when an entry may have changed. Several changes before a look are one. Ends when
/// dropped.
pub struct Subscription(mpsc::Receiver<()>);

impl Stream for Subscription {
    type Item = ();

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
        self.0.poll_next_unpin(cx)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription")
    }
}

/// Senders to everybody who listens. Ends that were dropped are forgotten at the next event.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    all: Vec<(mpsc::Sender<Event>, bool)>,
    keys: BlindMap<BlindKey, Vec<mpsc::Sender<()>>>,
}

impl Listeners {
    pub(super) fn listen(&mut self) -> EventStream {
        let (sender, receiver) = mpsc::channel(EVENTS_MAX);
        self.all.push((sender, false));
        EventStream(receiver)
    }

    pub(super) fn subscribe(&mut self, key: BlindKey) -> Subscription {
        // One slot beside the sender's own: a second change before the look is the same one.
        let (sender, receiver) = mpsc::channel(0);
        self.keys.entry(key).or_default().push(sender);
        Subscription(receiver)
    }

    pub(super) fn tell(&mut self, event: &Event) {
        self.all.retain_mut(|(sender, lagged)| {
            if *lagged {
                match sender.try_send(Event::Lagged) {
                    Ok(()) => *lagged = false,
                    Err(error) => return !error.is_disconnected(),
                }
            }
            match sender.try_send(event.clone()) {
                Ok(()) => true,
                Err(error) if error.is_full() => {
                    *lagged = true;
                    true
                }
                Err(_) => false,
            }
        });
    }

    /// Wakes the subscribers of these keys.
    pub(super) fn changed<'a>(&mut self, keys: impl IntoIterator<Item = &'a BlindKey>) {
        let mut any = false;
        for key in keys {
            any = true;
            if let Some(senders) = self.keys.get_mut(key) {
                senders.retain_mut(wake);
                if senders.is_empty() {
                    self.keys.remove(key);
                }
            }
        }
        if any {
            self.tell(&Event::Change);
        }
    }

    /// Wakes every subscriber.
    pub(super) fn all_changed(&mut self) {
        self.keys.retain(|_, senders| {
            senders.retain_mut(wake);
            !senders.is_empty()
        });
        self.tell(&Event::Change);
    }

    /// Ends every stream.
    pub(super) fn close(&mut self) {
        self.tell(&Event::Closed);
        self.all.clear();
        self.keys.clear();
    }
}

fn wake(sender: &mut mpsc::Sender<()>) -> bool {
    match sender.try_send(()) {
        Ok(()) => true,
        Err(error) => error.is_full(),
    }
}
