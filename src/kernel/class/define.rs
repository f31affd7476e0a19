//! What an app says about classes: tighter numbers for the built-in ones, and its own.
//!
//! Errors name fields as the TypeScript package does, like those of the other options.

use super::{
    registry::Class,
    spec::{Consistency, Evict, Offline, PartKind, Pattern, SWR_FRESH_MS_MIN},
};
use crate::{
    error::{Error, Result},
    kernel::{class::ClassSpec, id::TIME_MS_MAX},
};
use std::borrow::Cow;

/// Longest class name, in bytes.
pub(super) const NAME_BYTES_MAX: usize = 64;
/// Longest name of a part or kind of a tag, in bytes.
const WORD_BYTES_MAX: usize = 32;
/// Most parts of a key.
const PARTS_MAX: usize = 8;
/// Most tags of an entry, so that a FHIR subscription can carry them (RFC 9875's bound too).
const TAGS_MAX: usize = 32;

/// Stricter rules for a class. `None` leaves a rule as it is; a looser value is an error, so
/// that a mistake cannot keep data for longer than the table allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tighten {
    /// Shorter time to live, in milliseconds. 0: never fresh.
    pub fresh_ms: Option<u64>,
    /// Shorter retention, in milliseconds, at least 1; on a device and elsewhere. Where it is
    /// shorter than the time to live, the entry is gone before it is stale.
    pub keep_ms: Option<u64>,
    /// A rule for offline reads that promises less.
    pub offline: Option<Offline>,
    /// [`Consistency::Strong`] for an eventual class.
    pub consistency: Option<Consistency>,
    /// `true`: protected health information, sealed in memory too.
    pub phi: Option<bool>,
    /// `false`: no stale answers while refreshing.
    pub swr: Option<bool>,
    /// Remember "there is none" for less long, in milliseconds.
    pub negative_ms: Option<u64>,
    /// The version of the value's shape: an entry of another version is a miss. Neither tighter
    /// nor looser, so any value is accepted.
    pub schema_version: Option<u32>,
}

impl Tighten {
    /// The tightened class, or the field that would be loosened.
    pub(super) fn apply(&self, class: &Class) -> Result<Class> {
        const LOOSER: &str = "may only be tightened";
        let mut next = class.clone();
        if let Some(keep_ms) = self.keep_ms {
            if keep_ms == 0 {
                return Err(Error::invalid("keepMs", "must be at least 1"));
            }
            next.keep_ms = shorter("keepMs", class.keep_ms, keep_ms)?;
            next.device_keep_ms = class.device_keep_ms.min(keep_ms);
        }
        if let Some(fresh_ms) = self.fresh_ms {
            next.fresh_ms = shorter("ttlMs", class.fresh_ms, fresh_ms)?;
        }
        next.fresh_ms = next.fresh_ms.min(next.keep_ms);
        next.fresh_open_range_ms = class.fresh_open_range_ms.map(|ms| ms.min(next.fresh_ms));
        if let Some(negative_ms) = self.negative_ms {
            next.negative_ms = shorter("negativeMs", class.negative_ms, negative_ms)?;
        }
        if let Some(offline) = self.offline {
            if offline < class.offline {
                return Err(Error::invalid("offline", LOOSER));
            }
            next.offline = offline;
        }
        match self.consistency {
            Some(consistency) if consistency < class.consistency => {
                return Err(Error::invalid("consistency", LOOSER));
            }
            Some(Consistency::Strong) => {
                next.consistency = Consistency::Strong;
                next.jitter_percent = 0;
                next.negative_ms = 0;
                next.swr = false;
            }
            _ => {}
        }
        if let Some(phi) = self.phi {
            if class.phi && !phi {
                return Err(Error::invalid("phi", LOOSER));
            }
            next.phi = phi;
        }
        if let Some(swr) = self.swr {
            if swr && !next.swr {
                return Err(Error::invalid("swr", LOOSER));
            }
            next.swr = swr;
        }
        next.swr &= next.fresh_ms >= SWR_FRESH_MS_MIN;
        next.schema_version = self.schema_version.unwrap_or(class.schema_version);
        Ok(next)
    }
}

fn shorter(field: &'static str, now: u64, wanted: u64) -> Result<u64> {
    if wanted > now {
        return Err(Error::invalid(field, "may only be tightened"));
    }
    Ok(wanted)
}

/// One part of the keys of an app's own class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartDef {
    /// Its name, for errors: 1 to 32 letters, digits and `_`, beginning with a letter.
    pub name: Cow<'static, str>,
    /// What it holds.
    pub kind: PartKind,
    /// Whether it may be left out. Only trailing parts may.
    pub optional: bool,
}

impl PartDef {
    /// A part that must be there.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, kind: PartKind) -> Self {
        Self {
            name: name.into(),
            kind,
            optional: false,
        }
    }
}

/// A tag that follows from a key: `kind/part`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagDef {
    /// What stands before the slash: 1 to 32 lower-case letters, digits, `_` and `-`; not
    /// `class`, which every entry has by itself.
    pub kind: Cow<'static, str>,
    /// Which part stands after it, from 0. Not an optional one.
    pub part: usize,
}

