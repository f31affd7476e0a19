//! The task that owns the feed: it performs what the feed's state machine asks for.
//!
//! One runs in each tab. The tab that leads owns the connection to the hub; the others follow
//! what the leader relays. An invalidation is in the store before the feed counts it as applied.

mod apply;

use super::{
    core::{Core, Open},
    event::Event,
    siblings::Word,
    writer::Change,
};
use crate::{
    error::{Error, ErrorKind, Result},
    kernel::{
        envelope::Meta,
        invalidate::{
            Position,
            feed::{Effect, Feed, FeedState, Now, Relay},
        },
    },
    platform::{BoxFuture, Leadership, Link, LinkEvent, Transport},
};
use futures_channel::{mpsc, oneshot};
use futures_util::{FutureExt, StreamExt, future::poll_fn};
use std::{collections::VecDeque, sync::Arc, task::Poll};

/// A cursor that moved without an invalidation is saved at most this often, in milliseconds.
const CURSOR_MS: u64 = 15_000;

/// What the rest of the engine asks of the pump.
pub(super) enum Command {
    /// Perform these.
    Effects(Vec<Effect>),
    /// The app's word about the network.
    Offline(bool),
    /// Another tab has taken the lead.
    Robbed,
    /// A message of another tab.
    Relay(Relay),
    /// Time may have passed unnoticed.
    Poke,
}

type Connected = Result<(Option<String>, Link)>;

struct Pump {
    core: Arc<Core>,
    transport: Arc<dyn Transport>,
    generation: u64,
    commands: mpsc::UnboundedReceiver<Command>,
    dead: oneshot::Receiver<()>,
    lead: Option<BoxFuture<'static, Leadership>>,
    leadership: Option<Leadership>,
    connecting: Option<BoxFuture<'static, Connected>>,
    link: Option<Link>,
    /// A cursor that is not saved yet, and when it will be.
    cursor: Option<(Position, u64)>,
    /// Whether continuity was lost since the connection was opened.
    was_reset: bool,
}

enum Woken {
    Dead,
    Command(Command),
    Lead(Leadership),
    Robbed,
    Connected(Connected),
    Link(Option<LinkEvent>),
    Timer,
}

impl Core {
    /// The feed's state for readers: before the first connection it is on its way.
    pub(super) fn feed_state(&self, open: &Open, now: Now) -> FeedState {
        match open.feed.state(now) {
            FeedState::Off if self.transport.is_some() => FeedState::Connecting,
            state => state,
        }
    }

    pub(super) fn start_pump(
        self: &Arc<Self>,
        generation: u64,
        commands: mpsc::UnboundedReceiver<Command>,
    ) {
        let (Some(transport), Some(dead)) =
            (self.transport.clone(), self.end_with_vault(generation))
        else {
            return;
        };
        let mut pump = Pump {
            lead: Some(self.platform.tabs.lead(false)),
            core: self.clone(),
            transport,
            generation,
            commands,
            dead,
            leadership: None,
            connecting: None,
            link: None,
            cursor: None,
            was_reset: false,
        };
        self.spawn(Box::pin(async move { pump.run().await }));
    }

    /// Hands effects to the pump.
    pub(super) fn queue_effects(&self, open: &Open, effects: Vec<Effect>) {
        if !effects.is_empty() {
            // Without a pump there is nobody to tell.
            let _ = open.pump.unbounded_send(Command::Effects(effects));
        }
    }

    pub(super) fn set_offline(&self, offline: bool) {
        let mut state = self.state();
        if state.offline == offline {
            return;
        }
        state.offline = offline;
        if let Ok(open) = state.open() {
            let _ = open.pump.unbounded_send(Command::Offline(offline));
            open.wake_waiters();
        }
        state.listeners.tell(&Event::Feed);
        state.listeners.all_changed();
    }
}

