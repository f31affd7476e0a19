//! The bytes of a message between tabs.
//!
//! Tabs of two builds may be open at once: a message of another form is not understood, which
//! the running number shows at the next one that is.

use super::{
    super::position::{Epoch, Position, Version},
    effect::FeedState,
    relay::{Body, Led, Relay},
};
use crate::kernel::{
    codec::{Reader, put_lp, put_u32, put_u64},
    protocol::{Op, OpKind, OpMode, ResetMode, ResetScope, TopicSince},
};

/// The form of all that follows.
const FORM: u8 = 1;

impl Relay {
    /// The message's bytes. They hold identifiers: seal them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![FORM];
        match self {
            Self::Ask => out.push(0),
            Self::Want(topics) => {
                out.push(1);
                put_list(&mut out, topics, |out, topic| {
                    put_lp(out, topic.t.as_bytes());
                    put_option(out, topic.since, put_u64);
                });
            }
            Self::Led(led) => {
                out.push(2);
                put_u64(&mut out, led.leader);
                put_u64(&mut out, led.n);
                put_u64(&mut out, led.heard_wall_ms);
                put_body(&mut out, &led.body);
            }
        }
        out
    }

    /// Reads a message; `None` when it is malformed or of another form.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let reader = &mut reader;
        if reader.u8()? != FORM {
            return None;
        }
        let relay = match reader.u8()? {
            0 => Self::Ask,
            1 => Self::Want(list(reader, |reader| {
                Some(TopicSince {
                    t: reader.str()?.to_owned(),
                    since: option(reader, Reader::u64)?,
                })
            })?),
            2 => Self::Led(Led {
                leader: reader.u64()?,
                n: reader.u64()?,
                heard_wall_ms: reader.u64()?,
                body: body(reader)?,
            }),
            _ => return None,
        };
        reader.rest().is_empty().then_some(relay)
    }
}

fn put_body(out: &mut Vec<u8>, body: &Body) {
    match body {
        Body::Moved {
            prev,
            upto,
            at,
            ops,
        } => {
            out.push(0);
            put_position(out, prev);
            put_position(out, upto);
            put_u64(out, *at);
            put_list(out, ops, put_op);
        }
        Body::Reset {
            scope,
            mode,
            upto,
            cursor,
        } => {
            out.push(1);
            match scope {
                ResetScope::All => out.push(0),
                ResetScope::Topics(topics) => {
                    out.push(1);
                    put_list(out, topics, |out, topic| put_lp(out, topic.as_bytes()));
                }
            }
            out.push(match mode {
                ResetMode::Revalidate => 0,
                ResetMode::Drop => 1,
                ResetMode::Purge => 2,
            });
            put_position(out, upto);
            put_position(out, cursor);
        }
        Body::Topics { covered, dropped } => {
            out.push(2);
            put_list(out, covered, put_covered);
            put_list(out, dropped, |out, topic| put_lp(out, topic.as_bytes()));
        }
        Body::State { state, lease_ms } => {
            out.push(3);
            out.push(state_number(*state));
            put_u64(out, *lease_ms);
        }
        Body::Snapshot {
            cursor,
            covered,
            state,
            lease_ms,
        } => {
            out.push(4);
            put_option(out, cursor.as_ref(), put_position);
            put_list(out, covered, put_covered);
            out.push(state_number(*state));
            put_u64(out, *lease_ms);
        }
    }
}

fn body(reader: &mut Reader<'_>) -> Option<Body> {
    Some(match reader.u8()? {
        0 => Body::Moved {
            prev: position(reader)?,
            upto: position(reader)?,
            at: reader.u64()?,
            ops: list(reader, op)?.into(),
        },
        1 => Body::Reset {
            scope: match reader.u8()? {
                0 => ResetScope::All,
                1 => ResetScope::Topics(list(reader, string)?),
                _ => return None,
            },
            mode: match reader.u8()? {
                0 => ResetMode::Revalidate,
                1 => ResetMode::Drop,
                2 => ResetMode::Purge,
                _ => return None,
            },
            upto: position(reader)?,
            cursor: position(reader)?,
        },
        2 => Body::Topics {
            covered: list(reader, covered)?,
            dropped: list(reader, string)?,
        },
        3 => Body::State {
            state: state(reader)?,
            lease_ms: reader.u64()?,
        },
        4 => Body::Snapshot {
            cursor: option(reader, position)?,
            covered: list(reader, covered)?,
            state: state(reader)?,
            lease_ms: reader.u64()?,
        },
        _ => return None,
    })
}

fn put_position(out: &mut Vec<u8>, position: &Position) {
    put_lp(out, position.epoch.as_str().as_bytes());
    put_u64(out, position.seq);
}

fn position(reader: &mut Reader<'_>) -> Option<Position> {
    let epoch = Epoch::try_from(string(reader)?).ok()?;
    Some(Position::new(epoch, reader.u64()?))
}

fn put_covered(out: &mut Vec<u8>, (topic, from): &(String, u64)) {
    put_lp(out, topic.as_bytes());
    put_u64(out, *from);
}

fn covered(reader: &mut Reader<'_>) -> Option<(String, u64)> {
    Some((string(reader)?, reader.u64()?))
}

fn put_op(out: &mut Vec<u8>, op: &Op) {
    out.push(match op.kind {
        OpKind::Key => 0,
        OpKind::Tag => 1,
        OpKind::All => 2,
        OpKind::Unknown => 3,
    });
    put_lp(out, op.id.as_bytes());
    out.push(match op.mode {
        OpMode::Expire => 0,
        OpMode::Remove => 1,
        OpMode::Purge => 2,
        OpMode::Update => 3,
        OpMode::Unknown => 4,
    });
    Version::put(op.ver.as_ref(), out);
}

