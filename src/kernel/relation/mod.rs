//! Which write gives up which entries, as data.
//!
//! A relation says, for one kind of event, which entries it replaces (the writer has their new
//! value), and which it gives up. [`gives_up`] turns an event into targets and does nothing
//! else: the flows act on them, at the writer, and a hub publishes them.
//!
//! Where an event does not tell an argument that a target needs, the target widens to its whole
//! class: giving up too much costs a fetch, giving up too little shows what is no longer true.

mod table;
#[cfg(test)]
mod tests;

use super::{
    class::{ClassId, Classes},
    id,
    key::{self, Key, tag},
    protocol::{Op, OpKind, OpMode},
};
use crate::error::{Error, Result};

pub use table::RELATIONS;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A patient's own data changed.
    PatientUpdated,
    /// A medical record was made or changed.
    RecordSaved,
    /// A medical record was deleted.
    RecordDeleted,
    /// A slot was booked, moved or cancelled. A move is two events: one for each day.
    SlotChanged,
    /// An alert was added or resolved.
    AlertChanged,
    /// Vital signs were recorded.
    VitalsRecorded,
    /// A study, its images or their processing changed.
    StudyChanged,
    /// A doctor changed.
    DoctorChanged,
    /// A department changed.
    DepartmentChanged,
    /// A piece of equipment or its status changed.
    EquipmentChanged,
    /// A device or its status changed.
    DeviceChanged,
    /// A report or its file changed.
    ReportChanged,
    /// A queue moved on.
    QueueMoved,
    /// Nobody here may see this patient any more.
    PatientRevoked,
}

/// What an event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Arg {
    /// The patient.
    Patient,
    /// The medical record, `Type/id`.
    Record,
    /// The doctor.
    Doctor,
    /// The day of the slot.
    Date,
    /// The appointment.
    Appointment,
    /// The queue that the save's answer named.
    Queue,
    /// The study.
    Study,
    /// A department; an event may tell several.
    Department,
    /// The equipment.
    Equipment,
    /// The device.
    Device,
    /// The report.
    Report,
    /// When a vital sign was measured, in Unix milliseconds.
    TimeMs,
}

impl Arg {
    /// The name in errors.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Record => "record",
            Self::Doctor => "doctor",
            Self::Date => "date",
            Self::Appointment => "appointment",
            Self::Queue => "queue",
            Self::Study => "study",
            Self::Department => "department",
            Self::Equipment => "equipment",
            Self::Device => "device",
            Self::Report => "report",
            Self::TimeMs => "time",
        }
    }
}

/// A part of a key that a relation names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyPart {
    /// What the event tells.
    Told(Arg),
    /// A fixed word.
    Word(&'static str),
}

/// What a relation names, before an event fills it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// One key of a class; one for each value where the event tells several.
    Key(&'static str, &'static [KeyPart]),
    /// Every entry of a class.
    Class(&'static str),
    /// Every entry with a tag of this kind.
    Tag(&'static str, Arg),
    /// The entries of a class that have a tag of this kind.
    Within(&'static str, &'static str, Arg),
    /// As [`Self::Within`], of those the ranges of time that hold the event's time.
    Ranges(&'static str, &'static str, Arg, Arg),
}

/// One row of the table of relations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Relation {
    /// What happened.
    pub event: EventKind,
    /// What the event must tell.
    pub needs: &'static [Arg],
    /// What the writer holds the new value of.
    pub replaces: &'static [Rule],
    /// What is given up, and how.
    pub gives_up: &'static [(Rule, OpMode)],
    /// Rules that hold only where the event tells their argument: without it there is nothing to
    /// give up, rather than everything.
    pub only_where_told: &'static [(Rule, OpMode)],
}

/// One event: its kind and what it tells. The texts are checked when the event is used.
#[derive(Clone, PartialEq, Eq)]
pub struct Event<'a> {
    kind: EventKind,
    told: Vec<(Arg, &'a str)>,
}

impl<'a> Event<'a> {
    /// An event of a kind.
    #[must_use]
    pub const fn new(kind: EventKind) -> Self {
        Self {
            kind,
            told: Vec::new(),
        }
    }

    /// Tells one more argument. Only departments may be several; of others the first counts.
    #[must_use]
    pub fn with(mut self, arg: Arg, text: &'a str) -> Self {
        self.told.push((arg, text));
        self
    }

    fn all(&self, arg: Arg) -> impl Iterator<Item = &'a str> {
        let most = if arg == Arg::Department {
            usize::MAX
        } else {
            1
        };
        self.told
            .iter()
            .filter(move |(told, _)| *told == arg)
            .map(|(_, text)| *text)
            .take(most)
    }

    fn one(&self, arg: Arg) -> Option<&'a str> {
        self.all(arg).next()
    }
}

impl std::fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Event")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Which entries.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// This one.
    Key(Key),
    /// Every one that has the tag.
    Tag(String),
    /// Every one of the class that has the tag.
    Within(ClassId, String),
    /// Every one of the class that has the tag and whose range of time holds this moment, in
    /// Unix milliseconds: the last two parts of its key are the range's first and last.
    Ranges(ClassId, String, u64),
}

impl Target {
    /// Whether an entry is meant.
    #[must_use]
    pub fn holds<T: AsRef<str>>(&self, key: &Key, tags: &[T]) -> bool {
        let tagged = |wanted: &String| tags.iter().any(|tag| tag.as_ref() == wanted);
        match self {
            Self::Key(wanted) => wanted == key,
            Self::Tag(tag) => tagged(tag),
            Self::Within(class, tag) => *class == key.class() && tagged(tag),
            Self::Ranges(class, tag, at) => {
                *class == key.class() && tagged(tag) && range_holds(key, *at)
            }
        }
    }

