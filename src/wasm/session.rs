//! The session handle of a page.

use super::{
    convert::{self, body, fill, object, origin_failure},
    host::{entry_value, error_value},
    promise,
    signal::{AbortOnDrop, until_aborted},
};
use crate::{
    engine::{Entry, Fetched, Session},
    error::{Error, Result},
    kernel::key::Key,
};
use futures_channel::oneshot;
use futures_util::{
    StreamExt,
    future::{Either, select},
};
use js_sys::{Array, Function, Promise, Reflect};
use std::{cell::RefCell, rc::Rc};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// See the package's `Session`.
#[wasm_bindgen]
#[derive(Debug)]
pub struct RawSession {
    session: Session,
    subscriptions: Rc<RefCell<Subscriptions>>,
}

#[derive(Debug, Default)]
struct Subscriptions {
    next: u32,
    /// Dropping a sender ends its task.
    running: Vec<(u32, oneshot::Sender<()>)>,
}

impl RawSession {
    pub(super) fn new(session: Session) -> Self {
        Self {
            session,
            subscriptions: Rc::default(),
        }
    }

    fn key(&self, class: &str, key: &JsValue) -> Result<Key> {
        let classes = self.session.classes();
        convert::key(classes, classes.id(class)?, key)
    }
}

#[wasm_bindgen]
impl RawSession {
    /// Memory only, at once.
    pub fn peek(&self, class: &str, key: &JsValue) -> Result<JsValue, JsValue> {
        let read = self.key(class, key).and_then(|key| self.session.peek(&key));
        read.and_then(entry_or_null)
            .map_err(|error| error_value(&error))
    }

    /// Memory and store.
    pub fn get(&self, class: &str, key: &JsValue) -> Promise {
        let key = match self.key(class, key) {
            Ok(key) => key,
            Err(error) => return Promise::reject(&error_value(&error)),
        };
        // What memory holds needs no task: its machinery costs as much as the rest of the call.
        match self.session.peek(&key) {
            Ok(None) => {}
            Ok(Some(entry)) => {
                return match entry_value(entry) {
                    Ok(value) => Promise::resolve(&value),
                    Err(error) => Promise::reject(&error_value(&error)),
                };
            }
            Err(error) => return Promise::reject(&error_value(&error)),
        }
        let session = self.session.clone();
        promise(async move { entry_or_null(session.get(&key).await?) })
    }

    /// Memory and store for many keys.
    #[wasm_bindgen(js_name = getMany)]
    pub fn get_many(&self, class: &str, keys: &Array) -> Promise {
        let session = self.session.clone();
        let keys: Result<Vec<_>> = keys.iter().map(|key| self.key(class, &key)).collect();
        promise(async move {
            let entries = Array::new();
            for entry in session.get_many(&keys?).await? {
                entries.push(&match entry {
                    Ok(entry) => entry_or_null(entry)?,
                    // A damaged row is reported by its event and is a miss among many.
                    Err(_) => JsValue::NULL,
                });
            }
            Ok(entries.into())
        })
    }

    /// Memory, store, and the origin when needed.
    #[wasm_bindgen(js_name = getOrFetch)]
    pub fn get_or_fetch(
        &self,
        class: &str,
        key: &JsValue,
        fetcher: Function,
        options: &JsValue,
    ) -> Promise {
        let (session, key) = (self.session.clone(), self.key(class, key));
        let option = |name: &str| {
            Reflect::get(options, &name.into())
                .ok()
                .filter(|value| !value.is_undefined() && !value.is_null())
        };
        let (signal, tags) = (option("signal"), convert::tags(option("tags")));
        promise(async move {
            let read = async {
                let fetch = move || fetch(fetcher);
                session.get_or_fetch_tagged(&key?, tags?, fetch).await
            };
            entry_value(until_aborted(signal, read).await?)
        })
    }

