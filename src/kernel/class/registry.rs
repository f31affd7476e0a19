//! The classes that one cache knows.

use super::{
    define::{ClassDef, NAME_BYTES_MAX, TagDef, Tighten, derive},
    spec::{ClassSpec, Consistency, Evict, Offline, PartKind, Pattern, SWR_FRESH_MS_MIN},
    table::CLASSES,
};
use crate::{
    error::{Error, Result},
    kernel::{
        class::PartDef,
        id,
        key::{self, Key},
    },
};
use std::{borrow::Cow, collections::HashMap, sync::Arc};

/// Most classes of one cache, built in and own.
pub const CLASSES_MAX: usize = 1024;

/// A class of one registry: an index, cheap to copy and compare.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct ClassId(u16);

impl ClassId {
    /// The index, from 0, in the order of definition: for arrays with one slot per class.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Stands in where a key is of no registry at all.
    const NONE: Self = Self(u16::MAX);
}

/// The rules of one class, as they hold for this cache. Times are milliseconds. The fields mean
/// what those of [`ClassSpec`] mean.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "documented on ClassSpec, field by field")]
pub struct Class {
    pub id: ClassId,
    pub name: Arc<str>,
    pub title: &'static str,
    pub parts: Vec<PartDef>,
    pub fresh_ms: u64,
    pub fresh_open_range_ms: Option<u64>,
    pub keep_ms: u64,
    pub device_keep_ms: u64,
    pub pattern: Pattern,
    pub evict: Evict,
    pub consistency: Consistency,
    pub phi: bool,
    pub fhir: Vec<Cow<'static, str>>,
    pub fhir_of_value: bool,
    pub tags: Vec<TagDef>,
    pub fill_tags: &'static [&'static str],
    pub fill_tags_needed: bool,
    pub hit_target: Option<f32>,
    pub latency_target_ms: Option<u32>,
    pub load_target_per_s: Option<u32>,
    pub swr: bool,
    pub offline: Offline,
    pub signed_url: bool,
    pub negative_ms: u64,
    pub jitter_percent: u8,
    pub priority: u8,
    pub cross_tab_flight: bool,
    pub schema_version: u32,
    /// The implicit tag, `class/<name>`.
    pub class_tag: Arc<str>,
}

impl Class {
    fn new(id: ClassId, spec: &ClassSpec) -> Self {
        let parts = spec.parts.iter().map(|part| PartDef {
            name: part.name.into(),
            kind: part.kind,
            optional: part.optional,
        });
        let tags = spec.tags.iter().map(|tag| TagDef {
            kind: tag.kind.into(),
            part: tag.part,
        });
        Self {
            id,
            name: spec.name.into(),
            title: spec.title,
            parts: parts.collect(),
            fresh_ms: spec.fresh_ms,
            fresh_open_range_ms: spec.fresh_open_range_ms,
            keep_ms: spec.keep_ms,
            device_keep_ms: spec.device_keep_ms,
            pattern: spec.pattern,
            evict: spec.evict,
            consistency: spec.consistency,
            phi: spec.phi,
            fhir: spec.fhir.iter().map(|name| Cow::Borrowed(*name)).collect(),
            fhir_of_value: spec.fhir_of_value,
            tags: tags.collect(),
            fill_tags: spec.fill_tags,
            fill_tags_needed: spec.fill_tags_needed,
            hit_target: spec.hit_target,
            latency_target_ms: spec.latency_target_ms,
            load_target_per_s: spec.load_target_per_s,
            swr: spec.swr,
            offline: spec.offline,
            signed_url: spec.signed_url,
            negative_ms: spec.negative_ms,
            jitter_percent: spec.jitter_percent,
            priority: spec.priority,
            cross_tab_flight: spec.cross_tab_flight,
            schema_version: 0,
            class_tag: class_tag(spec.name),
        }
    }

    fn custom(id: ClassId, def: ClassDef) -> Self {
        let mut class = Self::new(id, &derive(&def));
        class.class_tag = class_tag(&def.name);
        class.name = def.name.into();
        class.parts = def.parts;
        class.fhir = def.fhir;
        class.tags = def.tags;
        class.schema_version = def.schema_version;
        class
    }

    /// The least and the largest number of parts of a key.
    #[must_use]
    pub fn arity(&self) -> (usize, usize) {
        let needed = self.parts.iter().filter(|part| !part.optional).count();
        (needed, self.parts.len())
    }

