//! How much this origin may store, and whether the browser may throw it away.

use super::js;
use crate::error::{Error, ErrorKind, Result};
use js_sys::{Function, Promise};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// What the browser tells about the storage of this origin, all databases and caches together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StorageEstimate {
    /// Bytes in use, as an estimate: browsers blur it and compress what they store.
    pub usage_bytes: u64,
    /// Bytes that may be in use before writes fail, as an estimate.
    pub quota_bytes: u64,
    /// Whether the browser keeps the data until the user removes it. Otherwise it may delete the
    /// whole origin when the device runs low.
    pub persisted: bool,
}

/// Asks how much this origin stores and may store.
///
/// # Errors
/// [`Unavailable`](ErrorKind::Unavailable) outside a secure context and in browsers without a
/// storage manager.
pub async fn storage_estimate() -> Result<StorageEstimate> {
    let estimate = call("estimate").await?;
    let bytes = |name| {
        let value = js::property(&estimate, name).and_then(|value| value.as_f64());
        value.map_or(0, |value| value as u64)
    };
    Ok(StorageEstimate {
        usage_bytes: bytes("usage"),
        quota_bytes: bytes("quota"),
        persisted: call("persisted").await?.is_truthy(),
    })
}

/// Asks the browser to keep the data of this origin; tells whether it will. Some browsers ask
/// the user, others decide by how much the site is used.
///
/// # Errors
/// As [`storage_estimate`]; workers may not ask in every browser.
pub async fn persist_storage() -> Result<bool> {
    Ok(call("persist").await?.is_truthy())
}

async fn call(method: &str) -> Result<JsValue> {
    let manager = js::global("navigator").and_then(|n| js::property(&n, "storage"));
    let manager = manager.ok_or_else(unavailable)?;
    let method: Function = js::property(&manager, method)
        .and_then(|method| method.dyn_into().ok())
        .ok_or_else(unavailable)?;
    let promise: Promise = method
        .call0(&manager)
        .ok()
        .and_then(|promise| promise.dyn_into().ok())
        .ok_or_else(unavailable)?;
    JsFuture::from(promise).await.map_err(|_| unavailable())
}

fn unavailable() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "this browser tells nothing about its storage here",
    )
}