impl Open {
    /// Subscribes to what an entry depends on.
    pub(super) fn want(&mut self, meta: &Meta, now: Now) -> Vec<Effect> {
        if !self.has_feed {
            return Vec::new();
        }
        let log = self.feed.cursor().map(|cursor| cursor.epoch.clone());
        let since = match (&meta.position, log) {
            // Read under another log: whatever this one has said of it counts.
            (Some((epoch, _)), Some(log)) if *epoch != log => Some(Position::new(log, 0)),
            (Some((epoch, seq)), _) => Some(Position::new(epoch.clone(), *seq)),
            // It can never be verified, but a purge has to reach it.
            (None, _) => None,
        };
        let wants = meta
            .tags
            .iter()
            .map(|tag| (tag.as_ref().to_owned(), since.clone()));
        self.feed.want_all(wants, now)
    }

    /// Subscribes to what an entry that is about to be read depends on.
    pub(super) fn want_tags(
        &mut self,
        tags: &[String],
        since: Option<&Position>,
        now: Now,
    ) -> Vec<Effect> {
        if !self.has_feed {
            return Vec::new();
        }
        let wants = tags.iter().map(|tag| (tag.clone(), since.cloned()));
        self.feed.want_all(wants, now)
    }
}

impl Pump {
    async fn run(&mut self) {
        let offline = self.core.is_offline();
        let begun = self.feed(|feed, now| {
            let mut effects = feed.follow(now);
            effects.extend(feed.set_offline(offline, now));
            effects
        });
        self.perform(begun).await;
        loop {
            let woken = self.next().await;
            let effects = match woken {
                Woken::Dead => return,
                Woken::Command(command) => self.on_command(command),
                Woken::Lead(leadership) => self.on_lead(leadership).await,
                Woken::Robbed => self.on_robbed(),
                Woken::Connected(Ok((token, link))) => {
                    self.link = Some(link);
                    self.was_reset = false;
                    self.feed(|feed, now| feed.on_connected(token, now))
                }
                Woken::Connected(Err(_)) => self.feed(Feed::on_lost),
                Woken::Link(Some(LinkEvent::Frame(text))) => {
                    self.feed(|feed, now| feed.on_text(&text, now))
                }
                // A gap is a lost connection: the resume asks for what is missing.
                Woken::Link(Some(LinkEvent::Overflow) | None) => {
                    self.link = None;
                    self.feed(Feed::on_lost)
                }
                Woken::Timer => self.on_timer().await,
            };
            self.perform(effects).await;
        }
    }

    /// One step of the feed; nothing once the vault is locked.
    fn feed(&self, step: impl FnOnce(&mut Feed, Now) -> Vec<Effect>) -> Vec<Effect> {
        let now = self.core.now();
        let mut state = self.core.state();
        match state.same(self.generation) {
            Ok(open) => step(&mut open.feed, now),
            Err(_) => Vec::new(),
        }
    }

    async fn next(&mut self) -> Woken {
        let now = self.core.now();
        let due = match self.core.state().same(self.generation) {
            Ok(open) => open.feed.next_deadline(now),
            Err(_) => return Woken::Dead,
        };
        let save = self
            .cursor
            .as_ref()
            .map(|(_, at)| at.saturating_sub(now.mono_ms));
        let mut timer = due
            .into_iter()
            .chain(save)
            .min()
            .map(|ms| self.core.platform.clock.sleep(ms.max(1)));
        poll_fn(|cx| {
            if self.dead.poll_unpin(cx).is_ready() {
                return Poll::Ready(Woken::Dead);
            }
            if let Poll::Ready(Some(command)) = self.commands.poll_next_unpin(cx) {
                return Poll::Ready(Woken::Command(command));
            }
            if let Some(lead) = &mut self.lead
                && let Poll::Ready(leadership) = lead.poll_unpin(cx)
            {
                self.lead = None;
                return Poll::Ready(Woken::Lead(leadership));
            }
            if let Some(leadership) = &mut self.leadership
                && leadership.lost.poll_unpin(cx).is_ready()
            {
                return Poll::Ready(Woken::Robbed);
            }
            if let Some(connecting) = &mut self.connecting
                && let Poll::Ready(connected) = connecting.poll_unpin(cx)
            {
                self.connecting = None;
                return Poll::Ready(Woken::Connected(connected));
            }
            if let Some(link) = &mut self.link
                && let Poll::Ready(event) = link.events.poll_next_unpin(cx)
            {
                return Poll::Ready(Woken::Link(event));
            }
            if let Some(timer) = &mut timer
                && timer.poll_unpin(cx).is_ready()
            {
                return Poll::Ready(Woken::Timer);
            }
            Poll::Pending
        })
        .await
    }

