//! Unlocking, locking, closing: from ciphertext to an open vault and back.

use super::{
    core::{Core, Open, Phase, closed},
    event::Event,
    flight::Flights,
    keys::KeySource,
    time::TimeKeeper,
    writer::Queue,
};
use crate::{
    error::{Error, ErrorKind, Result},
    kernel::{
        control::{self, Head, Topics},
        crypto::{BlindKey, KeyRing, Secret, VaultKey},
        invalidate::{
            feed::{Feed, FeedConfig},
            fence::Fence,
        },
        slot::{self, ROUNDS_MIN, SlotHeader},
        table::Table,
    },
    platform::{Batch, Bytes, Durability, EntropyExt, GuardName, StoreError, Table as Rows},
};
use futures_channel::mpsc;
use std::sync::Arc;

/// Rows of one page of the bulk read.
const PAGE_ROWS: usize = 512;
/// Key slots looked at.
const SLOTS_MAX: usize = 64;
/// What the hub is told about the program.
const CLIENT: &str = concat!("clinicache/", env!("CARGO_PKG_VERSION"));
/// The first key generation.
const FIRST_GENERATION: u32 = 1;

/// What the control rows say.
pub(super) struct Control {
    pub(super) head: Head,
    pub(super) head_row: Option<Bytes>,
    pub(super) fence: Fence,
    pub(super) topics: Topics,
}

impl Core {
    pub(super) async fn unlock(self: &Arc<Self>, key: KeySource) -> Result<()> {
        match self.state().phase {
            Phase::Open(_) => return Ok(()),
            Phase::Closed => return Err(closed()),
            Phase::Locked => {}
        }
        let ephemeral = matches!(key, KeySource::Ephemeral);
        let (vault_key, key_gen) = match key {
            KeySource::Ephemeral => {
                // Whatever lies here was sealed under a key that is gone.
                self.store.wipe().await?;
                (
                    Secret::new(self.platform.entropy.bytes()?),
                    FIRST_GENERATION,
                )
            }
            key => self.vault_key(&key).await?,
        };
        let ring = Arc::new(KeyRing::new(&vault_key, &self.place, key_gen)?);
        drop(vault_key);
        self.begin_listening();
        let (control, cold) = self.read_or_make_control(&ring).await?;
        let (pump, commands) = mpsc::unbounded();
        let now = self.now();
        let mut open = Box::new(Open {
            table: Table::new(self.memory_bytes_max),
            fence_row_tick: control.fence.tick(),
            fence: control.fence,
            writing: Vec::new(),
            time: TimeKeeper::new(control.head.clock_high, now),
            feed: Feed::new(
                FeedConfig::new(CLIENT, self.place.device.clone(), self.seed()?),
                control.head.cursor.clone(),
                control.topics.0,
            ),
            head: control.head,
            head_row: control.head_row,
            pump,
            leader: false,
            has_feed: self.transport.is_some(),
            flights: Flights::default(),
            queue: Queue::default(),
            write_seq: 0,
            era: 0,
            waiters: Vec::new(),
            ephemeral,
            used_at: 0,
            alive: Vec::new(),
            ring,
        });
        let damaged = self.warm(&mut open.table).await?;
        open.used_at = open.time.observe(self.now());
        let generation = {
            let mut state = self.state();
            match state.phase {
                // Two unlocks at once: the first one stands.
                Phase::Open(_) => return Ok(()),
                Phase::Closed => return Err(closed()),
                Phase::Locked => {}
            }
            state.generation += 1;
            state.phase = Phase::Open(open);
            if cold {
                state.listeners.tell(&Event::ColdStart);
            }
            if damaged > 0 {
                state.listeners.tell(&Event::Tampered);
            }
            state.listeners.tell(&Event::Unlock);
            state.listeners.all_changed();
            state.generation
        };
        self.start_siblings(generation).await?;
        self.start_pump(generation, commands);
        self.start_maintenance(generation);
        self.start_auto_lock(generation);
        Ok(())
    }

    fn seed(&self) -> Result<u64> {
        self.platform.entropy.bytes().map(u64::from_le_bytes)
    }

