//! The class table: what a hospital keeps, as data.
//!
//! [`CLASSES`] is the one place where a built-in class's numbers stand. A cache works with a
//! [`Classes`] registry: the built-in rows, tightened by the app where it wants less, and
//! classes of its own. Nothing can be loosened.

mod define;
mod registry;
mod spec;
mod table;

pub(crate) use define::is_tag_kind;
pub use define::{ClassDef, PartDef, TagDef, Tighten};
pub use registry::{CLASSES_MAX, Class, ClassId, Classes};
pub use spec::{
    ClassSpec, Consistency, Evict, Offline, Part, PartKind, Pattern, SWR_FRESH_MS_MIN, TagRule,
};
pub use table::CLASSES;
#[cfg(test)]
pub(crate) mod tests;
