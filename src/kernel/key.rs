//! Logical keys: a class and its parts, escaped.
//!
//! A key's text is the class name and the parts, joined by `:`. Inside a part `:` is `%3A` and
//! `%` is `%25`, so that two different lists of parts never make one text.

use super::{
    class::{ClassId, Classes},
    protocol::NAME_BYTES_MAX,
};
use crate::error::{Error, Result};
use std::{
    borrow::{Borrow, Cow},
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// Keys up to this length are built without a second allocation.
const STACK_BYTES: usize = 256;

/// The logical key of an entry, such as `patient:123`. Made by
/// [`Classes::key`](super::class::Classes::key). Cheap to clone. `Debug` shows the class alone.
///
/// Within one registry the text decides: it compares and hashes as its text, so that a map of
/// keys can be asked with a `&str`.
#[derive(Clone)]
pub struct Key {
    class: ClassId,
    name_bytes: u16,
    text: Arc<str>,
}

impl Key {
    /// Escapes and joins parts that were checked.
    pub(super) fn encode(class: ClassId, name: &str, parts: &[&str]) -> Result<Self> {
        let length = parts.iter().fold(name.len(), |length, part| {
            length + 1 + part.len() + 2 * part.bytes().filter(|byte| is_escaped(*byte)).count()
        });
        let too_long = || Error::invalid("key", "must be at most 2048 bytes long");
        let text = if length <= STACK_BYTES {
            let mut buffer = [0; STACK_BYTES];
            join(&mut buffer, name, parts).map(Arc::from)
        } else if length <= NAME_BYTES_MAX {
            let mut buffer = vec![0; length];
            join(&mut buffer, name, parts).map(Arc::from)
        } else {
            None
        };
        Ok(Self {
            class,
            name_bytes: u16::try_from(name.len()).map_err(|_| too_long())?,
            text: text.ok_or_else(too_long)?,
        })
    }

    /// The class.
    #[must_use]
    pub const fn class(&self) -> ClassId {
        self.class
    }

    /// The text. It may name a patient: it must not reach a log, a URL or a disk.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The parts, unescaped.
    pub fn parts(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.text
            .get(usize::from(self.name_bytes) + 1..)
            .into_iter()
            .flat_map(|rest| rest.split(':'))
            // A key holds what `encode` wrote, which always can be read back.
            .map(|part| unescape(part).unwrap_or(Cow::Borrowed(part)))
    }

    /// The tags that follow from the key, `class/<name>` among them; sorted, each once.
    #[must_use]
    pub fn tags(&self, classes: &Classes) -> Vec<String> {
        let class = classes.get(self.class);
        let parts: Vec<_> = self.parts().collect();
        let mut tags = Vec::with_capacity(class.tags.len() + 1);
        tags.push(class.class_tag.to_string());
        for rule in &class.tags {
            match parts.get(rule.part) {
                Some(part) if names_one(class.parts.get(rule.part), part) => {
                    tags.push(tag(&rule.kind, part));
                }
                _ => {}
            }
        }
        super::codec::sort_short(&mut tags);
        tags.dedup();
        tags
    }
}

/// `all` in place of a patient is nobody's compartment.
fn names_one(part: Option<&super::class::PartDef>, text: &str) -> bool {
    use super::{class::PartKind, id::ALL};
    !(text == ALL && part.is_some_and(|part| part.kind == PartKind::PatientOrAll))
}

/// A tag's text. The kind holds no slash, so the first one parts it from the rest.
#[must_use]
pub fn tag(kind: &str, id: &str) -> String {
    [kind, "/", id].concat()
}

/// Checks a tag that an app or a hub gave: `kind/id`.
///
/// # Errors
/// [`InvalidArgument`](crate::ErrorKind::InvalidArgument), field `tag`.
pub fn check_tag(text: &str) -> Result<()> {
    let (kind, id) = text
        .split_once('/')
        .ok_or_else(|| Error::invalid("tag", "must be `kind/id`"))?;
    if !super::class::is_tag_kind(kind) {
        return Err(Error::invalid(
            "tag",
            "must have a kind of 1 to 32 lower-case letters, digits, `_` and `-`",
        ));
    }
    super::id::check_text(id).map_err(|detail| Error::invalid("tag", detail))
}

const fn is_escaped(byte: u8) -> bool {
    matches!(byte, b':' | b'%')
}

/// Writes a key into a buffer; `None` where it does not fit.
fn join<'b>(buffer: &'b mut [u8], name: &str, parts: &[&str]) -> Option<&'b str> {
    let mut used = 0;
    let mut put = |bytes: &[u8]| {
        let end = used + bytes.len();
        buffer.get_mut(used..end)?.copy_from_slice(bytes);
        used = end;
        Some(())
    };
    put(name.as_bytes())?;
    for part in parts {
        put(b":")?;
        for run in part.as_bytes().split_inclusive(|byte| is_escaped(*byte)) {
            match run.split_last() {
                Some((b':', run)) => {
                    put(run)?;
                    put(b"%3A")?;
                }
                Some((b'%', run)) => {
                    put(run)?;
                    put(b"%25")?;
                }
                _ => put(run)?,
            }
        }
    }
    // Whole characters went in, and escapes replace whole characters.
    buffer
        .get(..used)
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
}