    /// The vault key, by the slots that are there; a new vault where there are none.
    async fn vault_key(&self, key: &KeySource) -> Result<(VaultKey, u32)> {
        // Two tabs may make the same vault at once: the second finds the first one's slot.
        for _ in 0..2 {
            let rows = self.store.scan(Rows::Control, None, SLOTS_MAX).await?;
            let slots: Vec<_> = rows
                .iter()
                .filter(|(name, _)| name.starts_with(control::SLOT_PREFIX))
                .map(|(_, row)| row)
                .collect();
            if !slots.is_empty() {
                return self.open_slots(key, &slots).await;
            }
            match self.make_vault(key).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                other => return other,
            }
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "another tab is making this vault",
        ))
    }

    async fn open_slots(&self, key: &KeySource, slots: &[&Bytes]) -> Result<(VaultKey, u32)> {
        let mut last = Error::new(
            ErrorKind::WrongKey,
            "this vault cannot be opened by this kind of key",
        );
        for row in slots {
            let tried = async {
                let header = SlotHeader::parse(row)?;
                let Some(slot_key) = key.slot_key(&header, &self.platform).await? else {
                    return Ok(None);
                };
                slot::unwrap(row, &self.place, &slot_key).map(|key| Some((key, header.key_gen)))
            };
            match tried.await {
                Ok(Some(opened)) => return Ok(opened),
                Ok(None) => {}
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn make_vault(&self, key: &KeySource) -> Result<(VaultKey, u32)> {
        key.check_for_new_vault()?;
        let header = SlotHeader {
            kind: key.new_slot_kind(ROUNDS_MIN)?,
            salt: self.platform.entropy.bytes()?,
            key_gen: FIRST_GENERATION,
        };
        let slot_key = key
            .slot_key(&header, &self.platform)
            .await?
            .ok_or_else(|| Error::new(ErrorKind::Internal, "a slot of another kind"))?;
        let vault_key: VaultKey = Secret::new(self.platform.entropy.bytes()?);
        let nonce = self.platform.entropy.nonce()?;
        let row = slot::wrap(&header, &self.place, &slot_key, &vault_key, nonce)?;
        // Rows without a slot can never be opened again: a lost key leaves no wedge.
        if self.store.usage().await?.rows > 0 {
            self.store.wipe().await?;
        }
        let name = [control::SLOT_PREFIX, b"0"].concat();
        let mut batch = Batch {
            durability: Durability::Strict,
            ..Batch::new()
        };
        batch.expect(GuardName::Row, Rows::Control, name.clone(), None);
        batch.put(Rows::Control, name, row);
        self.store.commit(batch).await?;
        Ok((vault_key, FIRST_GENERATION))
    }

    /// Reads the control rows. Where they are missing or do not open, what the rows of records
    /// are worth is unknown: they go, and the vault starts anew.
    async fn read_or_make_control(&self, ring: &KeyRing) -> Result<(Control, bool)> {
        let mut cold = false;
        for _ in 0..4 {
            let found = match self.read_control(ring).await {
                Ok(found) => found,
                Err(error) if error.kind() == ErrorKind::Tampered => {
                    self.report(&error);
                    None
                }
                Err(error) => return Err(error),
            };
            if let Some(control) = found {
                return Ok((control, cold));
            }
            cold |= self.make_control(ring).await?;
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "another tab keeps changing this vault",
        ))
    }

    /// Reads and opens the control rows; `None` where there is no head.
    pub(super) async fn read_control(&self, ring: &KeyRing) -> Result<Option<Control>> {
        let names = [control::HEAD, control::FENCE, control::TOPICS].map(<[u8]>::to_vec);
        let rows = self.store.get_many(Rows::Control, &names).await?;
        let mut rows = rows.into_iter();
        let mut next = || rows.next().flatten();
        let (head_row, fence_row, topics_row) = (next(), next(), next());
        let Some(head_row) = head_row else {
            return Ok(None);
        };
        let malformed = || Error::new(ErrorKind::Tampered, "a control row is malformed");
        let open = |name: &[u8], row: &Bytes| ring.open_row(control::TABLE, name, row);
        let head = Head::decode(&open(control::HEAD, &head_row)?).ok_or_else(malformed)?;
        let fence = match fence_row {
            Some(row) => Fence::decode(&open(control::FENCE, &row)?).ok_or_else(malformed)?,
            None => return Err(malformed()),
        };
        if fence.tick() != head.tick {
            return Err(Error::new(
                ErrorKind::Tampered,
                "control rows of different times",
            ));
        }
        let topics = match topics_row {
            Some(row) => Topics::decode(&open(control::TOPICS, &row)?).ok_or_else(malformed)?,
            None => Topics::default(),
        };
        Ok(Some(Control {
            head,
            head_row: Some(head_row),
            fence,
            topics,
        }))
    }

    /// Starts the control rows anew and removes every record. Whether there were any.
    async fn make_control(&self, ring: &KeyRing) -> Result<bool> {
        let old = self.store.get(Rows::Control, control::HEAD).await?;
        let head = Head {
            clock_high: self.platform.clock.wall_ms(),
            ..Head::default()
        };
        // Relaxed: whoever finds that a power cut took these rows starts anew once more.
        let mut batch = Batch::new();
        batch.expect(GuardName::Head, Rows::Control, control::HEAD, old);
        let seal = |name: &[u8], plain: &[u8]| -> Result<Bytes> {
            let nonce = self.platform.entropy.nonce()?;
            Ok(ring.seal_row(control::TABLE, name, plain, nonce)?.into())
        };
        batch.put(
            Rows::Control,
            control::HEAD,
            seal(control::HEAD, &head.encode())?,
        );
        let fence = Fence::default();
        batch.put(
            Rows::Control,
            control::FENCE,
            seal(control::FENCE, &fence.encode())?,
        );
        batch.delete(Rows::Control, control::TOPICS);
        let mut after: Option<Vec<u8>> = None;
        let mut any = false;
        loop {
            let page = self
                .store
                .scan(Rows::Records, after.as_deref(), PAGE_ROWS)
                .await?;
            let full = page.len() == PAGE_ROWS;
            after = page.last().map(|(key, _)| key.clone());
            for (key, _) in page {
                any = true;
                batch.delete(Rows::Records, key);
            }
            if !full {
                break;
            }
        }
        match self.store.commit(batch).await {
            // Another tab was faster: its rows are read next.
            Err(StoreError::Guard { .. }) => Ok(false),
            other => other.map(|()| any).map_err(Error::from),
        }
    }

    /// The bulk read: rows go into memory as they are, up to its budget. How many were no rows.
    async fn warm(&self, table: &mut Table) -> Result<usize> {
        let mut after: Option<Vec<u8>> = None;
        let (mut damaged, mut read) = (0, 0);
        while read < self.memory_bytes_max {
            let page = self
                .store
                .scan(Rows::Records, after.as_deref(), PAGE_ROWS)
                .await?;
            let full = page.len() == PAGE_ROWS;
            after = page.last().map(|(key, _)| key.clone());
            for (key, row) in page {
                read += row.len();
                let sound = <[u8; 32]>::try_from(key.as_slice())
                    .is_ok_and(|key| table.insert(BlindKey(key), row, None, true).is_ok());
                damaged += usize::from(!sound);
            }
            if !full {
                break;
            }
        }
        Ok(damaged)
    }

    /// Locks: what was open is dropped, which zeroes its keys.
    pub(super) fn lock(&self, tell_siblings: bool) {
        let open = {
            let mut state = self.state();
            if !matches!(state.phase, Phase::Open(_)) {
                return;
            }
            state.generation += 1;
            let open = std::mem::replace(&mut state.phase, Phase::Locked);
            state.listeners.tell(&Event::Lock);
            state.listeners.all_changed();
            open
        };
        if let Phase::Open(mut open) = open {
            if tell_siblings {
                self.tell_lock(&open);
            }
            open.queue.refuse(&super::core::locked());
            open.wake_waiters();
        }
    }

    /// Locks for good and ends every stream.
    pub(super) fn end(&self) {
        self.lock(false);
        let mut state = self.state();
        if !matches!(state.phase, Phase::Closed) {
            state.phase = Phase::Closed;
            state.listeners.close();
        }
    }

    pub(super) async fn close(&self) {
        // What was queued before is stored first; a cache that is closed while it writes would
        // lose acknowledged order, never acknowledged data.
        self.drain().await;
        self.end();
        self.store.close().await;
    }
}
