//! What one client may see of a stretch of the log.

use super::{
    coalesce::{coalesce, rank},
    index::TopicHash,
    log::Log,
    record::{Record, encode_ops},
};
use crate::kernel::protocol::{FRAME_BYTES_MAX, HubFrame, Op, ResetMode, ResetScope};
use std::{borrow::Cow, sync::Arc};

/// Records looked at for one replay; a longer stretch goes by the index.
const SCAN_MAX: u64 = 50_000;
/// Operations united at most, before the index takes over.
const UNION_MAX: usize = 10_000;
/// Bytes of topic names in one reset frame: JSON escapes may double them.
const RESET_BYTES_MAX: usize = FRAME_BYTES_MAX / 8;
/// Topics of one reset frame.
const RESET_TOPICS_MAX: usize = 4096;

/// The operations of a record for somebody, encoded; `None` when nothing is for them.
pub(super) fn visible<'a>(
    record: &'a Record,
    hears: impl Fn(&str) -> bool,
) -> Option<Cow<'a, str>> {
    if !record.everyone && !record.topics.iter().any(|topic| hears(topic)) {
        return None;
    }
    let told = |op: &&Op| record.tells(op, &hears);
    let count = record.ops.iter().filter(told).count();
    if count == record.ops.len() {
        return Some(record.ops_text().into());
    }
    let ops: Vec<Op> = record.ops.iter().filter(told).cloned().collect();
    if ops.is_empty() {
        return None;
    }
    encode_ops(&ops).ok().map(Cow::Owned)
}

/// A stretch of the log, cut to a budget.
pub(super) enum Replay {
    /// Frames' worth of operations, each with its position.
    Records(Vec<(u64, String)>),
    /// Too much: go by the index.
    TooMuch,
}

/// Everything in `(from, to]` that somebody hears, within `budget` bytes: as records, else
/// united into one, else not at all.
pub(super) fn replay(
    log: &Log,
    from: u64,
    to: u64,
    budget: usize,
    hears: impl Fn(&Record, &str) -> bool,
) -> Replay {
    if to.saturating_sub(from) > SCAN_MAX {
        return Replay::TooMuch;
    }
    let mut found: Vec<(u64, Cow<'_, str>)> = Vec::new();
    let mut bytes = 0;
    for record in log.records(from, to) {
        if let Some(ops) = visible(record, |topic| hears(record, topic)) {
            bytes += ops.len() + 64;
            found.push((record.seq, ops));
        }
    }
    if bytes <= budget {
        let owned = |(seq, ops): (u64, Cow<'_, str>)| (seq, ops.into_owned());
        return Replay::Records(found.into_iter().map(owned).collect());
    }
    let mut ops: Vec<&Op> = Vec::new();
    for record in log.records(from, to) {
        let hears = |topic: &str| hears(record, topic);
        if record.everyone || record.topics.iter().any(|topic| hears(topic)) {
            ops.extend(record.ops.iter().filter(|op| record.tells(op, hears)));
        }
        if ops.len() > UNION_MAX {
            return Replay::TooMuch;
        }
    }
    let last = found.last().map_or(to, |(seq, _)| *seq);
    match encode_ops(&coalesce(ops.into_iter())) {
        Ok(text) if text.len() <= budget => Replay::Records(vec![(last, text)]),
        _ => Replay::TooMuch,
    }
}

/// Resets for exactly those topics that changed after `from`, by what they must give up. Also
/// tells which topics those are.
pub(super) fn resets<'a>(
    log: &Log,
    topics: impl Iterator<Item = (&'a Arc<str>, &'a TopicHash)>,
    from: u64,
    upto: u64,
    reason: &str,
) -> (Vec<HubFrame>, Vec<Arc<str>>) {
    let frame = |scope, mode| HubFrame::Reset {
        scope,
        mode,
        reason: reason.into(),
        epoch: log.epoch().clone(),
        upto,
    };
    let mut frames = Vec::new();
    let all = log.index().all_since(from);
    if let Some(mode) = all {
        frames.push(frame(ResetScope::All, mode));
    }
    let mut changed = Vec::new();
    let mut by_mode: [Vec<&Arc<str>>; 3] = Default::default();
    for (topic, hash) in topics {
        let Some(mode) = log.index().since(hash, from) else {
            continue;
        };
        changed.push(Arc::clone(topic));
        // What the reset of everything does already needs no second word.
        if all.is_none_or(|all| rank(mode) > rank(all))
            && let Some(list) = by_mode.get_mut(usize::from(rank(mode)))
        {
            list.push(topic);
        }
    }
    let modes = [ResetMode::Revalidate, ResetMode::Drop, ResetMode::Purge];
    for (mode, list) in modes.into_iter().zip(by_mode) {
        for part in parts(&list) {
            let names = part.iter().map(|topic| topic.to_string()).collect();
            frames.push(frame(ResetScope::Topics(names), mode));
        }
    }
    (frames, changed)
}

/// Cuts a list of topics so that each part fits a frame.
fn parts<'a, 'b>(topics: &'b [&'a Arc<str>]) -> Vec<&'b [&'a Arc<str>]> {
    let mut parts = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, topic) in topics.iter().enumerate() {
        if at - start == RESET_TOPICS_MAX || (at > start && bytes + topic.len() > RESET_BYTES_MAX) {
            parts.extend(topics.get(start..at));
            (start, bytes) = (at, 0);
        }
        bytes += topic.len();
    }
    if start < topics.len() {
        parts.extend(topics.get(start..));
    }
    parts
}