    /// Stores a value.
    pub fn put(&self, class: &str, key: &JsValue, value: &JsValue, options: &JsValue) -> Promise {
        let session = self.session.clone();
        let item = item(self.key(class, key), value, options);
        promise(async move {
            let (key, body, fill) = item?;
            session.put(&key, body, fill).await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Stores many values, each with its own result.
    #[wasm_bindgen(js_name = putMany)]
    pub fn put_many(&self, class: &str, items: &Array) -> Promise {
        let session = self.session.clone();
        let get = |item: &JsValue, name: &str| {
            Reflect::get(item, &name.into()).unwrap_or(JsValue::UNDEFINED)
        };
        let mut results: Vec<Result<()>> = Vec::new();
        let (mut rows, mut places) = (Vec::new(), Vec::new());
        for (place, given) in items.iter().enumerate() {
            let key = self.key(class, &get(&given, "key"));
            results.push(match item(key, &get(&given, "body"), &given) {
                Ok(row) => {
                    rows.push(row);
                    places.push(place);
                    Ok(())
                }
                Err(error) => Err(error),
            });
        }
        promise(async move {
            for (place, result) in places.into_iter().zip(session.put_many(rows).await?) {
                if let Some(slot) = results.get_mut(place) {
                    *slot = result;
                }
            }
            let answers: Array = results
                .iter()
                .map(|result| result.as_ref().err().map_or(JsValue::NULL, refusal))
                .collect();
            Ok(answers.into())
        })
    }

    /// Deletes an entry.
    pub fn remove(&self, class: &str, key: &JsValue) -> Promise {
        let (session, key) = (self.session.clone(), self.key(class, key));
        promise(async move {
            session.remove(&key?).await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Calls a function, from a microtask, whenever an entry may have changed.
    pub fn subscribe(
        &self,
        class: &str,
        key: &JsValue,
        listener: Function,
    ) -> Result<u32, JsValue> {
        let subscribed = self
            .key(class, key)
            .and_then(|key| self.session.subscribe(&key));
        let mut changes = subscribed.map_err(|error| error_value(&error))?;
        let (running, mut ended) = oneshot::channel();
        let number = {
            let mut subscriptions = self.subscriptions.borrow_mut();
            subscriptions.next = subscriptions.next.wrapping_add(1);
            let number = subscriptions.next;
            subscriptions.running.push((number, running));
            number
        };
        wasm_bindgen_futures::spawn_local(async move {
            while let Either::Right((Some(()), _)) = select(&mut ended, changes.next()).await {
                // The package's own wrapper: it reports what the listener throws.
                let _ = listener.call0(&JsValue::UNDEFINED);
            }
        });
        Ok(number)
    }

    /// Ends a subscription.
    pub fn unsubscribe(&self, number: u32) {
        let mut subscriptions = self.subscriptions.borrow_mut();
        subscriptions.running.retain(|(of, _)| *of != number);
    }
}

fn entry_or_null(entry: Option<Entry>) -> Result<JsValue> {
    entry.map_or(Ok(JsValue::NULL), entry_value)
}

fn item(
    key: Result<Key>,
    value: &JsValue,
    options: &JsValue,
) -> Result<(Key, crate::kernel::envelope::Body, crate::engine::Fill)> {
    Ok((key?, body(value)?, fill(options)?))
}

fn refusal(error: &Error) -> JsValue {
    let field = error.field().map_or(JsValue::NULL, JsValue::from_str);
    object(&[
        ("code", error.code().into()),
        ("message", error.to_string().into()),
        ("field", field),
    ])
}

/// Calls the app's fetcher. Dropped before its answer, it fires the fetcher's signal.
async fn fetch(fetcher: Function) -> Result<Fetched> {
    let (mut guard, signal) = AbortOnDrop::new()?;
    let called = fetcher
        .call1(&JsValue::UNDEFINED, &signal)
        .map_err(origin_failure)?;
    let answer = JsFuture::from(Promise::resolve(&called)).await;
    guard.disarm();
    convert::fetched(&answer.map_err(origin_failure)?)
}
