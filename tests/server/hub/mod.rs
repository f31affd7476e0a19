//! The hub over loopback sockets.

mod abuse;
mod access;
mod at_rest;
mod crowd;
mod failing;
mod feed;
mod life;
mod pull;
mod remote;
mod window;
