//! The frames between a client and a hub, version 1. `docs/protocol.md` is their page.
//!
//! JSON text frames over WebSocket subprotocol [`SUBPROTOCOL`]; one object each, told apart by
//! its `type`. Unknown fields are ignored; an unknown `type`, `kind` or `mode` is never: a
//! client falls back to a reset (rule R11), a hub refuses.

use super::invalidate::{Epoch, Version};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeSeq};
use std::fmt;

/// The WebSocket subprotocol's name.
pub const SUBPROTOCOL: &str = "clinicache.v1";
/// The version that `hello` and `welcome` carry.
pub const VERSION: u32 = 1;
/// Longest text frame that either side accepts, in bytes.
pub const FRAME_BYTES_MAX: usize = 1 << 20;
/// Most topics in one `sub`, `unsub` or `resume`.
pub const TOPICS_PER_FRAME_MAX: usize = 4096;
/// Longest topic, tag or key, in bytes.
pub const NAME_BYTES_MAX: usize = 2048;

/// A frame from a client to a hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClientFrame {
    /// The first frame.
    Hello {
        /// [`VERSION`].
        v: u32,
        /// The client program.
        client: String,
        /// The installation: random, per device.
        device: String,
        /// Optional abilities; none are defined yet.
        #[serde(default)]
        caps: Vec<String>,
        /// Proof of who asks, checked by the hub's policy.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
    },
    /// Adds topics to this connection.
    Sub {
        /// Echoed in the answer.
        rid: u64,
        /// What to add.
        topics: Vec<TopicSince>,
    },
    /// Removes topics.
    Unsub {
        /// Echoed in the answer.
        rid: u64,
        /// What to remove.
        topics: Vec<TopicSince>,
    },
    /// Adds topics after a reconnect and asks for what was missed since a position.
    Resume {
        /// Echoed in the answer.
        rid: u64,
        /// The log that `seq` counts in.
        epoch: Epoch,
        /// The client's cursor: everything up to it is applied.
        seq: u64,
        /// What was subscribed.
        topics: Vec<String>,
    },
    /// Tells what is applied; for metrics and proof of purges.
    Ack {
        /// The cursor.
        seq: u64,
        /// Positions of purges that are done.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        purged: Vec<u64>,
    },
    /// A new token on the open connection.
    Auth {
        /// The token.
        token: String,
    },
}

/// A topic, with the position from which the client wants its records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicSince {
    /// The topic: a tag.
    pub t: String,
    /// Entries of this topic were read at this position or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
}

/// A frame from a hub to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum HubFrame {
    /// Answers `hello`. The connection's position is `head`.
    Welcome {
        /// [`VERSION`].
        v: u32,
        /// A label of this connection.
        session: String,
        /// The log's life.
        epoch: Epoch,
        /// The newest record.
        head: u64,
        /// Records after this position can be replayed.
        floor: u64,
        /// Topics unseen since this position are known to be unchanged.
        index_floor: u64,
        /// A heartbeat comes at least this often, in milliseconds.
        hb_ms: u64,
        /// What the hub accepts.
        limits: Limits,
    },
    /// Answers `sub` and `resume`: entries of these topics filled at or after `from` are covered.
    SubOk {
        /// The request.
        rid: u64,
        /// From where the topics of the request are covered, where not said per topic.
        from: u64,
        /// Topics covered from elsewhere.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        topics: Vec<TopicFrom>,
        /// Topics that were refused.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        denied: Vec<TopicDenied>,
    },
    /// Refuses a request as a whole.
    Denied {
        /// The request.
        rid: u64,
        /// Why, as a stable word.
        code: String,
    },
    /// Every matching record in `(prev, seq]`.
    Inv {
        /// The connection's position before this frame.
        prev: u64,
        /// Its position after it.
        seq: u64,
        /// What is given up.
        ops: Vec<Op>,
    },
    /// The connection lives, and nothing that matches happened in `(prev, upto]`.
    Hb {
        /// The connection's position before this frame.
        prev: u64,
        /// Its position after it.
        upto: u64,
        /// The hub's wall clock, in milliseconds.
        t: u64,
    },
    /// Continuity is lost for some topics, or for all.
    Reset {
        /// How much.
        scope: ResetScope,
        /// What to do with entries filled before `upto`.
        mode: ResetMode,
        /// Why, as a stable word.
        reason: String,
        /// The log's life from now on.
        epoch: Epoch,
        /// Fills from before this position are refused.
        upto: u64,
    },
    /// The token ends soon.
    AuthExpiring {
        /// Seconds left.
        in_s: u64,
    },
    /// The hub closes the connection.
    GoAway {
        /// Reconnect no sooner than this, in milliseconds.
        retry_ms: u64,
        /// Why, as a stable word.
        code: String,
        /// Whether to reconnect at all.
        #[serde(default = "yes", skip_serializing_if = "is_yes")]
        reconnect: bool,
    },
}

