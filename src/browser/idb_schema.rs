//! The IndexedDB schema, version by version.
//!
//! A step only adds. An object store that this build does not know belongs to a newer one and
//! is never deleted.

use crate::platform::{StoreError, Table};
use wasm_bindgen::JsValue;
use web_sys::IdbDatabase;

/// The version that this build writes.
pub(super) const VERSION: u32 = 1;

/// Brings a database from `old_version` to [`VERSION`]; runs inside the upgrade's transaction,
/// which is aborted when a step fails.
pub(super) fn upgrade(database: &IdbDatabase, old_version: u32) -> Result<(), JsValue> {
    for version in old_version..VERSION {
        match version {
            0 => create_version_1(database)?,
            _ => return Err(JsValue::UNDEFINED),
        }
    }
    Ok(())
}

/// Version 1: one object store per table, each with out-of-line binary keys.
fn create_version_1(database: &IdbDatabase) -> Result<(), JsValue> {
    const TABLES: [Table; 4] = [Table::Records, Table::Control, Table::Log, Table::Topics];
    for table in TABLES {
        database.create_object_store(table.name())?;
    }
    Ok(())
}

/// Refuses a database of our name and version whose object stores are not ours.
pub(super) fn check(database: &IdbDatabase) -> Result<(), StoreError> {
    let names = database.object_store_names();
    if Table::ALL.iter().all(|table| names.contains(table.name())) {
        Ok(())
    } else {
        Err(StoreError::Incompatible)
    }
}
