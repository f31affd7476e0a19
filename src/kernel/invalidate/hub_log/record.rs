//! One record of the log, in memory and at rest.

use super::invalidation::Checked;
use crate::{
    error::{Error, ErrorKind, Result},
    kernel::{
        invalidate::Epoch,
        protocol::{Op, OpKind, ResetMode},
    },
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The first byte of a record at rest.
const FORMAT: u8 = 1;

/// What was given up at one position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The position.
    pub seq: u64,
    /// The hub's wall clock at the append, in milliseconds; never below the record before.
    pub ts_ms: u64,
    /// Who hears of it.
    pub topics: Vec<Arc<str>>,
    /// What is given up.
    pub ops: Vec<Op>,
    /// Why.
    pub cause: Option<Arc<str>>,
    /// Whether every client hears of it.
    pub everyone: bool,
    /// The operations as they stand in a frame, encoded once for all clients.
    ops_text: Arc<str>,
}

/// The form at rest, inside the seal. The epoch is part of it, so a row of an earlier log does
/// not pass for one of this log at the same position.
#[derive(Serialize, Deserialize)]
struct AtRest<'a> {
    #[serde(borrow)]
    epoch: std::borrow::Cow<'a, str>,
    seq: u64,
    ts: u64,
    topics: Vec<Arc<str>>,
    ops: Vec<Op>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<Arc<str>>,
    #[serde(default)]
    everyone: bool,
}

impl Record {
    pub(super) fn new(seq: u64, ts_ms: u64, parts: Checked) -> Result<Self> {
        let ops_text = encode_ops(&parts.ops)?.into();
        Ok(Self {
            seq,
            ts_ms,
            topics: parts.topics.into_iter().map(Into::into).collect(),
            ops: parts.ops,
            cause: parts.cause.map(Into::into),
            everyone: parts.everyone,
            ops_text,
        })
    }

    /// The bytes to seal.
    ///
    /// # Errors
    /// [`Internal`](ErrorKind::Internal) when an operation cannot be encoded, which the checks
    /// of [`Invalidation`](super::Invalidation) rule out.
    pub fn to_bytes(&self, epoch: &Epoch) -> Result<Vec<u8>> {
        let mut bytes = vec![FORMAT];
        serde_json::to_writer(
            &mut bytes,
            &AtRest {
                epoch: epoch.as_str().into(),
                seq: self.seq,
                ts: self.ts_ms,
                topics: self.topics.clone(),
                ops: self.ops.clone(),
                cause: self.cause.clone(),
                everyone: self.everyone,
            },
        )
        .map_err(|_| Error::new(ErrorKind::Internal, "a record cannot be encoded"))?;
        Ok(bytes)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) made, for this epoch and position only.
    ///
    /// # Errors
    /// [`Incompatible`](ErrorKind::Incompatible) for a newer format,
    /// [`Tampered`](ErrorKind::Tampered) for anything else that does not belong here.
    pub fn from_bytes(bytes: &[u8], epoch: &Epoch, seq: u64) -> Result<Self> {
        let misplaced = || Error::new(ErrorKind::Tampered, "a log record does not belong here");
        let (format, json) = bytes.split_first().ok_or_else(misplaced)?;
        if *format != FORMAT {
            return Err(Error::new(
                ErrorKind::Incompatible,
                "a log record has an unknown format",
            ));
        }
        let at_rest: AtRest<'_> = serde_json::from_slice(json).map_err(|_| misplaced())?;
        if at_rest.epoch != epoch.as_str() || at_rest.seq != seq {
            return Err(misplaced());
        }
        let ops_text = encode_ops(&at_rest.ops).map_err(|_| misplaced())?.into();
        Ok(Self {
            seq,
            ts_ms: at_rest.ts,
            topics: at_rest.topics,
            ops: at_rest.ops,
            cause: at_rest.cause,
            everyone: at_rest.everyone,
            ops_text,
        })
    }

    /// The operations as JSON.
    pub(super) fn ops_text(&self) -> &str {
        &self.ops_text
    }

    /// What a client that cannot have the record itself must do instead.
    pub(super) fn severity(&self) -> ResetMode {
        self.ops
            .iter()
            .map(|op| super::coalesce::severity(op.mode))
            .max_by_key(|mode| super::coalesce::rank(*mode))
            .unwrap_or(ResetMode::Revalidate)
    }

    /// Whether an operation may be told to somebody who hears of the record through other
    /// topics: a tag that is itself a topic is told to its own subscribers only.
    pub(super) fn tells(&self, op: &Op, hears: impl Fn(&str) -> bool) -> bool {
        let own_topic = matches!(op.kind, OpKind::Tag | OpKind::All)
            && self.topics.iter().any(|topic| **topic == *op.id);
        !own_topic || hears(&op.id)
    }

    /// Memory held, roughly.
    pub(super) fn size(&self) -> usize {
        let topics: usize = self.topics.iter().map(|topic| topic.len() + 32).sum();
        128 + topics + 3 * self.ops_text.len()
    }
}

pub(super) fn encode_ops(ops: &[Op]) -> Result<String> {
    serde_json::to_string(ops)
        .map_err(|_| Error::new(ErrorKind::Internal, "operations cannot be encoded"))
}

#[cfg(test)]
mod tests {
    use super::super::Invalidation;
    use super::*;

    fn record() -> Record {
        let parts = Invalidation::tag("patient/1")
            .and_key("patient:1")
            .version(crate::kernel::invalidate::Version::N(4))
            .cause("test")
            .check()
            .expect("a valid invalidation");
        Record::new(7, 1_000, parts).expect("a record")
    }

    #[test]
    fn a_record_survives_its_form_at_rest() {
        let epoch = Epoch::from_bytes([1; 16]);
        let bytes = record().to_bytes(&epoch).expect("bytes");
        assert_eq!(Record::from_bytes(&bytes, &epoch, 7).ok(), Some(record()));
    }

    #[test]
    fn a_record_of_another_epoch_place_or_format_is_refused() {
        let epoch = Epoch::from_bytes([1; 16]);
        let mut bytes = record().to_bytes(&epoch).expect("bytes");
        let kind = |bytes: &[u8], epoch: &Epoch, seq| {
            Record::from_bytes(bytes, epoch, seq)
                .err()
                .map(|error| error.kind())
        };
        let other = Epoch::from_bytes([2; 16]);
        assert_eq!(kind(&bytes, &other, 7), Some(ErrorKind::Tampered));
        assert_eq!(kind(&bytes, &epoch, 8), Some(ErrorKind::Tampered));
        assert_eq!(kind(&[], &epoch, 7), Some(ErrorKind::Tampered));
        bytes[0] = 2;
        assert_eq!(kind(&bytes, &epoch, 7), Some(ErrorKind::Incompatible));
    }
}
