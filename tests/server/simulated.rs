//! A hub in a simulated world, and links to it inside the same process.

use crate::support::keys;
use clinicache::{
    Error,
    kernel::{
        invalidate::Position,
        protocol::{ClientFrame, HubFrame, TopicSince, VERSION},
    },
    platform::{Link, LinkEvent, Store, Transport},
    server::{AllowEveryone, Hub, HubBuilder, Invalidation},
    testkit::Sim,
};
use futures_util::StreamExt;
use std::time::Duration;

pub(crate) fn builder(sim: &Sim, store: impl Store) -> HubBuilder {
    Hub::builder()
        .store(store)
        .keys(keys(1))
        .authorise(AllowEveryone)
        .heartbeat(Duration::from_secs(10))
        .platform(sim.platform())
}

pub(crate) fn open(sim: &Sim, store: impl Store) -> Hub {
    sim.run(builder(sim, store).open()).unwrap()
}

pub(crate) fn publish(sim: &Sim, hub: &Hub, tag: &str) -> Result<Position, Error> {
    publish_item(sim, hub, Invalidation::tag(tag))
}

pub(crate) fn publish_item(sim: &Sim, hub: &Hub, item: Invalidation) -> Result<Position, Error> {
    let hub = hub.clone();
    sim.run(async move { hub.publish(item).await })
}

pub(crate) fn say(link: &mut Link, frame: &ClientFrame) {
    let text = serde_json::to_string(frame).unwrap();
    link.frames.try_send(text).unwrap();
}

/// What the hub has said so far; `None` at the end when it hung up.
pub(crate) fn heard(sim: &Sim, link: &mut Link) -> Vec<Option<HubFrame>> {
    sim.run_until_stalled();
    let mut frames = Vec::new();
    loop {
        match link.events.try_recv() {
            Ok(LinkEvent::Frame(text)) => frames.push(Some(serde_json::from_str(&text).unwrap())),
            Ok(LinkEvent::Overflow) => panic!("the hub waits for room instead"),
            Err(_) => {
                if let Some(None) = futures_util::FutureExt::now_or_never(link.events.next()) {
                    frames.push(None);
                }
                return frames;
            }
        }
        sim.run_until_stalled();
    }
}

/// A link that has said hello and asked for topics; the hub did not run yet.
pub(crate) fn asking(sim: &Sim, hub: &Hub, topics: &[&str]) -> Link {
    let mut link = sim.run(hub.feed().connect()).unwrap();
    say(
        &mut link,
        &ClientFrame::Hello {
            v: VERSION,
            client: "test".into(),
            device: "device".into(),
            caps: Vec::new(),
            token: None,
        },
    );
    let topics = topics.iter().map(|t| TopicSince {
        t: (*t).into(),
        since: None,
    });
    say(
        &mut link,
        &ClientFrame::Sub {
            rid: 1,
            topics: topics.collect(),
        },
    );
    link
}

pub(crate) fn subscribed(sim: &Sim, hub: &Hub, topics: &[&str]) -> Link {
    let mut link = asking(sim, hub, topics);
    let frames = heard(sim, &mut link);
    assert!(
        matches!(
            &frames[..],
            [Some(HubFrame::Welcome { .. }), Some(HubFrame::SubOk { .. })]
        ),
        "{frames:?}"
    );
    link
}
