//! What JavaScript sees: conversion, never decision.
//!
//! These exports are private to the npm package, whose hand-written half makes the public API of
//! them. No borrow of an exported object is held across an await or a call into JavaScript.

mod cache;
mod convert;
mod host;
mod options;
mod session;
mod signal;

pub use cache::RawCache;
pub use host::{Host, install};
pub use session::RawSession;

use crate::{error::Result, platform::BoxFuture};
use js_sys::Promise;
use wasm_bindgen::prelude::*;

/// The crate's version.
#[wasm_bindgen]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// Opens a cache. Resolves to a [`RawCache`].
#[wasm_bindgen]
pub fn open(name: String, options: JsValue) -> Promise {
    promise(async move {
        let cache = options::open(&name, &options).await?;
        Ok(RawCache::new(cache).into())
    })
}

/// A promise of a core call: rejects with the error object of the host.
fn promise(call: impl Future<Output = Result<JsValue>> + 'static) -> Promise {
    settle(Box::pin(call))
}

/// Not generic: the machinery of a promise is there once, and not once a call.
fn settle(call: BoxFuture<'static, Result<JsValue>>) -> Promise {
    wasm_bindgen_futures::future_to_promise(async move {
        call.await.map_err(|error| host::error_value(&error))
    })
}
