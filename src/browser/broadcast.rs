//! BroadcastChannel and Web Locks as sibling tabs.

use super::{
    js::{self, Listener},
    web_locks,
};
use crate::platform::{BoxFuture, Clock, Leadership, SystemClock, TabEvent, TabSink, Tabs};
use futures_channel::mpsc;
use js_sys::Uint8Array;
use std::{
    cell::{Cell, OnceCell, RefCell},
    fmt,
    rc::{Rc, Weak},
};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{BroadcastChannel, EventTarget, MessageEvent};

/// A tab that was hidden this long may have been frozen: what it missed must be looked up.
const HIDDEN_MS: u64 = 30_000;
/// How often a worker looks whether time has jumped.
const WATCH_MS: u64 = 10_000;
/// A worker that was due and came this much later has been suspended.
const LATE_MS: u64 = 20_000;

/// The tabs and workers of this origin that use the same database name.
///
/// Nothing happens in the realm before the first call. Without BroadcastChannel nothing is sent
/// and nothing heard: each tab then learns of the others' changes from the store.
pub struct BrowserTabs {
    name: String,
    channel: OnceCell<Option<BroadcastChannel>>,
    listeners: RefCell<Vec<Listener>>,
    /// Kept so that the watch of a worker ends with this object.
    alive: Rc<()>,
}

impl BrowserTabs {
    /// The siblings that share `database`, an opaque name: other scripts of the origin see it.
    #[must_use]
    pub fn new(database: &str) -> Self {
        Self {
            name: format!("clinicache:{database}"),
            channel: OnceCell::new(),
            listeners: RefCell::default(),
            alive: Rc::new(()),
        }
    }

    fn channel(&self) -> Option<&BroadcastChannel> {
        let open = || {
            js::global("BroadcastChannel")?;
            BroadcastChannel::new(&self.name).ok()
        };
        self.channel.get_or_init(open).as_ref()
    }
}

impl Tabs for BrowserTabs {
    fn post(&self, message: &[u8]) {
        if let Some(channel) = self.channel() {
            // A closed channel loses the message, as the contract allows.
            let _ = channel.post_message(&js::array(message));
        }
    }

    fn events(&self) -> mpsc::Receiver<TabEvent> {
        let (sink, receiver) = TabSink::channel();
        let mut listeners = Vec::new();
        if let Some(channel) = self.channel() {
            listeners.push(hear_messages(channel, sink.clone()));
            listeners.push(hear_losses(channel, sink.clone()));
        }
        match js::global("document") {
            Some(document) => watch_page(document.unchecked_ref(), &sink, &mut listeners),
            None => spawn_local(watch_time(Rc::downgrade(&self.alive), sink)),
        }
        *self.listeners.borrow_mut() = listeners;
        receiver
    }

    fn lead(&self, steal: bool) -> BoxFuture<'static, Leadership> {
        Box::pin(web_locks::lead(format!("{}:lead", self.name), steal))
    }
}

fn hear_messages(channel: &BroadcastChannel, mut sink: TabSink) -> Listener {
    Listener::new(channel, &["message"], move |event| {
        // Whatever is not bytes comes from another script of the origin.
        if let Some(event) = event.dyn_ref::<MessageEvent>()
            && let Some(message) = event.data().dyn_ref::<Uint8Array>()
        {
            sink.push(TabEvent::Message(message.to_vec()));
        }
    })
}

fn hear_losses(channel: &BroadcastChannel, mut sink: TabSink) -> Listener {
    Listener::new(channel, &["messageerror"], move |_| {
        sink.push(TabEvent::Lagged);
    })
}

/// The three ways in which a page comes back: thawed by the page life cycle, out of the
/// back-forward cache, or shown again after it was hidden for long.
fn watch_page(document: &EventTarget, sink: &TabSink, listeners: &mut Vec<Listener>) {
    let mut thawed = sink.clone();
    listeners.push(Listener::new(document, &["resume"], move |_| {
        thawed.push(TabEvent::Resumed);
    }));

    let mut shown_again = sink.clone();
    let page = JsValue::from(document.clone());
    let hidden_since = Cell::new(None);
    listeners.push(Listener::new(document, &["visibilitychange"], move |_| {
        // The wall clock, because the monotonic one may stand still while a device sleeps.
        let now = SystemClock.wall_ms();
        if js::property(&page, "hidden").is_some_and(|hidden| hidden.is_truthy()) {
            hidden_since.set(Some(now));
        } else if let Some(since) = hidden_since.take()
            && now.abs_diff(since) >= HIDDEN_MS
        {
            shown_again.push(TabEvent::Resumed);
        }
    }));

    let mut revived = sink.clone();
    let window: EventTarget = js_sys::global().unchecked_into();
    listeners.push(Listener::new(&window, &["pageshow"], move |event| {
        if js::property(&event, "persisted").is_some_and(|persisted| persisted.is_truthy()) {
            revived.push(TabEvent::Resumed);
        }
    }));
}

/// A worker hears nothing when it is suspended with its page, but its timer comes late.
async fn watch_time(alive: Weak<()>, mut sink: TabSink) {
    let mut last = SystemClock.wall_ms();
    while alive.strong_count() > 0 {
        SystemClock.sleep(WATCH_MS).await;
        let now = SystemClock.wall_ms();
        if now.abs_diff(last) >= WATCH_MS + LATE_MS {
            sink.push(TabEvent::Resumed);
        }
        last = now;
    }
}

impl Drop for BrowserTabs {
    fn drop(&mut self) {
        self.listeners.borrow_mut().clear();
        if let Some(Some(channel)) = self.channel.get() {
            channel.close();
        }
    }
}

impl fmt::Debug for BrowserTabs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrowserTabs")
    }
}