    /// The time to live of one key, filled at a wall time, in milliseconds: shorter where the
    /// key names a range of time that has not ended yet.
    #[must_use]
    pub fn fresh_ms_at(&self, key: &Key, wall_ms: u64) -> u64 {
        let open = |end: Cow<'_, str>| id::parse_time_ms(&end).is_ok_and(|end| end >= wall_ms);
        match self.fresh_open_range_ms {
            Some(fresh_ms) if key.parts().last().is_some_and(open) => fresh_ms.min(self.fresh_ms),
            _ => self.fresh_ms,
        }
    }

    /// Whether one key, filled at a wall time, may be answered stale while it is refreshed.
    #[must_use]
    pub fn swr_at(&self, key: &Key, wall_ms: u64) -> bool {
        self.swr && self.fresh_ms_at(key, wall_ms) >= SWR_FRESH_MS_MIN
    }

    /// Whether an entry with these tags says all that the class needs to know of it, so that a
    /// purge of its compartment finds it.
    #[must_use]
    pub fn tells_enough<T: AsRef<str>>(&self, tags: &[T]) -> bool {
        let told = |kind: &&str| {
            tags.iter().any(|tag| {
                let rest = tag.as_ref().strip_prefix(*kind);
                rest.is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
            })
        };
        !self.fill_tags_needed || self.fill_tags.iter().all(told)
    }

    fn takes(&self, parts: usize) -> bool {
        let (least, most) = self.arity();
        (least..=most).contains(&parts)
    }

    /// Checks the parts of a key, each by its kind and times against each other.
    fn check<T: AsRef<str>>(&self, parts: &[T]) -> Result<()> {
        if !self.takes(parts.len()) {
            return Err(Error::invalid("key", "has the wrong number of parts"));
        }
        let mut time = 0;
        for (part, text) in self.parts.iter().zip(parts) {
            let text = text.as_ref();
            part.kind
                .check(text)
                .map_err(|detail| invalid_part(part, detail))?;
            if part.kind == PartKind::TimeMs {
                let next = id::parse_time_ms(text).unwrap_or_default();
                if next < time {
                    return Err(invalid_part(part, "must not be before the time before it"));
                }
                time = next;
            }
        }
        Ok(())
    }

    /// How many segments a key of this class can have, names and parts together.
    fn segments(&self) -> (usize, usize) {
        let name = self.name.split(':').count();
        let (least, most) = self.arity();
        (name + least, name + most)
    }

    /// Whether some text could be a key of both classes: one name begins with the other, segment
    /// by segment, and some number of segments is possible for both.
    pub(super) fn is_ambiguous_with(&self, other: &Self) -> bool {
        let begins = self
            .name
            .split(':')
            .zip(other.name.split(':'))
            .all(|(a, b)| a == b);
        let ((a, b), (c, d)) = (self.segments(), other.segments());
        begins && a <= d && c <= b
    }
}

fn class_tag(name: &str) -> Arc<str> {
    format!("class/{name}").into()
}

/// Names of an app's own parts are not static, so they stand in the sentence: they are names of
/// the program, not data of a user.
fn invalid_part(part: &PartDef, detail: &'static str) -> Error {
    match &part.name {
        Cow::Borrowed(name) => Error::invalid(name, detail),
        Cow::Owned(name) => Error::invalid("key", format!("part `{name}` {detail}")),
    }
}

/// The classes that one cache knows: the built-in ones, maybe tightened, and the app's own.
#[derive(Clone, Debug)]
pub struct Classes {
    list: Vec<Class>,
    by_name: HashMap<Arc<str>, ClassId>,
    none: Class,
}

impl Default for Classes {
    fn default() -> Self {
        Self::builtin()
    }
}

impl Classes {
    /// The built-in classes as they stand in the table.
    #[must_use]
    pub fn builtin() -> Self {
        let mut classes = Self {
            list: Vec::with_capacity(CLASSES.len()),
            by_name: HashMap::with_capacity(CLASSES.len()),
            none: Class::new(
                ClassId::NONE,
                &ClassSpec::new("none", "no class", &[], 0, 0)
                    .strong()
                    .phi()
                    .offline(Offline::Refuse),
            ),
        };
        for spec in CLASSES {
            classes.add(|id| Class::new(id, spec));
        }
        classes
    }

