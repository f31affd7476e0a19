//! Sibling tabs in one process.

use super::lock;
use crate::platform::{BoxFuture, Leadership, TabEvent, TabSink, Tabs};
use futures_channel::{mpsc, oneshot};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex},
};

/// The tabs of one simulated vault: a lossy broadcast and one lead, as a browser has them.
#[derive(Clone, Default)]
pub struct TabHub {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    next_id: u64,
    tabs: BTreeMap<u64, Tab>,
    losses: usize,
    leader: Option<Leader>,
    waiting: VecDeque<Waiter>,
    next_lead: u64,
}

struct Tab {
    sink: TabSink,
    frozen: bool,
    /// The news that the lead was stolen, kept back until the tab thaws.
    robbed: Vec<oneshot::Sender<()>>,
}

struct Leader {
    tab: u64,
    lead: u64,
    lost: oneshot::Sender<()>,
}

struct Waiter {
    tab: u64,
    granted: oneshot::Sender<Leadership>,
}

impl TabHub {
    /// A vault without tabs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens another tab.
    #[must_use]
    pub fn tab(&self) -> SimTabs {
        let (sink, events) = TabSink::channel();
        let mut inner = lock(&self.inner);
        inner.next_id += 1;
        let id = inner.next_id;
        let tab = Tab {
            sink,
            frozen: false,
            robbed: Vec::new(),
        };
        inner.tabs.insert(id, tab);
        SimTabs {
            control: TabControl {
                hub: self.clone(),
                id,
            },
            events: Mutex::new(Some(events)),
        }
    }

    /// Loses the next `deliveries`, counted per receiving tab.
    pub fn lose_next(&self, deliveries: usize) {
        lock(&self.inner).losses = deliveries;
    }

    /// The number of the tab that leads; see [`TabControl::id`].
    #[must_use]
    pub fn leader(&self) -> Option<u64> {
        lock(&self.inner).leader.as_ref().map(|leader| leader.tab)
    }

    fn post(&self, from: u64, message: &[u8]) {
        let mut guard = lock(&self.inner);
        let inner = &mut *guard;
        if inner.tabs.get(&from).is_none_or(|tab| tab.frozen) {
            return;
        }
        for (&id, tab) in &mut inner.tabs {
            if id == from || tab.frozen {
                continue;
            }
            if inner.losses > 0 {
                inner.losses -= 1;
                continue;
            }
            tab.sink.push(TabEvent::Message(message.to_vec()));
        }
    }

    fn release(&self, lead: u64) {
        let mut inner = lock(&self.inner);
        if inner.leader.as_ref().is_some_and(|held| held.lead == lead) {
            inner.leader = None;
        }
        drop(inner);
        self.grant();
    }

    /// Gives a free lead to the first waiter that runs and still waits.
    fn grant(&self) {
        let mut inner = lock(&self.inner);
        if inner.leader.is_some() {
            return;
        }
        let inner_ref = &mut *inner;
        let runs = |waiter: &Waiter| {
            let tab = inner_ref.tabs.get(&waiter.tab);
            tab.is_some_and(|tab| !tab.frozen) && !waiter.granted.is_canceled()
        };
        let Some(index) = inner_ref.waiting.iter().position(runs) else {
            return;
        };
        let Some(waiter) = inner_ref.waiting.remove(index) else {
            return;
        };
        let leadership = inner.lead(waiter.tab, self);
        // Outside of the lock: a waiter that has just gone away drops the lead, which comes back
        // here for the next one.
        drop(inner);
        drop(waiter.granted.send(leadership));
    }
}

impl Inner {
    fn lead(&mut self, tab: u64, hub: &TabHub) -> Leadership {
        self.next_lead += 1;
        let lead = self.next_lead;
        let (sender, lost) = oneshot::channel();
        self.leader = Some(Leader {
            tab,
            lead,
            lost: sender,
        });
        let hub = hub.clone();
        Leadership {
            lost,
            release: Some(Box::new(Release { hub, lead })),
        }
    }

    fn rob(&mut self) {
        let Some(old) = self.leader.take() else {
            return;
        };
        match self.tabs.get_mut(&old.tab) {
            Some(victim) if victim.frozen => victim.robbed.push(old.lost),
            _ => drop(old.lost.send(())),
        }
    }
}

struct Release {
    hub: TabHub,
    lead: u64,
}

impl Drop for Release {
    fn drop(&mut self) {
        self.hub.release(self.lead);
    }
}

/// One simulated tab. Dropping it closes its ears; the lead goes with the [`Leadership`].
pub struct SimTabs {
    control: TabControl,
    events: Mutex<Option<mpsc::Receiver<TabEvent>>>,
}

impl SimTabs {
    /// Freezes, thaws and kills this tab after it was moved into a platform.
    #[must_use]
    pub fn control(&self) -> TabControl {
        self.control.clone()
    }
}

impl Tabs for SimTabs {
    fn post(&self, message: &[u8]) {
        self.control.hub.post(self.control.id, message);
    }

    fn events(&self) -> mpsc::Receiver<TabEvent> {
        // A second caller hears nothing, as the contract allows one.
        lock(&self.events)
            .take()
            .unwrap_or_else(|| mpsc::channel(0).1)
    }

    fn lead(&self, steal: bool) -> BoxFuture<'static, Leadership> {
        let TabControl { hub, id } = self.control();
        Box::pin(async move {
            let granted = {
                let mut inner = lock(&hub.inner);
                if steal {
                    inner.rob();
                    let leadership = inner.lead(id, &hub);
                    drop(inner);
                    return leadership;
                }
                let (sender, granted) = oneshot::channel();
                inner.waiting.push_back(Waiter {
                    tab: id,
                    granted: sender,
                });
                granted
            };
            hub.grant();
            match granted.await {
                Ok(leadership) => leadership,
                // The tab was killed while it waited: it never leads.
                Err(_) => std::future::pending().await,
            }
        })
    }
}

