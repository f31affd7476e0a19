//! The hub from inside the same process: the same frames over a channel.

use super::{
    connection::{Caller, Incoming, Pipe, serve},
    shared::Shared,
};
use crate::{
    error::{Error, ErrorKind, Result},
    kernel::invalidate::hub_log::CloseCode,
    platform::{BoxFuture, LINK_FRAMES_MAX, Link, LinkEvent, Transport},
};
use futures_channel::mpsc;
use futures_util::StreamExt;
use std::{fmt, future, sync::Weak};

/// Links to the hub of this process, for a cache beside it. It needs no token and may hear of
/// every topic. It does not keep the hub open.
#[derive(Clone)]
pub struct HubFeed {
    pub(super) shared: Weak<Shared>,
}

impl Transport for HubFeed {
    fn connect(&self) -> BoxFuture<'static, Result<Link>> {
        let shared = self.shared.upgrade();
        Box::pin(async move {
            let closed = || Error::new(ErrorKind::Unavailable, "the hub is closed");
            let shared = shared.ok_or_else(closed)?;
            if *shared.closing.borrow() {
                return Err(closed());
            }
            let (frames, received) = mpsc::channel(LINK_FRAMES_MAX);
            let (sender, events) = mpsc::channel(LINK_FRAMES_MAX);
            let spawn = std::sync::Arc::clone(&shared.platform.spawn);
            spawn.spawn(Box::pin(serve(
                shared,
                Channels { received, sender },
                Caller::Own,
            )));
            Ok(Link { frames, events })
        })
    }
}

impl fmt::Debug for HubFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HubFeed")
    }
}

struct Channels {
    received: mpsc::Receiver<String>,
    sender: mpsc::Sender<LinkEvent>,
}

impl Pipe for Channels {
    async fn receive(&mut self) -> Incoming {
        self.received
            .next()
            .await
            .map_or(Incoming::Closed, Incoming::Text)
    }

    async fn send(&mut self, frames: Vec<String>) -> bool {
        // Waits for room: a reader that is slow makes this connection slow, and the hub's rules
        // for slow clients do the rest.
        for frame in frames {
            let room = future::poll_fn(|context| self.sender.poll_ready(context)).await;
            let event = LinkEvent::Frame(frame);
            if room.and_then(|()| self.sender.start_send(event)).is_err() {
                return false;
            }
        }
        true
    }

    async fn ping(&mut self) -> bool {
        true
    }

    fn pings(&self) -> bool {
        false
    }

    async fn close(&mut self, _code: CloseCode) {
        self.received.close();
        self.sender.disconnect();
    }
}
