//! The shape of a row of the class table.

use crate::{
    error::{Error, Result},
    kernel::id,
};

/// Stale-while-revalidate is for classes that stay fresh at least this long, in milliseconds.
pub const SWR_FRESH_MS_MIN: u64 = 300_000;

const DAY_MS: u64 = 86_400_000;
/// What a device keeps by default at most, in milliseconds.
pub(super) const DEVICE_KEEP_MS: u64 = 7 * DAY_MS;
/// The same for image classes, which are large to fetch and never change.
const DEVICE_KEEP_IMAGE_MS: u64 = 30 * DAY_MS;
/// How long "there is none" is remembered, in milliseconds.
const NEGATIVE_MS: u64 = 30_000;
/// By how much jitter may shorten freshness, in percent.
const JITTER_PERCENT: u8 = 10;

/// How values of a class come in and go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pattern {
    /// Read from the origin; the app writes elsewhere.
    Read,
    /// A write goes to the origin first and then into the cache.
    WriteThrough,
    /// A write is readable at once and drained to the origin later.
    WriteBehind,
    /// The value is a URL of a content delivery network.
    Cdn,
    /// Read, or computed where there is none yet.
    Compute,
}

/// What leaves first when the budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Evict {
    /// The least recently used.
    Lru,
    /// The first that came in.
    Fifo,
    /// The first that expires.
    Ttl,
}

/// What a read promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Consistency {
    /// Bounded by the time to live.
    Eventual,
    /// While connected, never older than the newest write that the feed has told of.
    Strong,
}

/// What a read answers when the origin cannot be reached; later variants promise less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Offline {
    /// The held value, marked as what it is.
    Serve,
    /// The held value, but never as current.
    ServeNotCurrent,
    /// Nothing: an old value would do harm.
    Refuse,
}

/// What a part of a key holds, and so what is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PartKind {
    /// An identifier: 1 to 256 bytes of UTF-8 without control characters.
    Id,
    /// A patient's identifier: as [`Self::Id`], and not `all`, which means everybody.
    Patient,
    /// A patient's identifier, or `all`.
    PatientOrAll,
    /// A calendar date, `2026-11-23`.
    Date,
    /// Unix milliseconds in decimal digits, at most 2^53 - 1. In one key, a later time part is
    /// never before an earlier one.
    TimeMs,
    /// A word of the app's own, such as a variant, a type or a query. Checked as [`Self::Id`],
    /// never a person.
    Word,
}

impl PartKind {
    /// The kind's name in documents and definitions.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Patient => "patient",
            Self::PatientOrAll => "patient_or_all",
            Self::Date => "date",
            Self::TimeMs => "time_ms",
            Self::Word => "word",
        }
    }

    /// Checks a part's text; `Err` says what it must be, never what it was.
    pub(crate) fn check(self, text: &str) -> Result<(), &'static str> {
        match self {
            Self::Id | Self::Word | Self::PatientOrAll => id::check_text(text),
            Self::Patient => id::check_patient(text),
            Self::Date => id::check_date(text),
            Self::TimeMs => id::parse_time_ms(text).map(drop),
        }
    }

    /// As [`Self::check`], as an error that names the field.
    pub(crate) fn parse(self, field: &'static str, text: &str) -> Result<()> {
        self.check(text)
            .map_err(|detail| Error::invalid(field, detail))
    }
}

/// One part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// Its name in errors.
    pub name: &'static str,
    /// What it holds.
    pub kind: PartKind,
    /// Whether it may be left out. Only trailing parts are optional.
    pub optional: bool,
}

impl Part {
    const fn new(name: &'static str, kind: PartKind) -> Self {
        Self {
            name,
            kind,
            optional: false,
        }
    }

    pub(super) const fn id(name: &'static str) -> Self {
        Self::new(name, PartKind::Id)
    }

    pub(super) const fn patient() -> Self {
        Self::new("patient", PartKind::Patient)
    }

