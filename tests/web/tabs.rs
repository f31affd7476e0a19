//! Sibling tabs over BroadcastChannel and Web Locks.

use crate::support::{Replaced, eval, fast_timers, fresh_name, within};
use clinicache::{
    browser::BrowserTabs,
    platform::{Clock, Leadership, SystemClock, TabEvent, Tabs},
};
use futures_channel::mpsc;
use futures_util::{FutureExt, StreamExt};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

async fn next(events: &mut mpsc::Receiver<TabEvent>) -> TabEvent {
    within(2_000, events.next()).await.unwrap()
}

async fn lead(tabs: &BrowserTabs, steal: bool) -> Leadership {
    within(2_000, tabs.lead(steal)).await
}

/// A worker has no page of its own and watches its timer instead.
fn in_page() -> bool {
    js_sys::eval("typeof document === 'object'")
        .unwrap()
        .is_truthy()
}

#[wasm_bindgen_test]
async fn a_message_reaches_the_siblings_and_nobody_else() {
    let name = fresh_name();
    let (one, two) = (BrowserTabs::new(&name), BrowserTabs::new(&name));
    let stranger = BrowserTabs::new(&fresh_name());
    let mut events = [one.events(), two.events(), stranger.events()];
    one.post(&[1, 2, 3]);
    two.post(&[4]);
    assert_eq!(next(&mut events[1]).await, TabEvent::Message(vec![1, 2, 3]));
    assert_eq!(next(&mut events[0]).await, TabEvent::Message(vec![4]));
    for events in &mut events {
        assert!(events.next().now_or_never().is_none());
    }
}

#[wasm_bindgen_test]
async fn what_is_not_bytes_is_ignored() {
    let name = fresh_name();
    let (one, two) = (BrowserTabs::new(&name), BrowserTabs::new(&name));
    let mut events = two.events();
    eval(&format!(
        r#"const channel = new BroadcastChannel("clinicache:{name}");
        channel.postMessage("text");
        channel.postMessage({{ bytes: 1 }});
        channel.postMessage(null);
        channel.close();"#
    ))
    .await;
    // Both go through the same channel; only the bytes come out.
    SystemClock.sleep(50).await;
    one.post(&[9]);
    assert_eq!(next(&mut events).await, TabEvent::Message(vec![9]));
}

#[wasm_bindgen_test]
async fn a_dropped_tab_hears_nothing_more() {
    let name = fresh_name();
    let (one, two) = (BrowserTabs::new(&name), BrowserTabs::new(&name));
    let mut events = two.events();
    drop(two);
    one.post(&[1]);
    SystemClock.sleep(50).await;
    assert!(!matches!(events.next().now_or_never(), Some(Some(_))));
}

#[wasm_bindgen_test]
async fn the_lead_is_handed_over_when_it_is_released() {
    let name = fresh_name();
    let (one, two) = (BrowserTabs::new(&name), BrowserTabs::new(&name));
    let mut first = lead(&one, false).await;
    let mut second = two.lead(false);
    assert!((&mut second).now_or_never().is_none());
    SystemClock.sleep(50).await;
    assert!((&mut second).now_or_never().is_none());
    assert_eq!(first.lost.try_recv(), Ok(None));
    drop(first);
    within(2_000, second).await;
}

#[wasm_bindgen_test]
async fn a_stolen_lead_is_noticed_and_releasing_it_takes_nothing_from_the_thief() {
    let name = fresh_name();
    let (one, two, three) = (
        BrowserTabs::new(&name),
        BrowserTabs::new(&name),
        BrowserTabs::new(&name),
    );
    let mut robbed = lead(&one, false).await;
    let mut thief = lead(&two, true).await;
    let _ = within(2_000, &mut robbed.lost).await;
    drop(robbed);
    let mut waiting = three.lead(false);
    SystemClock.sleep(50).await;
    assert!((&mut waiting).now_or_never().is_none());
    assert_eq!(thief.lost.try_recv(), Ok(None));
}

#[wasm_bindgen_test]
async fn a_waiter_that_gave_up_leaves_the_queue() {
    let name = fresh_name();
    let tabs = BrowserTabs::new(&name);
    let first = lead(&tabs, false).await;
    let mut given_up = tabs.lead(false);
    assert!((&mut given_up).now_or_never().is_none());
    drop(given_up);
    SystemClock.sleep(20).await;
    let pending = eval(&format!(
        r#"const state = await navigator.locks.query();
        return state.pending.filter((lock) => lock.name === "clinicache:{name}:lead").length;"#
    ))
    .await;
    assert_eq!(pending.as_f64(), Some(0.0));
    drop(first);
    lead(&tabs, false).await;
}

#[wasm_bindgen_test]
async fn without_web_locks_a_tab_leads_at_once() {
    let navigator = js_sys::eval("navigator").unwrap();
    let _hidden = Replaced::new(navigator, "locks", &JsValue::UNDEFINED);
    let tabs = BrowserTabs::new(&fresh_name());
    let mut one = lead(&tabs, false).await;
    let _two = lead(&tabs, false).await;
    assert_eq!(one.lost.try_recv(), Ok(None));
}

#[wasm_bindgen_test]
async fn a_page_that_comes_back_says_so() {
    if !in_page() {
        return;
    }
    let tabs = BrowserTabs::new(&fresh_name());
    let mut events = tabs.events();
    eval("document.dispatchEvent(new Event('resume'));").await;
    assert_eq!(next(&mut events).await, TabEvent::Resumed);

    eval("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: false }));").await;
    eval("document.dispatchEvent(new Event('visibilitychange'));").await;
    assert!(events.next().now_or_never().is_none());

    eval("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }));").await;
    assert_eq!(next(&mut events).await, TabEvent::Resumed);
}

#[wasm_bindgen_test]
async fn a_page_hidden_for_long_says_so_when_it_is_shown() {
    if !in_page() {
        return;
    }
    let tabs = BrowserTabs::new(&fresh_name());
    let mut events = tabs.events();
    let hide = |hidden, at| {
        format!(
            r#"Object.defineProperty(document, "hidden", {{ value: {hidden}, configurable: true }});
            globalThis.now = globalThis.now ?? Date.now;
            Date.now = () => {at};
            document.dispatchEvent(new Event("visibilitychange"));
            Date.now = globalThis.now;
            delete document.hidden;"#
        )
    };
    eval(&hide(true, 1_000_000)).await;
    eval(&hide(false, 1_001_000)).await;
    assert!(events.next().now_or_never().is_none());
    eval(&hide(true, 1_002_000)).await;
    eval(&hide(false, 1_102_000)).await;
    assert_eq!(next(&mut events).await, TabEvent::Resumed);
}

#[wasm_bindgen_test]
async fn a_worker_that_was_suspended_says_so_when_its_timer_comes_late() {
    if in_page() {
        return;
    }
    let tabs = BrowserTabs::new(&fresh_name());
    let real_now = js_sys::eval("Date.now").unwrap();
    let date = js_sys::eval("Date").unwrap();
    let _fast = fast_timers();
    let mut events = tabs.events();
    SystemClock.sleep(35_000).await;
    assert!(events.next().now_or_never().is_none());
    {
        let late = js_sys::Function::new_with_args("", "return Date.real() + 60_000");
        let _real = Replaced::new(date.clone(), "real", &real_now);
        let _late = Replaced::new(date, "now", &late);
        assert_eq!(
            within(200_000, events.next()).await,
            Some(TabEvent::Resumed)
        );
    }
}
