//! The class table and the registry.

mod plan;
mod properties;
mod registry;
