//! A clock that only moves when told.
