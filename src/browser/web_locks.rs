//! The lead of a vault as a Web Lock.
