//! Two tabs, a hub, an origin that changes, and everything that can come between, in random
//! order. Whatever happens, the protocol's invariants hold:
//!
//! - **I1** an entry that says *verified* is at least as new as the newest change that the tab's
//!   cursor has passed;
//! - **I2** when all is at rest, a strong read gives the origin's value;
//! - **I3** when all is at rest, nothing is left that was purged, however it came in.

use super::{Origin, Reading, Ward, hub::Hub, json, settled, value, value_at};
use crate::{
    Result,
    engine::{Cache, Fill, Invalidate},
    kernel::{envelope::Body, protocol::OpMode},
    platform::StoreError,
    store::Memory,
    testkit::{Fault, Faulty, Held, Op, Sim, TabControl, TabHub},
};
use proptest::{prelude::*, test_runner::RngSeed};
use std::sync::Arc;

const PARTS: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Act {
    /// The database changes; the hub does not know yet.
    Commit(usize),
    /// The hub learns of the oldest change that it does not know, and tells everybody or nobody.
    Publish {
        purge: bool,
        tell: bool,
    },
    /// A tab begins to read through.
    Read(usize, usize),
    /// The origin reads its database for the oldest call that has not looked yet, and says at
    /// which position or not.
    Look {
        part: usize,
        told: bool,
    },
    /// The oldest call is answered, if it has looked.
    Answer(usize),
    /// A tab gives up a patient by itself.
    Invalidate(usize, usize),
    /// The hub says that it lives.
    Beat,
    /// The next frame to each tab is lost.
    LoseFrame,
    Disconnect,
    Connect,
    Pass(u64),
    /// The device sleeps.
    Sleep(u64),
    Freeze(usize),
    Thaw(usize),
    /// The hub loses its log.
    NewLog,
    /// An app stores what the database holds.
    Put(usize, usize),
    /// A tab is closed and opened again.
    Reopen(usize),
    /// The next commits of a tab fail; `lost`: they succeed, and the tab does not hear of it.
    FailCommits {
        tab: usize,
        count: usize,
        lost: bool,
    },
    /// The next commit of a tab waits.
    Hold(usize),
    Release(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let (tab, part) = (0..2_usize, 0..PARTS.len());
    prop_oneof![
        4 => part.clone().prop_map(Act::Commit),
        4 => (prop::bool::weighted(0.2), prop::bool::weighted(0.8))
            .prop_map(|(purge, tell)| Act::Publish { purge, tell }),
        6 => (tab.clone(), part.clone()).prop_map(|(tab, part)| Act::Read(tab, part)),
        6 => (part.clone(), any::<bool>()).prop_map(|(part, told)| Act::Look { part, told }),
        6 => part.clone().prop_map(Act::Answer),
        1 => (tab.clone(), part).prop_map(|(tab, part)| Act::Invalidate(tab, part)),
        3 => Just(Act::Beat),
        1 => Just(Act::LoseFrame),
        1 => Just(Act::Disconnect),
        2 => Just(Act::Connect),
        2 => prop_oneof![Just(200_u64), Just(5_000), Just(25_000)].prop_map(Act::Pass),
        1 => Just(Act::Sleep(3_600_000)),
        1 => tab.clone().prop_map(Act::Freeze),
        2 => tab.clone().prop_map(Act::Thaw),
        1 => tab.clone().prop_map(Act::Reopen),
        1 => Just(Act::NewLog),
        2 => (tab.clone(), 0..PARTS.len()).prop_map(|(tab, part)| Act::Put(tab, part)),
        1 => tab.clone().prop_map(Act::Hold),
        2 => tab.clone().prop_map(Act::Release),
        1 => (tab, 1..3_usize, any::<bool>())
            .prop_map(|(tab, count, lost)| Act::FailCommits { tab, count, lost }),
    ]
}

struct Tab {
    ward: Ward,
    control: TabControl,
    frozen: bool,
    store: Arc<Faulty<Memory>>,
    held: Option<Held>,
}

struct World {
    sim: Sim,
    store: Memory,
    channel: TabHub,
    hub: Hub,
    tabs: Vec<Tab>,
    origins: [Origin; 3],
    /// What the calls that have looked will answer.
    answers: [Vec<super::Fetched>; 3],
    readings: Vec<Reading>,
    versions: [u64; 3],
    /// Changes that the hub does not know yet.
    unpublished: Vec<(usize, u64)>,
    /// By position: which part had reached which version, and whether older ones were purged.
    published: Vec<(usize, u64, bool)>,
    /// What was published in earlier lives of the log.
    known: [u64; 3],
    life: u8,
}

impl World {
    fn new(seed: u64) -> Result<Self> {
        let sim = Sim::shuffled(seed);
        let hub = Hub::new(&sim);
        let mut world = Self {
            sim,
            store: Memory::new(),
            channel: TabHub::new(),
            hub,
            tabs: Vec::new(),
            origins: Default::default(),
            answers: Default::default(),
            readings: Vec::new(),
            versions: [1; 3],
            unpublished: Vec::new(),
            published: Vec::new(),
            known: [1; 3],
            life: 1,
        };
        for _ in 0..2 {
            let tab = world.tab()?;
            world.tabs.push(tab);
        }
        world.hub.settle();
        Ok(world)
    }

    fn tab(&self) -> Result<Tab> {
        let tabs = self.channel.tab();
        let control = tabs.control();
        let store = Arc::new(Faulty::new(self.store.clone()));
        let builder =
            Cache::builder("ward", self.sim.platform_with(tabs)).boxed_store(store.clone());
        let ward = Ward::open(&self.sim, builder, Some(&self.hub.transport))?;
        Ok(Tab {
            ward,
            control,
            frozen: false,
            store,
            held: None,
        })
    }

    fn act(&mut self, act: &Act) -> Result<()> {
        match *act {
            Act::Commit(part) => {
                self.versions[part] += 1;
                self.unpublished.push((part, self.versions[part]));
            }
            Act::Publish { purge, tell } => {
                if self.unpublished.is_empty() {
                    return Ok(());
                }
                let (part, version) = self.unpublished.remove(0);
                self.published.push((part, version, purge));
                let mode = if purge { OpMode::Purge } else { OpMode::Expire };
                let tag = format!("patient/{}", PARTS[part]);
                self.hub.publish_silently(&tag, mode);
                if tell {
                    self.hub.beat();
                }
            }
            Act::Read(tab, part) => {
                let Tab { ward, frozen, .. } = &self.tabs[tab];
                if *frozen {
                    return Ok(());
                }
                let reading = ward.begin_read("patient", &[PARTS[part]], &self.origins[part])?;
                self.readings.push(reading);
            }
            Act::Look { part, told } => {
                if self.answers[part].len() < self.origins[part].waiting() {
                    // The position is taken before the data is read.
                    let position = self.hub.head();
                    let json = self.versions[part].to_string();
                    self.answers[part].push(if told {
                        value_at(&json, position)
                    } else {
                        value(&json)
                    });
                }
            }
            Act::Answer(part) => {
                if !self.answers[part].is_empty() {
                    let answer = self.answers[part].remove(0);
                    self.origins[part].answer(Ok(answer));
                }
            }
            Act::Invalidate(tab, part) => {
                let Tab { ward, frozen, .. } = &self.tabs[tab];
                if !frozen {
                    let tag = Invalidate::Tag(format!("patient/{}", PARTS[part]));
                    // The store may fail or wait; in this tab the entry is given up at once.
                    drop(self.sim.start(ward.cache.invalidate(&tag)));
                }
            }
            Act::Beat => self.hub.beat(),
            Act::LoseFrame => self.hub.lose_frame(),
            Act::Disconnect => self.hub.disconnect(),
            Act::Connect => self.hub.connect(),
            Act::Pass(ms) => self.sim.advance(ms),
            Act::Sleep(ms) => self.sim.clock().suspend(ms),
            Act::Freeze(tab) => {
                // A tab that leads is robbed in a browser; here it keeps its connection.
                if !self.tabs[tab].ward.cache.stats().leader {
                    self.tabs[tab].control.freeze();
                    self.tabs[tab].frozen = true;
                }
            }
            Act::Thaw(tab) => {
                self.tabs[tab].control.thaw();
                self.tabs[tab].frozen = false;
                self.sim.run_until_stalled();
            }
            Act::Reopen(tab) => {
                let cache = self.tabs[tab].ward.cache.clone();
                self.tabs[tab].held = None;
                self.tabs[tab].control.thaw();
                settled(&self.sim, async move { cache.close().await });
                self.tabs[tab] = self.tab()?;
            }
            Act::NewLog => {
                for (part, version, _) in self.published.drain(..) {
                    self.known[part] = self.known[part].max(version);
                }
                self.life += 1;
                self.hub.begin_anew(self.life);
            }
            Act::Put(tab, part) => {
                let Tab { ward, frozen, .. } = &self.tabs[tab];
                if !frozen {
                    let key = ward.session.key("patient", &[PARTS[part]])?;
                    let fill = Fill {
                        position: Some(self.hub.head()),
                        ..Fill::default()
                    };
                    let body = Body::Json(self.versions[part].to_string());
                    let session = ward.session.clone();
                    let put = async move { session.put(&key, body, fill).await };
                    drop(self.sim.start(put));
                }
            }
            Act::Hold(tab) => {
                let tab = &mut self.tabs[tab];
                if tab.held.is_none() {
                    tab.held = Some(tab.store.hold_next(Op::Commit));
                }
            }
            Act::Release(tab) => self.tabs[tab].held = None,
            Act::FailCommits { tab, count, lost } => {
                for skip in 0..count {
                    let error = StoreError::Io("the test said so");
                    let fault = if lost {
                        Fault::AnswerLost(error)
                    } else {
                        Fault::Refused(error)
                    };
                    self.tabs[tab].store.fail_op_after(Op::Commit, skip, fault);
                }
            }
        }
        self.sim.run_until_stalled();
        Ok(())
    }

    fn check(&self, step: &str, at_rest: bool) -> Result<()> {
        for (n, Tab { ward, frozen, .. }) in self.tabs.iter().enumerate() {
            if *frozen {
                continue;
            }
            let cursor = ward.cache.cursor();
            let here = cursor.filter(|cursor| cursor.epoch == self.hub.head().epoch);
            let cursor = here.as_ref().map_or(0, |cursor| cursor.seq);
            for (part, name) in PARTS.iter().enumerate() {
                let Some(entry) = ward.get("patient", &[name])? else {
                    continue;
                };
                let version: u64 = json(&entry).parse().unwrap_or_default();
                let passed = self
                    .published
                    .iter()
                    .take(usize::try_from(cursor).unwrap_or(0));
                let of_part = |(of, version, purge): &(usize, u64, bool)| {
                    (*of == part).then_some((*version, *purge))
                };
                let newest = passed
                    .clone()
                    .filter_map(of_part)
                    .map(|(version, _)| version)
                    .chain(here.is_some().then_some(self.known[part]))
                    .max();
                if entry.verified {
                    assert!(
                        version >= newest.unwrap_or(0),
                        "I1, tab {n}, {name}: {version} is verified at {cursor}, {newest:?} was told, after {step}"
                    );
                }
                // The cursor speaks of covered topics: what a tab is still about to subscribe is
                // purged when the hub has answered.
                if !at_rest {
                    continue;
                }
                let purged = passed.filter_map(of_part).filter(|(_, purge)| *purge);
                let purged = purged.map(|(version, _)| version).max().unwrap_or(0);
                assert!(
                    version >= purged,
                    "I3, tab {n}, {name}: {version} is shown, {purged} purged it, after {step}"
                );
            }
        }
        Ok(())
    }

    /// Everything is told and answered; every tab reads what the origin has.
    fn rest(&mut self) -> Result<()> {
        for tab in 0..self.tabs.len() {
            self.tabs[tab].held = None;
            self.tabs[tab].store.heal();
            self.act(&Act::Thaw(tab))?;
        }
        while !self.unpublished.is_empty() {
            self.act(&Act::Publish {
                purge: false,
                tell: true,
            })?;
        }
        self.hub.connect();
        for part in 0..PARTS.len() {
            while self.origins[part].waiting() > 0 {
                self.act(&Act::Look { part, told: true })?;
                self.act(&Act::Answer(part))?;
            }
        }
        self.hub.connect();
        self.check("all came to rest", true)?;
        for Tab { ward, .. } in &self.tabs {
            for (part, name) in PARTS.iter().enumerate() {
                let truth = self.versions[part].to_string();
                let entry = ward.read("patient", &[name], value_at(&truth, self.hub.head()))?;
                assert_eq!(json(&entry), truth, "I2, {name}");
            }
        }
        Ok(())
    }
}

/// The same few histories each time; with `PROPTEST_CASES`, as many others as it says.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok();
    match cases.and_then(|cases| cases.parse().ok()) {
        Some(cases) => ProptestConfig::with_cases(cases),
        None => ProptestConfig {
            cases: 96,
            rng_seed: RngSeed::Fixed(1),
            ..ProptestConfig::default()
        },
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_happens_verified_is_true_and_purged_is_gone(
        seed in any::<u64>(),
        acts in proptest::collection::vec(act(), 1..60),
    ) {
        let mut world = World::new(seed)?;
        for act in &acts {
            world.act(act)?;
            world.check(&format!("{act:?}"), false)?;
        }
        world.rest()?;
    }
}
