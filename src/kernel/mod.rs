//! Pure and synchronous: everything here is a function of its arguments. The kernel never
//! learns the time unless told, does no I/O, draws no randomness.

pub mod crypto;
pub mod invalidate;
pub mod protocol;
