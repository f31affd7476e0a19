//! A client of the feed, as a state machine.
