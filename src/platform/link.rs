//! The pipe to a hub: plain text frames, bounded, with overflow that is seen.

use super::task::{BoxFuture, MaybeSend, MaybeSync};
use crate::error::Result;
use futures_channel::mpsc;
use std::{fmt, sync::Arc};

/// Frames a link buffers in each direction before it must report an overflow.
pub const LINK_FRAMES_MAX: usize = 256;

/// Opens links to one hub.
///
/// # Contract
/// `connect` resolves once frames can be sent. A task of the transport owns the socket; the
/// engine holds only the two channel ends. Dropping the [`Link`] closes the socket.
pub trait Transport: MaybeSend + MaybeSync {
    /// Opens one link.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when the hub cannot be reached.
    fn connect(&self) -> BoxFuture<'static, Result<Link>>;
}

/// One open connection. The end of `events` is the end of the connection.
#[derive(Debug)]
pub struct Link {
    /// Frames to the hub, as JSON text.
    pub frames: mpsc::Sender<String>,
    /// What comes from the hub.
    pub events: mpsc::Receiver<LinkEvent>,
}

/// What a link reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// One text frame.
    Frame(String),
    /// Frames were lost because the buffer was full: a gap, never a silent drop. It is the last
    /// event before the end.
    Overflow,
}

/// Gives the token of the hub's first frame: called at each connect, never stored.
#[derive(Clone)]
pub struct TokenSource(Arc<dyn TokenFn>);

trait TokenFn: MaybeSend + MaybeSync {
    fn call(&self) -> BoxFuture<'static, Result<String>>;
}

impl<F> TokenFn for F
where
    F: Fn() -> BoxFuture<'static, Result<String>> + MaybeSend + MaybeSync,
{
    fn call(&self) -> BoxFuture<'static, Result<String>> {
        self()
    }
}

impl TokenSource {
    /// A source from a function.
    pub fn new<F>(f: F) -> Self
    where
        F: Fn() -> BoxFuture<'static, Result<String>> + MaybeSend + MaybeSync + 'static,
    {
        Self(Arc::new(f))
    }

    /// Asks for a token.
    #[must_use]
    pub fn token(&self) -> BoxFuture<'static, Result<String>> {
        self.0.call()
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSource")
    }
}
