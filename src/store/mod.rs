//! Platform-neutral stores.

mod memory;
mod noop;

pub use memory::Memory;
pub use noop::Noop;
