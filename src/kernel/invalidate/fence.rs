//! What was given up, at which position: decides whether a fill may stay and whether a held
//! entry still stands.
//!
//! Two counters order a fill against an invalidation. The *sequence number* of the hub's log
//! orders fills that carry a position of the same epoch. The vault's local *tick* orders
//! everything else: local invalidations, fills without a position (a lease: anything that
//! matches and arrives while the fill is under way refuses it), entries of another epoch.
//!
//! Marks are bounded: when there are too many, the holder first removes every stored row that
//! they give up and then raises the floor, below which no fill is accepted any more.

use super::{Epoch, Version};
use crate::kernel::{
    codec::{Reader, put_lp, put_u32, put_u64},
    crypto::{BlindKey, BlindMap, BlindTag},
};

/// Marks kept before the floor has to rise.
pub const MARKS_MAX: usize = 1024;

/// What an invalidation names, in blind form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// One entry.
    Key(BlindKey),
    /// Every entry with a tag.
    Tag(BlindTag),
    /// Everything.
    All,
}

/// Whether an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing has given it up.
    Stands,
    /// Given up, and may still be shown, marked, while the origin cannot be reached.
    Expired,
    /// Given up for good: it does not exist.
    Gone,
}

/// When an entry was read from its origin.
#[derive(Clone, Copy, Debug)]
pub struct Filled<'a> {
    /// The position captured before the origin was read, where the origin tells one.
    pub position: Option<(&'a Epoch, u64)>,
    /// The local tick when the fill started.
    pub tick: u64,
    /// The value's version.
    pub version: Option<&'a Version>,
}

/// The newest moments at which something was given up; 0 is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Moment {
    /// By the hub's log.
    seq: u64,
    /// By whomever.
    tick: u64,
    /// By this vault itself.
    local: u64,
}

impl Moment {
    fn covers(&self, filled: &Filled<'_>, epoch: Option<&Epoch>) -> bool {
        match filled.position {
            Some((of, seq)) if Some(of) == epoch => seq < self.seq || filled.tick < self.local,
            _ => filled.tick < self.tick,
        }
    }

    fn raise(&mut self, other: Self) {
        self.seq = self.seq.max(other.seq);
        self.tick = self.tick.max(other.tick);
        self.local = self.local.max(other.local);
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Mark {
    any: Moment,
    hard: Moment,
    /// The version that the newest key mark announced: an entry that has it already is not
    /// given up by it.
    version: Option<Version>,
}

impl Mark {
    fn verdict(&self, filled: &Filled<'_>, epoch: Option<&Epoch>) -> Verdict {
        if self.hard.covers(filled, epoch) {
            return Verdict::Gone;
        }
        let has_it =
            matches!((filled.version, &self.version), (Some(held), Some(new)) if held.covers(new));
        // A version says nothing about what this vault gave up itself.
        if self.any.covers(filled, epoch) && !(has_it && filled.tick >= self.any.local) {
            Verdict::Expired
        } else {
            Verdict::Stands
        }
    }
}

/// See the [module](self).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fence {
    epoch: Option<Epoch>,
    tick: u64,
    floor: Moment,
    all: Mark,
    keys: BlindMap<BlindKey, Mark>,
    tags: BlindMap<BlindTag, Mark>,
}

impl Fence {
    /// The local tick: captured when a fill starts.
    #[must_use]
    pub const fn tick(&self) -> u64 {
        self.tick
    }

    /// The log that sequence numbers count in.
    #[must_use]
    pub const fn epoch(&self) -> Option<&Epoch> {
        self.epoch.as_ref()
    }

    /// Gives up by this vault's own act, for good.
    pub fn give_up_local(&mut self, targets: impl IntoIterator<Item = Target>) {
        self.tick += 1;
        let moment = Moment {
            seq: 0,
            tick: self.tick,
            local: self.tick,
        };
        for target in targets {
            let mark = self.mark(target);
            mark.any.raise(moment);
            mark.hard.raise(moment);
        }
    }

    /// Gives up by the log's record `seq`; `hard` leaves nothing to show.
    pub fn give_up_at(
        &mut self,
        seq: u64,
        targets: impl IntoIterator<Item = (Target, bool, Option<Version>)>,
    ) {
        self.tick += 1;
        let moment = Moment {
            seq,
            tick: self.tick,
            local: 0,
        };
        for (target, hard, version) in targets {
            let mark = self.mark(target);
            if seq >= mark.any.seq {
                mark.version = version;
            }
            mark.any.raise(moment);
            if hard {
                mark.hard.raise(moment);
            }
        }
    }

    /// Counts marks that another tab has stored, before its row is read: as
    /// [`give_up_at`](Self::give_up_at), but the tick stays the stored one.
    pub fn preview_at(
        &mut self,
        seq: u64,
        targets: impl IntoIterator<Item = (Target, bool, Option<Version>)>,
    ) {
        let tick = self.tick;
        self.give_up_at(seq, targets);
        self.tick = tick;
    }

    /// Starts over in another log: every entry of the old one is given up, and fills from
    /// before `upto` are refused.
    pub fn enter(&mut self, epoch: Epoch, upto: u64, hard: bool) {
        self.tick += 1;
        let moment = Moment {
            seq: upto,
            tick: self.tick,
            local: 0,
        };
        // Sequence numbers of another log order nothing here; ticks go on.
        self.floor = moment;
        self.all.any.seq = 0;
        self.all.hard.seq = 0;
        self.all.any.raise(moment);
        if hard {
            self.all.hard.raise(moment);
        }
        for mark in self.keys.values_mut().chain(self.tags.values_mut()) {
            mark.any.seq = 0;
            mark.hard.seq = 0;
            mark.version = None;
        }
        self.epoch = Some(epoch);
    }

