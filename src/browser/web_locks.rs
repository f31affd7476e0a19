//! The lead of a vault as a Web Lock.

use super::js;
use crate::platform::Leadership;
use futures_channel::oneshot;
use js_sys::{Function, Object, Promise};
use std::cell::Cell;
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::AbortController;

#[wasm_bindgen]
extern "C" {
    /// `navigator.locks`, which the bindings hide behind an unstable flag.
    type LockManager;
    #[wasm_bindgen(method, catch)]
    fn request(
        this: &LockManager,
        name: &str,
        options: &Object,
        granted: &JsValue,
    ) -> Result<Promise, JsValue>;
}

/// Waits for the lock `name`, or takes it from its holder.
///
/// Where there are no Web Locks (insecure contexts, browsers before 2022) every tab leads at
/// once: each keeps its own connection to the hub, which costs sockets and nothing else, because
/// what a leader writes is guarded by the leader generation in the store.
pub(super) async fn lead(name: String, steal: bool) -> Leadership {
    let Some(locks) = js::global("navigator").and_then(|n| js::property(&n, "locks")) else {
        return unlocked();
    };
    let (granted, wait) = oneshot::channel();
    let Some((request, abort)) = start(locks.unchecked_ref(), &name, steal, granted) else {
        return unlocked();
    };
    let (lost, is_lost) = oneshot::channel();
    spawn_local(async move {
        // Ends by release (then nobody listens any more), by a thief, or by giving up waiting.
        let _ = request.await;
        let _ = lost.send(());
    });
    let Ok(release) = wait.await else {
        // Refused before it was granted: a document that is going away. It never leads.
        return std::future::pending().await;
    };
    abort.disarm();
    Leadership {
        lost: is_lost,
        release: Some(Box::new(release)),
    }
}

/// Requests the lock; the future ends when the lock is given up or lost.
fn start(
    locks: &LockManager,
    name: &str,
    steal: bool,
    granted: oneshot::Sender<Release>,
) -> Option<(impl Future<Output = ()> + use<>, AbortOnDrop)> {
    let options = Object::new();
    let mut abort = AbortOnDrop(Cell::default());
    if steal {
        js::set(&options, "steal", &JsValue::TRUE);
    } else if let Ok(controller) = AbortController::new() {
        js::set(&options, "signal", &controller.signal());
        abort = AbortOnDrop(Cell::new(Some(controller)));
    }
    let granted = Cell::new(Some(granted));
    let callback = Closure::<dyn FnMut(JsValue) -> Promise>::new(move |_lock| {
        let release = Release::default();
        let held = release.promise();
        if let Some(granted) = granted.take() {
            // Where nobody waits any more, the refused guard is dropped here and lets go.
            drop(granted.send(release));
        }
        held
    });
    let request = locks.request(name, &options, callback.as_ref()).ok()?;
    let ended = async move {
        let _ = JsFuture::from(request).await;
        drop(callback);
    };
    Some((ended, abort))
}

/// Gives the lock up when dropped, by resolving the promise that holds it.
#[derive(Default)]
struct Release(Cell<Option<Function>>);

impl Release {
    fn promise(&self) -> Promise {
        Promise::new(&mut |resolve, _| self.0.set(Some(resolve)))
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        if let Some(resolve) = self.0.take() {
            let _ = resolve.call0(&JsValue::UNDEFINED);
        }
    }
}

/// Withdraws a request that still waits.
struct AbortOnDrop(Cell<Option<AbortController>>);

impl AbortOnDrop {
    fn disarm(&self) {
        drop(self.0.take());
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(controller) = self.0.take() {
            controller.abort();
        }
    }
}

/// A lead that nobody can take.
fn unlocked() -> Leadership {
    let (keep, lost) = oneshot::channel::<()>();
    Leadership {
        lost,
        release: Some(Box::new(keep)),
    }
}
