//! What a change on the server makes clients give up.

use crate::{
    error::{Error, Result},
    kernel::{
        invalidate::Version,
        protocol::{NAME_BYTES_MAX, Op, OpKind, OpMode},
    },
};

/// Most operations in one record.
const OPS_MAX: usize = 256;
/// Most topics of one record.
const TOPICS_MAX: usize = 256;
/// Longest cause, in bytes.
const CAUSE_BYTES_MAX: usize = 256;
/// Longest encoded operations of one record, in bytes: a record must fit a connection's budget
/// several times over.
const OPS_BYTES_MAX: usize = 16 << 10;

/// A change to publish: what clients give up, and the topics that carry the news.
///
/// Every client that subscribed one of the topics hears of it. A tag is its own topic; a key is
/// not, so a record with a key needs [`topic`](Self::topic) for the tags of that key (all of
/// them, or those that its class names for the purpose): a client trusts an entry only while
/// it is subscribed to every tag of the entry.
///
/// ```
/// # use clinicache::kernel::{invalidate::{Version, hub_log::Invalidation}, protocol::OpMode};
/// let _ = Invalidation::tag("patient/123");
/// let _ = Invalidation::key("patient:123")
///     .version(Version::N(7))
///     .topic("patient/123")
///     .topic("class/patient");
/// let _ = Invalidation::tag("patient/123").mode(OpMode::Purge).cause("consent withdrawn");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalidation {
    ops: Vec<Op>,
    topics: Vec<String>,
    mode: OpMode,
    cause: Option<String>,
    misuse: Option<(&'static str, &'static str)>,
}

impl Invalidation {
    /// Every entry that carries a tag, such as `patient/123` or `class/doctor`.
    #[must_use]
    pub fn tag(tag: impl Into<String>) -> Self {
        Self::empty().and_tag(tag)
    }

    /// One entry by its logical key, such as `patient:123`.
    #[must_use]
    pub fn key(key: impl Into<String>) -> Self {
        Self::empty().and_key(key)
    }

    /// Everything, for every client, whatever it subscribed.
    #[must_use]
    pub fn everything() -> Self {
        let mut it = Self::empty();
        it.push(OpKind::All, String::new());
        it
    }

    /// Also every entry that carries this tag.
    #[must_use]
    pub fn and_tag(mut self, tag: impl Into<String>) -> Self {
        let tag = tag.into();
        self.push(OpKind::Tag, tag.clone());
        self.topic(tag)
    }

    /// Also one entry by its logical key.
    #[must_use]
    pub fn and_key(mut self, key: impl Into<String>) -> Self {
        self.push(OpKind::Key, key.into());
        self
    }

    /// Also tells subscribers of this topic.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        let topic = topic.into();
        if !self.topics.contains(&topic) {
            self.topics.push(topic);
        }
        self
    }

    /// What to do with all of it; [`OpMode::Expire`] unless told.
    #[must_use]
    pub const fn mode(mut self, mode: OpMode) -> Self {
        self.mode = mode;
        self
    }

    /// The version that the change gave to the key named last. A client that holds that version
    /// or a newer one keeps it.
    #[must_use]
    pub fn version(mut self, version: Version) -> Self {
        match self.ops.last_mut() {
            Some(op) if op.kind == OpKind::Key => op.ver = Some(version),
            // A tag stands for many entries, each with a version of its own.
            _ => self.misuse = Some(("version", "belongs to a key")),
        }
        self
    }

    /// A word on why, kept in the log and sent to nobody. It must hold no user data.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    const fn empty() -> Self {
        Self {
            ops: Vec::new(),
            topics: Vec::new(),
            mode: OpMode::Expire,
            cause: None,
            misuse: None,
        }
    }

    fn push(&mut self, kind: OpKind, id: String) {
        self.ops.push(Op {
            kind,
            id,
            mode: OpMode::Expire,
            ver: None,
        });
    }

    /// Checks the whole.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument), naming the part.
    pub fn check(mut self) -> Result<Checked> {
        if let Some((field, detail)) = self.misuse {
            return Err(Error::invalid(field, detail));
        }
        if self.mode == OpMode::Unknown {
            return Err(Error::invalid("mode", "cannot be sent"));
        }
        let everyone = self
            .ops
            .iter()
            .any(|op| op.kind == OpKind::All && op.id.is_empty());
        let named = |name: &String| !name.is_empty() && name.len() <= NAME_BYTES_MAX;
        if !self.topics.iter().all(named) || self.topics.len() > TOPICS_MAX {
            return Err(Error::invalid(
                "topic",
                "must be 1 to 2048 bytes long, and at most 256 in number",
            ));
        }
        if self.topics.is_empty() && !everyone {
            return Err(Error::invalid(
                "topic",
                "a key needs the topics that carry it",
            ));
        }
        let op_named = |op: &Op| named(&op.id) || (everyone && op.kind == OpKind::All);
        if self.ops.len() > OPS_MAX || !self.ops.iter().all(op_named) {
            return Err(Error::invalid(
                "ops",
                "must be named in 1 to 2048 bytes, and at most 256 in number",
            ));
        }
        if self
            .cause
            .as_ref()
            .is_some_and(|cause| cause.len() > CAUSE_BYTES_MAX)
        {
            return Err(Error::invalid("cause", "must be at most 256 bytes long"));
        }
        for op in &mut self.ops {
            op.mode = self.mode;
        }
        let text = serde_json::to_string(&self.ops)
            .map_err(|_| Error::invalid("ops", "cannot be encoded"))?;
        if text.len() > OPS_BYTES_MAX {
            return Err(Error::invalid(
                "ops",
                "take more than 16 KiB: name a tag instead",
            ));
        }
        Ok(Checked {
            everyone,
            ops: self.ops,
            topics: self.topics,
            cause: self.cause,
        })
    }
}

