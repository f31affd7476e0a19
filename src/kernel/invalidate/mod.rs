//! What was given up, and what may still be trusted.

mod position;

pub use position::{Epoch, Position, SEQ_MAX, Version};
