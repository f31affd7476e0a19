//! Pure and synchronous: everything here is a function of its arguments. The kernel never
//! learns the time unless told, does no I/O, draws no randomness.

pub mod class;
pub mod crypto;
pub mod id;
pub mod invalidate;
pub mod key;
pub mod protocol;
pub mod relation;

pub mod codec;
pub mod control;
pub mod envelope;
mod frame_text;
pub(crate) mod json;
pub mod slot;
pub mod table;