/// A class of the app's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassDef {
    /// The name, which is also the prefix of its keys: 1 to 64 lower-case letters, digits, `_`
    /// and `-`, in segments parted by `:`. No key of it may look like a key of another class.
    pub name: String,
    /// The parts of a key, at most 8.
    pub parts: Vec<PartDef>,
    /// Younger than this is fresh, in milliseconds.
    pub fresh_ms: u64,
    /// Older than this does not exist, in milliseconds. A device keeps at most 7 days of it.
    pub keep_ms: u64,
    /// How values come in and go out. Default: [`Pattern::Read`].
    pub pattern: Pattern,
    /// What leaves first. Default: [`Evict::Lru`].
    pub evict: Evict,
    /// What a read promises. Default: [`Consistency::Eventual`].
    pub consistency: Consistency,
    /// Protected health information. Default: `true`.
    pub phi: bool,
    /// The FHIR resource types, for scopes and audit. Default: none.
    pub fhir: Vec<Cow<'static, str>>,
    /// Tags that follow from a key. Default: none.
    pub tags: Vec<TagDef>,
    /// What a read answers when the origin cannot be reached. Default: [`Offline::Serve`].
    pub offline: Offline,
    /// The version of the value's shape. Default: 0.
    pub schema_version: u32,
}

impl ClassDef {
    /// A class with the defaults.
    #[must_use]
    pub fn new(name: impl Into<String>, parts: Vec<PartDef>, fresh_ms: u64, keep_ms: u64) -> Self {
        Self {
            name: name.into(),
            parts,
            fresh_ms,
            keep_ms,
            pattern: Pattern::Read,
            evict: Evict::Lru,
            consistency: Consistency::Eventual,
            phi: true,
            fhir: Vec::new(),
            tags: Vec::new(),
            offline: Offline::Serve,
            schema_version: 0,
        }
    }

    /// Everything that can be said about a definition by itself.
    pub(super) fn check(&self) -> Result<()> {
        let segment = |segment: &str| !segment.is_empty() && segment.bytes().all(is_name_byte);
        if self.name.len() > NAME_BYTES_MAX || !self.name.split(':').all(segment) {
            return Err(Error::invalid(
                "name",
                "must be 1 to 64 lower-case letters, digits, `_` and `-`, in segments parted by `:`",
            ));
        }
        if self.keep_ms == 0 || self.keep_ms > TIME_MS_MAX {
            return Err(Error::invalid("keepMs", "must be 1 to 2^53 - 1"));
        }
        if self.fresh_ms > self.keep_ms {
            return Err(Error::invalid("ttlMs", "must be at most keepMs"));
        }
        self.check_parts()?;
        self.check_tags()?;
        let resource = |name: &str| {
            (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphabetic())
        };
        if self.fhir.len() > TAGS_MAX || !self.fhir.iter().all(|name| resource(name)) {
            return Err(Error::invalid("fhir", "must be names of FHIR resources"));
        }
        Ok(())
    }

    fn check_parts(&self) -> Result<()> {
        if self.parts.len() > PARTS_MAX {
            return Err(Error::invalid("parts", "must be at most 8"));
        }
        let named = |name: &str| {
            (1..=WORD_BYTES_MAX).contains(&name.len())
                && name.starts_with(|first: char| first.is_ascii_alphabetic())
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if !self.parts.iter().all(|part| named(&part.name)) {
            return Err(Error::invalid(
                "parts",
                "must be named by 1 to 32 letters, digits and `_`, beginning with a letter",
            ));
        }
        if self.parts.is_sorted_by_key(|part| part.optional) {
            Ok(())
        } else {
            Err(Error::invalid("parts", "may be optional only at the end"))
        }
    }

    fn check_tags(&self) -> Result<()> {
        // One place is for the class's own tag.
        if self.tags.len() >= TAGS_MAX {
            return Err(Error::invalid("tags", "must be at most 31"));
        }
        for tag in &self.tags {
            if !is_tag_kind(&tag.kind) || tag.kind == "class" {
                return Err(Error::invalid(
                    "tags",
                    "must have a kind of 1 to 32 lower-case letters, digits, `_` and `-`, not `class`",
                ));
            }
            if self.parts.get(tag.part).is_none_or(|part| part.optional) {
                return Err(Error::invalid(
                    "tags",
                    "must point at a part that is always there",
                ));
            }
        }
        Ok(())
    }
}

pub(super) const fn is_name_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-')
}

/// Whether a text can stand before the slash of a tag.
pub(crate) fn is_tag_kind(kind: &str) -> bool {
    (1..=WORD_BYTES_MAX).contains(&kind.len()) && kind.bytes().all(is_name_byte)
}

/// What follows from a definition's choices, by the rules that the built-in rows follow.
pub(super) fn derive(def: &ClassDef) -> ClassSpec {
    let mut spec = ClassSpec::new("", "", &[], 0, 0);
    spec.fresh_ms = def.fresh_ms;
    spec.keep_ms = def.keep_ms;
    spec.device_keep_ms = def.keep_ms.min(super::spec::DEVICE_KEEP_MS);
    spec.swr = def.fresh_ms >= SWR_FRESH_MS_MIN;
    match def.consistency {
        Consistency::Strong => spec.strong(),
        Consistency::Eventual => spec,
    }
    .pattern(def.pattern)
    .evict(def.evict)
    .offline(def.offline)
    .phi_if(def.phi)
    .signed_url_if(def.pattern)
}
