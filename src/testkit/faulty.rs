//! A store that fails on command.
