//! Everything that a vault key gives: sealing, blind names.