/// Reads an escaped part; `None` for any escape that [`Key::encode`] would not write.
pub(super) fn unescape(part: &str) -> Option<Cow<'_, str>> {
    if !part.contains('%') {
        return Some(Cow::Borrowed(part));
    }
    let mut text = String::with_capacity(part.len());
    let mut runs = part.split('%');
    text.push_str(runs.next()?);
    for run in runs {
        let (character, rest) = if let Some(rest) = run.strip_prefix("3A") {
            (':', rest)
        } else {
            ('%', run.strip_prefix("25")?)
        };
        text.push(character);
        text.push_str(rest);
    }
    Some(Cow::Owned(text))
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("class", &self.class)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn key(class: &str, parts: &[&str]) -> Result<Key> {
        let classes = Classes::builtin();
        classes.key(classes.id(class)?, parts)
    }

    fn tags(class: &str, parts: &[&str]) -> Result<Vec<String>> {
        Ok(key(class, parts)?.tags(&Classes::builtin()))
    }

    #[test]
    fn keys_are_written_as_documented() -> Result<()> {
        assert_eq!(key("patient", &["123"])?.as_str(), "patient:123");
        assert_eq!(key("departments:all", &[])?.as_str(), "departments:all");
        assert_eq!(
            key("medical_record", &["a:b", "Condition/9%"])?.as_str(),
            "medical_record:a%3Ab:Condition/9%25"
        );
        assert_eq!(
            key("slots:available", &["d", "2026-11-23"])?.as_str(),
            "slots:available:d:2026-11-23"
        );
        let (all, one) = (["7"].as_slice(), ["7", "Condition"].as_slice());
        assert_eq!(
            key("medical_records:list", all)?.as_str(),
            "medical_records:list:7"
        );
        assert_eq!(
            key("medical_records:list", one)?.as_str(),
            "medical_records:list:7:Condition"
        );
        Ok(())
    }

    #[test]
    fn a_wrong_part_is_named() {
        for (class, parts, field) in [
            ("patient", [""].as_slice(), "patient"),
            ("patient", &["all"], "patient"),
            ("patient", &[], "key"),
            ("patient", &["a", "b"], "key"),
            ("departments:all", &["a"], "key"),
            ("medical_record", &["a"], "key"),
            ("medical_record", &["a", "\u{9f}"], "record"),
            ("slots:available", &["d", "2026-02-30"], "date"),
            ("vitals:history", &["p", "x", "2"], "start"),
            ("vitals:history", &["p", "1", "02"], "end"),
            ("vitals:history", &["p", "2", "1"], "end"),
            ("image:url", &["i", ""], "variant"),
        ] {
            let error = key(class, parts).err();
            assert_eq!(
                error.as_ref().and_then(Error::field),
                Some(field),
                "{class}"
            );
        }
    }

    #[test]
    fn an_entry_belongs_to_its_compartments_and_its_class() -> Result<()> {
        assert_eq!(tags("patient", &["1:2"])?, ["class/patient", "patient/1:2"]);
        assert_eq!(
            tags("queue:position", &["q", "p"])?,
            ["class/queue:position", "patient/p", "queue/q"]
        );
        assert_eq!(tags("departments:all", &[])?, ["class/departments:all"]);
        assert_eq!(
            tags("alerts:active", &["7"])?,
            ["class/alerts:active", "patient/7"]
        );
        assert_eq!(tags("alerts:active", &["all"])?, ["class/alerts:active"]);
        Ok(())
    }

    #[test]
    fn a_key_never_shows_its_text() -> Result<()> {
        let key = key("patient", &["secret"])?;
        assert!(!format!("{key:?}").contains("secret"));
        Ok(())
    }

    #[test]
    fn a_map_of_keys_can_be_asked_with_a_text() -> Result<()> {
        let map = HashMap::from([(key("patient", &["1"])?, 1)]);
        assert_eq!(map.get("patient:1"), Some(&1));
        Ok(())
    }

    #[test]
    fn the_longest_ids_fit_and_what_would_not_fit_a_frame_is_refused() -> Result<()> {
        use crate::kernel::class::{ClassDef, PartDef, PartKind};
        let colons = ":".repeat(256);
        assert_eq!(
            key("medical_record", &[&colons, &colons])?.as_str().len(),
            1552
        );

        let mut classes = Classes::builtin();
        let parts = vec![PartDef::new("part", PartKind::Id); 3];
        let id = classes.define(ClassDef::new("own", parts, 1, 1))?;
        let error = classes.key(id, &[&colons, &colons, &colons]).err();
        assert_eq!(error.as_ref().and_then(Error::field), Some("key"));
        let letters = "é".repeat(128);
        assert_eq!(
            classes
                .key(id, &[&letters, &letters, &letters])?
                .as_str()
                .len(),
            774
        );
        Ok(())
    }

    #[test]
    fn tags_are_a_kind_and_an_id() {
        for good in ["patient/1", "class/patients:list", "a/b/c", "ward-3/x y"] {
            assert!(check_tag(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "patient",
            "/1",
            "patient/",
            "Patient/1",
            "a b/1",
            "a/\n",
        ] {
            assert!(check_tag(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn escapes_read_back_and_nothing_else_is_read(text in any::<String>(), odd in "[%3A25a:]{0,8}") {
            let mut buffer = vec![0; 1 + text.len() * 3];
            let escaped = join(&mut buffer, "", &[&text]).and_then(|joined| joined.strip_prefix(':'));
            let read = escaped.and_then(unescape);
            prop_assert_eq!(read.as_deref(), Some(text.as_str()));
            if let Some(read) = unescape(&odd) {
                let mut buffer = [0; 64];
                let again = join(&mut buffer, "", &[&read]);
                let again = again.map(|text| text.replacen(':', "", 1));
                prop_assert!(odd.contains(':') || again == Some(odd));
            }
        }
    }
}
