//! The page's side of the boundary: makes the objects that an app sees.

use crate::{
    engine::{Entry, Freshness, Source},
    error::{Error, ErrorKind, Result},
    kernel::{envelope::Body, invalidate::Version},
};
use std::{cell::RefCell, fmt};
use wasm_bindgen::prelude::*;
use zeroize::Zeroize;

#[wasm_bindgen]
extern "C" {
    /// What `install` is given.
    #[derive(Clone, Debug)]
    pub type Host;

    #[wasm_bindgen(method, structural, catch)]
    fn entry(
        this: &Host,
        body: &JsValue,
        json: bool,
        freshness: u8,
        verified: bool,
        age_ms: f64,
        stored_at: f64,
        expires_at: f64,
        source: u8,
        version: &JsValue,
        pending: bool,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, structural, catch)]
    fn error(
        this: &Host,
        code: &str,
        message: &str,
        field: Option<&str>,
        retryable: bool,
        cause: &JsValue,
    ) -> Result<JsValue, JsValue>;
}

thread_local! {
    static HOST: RefCell<Option<Host>> = const { RefCell::new(None) };
    static CAUSES: RefCell<Causes> = RefCell::new(Causes::default());
}

#[derive(Default)]
struct Causes {
    next: u32,
    held: Vec<(u32, JsValue)>,
}

impl Causes {
    fn get(&self, id: u32) -> Option<JsValue> {
        let mut held = self.held.iter();
        held.find(|(of, _)| *of == id)
            .map(|(_, cause)| cause.clone())
    }
}

/// A JavaScript value as the source of an error. The core's errors are `Send`; the value stays
/// in this thread's table, and whoever drops the last clone of the error lets it go.
struct JsCause(u32);

impl Drop for JsCause {
    fn drop(&mut self) {
        // During the end of a thread the table may be gone already.
        let _ = CAUSES.try_with(|causes| causes.borrow_mut().held.retain(|(id, _)| *id != self.0));
    }
}

impl fmt::Debug for JsCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JsCause")
    }
}

impl fmt::Display for JsCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an error of the app's own code")
    }
}

impl std::error::Error for JsCause {}

/// An error of the core whose cause is a JavaScript value.
pub(super) fn caused_by(kind: ErrorKind, detail: &'static str, cause: JsValue) -> Error {
    let id = CAUSES.with(|causes| {
        let mut causes = causes.borrow_mut();
        causes.next = causes.next.wrapping_add(1);
        let id = causes.next;
        causes.held.push((id, cause));
        id
    });
    Error::new(kind, detail).with_source(
        std::sync::Arc::new(JsCause(id)) as std::sync::Arc<dyn std::error::Error + Send + Sync>
    )
}

fn cause_of(error: &Error) -> JsValue {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<JsCause>())
        .and_then(|cause| CAUSES.with(|causes| causes.borrow().get(cause.0)))
        .unwrap_or(JsValue::UNDEFINED)
}

/// Tells the core who makes the objects. Called once, before anything else.
#[wasm_bindgen]
pub fn install(host: Host) {
    HOST.with(|slot| *slot.borrow_mut() = Some(host));
}

fn host() -> Option<Host> {
    // Cloned, so that no borrow is held while JavaScript runs.
    HOST.with(|slot| slot.borrow().clone())
}

/// Whether `install` was called.
pub(super) fn is_installed() -> bool {
    HOST.with(|slot| slot.borrow().is_some())
}

/// The error object of a failed call.
pub(super) fn error_value(error: &Error) -> JsValue {
    let text = error.to_string();
    let made = host().map(|host| {
        host.error(
            error.code(),
            &text,
            error.field(),
            error.is_retryable(),
            &cause_of(error),
        )
    });
    match made {
        Some(Ok(value) | Err(value)) => value,
        None => {
            let plain = js_sys::Error::new(&text);
            plain.set_name(error.code());
            plain.into()
        }
    }
}

/// The entry object of a read.
pub(super) fn entry_value(entry: Entry) -> Result<JsValue> {
    let host =
        host().ok_or_else(|| Error::new(ErrorKind::NotInitialised, "install() was not called"))?;
    let freshness = match entry.freshness {
        Freshness::Fresh => 0,
        Freshness::Stale => 1,
    };
    let source = match entry.source {
        Source::Memory => 0,
        Source::Store => 1,
        Source::Origin => 2,
    };
    let version = match &entry.version {
        None => JsValue::UNDEFINED,
        Some(Version::N(n)) => n.to_string().into(),
        Some(Version::Tag(tag)) => (&**tag).into(),
    };
    let (body, json) = match entry.body {
        Body::Json(mut text) => {
            let value = JsValue::from_str(&text);
            text.zeroize();
            (value, true)
        }
        Body::Bytes(mut bytes) => {
            let value = js_sys::Uint8Array::from(bytes.as_slice()).into();
            bytes.zeroize();
            (value, false)
        }
        Body::Absent => (JsValue::UNDEFINED, true),
    };
    host.entry(
        &body,
        json,
        freshness,
        entry.verified,
        entry.age_ms as f64,
        entry.stored_at_ms as f64,
        entry.expires_at_ms as f64,
        source,
        &version,
        false,
    )
    .map_err(|cause| {
        caused_by(
            ErrorKind::Internal,
            "a result could not be converted",
            cause,
        )
    })
}