fn op(reader: &mut Reader<'_>) -> Option<Op> {
    Some(Op {
        kind: match reader.u8()? {
            0 => OpKind::Key,
            1 => OpKind::Tag,
            2 => OpKind::All,
            3 => OpKind::Unknown,
            _ => return None,
        },
        id: string(reader)?,
        mode: match reader.u8()? {
            0 => OpMode::Expire,
            1 => OpMode::Remove,
            2 => OpMode::Purge,
            3 => OpMode::Update,
            4 => OpMode::Unknown,
            _ => return None,
        },
        ver: Version::read(reader)?,
    })
}

const fn state_number(state: FeedState) -> u8 {
    match state {
        FeedState::Off => 0,
        FeedState::Connecting => 1,
        FeedState::Live => 2,
        FeedState::Suspect => 3,
        FeedState::Offline => 4,
    }
}

fn state(reader: &mut Reader<'_>) -> Option<FeedState> {
    Some(match reader.u8()? {
        0 => FeedState::Off,
        1 => FeedState::Connecting,
        2 => FeedState::Live,
        3 => FeedState::Suspect,
        4 => FeedState::Offline,
        _ => return None,
    })
}

fn string(reader: &mut Reader<'_>) -> Option<String> {
    reader.str().map(str::to_owned)
}

fn put_list<T>(out: &mut Vec<u8>, list: &[T], put: impl Fn(&mut Vec<u8>, &T)) {
    // A list of 2³² elements fits into no tab; a saturated count would fail to read back.
    put_u32(out, u32::try_from(list.len()).unwrap_or(u32::MAX));
    for value in list {
        put(out, value);
    }
}

fn list<T>(reader: &mut Reader<'_>, read: impl Fn(&mut Reader<'_>) -> Option<T>) -> Option<Vec<T>> {
    let mut list = Vec::new();
    for _ in 0..reader.u32()? {
        list.push(read(reader)?);
    }
    Some(list)
}

fn put_option<T>(out: &mut Vec<u8>, value: Option<T>, put: impl Fn(&mut Vec<u8>, T)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

#[expect(clippy::option_option, reason = "malformed and absent are different")]
fn option<'a, T>(
    reader: &mut Reader<'a>,
    read: impl Fn(&mut Reader<'a>) -> Option<T>,
) -> Option<Option<T>> {
    match reader.u8()? {
        0 => Some(None),
        1 => read(reader).map(Some),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn at(seq: u64) -> Position {
        Position::new(Epoch::from_bytes([7; 16]), seq)
    }

    /// One message of every kind, with every kind of operation, state and mode in them.
    fn messages() -> Vec<Relay> {
        let led = |body| {
            Relay::Led(Led {
                leader: 3,
                n: 4,
                heard_wall_ms: 5,
                body,
            })
        };
        let kinds = [OpKind::Key, OpKind::Tag, OpKind::All, OpKind::Unknown];
        let modes = [
            OpMode::Expire,
            OpMode::Remove,
            OpMode::Purge,
            OpMode::Update,
            OpMode::Unknown,
        ];
        let versions = [None, Some(Version::N(1)), Some(Version::Tag("é".into()))];
        let ops: Arc<[Op]> = kinds
            .iter()
            .flat_map(|&kind| modes.iter().map(move |&mode| (kind, mode)))
            .zip(versions.iter().cycle())
            .map(|((kind, mode), ver)| Op {
                kind,
                id: "patient/1".into(),
                mode,
                ver: ver.clone(),
            })
            .collect();
        let covered = vec![("a".to_owned(), 1), (String::new(), u64::MAX)];
        let mut all = vec![
            Relay::Ask,
            Relay::Want(vec![
                TopicSince {
                    t: "a".into(),
                    since: None,
                },
                TopicSince {
                    t: "b".into(),
                    since: Some(2),
                },
            ]),
            led(Body::Moved {
                prev: at(1),
                upto: at(2),
                at: 2,
                ops,
            }),
            led(Body::Topics {
                covered: covered.clone(),
                dropped: vec!["c".into()],
            }),
        ];
        for mode in [ResetMode::Revalidate, ResetMode::Drop, ResetMode::Purge] {
            for scope in [ResetScope::All, ResetScope::Topics(vec!["a".into()])] {
                all.push(led(Body::Reset {
                    scope,
                    mode,
                    upto: at(8),
                    cursor: at(9),
                }));
            }
        }
        for state in [
            FeedState::Off,
            FeedState::Connecting,
            FeedState::Live,
            FeedState::Suspect,
            FeedState::Offline,
        ] {
            all.push(led(Body::State { state, lease_ms: 6 }));
            for cursor in [None, Some(at(1))] {
                all.push(led(Body::Snapshot {
                    cursor,
                    covered: covered.clone(),
                    state,
                    lease_ms: 7,
                }));
            }
        }
        all
    }

    #[test]
    fn every_message_survives_its_bytes() {
        for message in messages() {
            assert_eq!(Relay::decode(&message.encode()), Some(message));
        }
    }

    #[test]
    fn a_message_that_is_cut_or_longer_or_of_another_form_is_malformed() {
        for message in messages() {
            let mut bytes = message.encode();
            for len in 0..bytes.len() {
                assert_eq!(Relay::decode(&bytes[..len]), None, "{len} of {message:?}");
            }
            bytes.push(0);
            assert_eq!(Relay::decode(&bytes), None);
            bytes.pop();
            bytes[0] = FORM + 1;
            assert_eq!(Relay::decode(&bytes), None);
        }
    }
}
