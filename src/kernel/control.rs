//! Control rows of a vault: few, small, sealed like records under their own names.

use super::{
    codec::{Reader, put_lp, put_u32, put_u64},
    invalidate::{Epoch, Position},
};
use std::collections::BTreeMap;

/// Name of the row of [`Head`].
pub const HEAD: &[u8] = b"head";
/// Name of the row of the fence.
pub const FENCE: &[u8] = b"fence";
/// Name of the row of [`Topics`].
pub const TOPICS: &[u8] = b"topics";
/// Start of the names of key slots.
pub const SLOT_PREFIX: &[u8] = b"slot/";
/// The table that control rows are bound to.
pub const TABLE: &str = "control";

/// Generations and counters of a vault: the row that every write guards on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The last tab that leads, by number: a robbed leader finds another one here and stops.
    pub leader_gen: u64,
    /// The local tick of the fence beside it.
    pub tick: u64,
    /// Everything up to here is applied.
    pub cursor: Option<Position>,
    /// The latest time that this vault has seen, in Unix milliseconds: a clock that was set
    /// back revives nothing.
    pub clock_high: u64,
}

impl Head {
    /// The plain form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        out.push(1);
        put_u64(&mut out, self.leader_gen);
        put_u64(&mut out, self.tick);
        put_u64(&mut out, self.clock_high);
        match &self.cursor {
            None => out.push(0),
            Some(cursor) => {
                out.push(1);
                put_lp(&mut out, cursor.epoch.as_str().as_bytes());
                put_u64(&mut out, cursor.seq);
            }
        }
        out
    }

    /// Reads the plain form.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? != 1 {
            return None;
        }
        Some(Self {
            leader_gen: reader.u64()?,
            tick: reader.u64()?,
            clock_high: reader.u64()?,
            cursor: match reader.u8()? {
                0 => None,
                1 => Some(Position::new(
                    Epoch::try_from(reader.str()?.to_owned()).ok()?,
                    reader.u64()?,
                )),
                _ => return None,
            },
        })
    }
}

/// The topics of the feed and where their cover starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topics(pub BTreeMap<String, u64>);

impl Topics {
    /// The plain form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8 + self.0.len() * 48);
        out.push(1);
        put_u32(&mut out, u32::try_from(self.0.len()).unwrap_or(0));
        for (topic, from) in &self.0 {
            put_lp(&mut out, topic.as_bytes());
            put_u64(&mut out, *from);
        }
        out
    }

    /// Reads the plain form.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? != 1 {
            return None;
        }
        let mut topics = BTreeMap::new();
        for _ in 0..reader.u32()? {
            topics.insert(reader.str()?.to_owned(), reader.u64()?);
        }
        Some(Self(topics))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_survive_their_stored_form() {
        let head = Head {
            leader_gen: 3,
            tick: 4,
            cursor: Some(Position::new(Epoch::from_bytes([9; 16]), 7)),
            clock_high: 5,
        };
        assert_eq!(Head::decode(&head.encode()), Some(head));
        assert_eq!(
            Head::decode(&Head::default().encode()),
            Some(Head::default())
        );
        let topics = Topics([("patient/1".to_owned(), 4)].into());
        assert_eq!(Topics::decode(&topics.encode()), Some(topics));
    }

    #[test]
    fn cut_rows_are_malformed() {
        let bytes = Head::default().encode();
        for len in 0..bytes.len() {
            assert_eq!(Head::decode(&bytes[..len]), None);
        }
    }
}