impl Drop for SimTabs {
    fn drop(&mut self) {
        lock(&self.control.hub.inner).tabs.remove(&self.control.id);
    }
}

/// What happens to a tab from outside.
#[derive(Clone)]
pub struct TabControl {
    hub: TabHub,
    id: u64,
}

impl TabControl {
    /// The number of this tab.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// Freezes the tab: it neither hears nor is heard, and does not learn that the lead was
    /// stolen from it. Its tasks are the test's to leave alone.
    pub fn freeze(&self) {
        if let Some(tab) = lock(&self.hub.inner).tabs.get_mut(&self.id) {
            tab.frozen = true;
        }
    }

    /// Thaws the tab: it hears [`TabEvent::Resumed`] and of a stolen lead.
    pub fn thaw(&self) {
        let mut inner = lock(&self.hub.inner);
        let Some(tab) = inner.tabs.get_mut(&self.id) else {
            return;
        };
        if !std::mem::take(&mut tab.frozen) {
            return;
        }
        tab.sink.push(TabEvent::Resumed);
        let robbed = std::mem::take(&mut tab.robbed);
        drop(inner);
        for lost in robbed {
            let _ = lost.send(());
        }
        self.hub.grant();
    }

    /// Kills the tab as a crashed process dies: unheard, its lead free for the next waiter, its
    /// tasks the test's to leave alone.
    pub fn kill(&self) {
        let mut inner = lock(&self.hub.inner);
        inner.tabs.remove(&self.id);
        inner.waiting.retain(|waiter| waiter.tab != self.id);
        let led = inner.leader.take_if(|leader| leader.tab == self.id);
        drop(inner);
        // Dropping the sender would read as "lost", and a dead tab reads nothing any more.
        drop(led);
        self.hub.grant();
    }
}

impl fmt::Debug for TabHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TabHub")
            .field("leader", &self.leader())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SimTabs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimTabs({})", self.control.id)
    }
}

impl fmt::Debug for TabControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TabControl({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Sim;

    fn heard(events: &mut mpsc::Receiver<TabEvent>) -> Vec<TabEvent> {
        std::iter::from_fn(|| events.try_recv().ok()).collect()
    }

    fn message(byte: u8) -> TabEvent {
        TabEvent::Message(vec![byte])
    }

    #[test]
    fn a_message_reaches_every_other_tab_and_never_its_sender() {
        let hub = TabHub::new();
        let tabs = [hub.tab(), hub.tab(), hub.tab()];
        let mut events = tabs.each_ref().map(Tabs::events);
        tabs[0].post(&[1]);
        assert_eq!(
            events.each_mut().map(heard),
            [vec![], vec![message(1)], vec![message(1)]]
        );
    }

    #[test]
    fn a_frozen_tab_misses_messages_and_is_told_that_it_slept() {
        let hub = TabHub::new();
        let (one, two) = (hub.tab(), hub.tab());
        let mut events = two.events();
        two.control().freeze();
        one.post(&[1]);
        two.control().thaw();
        one.post(&[2]);
        assert_eq!(heard(&mut events), [TabEvent::Resumed, message(2)]);
    }

    #[test]
    fn lost_deliveries_are_lost_once() {
        let hub = TabHub::new();
        let (one, two) = (hub.tab(), hub.tab());
        let mut events = two.events();
        hub.lose_next(1);
        one.post(&[1]);
        one.post(&[2]);
        assert_eq!(heard(&mut events), [message(2)]);
    }

    #[test]
    fn the_lead_passes_on_when_it_is_released() {
        let sim = Sim::new(1);
        let hub = TabHub::new();
        let (one, two) = (hub.tab(), hub.tab());
        let first = sim.run(one.lead(false));
        let second = sim.start(two.lead(false));
        sim.run_until_stalled();
        assert!(!second.is_done());
        drop(first);
        sim.run_until_stalled();
        assert!(second.is_done());
        assert_eq!(hub.leader(), Some(two.control().id()));
    }

    #[test]
    fn a_waiter_that_gave_up_is_passed_over() {
        let sim = Sim::new(1);
        let hub = TabHub::new();
        let (one, two, three) = (hub.tab(), hub.tab(), hub.tab());
        let first = sim.run(one.lead(false));
        let second = sim.start(two.lead(false));
        let third = sim.start(three.lead(false));
        sim.run_until_stalled();
        second.cancel();
        sim.run_until_stalled();
        drop(first);
        sim.run_until_stalled();
        assert!(third.is_done());
    }

    #[test]
    fn a_robbed_frozen_tab_learns_of_it_when_it_thaws() {
        let sim = Sim::new(1);
        let hub = TabHub::new();
        let (one, two) = (hub.tab(), hub.tab());
        let mut old = sim.run(one.lead(false));
        one.control().freeze();
        let new = sim.run(two.lead(true));
        assert_eq!(old.lost.try_recv(), Ok(None));
        one.control().thaw();
        assert_eq!(old.lost.try_recv(), Ok(Some(())));
        drop(old);
        assert_eq!(hub.leader(), Some(two.control().id()));
        drop(new);
        assert_eq!(hub.leader(), None);
    }

    #[test]
    fn a_killed_leader_is_followed_by_the_next_waiter() {
        let sim = Sim::new(1);
        let hub = TabHub::new();
        let (one, two) = (hub.tab(), hub.tab());
        let _dead = sim.run(one.lead(false));
        let next = sim.start(two.lead(false));
        sim.run_until_stalled();
        one.control().kill();
        sim.run_until_stalled();
        assert!(next.is_done());
    }
}