    fn on_command(&mut self, command: Command) -> Vec<Effect> {
        match command {
            Command::Effects(effects) => effects,
            Command::Offline(offline) => self.feed(|feed, now| feed.set_offline(offline, now)),
            Command::Robbed => self.on_robbed(),
            Command::Relay(relay) => self.feed(|feed, now| feed.on_relay(relay, now)),
            Command::Poke => self.feed(Feed::on_timer),
        }
    }

    async fn on_timer(&mut self) -> Vec<Effect> {
        let now = self.core.now();
        if let Some((cursor, _)) = self.cursor.take_if(|(_, at)| *at <= now.mono_ms) {
            let change = Change {
                cursor: Some(cursor),
                ..Change::default()
            };
            // Saving later is harmless: an older cursor means a longer replay.
            let _ = self.core.change(self.generation, change).await;
        }
        self.feed(Feed::on_timer)
    }

    /// This tab leads: it says so in the store first, so that a robbed leader stops there.
    async fn on_lead(&mut self, leadership: Leadership) -> Vec<Effect> {
        let change = Change {
            lead: true,
            ..Change::default()
        };
        let taken = async {
            self.core.change(self.generation, change).await?;
            let ring = self.core.state().same(self.generation)?.ring.clone();
            self.core.read_control(&ring).await
        };
        match taken.await {
            Ok(Some(control)) => {
                self.leadership = Some(leadership);
                let now = self.core.now();
                let mut state = self.core.state();
                let Ok(open) = state.same(self.generation) else {
                    return Vec::new();
                };
                open.leader = true;
                let generation = control.head.leader_gen;
                open.feed
                    .lead(generation, control.head.cursor, control.topics.0, now)
            }
            // The store does not answer: the lead is given up and sought again.
            Ok(None) | Err(_) => {
                drop(leadership);
                let (tabs, clock) = (
                    self.core.platform.tabs.clone(),
                    self.core.platform.clock.clone(),
                );
                self.lead = Some(Box::pin(async move {
                    clock.sleep(1_000).await;
                    tabs.lead(false).await
                }));
                Vec::new()
            }
        }
    }

    fn on_robbed(&mut self) -> Vec<Effect> {
        if self.leadership.take().is_none() {
            return Vec::new();
        }
        self.link = None;
        self.connecting = None;
        self.cursor = None;
        self.lead = Some(self.core.platform.tabs.lead(false));
        if let Ok(open) = self.core.state().same(self.generation) {
            open.leader = false;
        }
        self.feed(Feed::follow)
    }

    async fn perform(&mut self, effects: Vec<Effect>) {
        let mut todo: VecDeque<Effect> = effects.into();
        while let Some(effect) = todo.pop_front() {
            let more = match effect {
                Effect::Send(frame) => self.send(&frame),
                Effect::Apply {
                    ticket,
                    ops,
                    at,
                    cursor,
                } => {
                    let change = self.applied(&ops, &at, cursor);
                    self.commit(ticket, change, &mut todo).await
                }
                Effect::Reset {
                    ticket,
                    scope,
                    mode,
                    upto,
                    cursor,
                    reason,
                } => {
                    let change = self.reset(&scope, mode, &upto, cursor, reason);
                    self.commit(ticket, change, &mut todo).await
                }
                Effect::Topics { ticket } => {
                    let change = Some(Change {
                        topics: true,
                        ..Change::default()
                    });
                    self.commit(ticket, change, &mut todo).await
                }
                other => self.tell(other).await,
            };
            // What an effect leads to comes before what was asked for later.
            for effect in more.into_iter().rev() {
                todo.push_front(effect);
            }
        }
    }

