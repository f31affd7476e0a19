//! The hub over loopback sockets.

mod feed;
