//! What was given up, at which position.