    async fn tell(&mut self, effect: Effect) -> Vec<Effect> {
        match effect {
            Effect::Advance(cursor) => {
                let at = self.cursor.as_ref().map_or_else(
                    || self.core.now().mono_ms.saturating_add(CURSOR_MS),
                    |(_, at)| *at,
                );
                self.cursor = Some((cursor, at));
            }
            Effect::Reload { ticket } => {
                return match self.core.look_again(self.generation).await {
                    Ok(()) => self.feed(|feed, now| feed.on_applied(ticket, now)),
                    Err(error) => {
                        self.core.report(&error);
                        self.feed(Feed::on_apply_failed)
                    }
                };
            }
            Effect::Follow { ops, at } => {
                self.preview(&ops, at.seq);
                let loaded = self.core.reload_control(self.generation).await;
                self.report(loaded);
            }
            Effect::FollowReset { .. } => {
                let loaded = self.core.reload_control(self.generation).await;
                self.report(loaded);
            }
            Effect::Relay(relay) => {
                if let Ok(open) = self.core.state().same(self.generation) {
                    self.core
                        .tell_siblings(&open.ring, &Word::Relay(relay.encode()));
                }
            }
            Effect::Connect { after_ms } => self.connecting = Some(self.connect(after_ms)),
            Effect::Disconnect => {
                self.link = None;
                self.connecting = None;
            }
            Effect::Authenticate => {
                if let Some(source) = &self.core.token
                    && let Ok(token) = source.token().await
                {
                    return self.feed(|feed, now| feed.on_token(token, now));
                }
            }
            Effect::State(feed) => {
                let mut state = self.core.state();
                if feed == FeedState::Live && self.link.is_some() && !self.was_reset {
                    state.counters.resumes += 1;
                }
                if let Ok(open) = state.same(self.generation) {
                    open.wake_waiters();
                }
                state.listeners.tell(&Event::Feed);
                state.listeners.all_changed();
            }
            Effect::Wake => {
                let mut state = self.core.state();
                if let Ok(open) = state.same(self.generation) {
                    open.wake_waiters();
                }
                state.listeners.all_changed();
            }
            Effect::Fault(kind, _) => self.core.state().listeners.tell(&Event::Fault(kind)),
            _ => {}
        }
        Vec::new()
    }

    fn report(&self, result: Result<()>) {
        if let Err(error) = result {
            self.core.report(&error);
        }
    }

    fn send(&mut self, frame: &crate::kernel::protocol::ClientFrame) -> Vec<Effect> {
        let sent = self
            .link
            .as_mut()
            .is_some_and(|link| link.frames.try_send(frame.to_text()).is_ok());
        if sent || self.link.is_none() {
            return Vec::new();
        }
        // A connection that takes nothing more is not worth keeping.
        self.link = None;
        self.feed(Feed::on_lost)
    }

    fn connect(&self, after_ms: u64) -> BoxFuture<'static, Connected> {
        let core = self.core.clone();
        let transport = self.transport.clone();
        Box::pin(async move {
            if after_ms > 0 {
                core.platform.clock.sleep(after_ms).await;
            }
            let token = match &core.token {
                Some(source) => Some(source.token().await?),
                None => None,
            };
            Ok((token, transport.connect().await?))
        })
    }

    /// Stores a change and tells the feed whether it is.
    async fn commit(
        &mut self,
        ticket: crate::kernel::invalidate::feed::Ticket,
        change: Option<Change>,
        todo: &mut VecDeque<Effect>,
    ) -> Vec<Effect> {
        let stored = match change {
            Some(change) => {
                if change.cursor.is_some() {
                    self.cursor = None;
                }
                self.core.change(self.generation, change).await
            }
            None => Err(Error::new(ErrorKind::Locked, "the vault is locked")),
        };
        match stored {
            Ok(()) => self.feed(|feed, now| feed.on_applied(ticket, now)),
            Err(error) => {
                // That another tab leads is no fault: this one hears of it next.
                if error.kind() != ErrorKind::Conflict {
                    self.core.report(&error);
                }
                // The feed lets go of everything that waited for the store.
                todo.retain(|effect| {
                    !matches!(
                        effect,
                        Effect::Apply { .. } | Effect::Reset { .. } | Effect::Topics { .. }
                    )
                });
                self.feed(Feed::on_apply_failed)
            }
        }
    }
}