    /// Begins to follow a log while entries have no position of any log yet.
    pub fn adopt(&mut self, epoch: Epoch) {
        if self.epoch.is_none() {
            self.epoch = Some(epoch);
        }
    }

    fn mark(&mut self, target: Target) -> &mut Mark {
        match target {
            Target::Key(key) => self.keys.entry(key).or_default(),
            Target::Tag(tag) => self.tags.entry(tag).or_default(),
            Target::All => &mut self.all,
        }
    }

    fn worst(&self, key: &BlindKey, tags: &[BlindTag], of: impl Fn(&Mark) -> Verdict) -> Verdict {
        tags.iter()
            .filter_map(|tag| self.tags.get(tag))
            .chain(self.keys.get(key))
            .chain([&self.all])
            .map(of)
            .max()
            .unwrap_or(Verdict::Stands)
    }

    /// Whether a held entry still stands.
    #[must_use]
    pub fn verdict(&self, key: &BlindKey, tags: &[BlindTag], filled: &Filled<'_>) -> Verdict {
        self.worst(key, tags, |mark| mark.verdict(filled, self.epoch.as_ref()))
    }

    /// Whether a fill may be stored (protocol R3): its log is this one or it has a lease, it is
    /// not older than the floor, and nothing that covers it was given up later.
    #[must_use]
    pub fn admits(&self, key: &BlindKey, tags: &[BlindTag], filled: &Filled<'_>) -> bool {
        if let (Some((of, _)), Some(epoch)) = (filled.position, &self.epoch)
            && of != epoch
        {
            return false;
        }
        !self.floor.covers(filled, self.epoch.as_ref())
            && self.verdict(key, tags, filled) == Verdict::Stands
    }

    /// Whether the marks are too many: time to sweep and to [raise the floor](Self::raise_floor).
    #[must_use]
    pub fn is_overfull(&self) -> bool {
        self.keys.len() + self.tags.len() > MARKS_MAX
    }

    /// Whether a mark names this row: only such rows have to be looked at in a sweep.
    #[must_use]
    pub fn names(&self, key: &BlindKey, tags: &[BlindTag]) -> bool {
        self.keys.contains_key(key) || tags.iter().any(|tag| self.tags.contains_key(tag))
    }

    /// Forgets the marks of keys and tags; fills from before now are refused from now on. Every
    /// stored row that they give up must be gone before.
    pub fn raise_floor(&mut self) {
        for mark in self.keys.values().chain(self.tags.values()) {
            self.floor.raise(mark.any);
        }
        self.keys.clear();
        self.tags.clear();
    }

    /// The plain form of the control row.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + (self.keys.len() + self.tags.len()) * 96);
        out.push(1);
        put_lp(
            &mut out,
            self.epoch.as_ref().map_or("", Epoch::as_str).as_bytes(),
        );
        put_u64(&mut out, self.tick);
        put_moment(&mut out, &self.floor);
        put_mark(&mut out, &self.all);
        put_u32(&mut out, u32::try_from(self.keys.len()).unwrap_or(0));
        for (key, mark) in &self.keys {
            out.extend_from_slice(&key.0);
            put_mark(&mut out, mark);
        }
        put_u32(&mut out, u32::try_from(self.tags.len()).unwrap_or(0));
        for (tag, mark) in &self.tags {
            out.extend_from_slice(&tag.0);
            put_mark(&mut out, mark);
        }
        out
    }

    /// Reads the control row.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? != 1 {
            return None;
        }
        let epoch = match reader.str()? {
            "" => None,
            text => Some(Epoch::try_from(text.to_owned()).ok()?),
        };
        let tick = reader.u64()?;
        let floor = read_moment(&mut reader)?;
        let all = read_mark(&mut reader)?;
        let mut fence = Self {
            epoch,
            tick,
            floor,
            all,
            ..Self::default()
        };
        for _ in 0..reader.u32()? {
            let key = BlindKey(reader.array()?);
            fence.keys.insert(key, read_mark(&mut reader)?);
        }
        for _ in 0..reader.u32()? {
            let tag = BlindTag(reader.array()?);
            fence.tags.insert(tag, read_mark(&mut reader)?);
        }
        Some(fence)
    }
}

fn put_moment(out: &mut Vec<u8>, moment: &Moment) {
    put_u64(out, moment.seq);
    put_u64(out, moment.tick);
    put_u64(out, moment.local);
}

fn read_moment(reader: &mut Reader<'_>) -> Option<Moment> {
    Some(Moment {
        seq: reader.u64()?,
        tick: reader.u64()?,
        local: reader.u64()?,
    })
}

fn put_mark(out: &mut Vec<u8>, mark: &Mark) {
    put_moment(out, &mark.any);
    put_moment(out, &mark.hard);
    Version::put(mark.version.as_ref(), out);
}

fn read_mark(reader: &mut Reader<'_>) -> Option<Mark> {
    Some(Mark {
        any: read_moment(reader)?,
        hard: read_moment(reader)?,
        version: Version::read(reader)?,
    })
}

#[cfg(test)]
#[path = "fence_tests.rs"]
mod tests;
