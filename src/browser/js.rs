//! Small helpers over JavaScript objects.

use futures_channel::oneshot;
use js_sys::{Reflect, Uint8Array};
use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{Event, EventTarget};

/// A property of the realm's global object: the same code for windows and workers.
pub(super) fn global(name: &str) -> Option<JsValue> {
    property(&js_sys::global(), name)
}

/// A property that is neither absent nor null.
pub(super) fn property(object: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(object, &name.into())
        .ok()
        .filter(|value| !value.is_undefined() && !value.is_null())
}

/// Sets a property of an object that we made.
pub(super) fn set(object: &JsValue, name: &str, value: &JsValue) {
    // A plain object of our own refuses nothing.
    let _ = Reflect::set(object, &name.into(), value);
}

/// The name of an exception, or nothing for what is no exception.
pub(super) fn error_name(error: &JsValue) -> String {
    property(error, "name")
        .and_then(|name| name.as_string())
        .unwrap_or_default()
}

/// A copy of `bytes` on the JavaScript side.
pub(super) fn array(bytes: &[u8]) -> Uint8Array {
    Uint8Array::from(bytes)
}

/// One JavaScript array for many calls that copy what they are given before they return, as
/// IndexedDB does with keys and values: allocating an array for each costs more than the copy.
#[derive(Default)]
pub(super) struct Scratch(Option<Uint8Array>);

impl Scratch {
    /// The array, holding `bytes` and nothing else: IndexedDB stores the whole buffer behind a
    /// view, so a longer one cannot be shared.
    pub(super) fn holding(&mut self, bytes: &[u8]) -> &Uint8Array {
        let fits = |array: &Uint8Array| array.length() as usize == bytes.len();
        let array = match self.0.take().filter(fits) {
            Some(array) => {
                array.copy_from(bytes);
                array
            }
            None => array(bytes),
        };
        self.0.insert(array)
    }
}

/// Listens to events of a target until it is dropped.
#[must_use = "dropping it stops listening"]
pub(super) struct Listener {
    target: EventTarget,
    kinds: &'static [&'static str],
    closure: Closure<dyn FnMut(Event)>,
}

impl Listener {
    pub(super) fn new(
        target: &EventTarget,
        kinds: &'static [&'static str],
        handler: impl FnMut(Event) + 'static,
    ) -> Self {
        let closure = Closure::new(handler);
        for kind in kinds {
            // Fails for no target of ours: the callback is a function.
            let _ = target.add_event_listener_with_callback(kind, closure.as_ref().unchecked_ref());
        }
        Self {
            target: target.clone(),
            kinds,
            closure,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        for kind in self.kinds {
            let _ = self
                .target
                .remove_event_listener_with_callback(kind, self.closure.as_ref().unchecked_ref());
        }
    }
}

/// Waits for the first of several events; gives its type.
pub(super) struct FirstEvent {
    _listener: Listener,
    event: oneshot::Receiver<Event>,
}

impl FirstEvent {
    pub(super) fn of(target: &EventTarget, kinds: &'static [&'static str]) -> Self {
        let (sender, event) = oneshot::channel();
        let sender = Cell::new(Some(sender));
        let listener = Listener::new(target, kinds, move |event| {
            if let Some(sender) = sender.take() {
                let _ = sender.send(event);
            }
        });
        Self {
            _listener: listener,
            event,
        }
    }
}

impl Future for FirstEvent {
    type Output = Event;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Event> {
        match Pin::new(&mut self.event).poll(context) {
            Poll::Ready(Ok(event)) => Poll::Ready(event),
            // The sender lives as long as the listener, which lives as long as this.
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }
}
