//! What was given up, and what may still be trusted.

pub mod feed;
pub mod fence;
pub mod hub_log;
mod position;

pub use position::{Epoch, Position, SEQ_MAX, Version};