const fn yes() -> bool {
    true
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
const fn is_yes(value: &bool) -> bool {
    *value
}

/// What a hub accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Topics of one connection.
    pub topics: usize,
    /// Bytes of one frame.
    pub frame_bytes: usize,
}

/// Where a topic's cover starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicFrom {
    /// The topic.
    pub t: String,
    /// Entries filled at or after this position are covered.
    pub from: u64,
}

/// Why a topic was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicDenied {
    /// The topic.
    pub t: String,
    /// Why, as a stable word.
    pub code: String,
}

/// How much a reset covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetScope {
    /// Everything.
    All,
    /// These topics.
    Topics(Vec<String>),
}

/// What a reset asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetMode {
    /// Entries stay readable as unverified and are fetched again.
    Revalidate,
    /// Entries go.
    Drop,
    /// Entries are erased, and that is acknowledged.
    Purge,
}

/// One thing given up: `[kind, id, mode, ver?]` on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// What `id` names.
    pub kind: OpKind,
    /// A logical key, a tag, or a topic; empty with [`OpKind::All`] for everything.
    pub id: String,
    /// What to do.
    pub mode: OpMode,
    /// The version that the change produced, where the origin tells.
    pub ver: Option<Version>,
}

/// What an operation's id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpKind {
    /// `k`: one logical key.
    Key,
    /// `t`: every entry with this tag.
    Tag,
    /// `a`: all in a topic; with an empty id, everything.
    All,
    /// A kind of a later version: reset the topic.
    Unknown,
}

/// What an operation asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpMode {
    /// `x`: expire; may still be shown, marked, when the origin cannot be reached.
    Expire,
    /// `r`: remove.
    Remove,
    /// `p`: purge: erase on every tier and acknowledge.
    Purge,
    /// `u`: a new version is available.
    Update,
    /// A mode of a later version: treated as [`OpMode::Expire`] of everything it may touch.
    Unknown,
}

impl Serialize for Op {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = match self.kind {
            OpKind::Key => "k",
            OpKind::Tag => "t",
            OpKind::All => "a",
            OpKind::Unknown => return Err(serde::ser::Error::custom("unknown kind")),
        };
        let mode = match self.mode {
            OpMode::Expire => "x",
            OpMode::Remove => "r",
            OpMode::Purge => "p",
            OpMode::Update => "u",
            OpMode::Unknown => return Err(serde::ser::Error::custom("unknown mode")),
        };
        let mut seq = serializer.serialize_seq(Some(3 + usize::from(self.ver.is_some())))?;
        seq.serialize_element(kind)?;
        seq.serialize_element(&self.id)?;
        seq.serialize_element(mode)?;
        if let Some(ver) = &self.ver {
            seq.serialize_element(ver)?;
        }
        seq.end()
    }
}

impl<'de> Deserialize<'de> for Op {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Op;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("[kind, id, mode, ver?]")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Op, A::Error> {
                let missing = |at| de::Error::invalid_length(at, &"[kind, id, mode, ver?]");
                let kind: String = seq.next_element()?.ok_or_else(|| missing(0))?;
                let id = seq.next_element()?.ok_or_else(|| missing(1))?;
                let mode: String = seq.next_element()?.ok_or_else(|| missing(2))?;
                let ver = seq.next_element()?.flatten();
                while seq.next_element::<de::IgnoredAny>()?.is_some() {}
                Ok(Op {
                    kind: match kind.as_str() {
                        "k" => OpKind::Key,
                        "t" => OpKind::Tag,
                        "a" => OpKind::All,
                        _ => OpKind::Unknown,
                    },
                    id,
                    mode: match mode.as_str() {
                        "x" => OpMode::Expire,
                        "r" => OpMode::Remove,
                        "p" => OpMode::Purge,
                        "u" => OpMode::Update,
                        _ => OpMode::Unknown,
                    },
                    ver,
                })
            }
        }
        deserializer.deserialize_seq(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_op_is_a_short_array() {
        let op = Op {
            kind: OpKind::Key,
            id: "patient:1".into(),
            mode: OpMode::Expire,
            ver: Some(Version::N(3)),
        };
        let text = serde_json::to_string(&op).unwrap_or_default();
        assert_eq!(text, r#"["k","patient:1","x",{"n":3}]"#);
        assert_eq!(serde_json::from_str::<Op>(&text).ok(), Some(op));
    }

    #[test]
    fn an_unknown_op_is_read_and_not_dropped() {
        let op = serde_json::from_str::<Op>(r#"["z","patient/1","q",null,7]"#).ok();
        assert_eq!(
            op.map(|op| (op.kind, op.mode)),
            Some((OpKind::Unknown, OpMode::Unknown))
        );
    }

    #[test]
    fn frames_say_their_type() {
        let frame = HubFrame::Hb {
            prev: 1,
            upto: 2,
            t: 3,
        };
        let text = serde_json::to_string(&frame).unwrap_or_default();
        assert_eq!(text, r#"{"type":"hb","prev":1,"upto":2,"t":3}"#);
    }
}
