//! What the browser tests share.

use clinicache::{
    browser::Idb,
    platform::{Batch, Clock, Store, SystemClock, Table},
};
use futures_util::future::{Either, select};
use js_sys::{Function, Reflect};
use std::{cell::Cell, future::Future, pin::pin};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// A database name that no other test uses.
pub(crate) fn fresh_name() -> String {
    thread_local! {
        static NEXT: Cell<u32> = const { Cell::new(0) };
    }
    let n = NEXT.replace(NEXT.get() + 1);
    format!("test-{}-{n}", js_sys::Date::now())
}

/// Ends in a failure instead of a hang.
pub(crate) async fn within<F: Future>(ms: u64, future: F) -> F::Output {
    match select(pin!(future), SystemClock.sleep(ms)).await {
        Either::Left((output, _)) => output,
        Either::Right(_) => panic!("nothing happened within {ms} ms"),
    }
}

pub(crate) fn put(key: &[u8], value: &[u8]) -> Batch {
    let mut batch = Batch::new();
    batch.put(Table::Records, key, value);
    batch
}

pub(crate) async fn read(store: &Idb, key: &[u8]) -> Option<Vec<u8>> {
    let row = store.get(Table::Records, key).await.unwrap();
    row.map(|row| row.to_vec())
}

/// Runs JavaScript whose value is a promise or a plain value.
pub(crate) async fn eval(body: &str) -> JsValue {
    let function: Function = js_sys::eval(&format!("(async () => {{ {body} }})"))
        .unwrap()
        .unchecked_into();
    let promise: js_sys::Promise = function
        .call0(&JsValue::UNDEFINED)
        .unwrap()
        .unchecked_into();
    JsFuture::from(promise).await.unwrap()
}

/// Lets timers run a hundred times as fast while it lives.
pub(crate) fn fast_timers() -> Replaced {
    let fast = js_sys::eval(
        "((start) => (callback, ms) => start(callback, ms / 100))(setTimeout.bind(globalThis))",
    );
    Replaced::new(js_sys::global().into(), "setTimeout", &fast.unwrap())
}

/// A value under a global name while it lives, the original afterwards.
pub(crate) struct Replaced {
    object: JsValue,
    name: &'static str,
    original: JsValue,
}

impl Replaced {
    pub(crate) fn new(object: JsValue, name: &'static str, value: &JsValue) -> Self {
        let original = Reflect::get(&object, &name.into()).unwrap();
        let replaced = Self {
            object,
            name,
            original,
        };
        replaced.define(value);
        replaced
    }

    fn define(&self, value: &JsValue) {
        let descriptor = js_sys::Object::new();
        Reflect::set(&descriptor, &"value".into(), value).unwrap();
        Reflect::set(&descriptor, &"configurable".into(), &JsValue::TRUE).unwrap();
        Reflect::set(&descriptor, &"writable".into(), &JsValue::TRUE).unwrap();
        let object: &js_sys::Object = self.object.unchecked_ref();
        js_sys::Object::define_property(object, &self.name.into(), &descriptor);
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        self.define(&self.original.clone());
    }
}