    pub(super) const fn patient_or_all() -> Self {
        Self::new("patient", PartKind::PatientOrAll)
    }

    pub(super) const fn date(name: &'static str) -> Self {
        Self::new(name, PartKind::Date)
    }

    pub(super) const fn time_ms(name: &'static str) -> Self {
        Self::new(name, PartKind::TimeMs)
    }

    pub(super) const fn word(name: &'static str) -> Self {
        Self::new(name, PartKind::Word)
    }

    pub(super) const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

/// A tag that follows from a key: `kind/part`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TagRule {
    /// What stands before the slash.
    pub kind: &'static str,
    /// Which part stands after it, from 0.
    pub part: usize,
}

impl TagRule {
    pub(super) const fn new(kind: &'static str, part: usize) -> Self {
        Self { kind, part }
    }
}

/// A built-in class: one row of the table. Times are milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ClassSpec {
    /// The name, which is also the prefix of its keys.
    pub name: &'static str,
    /// What it holds, in a few words.
    pub title: &'static str,
    /// The parts of a key, in order.
    pub parts: &'static [Part],
    /// Younger than this is fresh.
    pub fresh_ms: u64,
    /// The same where the range that a key names has not ended yet, for ranges of time: the last
    /// part of the key is the range's end.
    pub fresh_open_range_ms: Option<u64>,
    /// Older than this does not exist: the ceiling of the source, which a server may use whole.
    pub keep_ms: u64,
    /// The ceiling on a device: the lower of `keep_ms` and 7 days (30 for image classes).
    pub device_keep_ms: u64,
    /// How values come in and go out.
    pub pattern: Pattern,
    /// What leaves first.
    pub evict: Evict,
    /// What a read promises.
    pub consistency: Consistency,
    /// Protected health information: sealed in memory too.
    pub phi: bool,
    /// The FHIR resource types, for scopes and audit. Empty with `fhir_of_value`.
    pub fhir: &'static [&'static str],
    /// The type is the `resourceType` of each value.
    pub fhir_of_value: bool,
    /// Tags that follow from a key.
    pub tags: &'static [TagRule],
    /// Kinds of tags that an entry has but its key does not tell: whoever fills the entry must
    /// give them, or a purge of that compartment cannot find it.
    pub fill_tags: &'static [&'static str],
    /// Whether every fill must tell them: an entry without one of them is never verified. Else
    /// they are told where they are known.
    pub fill_tags_needed: bool,
    /// The least share of reads answered without the origin that the class should reach.
    pub hit_target: Option<f32>,
    /// The latency of a hit that the class should stay under, in milliseconds.
    pub latency_target_ms: Option<u32>,
    /// Reads and writes per second that the class should bear.
    pub load_target_per_s: Option<u32>,
    /// May answer with the stale value and refresh behind it, where the entry's time to live is
    /// at least [`SWR_FRESH_MS_MIN`].
    pub swr: bool,
    /// What a read answers when the origin cannot be reached.
    pub offline: Offline,
    /// The value is a URL with a signature that ends: never handed out past its end.
    pub signed_url: bool,
    /// How long "there is none" is remembered; 0 means not at all.
    pub negative_ms: u64,
    /// By how much a time to live is shortened at most, per entry, in percent.
    pub jitter_percent: u8,
    /// Higher is evicted later.
    pub priority: u8,
    /// One fetch for all tabs, not only for all callers in a tab.
    pub cross_tab_flight: bool,
}