    fn add(&mut self, class: impl FnOnce(ClassId) -> Class) -> ClassId {
        // `define` keeps the count under `CLASSES_MAX`, and the table is shorter.
        let id = u16::try_from(self.list.len()).map_or(ClassId::NONE, ClassId);
        let class = class(id);
        self.by_name.insert(class.name.clone(), id);
        self.list.push(class);
        id
    }

    /// Makes the rules of a class stricter.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument), field `class` for an unknown
    /// class, else the field that would be loosened; nothing has changed then.
    pub fn tighten(&mut self, name: &str, rules: &Tighten) -> Result<()> {
        let id = self.id(name)?;
        if let Some(class) = self.list.get_mut(id.index()) {
            *class = rules.apply(class)?;
        }
        Ok(())
    }

    /// Adds a class of the app's own.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) with the field of the definition
    /// that is wrong; field `name` too where a key of the class could be read as a key of
    /// another one.
    pub fn define(&mut self, def: ClassDef) -> Result<ClassId> {
        def.check()?;
        if self.list.len() >= CLASSES_MAX {
            return Err(Error::invalid(
                "name",
                "must be one of at most 1024 classes",
            ));
        }
        let class = Class::custom(ClassId::NONE, def);
        let taken = |held: &Class| held.name == class.name || held.is_ambiguous_with(&class);
        if self.list.iter().any(taken) {
            return Err(Error::invalid(
                "name",
                "must not make keys that could be those of another class",
            ));
        }
        Ok(self.add(|id| Class { id, ..class }))
    }

    /// Finds a class by name.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument), field `class`.
    pub fn id(&self, name: &str) -> Result<ClassId> {
        self.by_name
            .get(name)
            .copied()
            .ok_or_else(|| Error::invalid("class", "must be a built-in or defined class"))
    }

    /// The rules of a class. An id of another registry that means nothing here has rules that
    /// keep nothing.
    #[must_use]
    pub fn get(&self, id: ClassId) -> &Class {
        self.list.get(id.index()).unwrap_or(&self.none)
    }

    /// Every class, in the order of definition.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Class> {
        self.list.iter()
    }

    /// How many classes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Never: the built-in classes are always there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Makes a key. One allocation for keys of up to 256 bytes.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) with the part that is wrong, or
    /// field `key` where their number or their length in all is.
    pub fn key(&self, id: ClassId, parts: &[&str]) -> Result<Key> {
        let class = self.get(id);
        class.check(parts)?;
        Key::encode(id, &class.name, parts)
    }

    /// Reads a logical key, such as one that a hub sent: only the exact text that
    /// [`key`](Self::key) would make.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument), field `key` or the part's.
    pub fn parse(&self, logical: &str) -> Result<(ClassId, Vec<String>)> {
        let (class, rest) = self.split(logical)?;
        let parts = match rest {
            None => Vec::new(),
            Some(rest) => rest
                .split(':')
                .map(key::unescape)
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| Error::invalid("key", "must be escaped as `%3A` and `%25` only"))?,
        };
        class.check(&parts)?;
        let parts = parts.into_iter().map(Cow::into_owned);
        Ok((class.id, parts.collect()))
    }

    /// As [`parse`](Self::parse), as a [`Key`].
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_key(&self, logical: &str) -> Result<Key> {
        let (id, parts) = self.parse(logical)?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.key(id, &parts)
    }

    /// The class of a logical key and the text of its parts. The longest name wins, among those
    /// that can have so many parts; `define` sees to it that there is only one.
    fn split<'k>(&self, logical: &'k str) -> Result<(&Class, Option<&'k str>)> {
        let ends = logical
            .bytes()
            .enumerate()
            .take(NAME_BYTES_MAX + 1)
            .filter_map(|(at, byte)| (byte == b':').then_some(at));
        let mut splits: Vec<(&str, Option<&str>)> = ends
            .filter_map(|at| logical.split_at_checked(at))
            .map(|(name, rest)| (name, rest.strip_prefix(':')))
            .collect();
        splits.push((logical, None));
        splits
            .into_iter()
            .rev()
            .find_map(|(name, rest)| {
                let class = self.get(*self.by_name.get(name)?);
                let parts = rest.map_or(0, |rest| rest.split(':').count());
                class.takes(parts).then_some((class, rest))
            })
            .ok_or_else(|| Error::invalid("key", "must be a key of a known class"))
    }
}