    /// The operation of the feed that means it. The feed knows keys and tags alone, so that a
    /// part of a compartment widens to the whole of it.
    #[must_use]
    pub fn op(&self, mode: OpMode) -> Op {
        let (kind, id) = match self {
            Self::Key(key) => (OpKind::Key, key.as_str()),
            Self::Tag(tag) | Self::Within(_, tag) | Self::Ranges(_, tag, _) => {
                (OpKind::Tag, tag.as_str())
            }
        };
        Op {
            kind,
            id: id.to_owned(),
            mode,
            ver: None,
        }
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "Key",
            Self::Tag(_) => "Tag",
            Self::Within(..) => "Within",
            Self::Ranges(..) => "Ranges",
        })
    }
}

/// A key without a range that can be read is given up rather than kept.
fn range_holds(key: &Key, at: u64) -> bool {
    let times: Vec<u64> = key
        .parts()
        .filter_map(|part| id::parse_time_ms(&part).ok())
        .collect();
    match *times.as_slice() {
        [.., start, end] => (start..=end).contains(&at),
        _ => true,
    }
}

/// Entries that an event gives up, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GiveUp {
    /// Which.
    pub target: Target,
    /// How: expire, remove or purge.
    pub mode: OpMode,
}

/// What an event gives up at the writer: everything related but the entries that it
/// [`replaces`].
///
/// # Errors
/// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) with the argument that is missing or
/// wrong.
pub fn gives_up(classes: &Classes, event: &Event<'_>) -> Result<Vec<GiveUp>> {
    let relation = relation(event)?;
    let mut list = Vec::new();
    for (rule, mode) in relation.gives_up {
        fill_in(classes, event, rule, *mode, true, &mut list)?;
    }
    for (rule, mode) in relation.only_where_told {
        fill_in(classes, event, rule, *mode, false, &mut list)?;
    }
    Ok(list)
}

/// The keys that an event replaces at the writer. Everywhere else they are given up with the
/// rest.
///
/// # Errors
/// As [`gives_up`].
pub fn replaces(classes: &Classes, event: &Event<'_>) -> Result<Vec<Key>> {
    let mut list = Vec::new();
    for rule in relation(event)?.replaces {
        fill_in(classes, event, rule, OpMode::Update, true, &mut list)?;
    }
    let keys = list.into_iter().filter_map(|given| match given.target {
        Target::Key(key) => Some(key),
        _ => None,
    });
    Ok(keys.collect())
}

/// The row of an event that tells what it must.
fn relation(event: &Event<'_>) -> Result<&'static Relation> {
    let relation = RELATIONS
        .iter()
        .find(|relation| relation.event == event.kind)
        .ok_or_else(|| Error::new(crate::ErrorKind::Internal, "an event without a relation"))?;
    match relation.needs.iter().find(|arg| event.one(**arg).is_none()) {
        Some(arg) => Err(Error::invalid(arg.name(), "must be told by this event")),
        None => Ok(relation),
    }
}

/// Adds what a rule means for an event. `widen`: to the class, where something is not told.
fn fill_in(
    classes: &Classes,
    event: &Event<'_>,
    rule: &Rule,
    mode: OpMode,
    widen: bool,
    list: &mut Vec<GiveUp>,
) -> Result<()> {
    let mut add = |target| list.push(GiveUp { target, mode });
    match *rule {
        Rule::Key(name, parts) => {
            let id = classes.id(name)?;
            let told = tuples(event, parts);
            if told.is_empty() && widen {
                add(Target::Tag(classes.get(id).class_tag.to_string()));
            }
            for parts in told {
                add(Target::Key(classes.key(id, &parts)?));
            }
        }
        Rule::Class(name) => {
            let class = classes.get(classes.id(name)?);
            add(Target::Tag(class.class_tag.to_string()));
        }
        Rule::Tag(kind, arg) => {
            if let Some(tag) = checked_tag(event, kind, arg)? {
                add(Target::Tag(tag));
            }
        }
        Rule::Within(name, kind, arg) => {
            if let Some(tag) = checked_tag(event, kind, arg)? {
                add(Target::Within(classes.id(name)?, tag));
            }
        }
        Rule::Ranges(name, kind, arg, time) => {
            if let Some(tag) = checked_tag(event, kind, arg)? {
                let id = classes.id(name)?;
                add(match event.one(time) {
                    None => Target::Within(id, tag),
                    Some(text) => {
                        let at = id::parse_time_ms(text)
                            .map_err(|detail| Error::invalid(time.name(), detail))?;
                        Target::Ranges(id, tag, at)
                    }
                });
            }
        }
    }
    Ok(())
}

/// Every list of parts that an event tells for a key: none where an argument is missing, several
/// where one has several values.
fn tuples<'a>(event: &Event<'a>, parts: &[KeyPart]) -> Vec<Vec<&'a str>> {
    let mut lists = vec![Vec::with_capacity(parts.len())];
    for part in parts {
        let values: Vec<&str> = match part {
            KeyPart::Told(arg) => event.all(*arg).collect(),
            KeyPart::Word(word) => vec![*word],
        };
        lists = lists
            .iter()
            .flat_map(|list: &Vec<&str>| {
                values.iter().map(|value| {
                    let mut list = list.clone();
                    list.push(*value);
                    list
                })
            })
            .collect();
    }
    lists
}

fn checked_tag(event: &Event<'_>, kind: &str, arg: Arg) -> Result<Option<String>> {
    let Some(text) = event.one(arg) else {
        return Ok(None);
    };
    let check = match arg {
        Arg::Patient => id::check_patient(text),
        _ => id::check_text(text),
    };
    check.map_err(|detail| Error::invalid(arg.name(), detail))?;
    let tag = tag(kind, text);
    key::check_tag(&tag)?;
    Ok(Some(tag))
}