/// Building rows: a row states what is particular to it, the rest follows from the rules here.
impl ClassSpec {
    /// A row with a time to live in seconds and a retention in days.
    pub(super) const fn new(
        name: &'static str,
        title: &'static str,
        parts: &'static [Part],
        fresh_s: u64,
        keep_days: u64,
    ) -> Self {
        let keep_ms = keep_days * DAY_MS;
        Self {
            name,
            title,
            parts,
            fresh_ms: fresh_s * 1000,
            fresh_open_range_ms: None,
            keep_ms,
            device_keep_ms: min(keep_ms, DEVICE_KEEP_MS),
            pattern: Pattern::Read,
            evict: Evict::Lru,
            consistency: Consistency::Eventual,
            phi: false,
            fhir: &[],
            fhir_of_value: false,
            tags: &[],
            fill_tags: &[],
            fill_tags_needed: false,
            hit_target: None,
            latency_target_ms: None,
            load_target_per_s: None,
            swr: fresh_s * 1000 >= SWR_FRESH_MS_MIN,
            offline: Offline::Serve,
            signed_url: false,
            negative_ms: NEGATIVE_MS,
            jitter_percent: JITTER_PERCENT,
            priority: 0,
            cross_tab_flight: false,
        }
    }

    /// Strong classes neither answer stale, nor remember an absence, nor vary their freshness.
    pub(super) const fn strong(mut self) -> Self {
        self.consistency = Consistency::Strong;
        self.swr = false;
        self.negative_ms = 0;
        self.jitter_percent = 0;
        self
    }

    pub(super) const fn phi(mut self) -> Self {
        self.phi = true;
        self
    }

    pub(super) const fn phi_if(mut self, phi: bool) -> Self {
        self.phi = phi;
        self
    }

    pub(super) const fn pattern(mut self, pattern: Pattern) -> Self {
        self.pattern = pattern;
        self
    }

    pub(super) const fn evict(mut self, evict: Evict) -> Self {
        self.evict = evict;
        self
    }

    pub(super) const fn fhir(mut self, fhir: &'static [&'static str]) -> Self {
        self.fhir = fhir;
        self
    }

    pub(super) const fn fhir_of_value(mut self) -> Self {
        self.fhir_of_value = true;
        self
    }

    pub(super) const fn tags(mut self, tags: &'static [TagRule]) -> Self {
        self.tags = tags;
        self
    }

    pub(super) const fn needs_tags(mut self, kinds: &'static [&'static str]) -> Self {
        self.fill_tags = kinds;
        self.fill_tags_needed = true;
        self
    }

    pub(super) const fn fill_tags(mut self, kinds: &'static [&'static str]) -> Self {
        self.fill_tags = kinds;
        self
    }

    pub(super) const fn target(mut self, hit: f32, latency_ms: u32) -> Self {
        self.hit_target = Some(hit);
        self.latency_target_ms = Some(latency_ms);
        self
    }

    pub(super) const fn load(mut self, per_s: u32) -> Self {
        self.load_target_per_s = Some(per_s);
        self
    }

    pub(super) const fn offline(mut self, offline: Offline) -> Self {
        self.offline = offline;
        self
    }

    /// A URL is never shown stale, so it is never refreshed behind a stale answer either.
    pub(super) const fn signed_url(mut self) -> Self {
        self.signed_url = true;
        self.swr = false;
        self
    }

    /// A class of the app's own whose values come from a delivery network holds URLs.
    pub(super) const fn signed_url_if(self, pattern: Pattern) -> Self {
        match pattern {
            Pattern::Cdn => self.signed_url(),
            _ => self,
        }
    }

    pub(super) const fn image(mut self) -> Self {
        self.device_keep_ms = min(self.keep_ms, DEVICE_KEEP_IMAGE_MS);
        self
    }

    pub(super) const fn last_evicted(mut self) -> Self {
        self.priority = 1;
        self
    }

    pub(super) const fn one_flight(mut self) -> Self {
        self.cross_tab_flight = true;
        self
    }

    pub(super) const fn open_range(mut self, fresh_s: u64) -> Self {
        self.fresh_open_range_ms = Some(fresh_s * 1000);
        self
    }
}

const fn min(a: u64, b: u64) -> u64 {
    if a < b { a } else { b }
}
