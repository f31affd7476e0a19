//! The class table and the registry.

pub(crate) mod documentation;
mod plan;
mod properties;
mod registry;
