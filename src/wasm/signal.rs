//! `AbortSignal`, both ways.

use crate::error::{Error, ErrorKind, Result};
use futures_channel::oneshot;
use futures_util::future::{Either, select};
use std::pin::pin;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{AbortController, AbortSignal};

/// Tells a fetcher that nobody waits any more, when dropped before its answer is in.
pub(super) struct AbortOnDrop(Option<AbortController>);

impl AbortOnDrop {
    pub(super) fn new() -> Result<(Self, AbortSignal)> {
        let controller = AbortController::new()
            .map_err(|_| Error::new(ErrorKind::Unavailable, "AbortController is missing"))?;
        let signal = controller.signal();
        Ok((Self(Some(controller)), signal))
    }

    /// The answer is in.
    pub(super) fn disarm(&mut self) {
        self.0 = None;
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(controller) = self.0.take() {
            controller.abort();
        }
    }
}

/// An app's signal, listened to until dropped.
struct Listener {
    signal: AbortSignal,
    on_abort: Closure<dyn FnMut()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Removing what was added cannot fail in a way that matters.
        let _ = self
            .signal
            .remove_event_listener_with_callback("abort", self.on_abort.as_ref().unchecked_ref());
    }
}

/// Runs a call until the app's signal fires.
pub(super) async fn until_aborted<T>(
    signal: Option<JsValue>,
    call: impl Future<Output = Result<T>>,
) -> Result<T> {
    let Some(signal) = signal else {
        return call.await;
    };
    let aborted = || Error::new(ErrorKind::Aborted, "the call was aborted");
    let signal: AbortSignal = signal
        .dyn_into()
        .map_err(|_| Error::invalid("signal", "must be an AbortSignal"))?;
    if signal.aborted() {
        return Err(aborted());
    }
    let (fire, fired) = oneshot::channel();
    let mut fire = Some(fire);
    let on_abort = Closure::<dyn FnMut()>::new(move || {
        // The receiver may be gone: the call has ended.
        let _ = fire.take().map(|fire| fire.send(()));
    });
    signal
        .add_event_listener_with_callback("abort", on_abort.as_ref().unchecked_ref())
        .map_err(|_| Error::invalid("signal", "must be an AbortSignal"))?;
    let _listener = Listener { signal, on_abort };
    match select(pin!(call), fired).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => Err(aborted()),
    }
}
