//! The other tabs of the vault: what they are told and what they tell.
//!
//! A message is a hint where to look, never the truth: the truth is in the store. A tab that
//! missed messages drops its memory tier and reads the control rows again.

use super::core::{Core, Open, Phase};
use crate::{
    error::Result,
    kernel::{
        codec::Reader,
        crypto::{BlindKey, KeyRing},
        invalidate::feed::Relay,
    },
    platform::{EntropyExt, TabEvent},
};
use futures_util::StreamExt;
use std::sync::Arc;

/// The name that messages are bound to.
const CHANNEL: &str = "siblings";

/// What one tab tells the others. Sealed on the way.
pub(super) enum Word {
    /// These rows of the store are new.
    Changed(Vec<BlindKey>),
    /// The control rows are new.
    Control,
    /// Lock.
    Lock,
    /// A message of the feed.
    Relay(Vec<u8>),
}

impl Word {
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Changed(keys) => {
                let mut out = Vec::with_capacity(1 + keys.len() * 32);
                out.push(1);
                for key in keys {
                    out.extend_from_slice(&key.0);
                }
                out
            }
            Self::Control => vec![2],
            Self::Lock => vec![3],
            Self::Relay(bytes) => [&[4], &bytes[..]].concat(),
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        Some(match reader.u8()? {
            1 => {
                let (keys, rest) = reader.rest().as_chunks::<32>();
                if !rest.is_empty() {
                    return None;
                }
                Self::Changed(keys.iter().copied().map(BlindKey).collect())
            }
            2 => Self::Control,
            3 => Self::Lock,
            4 => Self::Relay(reader.rest().to_vec()),
            _ => return None,
        })
    }
}

impl Core {
    /// Tells the other tabs. A message that cannot be sealed is not sent: they find out at their
    /// next write or resume.
    pub(super) fn tell_siblings(&self, ring: &KeyRing, word: &Word) {
        let sealed = self
            .platform
            .entropy
            .nonce()
            .and_then(|nonce| ring.seal_row(CHANNEL, b"", &word.encode(), nonce));
        if let Ok(sealed) = sealed {
            self.platform.tabs.post(&sealed);
        }
    }

    pub(super) fn tell_lock(&self, open: &Open) {
        self.tell_siblings(&open.ring, &Word::Lock);
    }

    /// Listens for as long as the cache lives.
    pub(super) fn listen_to_siblings(self: &Arc<Self>) {
        let mut events = self.platform.tabs.events();
        let core = Arc::downgrade(self);
        self.spawn(Box::pin(async move {
            while let Some(event) = events.next().await {
                let Some(core) = core.upgrade() else {
                    return;
                };
                if matches!(core.state().phase, Phase::Closed) {
                    return;
                }
                core.on_sibling(event).await;
            }
        }));
    }

    /// An unlock is about to read the store: from now on, what is told counts as missed.
    pub(super) fn begin_listening(&self) {
        self.state().missed = false;
    }

    /// Catches up with what was told while the vault was being opened.
    pub(super) async fn start_siblings(&self, generation: u64) -> Result<()> {
        if std::mem::take(&mut self.state().missed) {
            self.look_again(generation).await?;
        }
        Ok(())
    }

    async fn on_sibling(self: &Arc<Self>, event: TabEvent) {
        let (generation, ring) = {
            let mut state = self.state();
            let generation = state.generation;
            let Ok(open) = state.open() else {
                state.missed = true;
                return;
            };
            (generation, open.ring.clone())
        };
        let heard = match event {
            TabEvent::Message(sealed) => match ring.open_row(CHANNEL, b"", &sealed) {
                // Another vault key's message, or garbage: nothing that concerns this vault.
                Err(_) => return,
                Ok(plain) => Word::decode(&plain),
            },
            TabEvent::Lagged | TabEvent::Resumed => None,
        };
        let result = match heard {
            Some(Word::Changed(keys)) => {
                let mut state = self.state();
                if let Ok(open) = state.same(generation) {
                    for key in &keys {
                        open.table.unload(key);
                    }
                }
                state.listeners.changed(&keys);
                Ok(())
            }
            Some(Word::Control) => self.reload_control(generation).await,
            Some(Word::Lock) => {
                self.lock(false);
                Ok(())
            }
            Some(Word::Relay(bytes)) => {
                if let (Some(relay), Ok(open)) =
                    (Relay::decode(&bytes), self.state().same(generation))
                {
                    // The pump ends with the vault.
                    let _ = open.pump.unbounded_send(super::pump::Command::Relay(relay));
                }
                Ok(())
            }
            None => {
                if let Ok(open) = self.state().same(generation) {
                    let _ = open.pump.unbounded_send(super::pump::Command::Poke);
                }
                self.look_again(generation).await
            }
        };
        if let Err(error) = result {
            self.report(&error);
        }
    }

    /// Trusts nothing in memory: reads the control rows again and drops every row.
    pub(super) async fn look_again(&self, generation: u64) -> Result<()> {
        self.state().same(generation)?.table.unload_all();
        self.reload_control(generation).await
    }
}
