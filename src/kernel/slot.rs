//! Key slots: several ways to one vault key.
