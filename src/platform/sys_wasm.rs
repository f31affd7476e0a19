//! The browser's clocks, randomness and tasks: what works in a window, a worker and Node.

use super::{
    clock::Clock,
    entropy::Entropy,
    task::{BoxFuture, Spawn},
};
use crate::error::{Error, ErrorKind, Result};
use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};

/// `setTimeout` counts in a signed 32-bit integer; longer sleeps are cut and re-armed.
const TIMEOUT_MS_MAX: u64 = 1 << 30;

/// `Date.now`, `performance.now` and `setTimeout`, found on the global object so that windows
/// and workers are the same.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall_ms(&self) -> u64 {
        js_sys::Date::now() as u64
    }

    fn mono_ms(&self) -> u64 {
        thread_local! {
            static PERFORMANCE: Option<web_sys::Performance> =
                Reflect::get(&js_sys::global(), &"performance".into())
                    .ok()
                    .and_then(|value| value.dyn_into().ok());
        }
        PERFORMANCE.with(|performance| match performance {
            Some(performance) => performance.now() as u64,
            None => js_sys::Date::now() as u64,
        })
    }

    fn sleep(&self, ms: u64) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            if ms == 0 {
                return turn().await;
            }
            let mut left = ms;
            loop {
                let step = left.min(TIMEOUT_MS_MAX);
                Timeout::start(step).await;
                left -= step;
                if left == 0 {
                    return;
                }
            }
        })
    }
}

/// One turn of the event loop. Not by a timer where that can be helped: a hidden page's timers
/// fire once a second or less.
async fn turn() {
    let promise = Promise::new(&mut |resolve, _| {
        let scheduler = Reflect::get(&js_sys::global(), &"scheduler".into()).unwrap_or_default();
        let posted = Reflect::get(&scheduler, &"postTask".into())
            .ok()
            .and_then(|post| post.dyn_into::<Function>().ok())
            .is_some_and(|post| post.call1(&scheduler, &resolve).is_ok());
        if !posted {
            global_call("setTimeout", &resolve, &JsValue::from_f64(0.0));
        }
    });
    let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
}

/// One `setTimeout`, cleared when dropped.
struct Timeout {
    handle: JsValue,
    fired: wasm_bindgen_futures::JsFuture,
}

impl Timeout {
    async fn start(ms: u64) {
        let mut handle = JsValue::UNDEFINED;
        let promise = Promise::new(&mut |resolve, _| {
            handle = global_call("setTimeout", &resolve, &JsValue::from_f64(ms as f64));
        });
        let mut timeout = Self {
            handle,
            fired: promise.into(),
        };
        let _ = (&mut timeout.fired).await;
    }
}

impl Drop for Timeout {
    fn drop(&mut self) {
        global_call("clearTimeout", &self.handle, &JsValue::UNDEFINED);
    }
}

fn global_call(name: &str, a: &JsValue, b: &JsValue) -> JsValue {
    let global = js_sys::global();
    Reflect::get(&global, &name.into())
        .ok()
        .and_then(|function| function.dyn_into::<Function>().ok())
        .and_then(|function| function.call2(&global, a, b).ok())
        .unwrap_or(JsValue::UNDEFINED)
}

/// `crypto.getRandomValues`.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<()> {
        getrandom::fill(buffer)
            .map_err(|_| Error::new(ErrorKind::Unavailable, "no secure random source"))
    }
}

/// Microtasks of this realm.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemSpawn;

impl Spawn for SystemSpawn {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        wasm_bindgen_futures::spawn_local(task);
    }
}