/// A checked invalidation, ready for the log.
#[derive(Clone, Debug)]
pub struct Checked {
    pub(super) everyone: bool,
    pub(super) ops: Vec<Op>,
    pub(super) topics: Vec<String>,
    pub(super) cause: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(it: Invalidation) -> Option<&'static str> {
        it.check().err().and_then(|error| error.field())
    }

    #[test]
    fn a_tag_is_its_own_topic() {
        let parts = Invalidation::tag("a").and_tag("b").topic("c").check().ok();
        assert_eq!(
            parts.map(|parts| parts.topics),
            Some(vec!["a".into(), "b".into(), "c".into()])
        );
    }

    #[test]
    fn a_key_that_nobody_would_hear_of_is_refused() {
        assert_eq!(field(Invalidation::key("patient:1")), Some("topic"));
        assert_eq!(
            field(Invalidation::key("patient:1").topic("patient/1")),
            None
        );
    }

    #[test]
    fn a_version_belongs_to_a_key() {
        let tagged = Invalidation::tag("a").version(Version::N(1));
        assert_eq!(field(tagged), Some("version"));
        let keyed = Invalidation::tag("a")
            .and_key("k")
            .version(Version::N(1))
            .check();
        let versions: Vec<_> = keyed
            .ok()
            .into_iter()
            .flat_map(|parts| parts.ops)
            .map(|op| op.ver)
            .collect();
        assert_eq!(versions, [None, Some(Version::N(1))]);
    }

    #[test]
    fn the_mode_is_that_of_every_operation_whenever_it_was_set() {
        let parts = Invalidation::tag("a")
            .mode(OpMode::Purge)
            .and_tag("b")
            .check();
        let modes: Vec<_> = parts
            .ok()
            .into_iter()
            .flat_map(|parts| parts.ops)
            .map(|op| op.mode)
            .collect();
        assert_eq!(modes, [OpMode::Purge, OpMode::Purge]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(field(Invalidation::tag("")), Some("topic"));
        assert_eq!(field(Invalidation::tag("x".repeat(2049))), Some("topic"));
        assert_eq!(field(Invalidation::key("").topic("t")), Some("ops"));
        let many = (0..257).fold(Invalidation::tag("t"), |it, n| it.and_key(n.to_string()));
        assert_eq!(field(many), Some("ops"));
        let long = (0..20).fold(Invalidation::tag("t"), |it, _| it.and_key("k".repeat(1024)));
        assert_eq!(field(long), Some("ops"));
        assert_eq!(
            field(Invalidation::tag("t").cause("c".repeat(257))),
            Some("cause")
        );
        assert_eq!(
            field(Invalidation::tag("t").mode(OpMode::Unknown)),
            Some("mode")
        );
        assert_eq!(field(Invalidation::everything()), None);
    }
}
