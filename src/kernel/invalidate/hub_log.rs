//! A hub's log and its subscribers, as a state machine.
