//! Many operations as few: the union may give up more than its parts, never less.

use crate::kernel::{
    invalidate::Version,
    protocol::{Op, OpKind, OpMode, ResetMode},
};
use std::collections::HashMap;

/// The reset that stands for an operation whose detail is lost.
pub(super) const fn severity(mode: OpMode) -> ResetMode {
    match mode {
        OpMode::Purge => ResetMode::Purge,
        OpMode::Remove => ResetMode::Drop,
        OpMode::Expire | OpMode::Update | OpMode::Unknown => ResetMode::Revalidate,
    }
}

/// Orders resets by how much they take.
pub(super) const fn rank(mode: ResetMode) -> u8 {
    match mode {
        ResetMode::Revalidate => 0,
        ResetMode::Drop => 1,
        ResetMode::Purge => 2,
    }
}

const fn strength(mode: OpMode) -> u8 {
    match mode {
        OpMode::Update => 0,
        OpMode::Expire => 1,
        OpMode::Unknown => 2,
        OpMode::Remove => 3,
        OpMode::Purge => 4,
    }
}

/// The union of operations in log order: one per name, with the strongest mode. A version stays
/// only where every operation on that name had one that orders.
///
/// A tag does not swallow the keys that were published with it: a client may hold such a key
/// under the tags of an older version, and then the tag alone would miss it.
pub(super) fn coalesce<'a>(ops: impl Iterator<Item = &'a Op>) -> Vec<Op> {
    let mut out: Vec<Op> = Vec::new();
    let mut places: HashMap<(u8, &'a str), usize> = HashMap::new();
    for op in ops {
        let kind = match op.kind {
            OpKind::Key => 0,
            OpKind::Tag => 1,
            OpKind::All => 2,
            OpKind::Unknown => 3,
        };
        let place = *places.entry((kind, &op.id)).or_insert(out.len());
        match out.get_mut(place) {
            None => out.push(op.clone()),
            Some(held) => {
                if strength(op.mode) > strength(held.mode) {
                    held.mode = op.mode;
                }
                held.ver = match (held.ver.take(), &op.ver) {
                    (Some(Version::N(a)), Some(Version::N(b))) => Some(Version::N(a.max(*b))),
                    (Some(Version::Tag(a)), Some(Version::Tag(b))) if a == *b => {
                        Some(Version::Tag(a))
                    }
                    _ => None,
                };
            }
        }
    }
    let everything = out
        .iter()
        .filter(|op| op.kind == OpKind::All && op.id.is_empty())
        .map(|op| strength(op.mode))
        .max();
    if let Some(everything) = everything {
        let all = |op: &Op| op.kind == OpKind::All && op.id.is_empty();
        out.retain(|op| all(op) || strength(op.mode) > everything);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(kind: OpKind, id: &str, mode: OpMode, ver: Option<Version>) -> Op {
        Op {
            kind,
            id: id.into(),
            mode,
            ver,
        }
    }

    #[test]
    fn the_strongest_mode_and_the_highest_version_stay() {
        use OpKind::Key;
        let ops = [
            op(Key, "a", OpMode::Remove, Some(Version::N(3))),
            op(Key, "b", OpMode::Expire, Some(Version::N(1))),
            op(Key, "a", OpMode::Expire, Some(Version::N(5))),
            op(Key, "c", OpMode::Update, None),
            op(Key, "c", OpMode::Purge, None),
        ];
        assert_eq!(
            coalesce(ops.iter()),
            [
                op(Key, "a", OpMode::Remove, Some(Version::N(5))),
                op(Key, "b", OpMode::Expire, Some(Version::N(1))),
                op(Key, "c", OpMode::Purge, None),
            ]
        );
    }

    #[test]
    fn a_version_that_does_not_order_is_forgotten() {
        use OpKind::Key;
        for second in [None, Some(Version::Tag("y".into())), Some(Version::N(9))] {
            let ops = [
                op(Key, "a", OpMode::Expire, Some(Version::Tag("x".into()))),
                op(Key, "a", OpMode::Expire, second),
            ];
            assert_eq!(coalesce(ops.iter())[0].ver, None);
        }
    }

    #[test]
    fn a_key_and_a_tag_of_one_name_are_two_things() {
        let ops = [
            op(OpKind::Key, "a", OpMode::Expire, None),
            op(OpKind::Tag, "a", OpMode::Expire, None),
        ];
        assert_eq!(coalesce(ops.iter()).len(), 2);
    }

    #[test]
    fn everything_stands_for_all_that_is_not_stronger() {
        let ops = [
            op(OpKind::Key, "a", OpMode::Expire, None),
            op(OpKind::Key, "b", OpMode::Purge, None),
            op(OpKind::All, "", OpMode::Remove, None),
        ];
        let left: Vec<_> = coalesce(ops.iter()).into_iter().map(|op| op.id).collect();
        assert_eq!(left, ["b", ""]);
    }
}
