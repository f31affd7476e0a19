//! Positions in a hub's log.

use crate::{
    error::{Error, Result},
    kernel::codec::{Reader, put_lp, put_u64},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, sync::Arc};

/// The largest sequence number: positions travel as JSON numbers.
pub const SEQ_MAX: u64 = (1 << 53) - 1;

/// The life of a log, compared only for equality: new whenever continuity cannot be proven.
/// 32 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Epoch(Arc<str>);

impl Epoch {
    /// A label from 16 random bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        use fmt::Write as _;
        let mut text = String::with_capacity(32);
        for byte in bytes {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text.into())
    }

    /// The label's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Epoch {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == 32 && text.bytes().all(hex) {
            Ok(Self(text.into()))
        } else {
            Err(Error::invalid(
                "epoch",
                "must be 32 lower-case hexadecimal digits",
            ))
        }
    }
}

impl From<Epoch> for String {
    fn from(epoch: Epoch) -> Self {
        epoch.0.as_ref().to_owned()
    }
}

/// A place in a hub's log. Written `epoch.seq`, as in the `Clinicache-Position` header.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The log's life.
    pub epoch: Epoch,
    /// Records up to and including this one.
    pub seq: u64,
}

impl Position {
    /// The HTTP header that carries a position.
    pub const HEADER: &'static str = "Clinicache-Position";
    /// The HTTP request header of a read that must not see less (protocol R4).
    pub const MIN_HEADER: &'static str = "Clinicache-Min-Position";

    /// A position.
    #[must_use]
    pub const fn new(epoch: Epoch, seq: u64) -> Self {
        Self { epoch, seq }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch.as_str(), self.seq)
    }
}

impl FromStr for Position {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::invalid("position", "must be `epoch.seq`");
        let (epoch, seq) = text.split_once('.').ok_or_else(bad)?;
        if seq.is_empty() || !seq.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad());
        }
        let seq = seq
            .parse()
            .ok()
            .filter(|seq| *seq <= SEQ_MAX)
            .ok_or_else(bad)?;
        Ok(Self {
            epoch: Epoch::try_from(epoch.to_owned()).map_err(|_| bad())?,
            seq,
        })
    }
}

/// What an origin says about a value's version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    /// A number that grows with every change.
    N(u64),
    /// An opaque label: equal means the same value, different means an unknown order.
    Tag(Arc<str>),
}

impl Version {
    /// Appends the stored form of a version or of none.
    pub(crate) fn put(version: Option<&Self>, out: &mut Vec<u8>) {
        match version {
            None => out.push(0),
            Some(Self::N(n)) => {
                out.push(1);
                put_u64(out, *n);
            }
            Some(Self::Tag(tag)) => {
                out.push(2);
                put_lp(out, tag.as_bytes());
            }
        }
    }

    /// Reads what [`put`](Self::put) wrote; the outer `None` means malformed.
    #[expect(clippy::option_option, reason = "malformed and absent are different")]
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Option<Self>> {
        Some(match reader.u8()? {
            0 => None,
            1 => Some(Self::N(reader.u64()?)),
            2 => Some(Self::Tag(reader.str()?.into())),
            _ => return None,
        })
    }

    /// Whether `self` is known to be older than `held`.
    #[must_use]
    pub fn is_older_than(&self, held: &Self) -> bool {
        matches!((self, held), (Self::N(new), Self::N(held)) if new < held)
    }

    /// Whether a value of version `self` already contains the change that announced `announced`
    /// (protocol R7).
    #[must_use]
    pub fn covers(&self, announced: &Self) -> bool {
        match (self, announced) {
            (Self::N(held), Self::N(new)) => held >= new,
            (held, new) => held == new,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_its_text_form() {
        let position = Position::new(Epoch::from_bytes([0xab; 16]), 42);
        assert_eq!(
            position.to_string().parse::<Position>().ok(),
            Some(position)
        );
    }

    #[test]
    fn malformed_positions_are_refused() {
        let epoch = "ab".repeat(16);
        for text in [
            String::new(),
            "1".into(),
            format!("{epoch}."),
            format!("{epoch}.-1"),
            format!("{epoch}.+1"),
            format!("{epoch}.9007199254740992"),
            format!("{}.1", epoch.to_uppercase()),
        ] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }

    #[test]
    fn labels_are_never_older_and_numbers_are() {
        let (a, b) = (Version::Tag("a".into()), Version::Tag("b".into()));
        assert!(!a.is_older_than(&b) && !b.is_older_than(&a));
        assert!(Version::N(1).is_older_than(&Version::N(2)));
        assert!(Version::N(2).covers(&Version::N(2)) && !Version::N(1).covers(&Version::N(2)));
        assert!(a.covers(&a) && !a.covers(&b));
    }
}
