//! Platform-neutral stores.

mod memory;
mod noop;
