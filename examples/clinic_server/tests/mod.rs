//! The server over real sockets.

mod changes;
mod harness;
mod reads;
