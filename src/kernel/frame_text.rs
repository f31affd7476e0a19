//! The text of frames, as a client reads and writes it.
//!
//! The same frames as their `serde` forms, which a hub uses; the tests hold one against the
//! other.

use super::{
    invalidate::{Epoch, Version},
    json::Json,
    protocol::{
        ClientFrame, HubFrame, Limits, Op, OpKind, OpMode, ResetMode, ResetScope, TopicDenied,
        TopicFrom, TopicSince,
    },
};

impl HubFrame {
    /// Reads a frame; `None` for one of an unknown type, and for a known one that lacks a field
    /// or has a malformed one. Unknown fields are passed over.
    pub(crate) fn read(json: &Json) -> Option<Self> {
        let whole = |name| json.get(name).whole();
        let string = |name| json.get(name).string();
        Some(match json.get("type").text()? {
            "welcome" => Self::Welcome {
                v: whole("v")?.try_into().ok()?,
                session: string("session")?,
                epoch: epoch(json.get("epoch"))?,
                head: whole("head")?,
                floor: whole("floor")?,
                index_floor: whole("index_floor")?,
                hb_ms: whole("hb_ms")?,
                limits: limits(json.get("limits"))?,
            },
            "sub_ok" => Self::SubOk {
                rid: whole("rid")?,
                from: whole("from")?,
                topics: json.get("topics").each_or_none(|topic| {
                    Some(TopicFrom {
                        t: topic.get("t").string()?,
                        from: topic.get("from").whole()?,
                    })
                })?,
                denied: json.get("denied").each_or_none(|topic| {
                    Some(TopicDenied {
                        t: topic.get("t").string()?,
                        code: topic.get("code").string()?,
                    })
                })?,
            },
            "denied" => Self::Denied {
                rid: whole("rid")?,
                code: string("code")?,
            },
            "inv" => Self::Inv {
                prev: whole("prev")?,
                seq: whole("seq")?,
                ops: json.get("ops").each(op)?,
            },
            "hb" => Self::Hb {
                prev: whole("prev")?,
                upto: whole("upto")?,
                t: whole("t")?,
            },
            "reset" => Self::Reset {
                scope: scope(json.get("scope"))?,
                mode: mode(json.get("mode"))?,
                reason: string("reason")?,
                epoch: epoch(json.get("epoch"))?,
                upto: whole("upto")?,
            },
            "auth_expiring" => Self::AuthExpiring {
                in_s: whole("in_s")?,
            },
            "go_away" => Self::GoAway {
                retry_ms: whole("retry_ms")?,
                code: string("code")?,
                reconnect: match json.get("reconnect") {
                    Json::Null => true,
                    Json::Bool(reconnect) => *reconnect,
                    _ => return None,
                },
            },
            _ => return None,
        })
    }
}

fn epoch(json: &Json) -> Option<Epoch> {
    Epoch::try_from(json.string()?).ok()
}

fn limits(json: &Json) -> Option<Limits> {
    let count = |name| usize::try_from(json.get(name).whole()?).ok();
    Some(Limits {
        topics: count("topics")?,
        frame_bytes: count("frame_bytes")?,
    })
}

fn scope(json: &Json) -> Option<ResetScope> {
    match json {
        Json::Text(all) if all == "all" => Some(ResetScope::All),
        Json::Object(fields) if fields.len() == 1 => {
            let topics = json.get("topics").each(Json::string)?;
            Some(ResetScope::Topics(topics))
        }
        _ => None,
    }
}

fn mode(json: &Json) -> Option<ResetMode> {
    match json.text()? {
        "revalidate" => Some(ResetMode::Revalidate),
        "drop" => Some(ResetMode::Drop),
        "purge" => Some(ResetMode::Purge),
        _ => None,
    }
}

/// `[kind, id, mode, ver?, ..]`.
fn op(json: &Json) -> Option<Op> {
    let Json::List(parts) = json else {
        return None;
    };
    let [kind, id, mode, rest @ ..] = &parts[..] else {
        return None;
    };
    Some(Op {
        kind: match kind.text()? {
            "k" => OpKind::Key,
            "t" => OpKind::Tag,
            "a" => OpKind::All,
            _ => OpKind::Unknown,
        },
        id: id.string()?,
        mode: match mode.text()? {
            "x" => OpMode::Expire,
            "r" => OpMode::Remove,
            "p" => OpMode::Purge,
            "u" => OpMode::Update,
            _ => OpMode::Unknown,
        },
        ver: match rest.first() {
            None | Some(Json::Null) => None,
            Some(ver) => Some(version(ver)?),
        },
    })
}

fn version(json: &Json) -> Option<Version> {
    match json {
        Json::Object(fields) => match &fields[..] {
            [(kind, Json::Whole(n))] if kind == "n" => Some(Version::N(*n)),
            [(kind, Json::Text(tag))] if kind == "tag" => Some(Version::Tag(tag.as_str().into())),
            _ => None,
        },
        _ => None,
    }
}

impl ClientFrame {
    /// The frame's text.
    pub(crate) fn to_text(&self) -> String {
        let texts = |list: &[String]| Json::List(list.iter().map(|text| word(text)).collect());
        let (kind, fields) = match self {
            Self::Hello {
                v,
                client,
                device,
                caps,
                token,
            } => {
                let mut fields = vec![
                    ("v", Json::Whole(u64::from(*v))),
                    ("client", word(client)),
                    ("device", word(device)),
                    ("caps", texts(caps)),
                ];
                fields.extend(token.as_deref().map(|token| ("token", word(token))));
                ("hello", fields)
            }
            Self::Sub { rid, topics } => ("sub", about(*rid, topics)),
            Self::Unsub { rid, topics } => ("unsub", about(*rid, topics)),
            Self::Resume {
                rid,
                epoch,
                seq,
                topics,
            } => (
                "resume",
                vec![
                    ("rid", Json::Whole(*rid)),
                    ("epoch", word(epoch.as_str())),
                    ("seq", Json::Whole(*seq)),
                    ("topics", texts(topics)),
                ],
            ),
            Self::Ack { seq, purged } => {
                let mut fields = vec![("seq", Json::Whole(*seq))];
                if !purged.is_empty() {
                    let purged = purged.iter().copied().map(Json::Whole).collect();
                    fields.push(("purged", Json::List(purged)));
                }
                ("ack", fields)
            }
            Self::Auth { token } => ("auth", vec![("token", word(token))]),
        };
        let kind = ("type", word(kind));
        object(std::iter::once(kind).chain(fields)).to_text()
    }
}

fn word(text: &str) -> Json {
    Json::Text(text.to_owned())
}

fn object(fields: impl Iterator<Item = (&'static str, Json)>) -> Json {
    Json::Object(
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

fn about(rid: u64, topics: &[TopicSince]) -> Vec<(&'static str, Json)> {
    let topics = topics.iter().map(|topic| {
        let since = topic.since.map(|since| ("since", Json::Whole(since)));
        object(std::iter::once(("t", word(&topic.t))).chain(since))
    });
    vec![
        ("rid", Json::Whole(rid)),
        ("topics", Json::List(topics.collect())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, option, prelude::*};

    fn text() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z/:]{0,12}", any::<String>()]
    }

    fn epochs() -> impl Strategy<Value = Epoch> {
        any::<[u8; 16]>().prop_map(Epoch::from_bytes)
    }

    fn since() -> impl Strategy<Value = TopicSince> {
        (text(), option::of(any::<u64>())).prop_map(|(t, since)| TopicSince { t, since })
    }

    fn client_frames() -> impl Strategy<Value = ClientFrame> {
        prop_oneof![
            (
                any::<u32>(),
                text(),
                text(),
                vec(text(), 0..3),
                option::of(text())
            )
                .prop_map(|(v, client, device, caps, token)| ClientFrame::Hello {
                    v,
                    client,
                    device,
                    caps,
                    token
                }),
            (any::<u64>(), vec(since(), 0..3))
                .prop_map(|(rid, topics)| ClientFrame::Sub { rid, topics }),
            (any::<u64>(), vec(since(), 0..3))
                .prop_map(|(rid, topics)| ClientFrame::Unsub { rid, topics }),
            (any::<u64>(), epochs(), any::<u64>(), vec(text(), 0..3)).prop_map(
                |(rid, epoch, seq, topics)| ClientFrame::Resume {
                    rid,
                    epoch,
                    seq,
                    topics
                }
            ),
            (any::<u64>(), vec(any::<u64>(), 0..3))
                .prop_map(|(seq, purged)| ClientFrame::Ack { seq, purged }),
            text().prop_map(|token| ClientFrame::Auth { token }),
        ]
    }

    fn ops() -> impl Strategy<Value = Op> {
        let kind = prop_oneof![Just(OpKind::Key), Just(OpKind::Tag), Just(OpKind::All)];
        let mode = prop_oneof![
            Just(OpMode::Expire),
            Just(OpMode::Remove),
            Just(OpMode::Purge),
            Just(OpMode::Update),
        ];
        let ver = option::of(prop_oneof![
            any::<u64>().prop_map(Version::N),
            text().prop_map(|tag| Version::Tag(tag.into())),
        ]);
        (kind, text(), mode, ver).prop_map(|(kind, id, mode, ver)| Op {
            kind,
            id,
            mode,
            ver,
        })
    }

    fn hub_frames() -> impl Strategy<Value = HubFrame> {
        let n = any::<u64>;
        let scope = prop_oneof![
            Just(ResetScope::All),
            vec(text(), 0..3).prop_map(ResetScope::Topics),
        ];
        let mode = prop_oneof![
            Just(ResetMode::Revalidate),
            Just(ResetMode::Drop),
            Just(ResetMode::Purge),
        ];
        let from = (text(), n()).prop_map(|(t, from)| TopicFrom { t, from });
        let denied = (text(), text()).prop_map(|(t, code)| TopicDenied { t, code });
        prop_oneof![
            (
                any::<u32>(),
                text(),
                epochs(),
                (n(), n(), n(), n()),
                any::<(u16, u16)>()
            )
                .prop_map(
                    |(v, session, epoch, (head, floor, index_floor, hb_ms), (topics, bytes))| {
                        let limits = Limits {
                            topics: topics.into(),
                            frame_bytes: bytes.into(),
                        };
                        HubFrame::Welcome {
                            v,
                            session,
                            epoch,
                            head,
                            floor,
                            index_floor,
                            hb_ms,
                            limits,
                        }
                    }
                ),
            (n(), n(), vec(from, 0..3), vec(denied, 0..3)).prop_map(
                |(rid, from, topics, denied)| HubFrame::SubOk {
                    rid,
                    from,
                    topics,
                    denied
                }
            ),
            (n(), text()).prop_map(|(rid, code)| HubFrame::Denied { rid, code }),
            (n(), n(), vec(ops(), 0..4)).prop_map(|(prev, seq, ops)| HubFrame::Inv {
                prev,
                seq,
                ops
            }),
            (n(), n(), n()).prop_map(|(prev, upto, t)| HubFrame::Hb { prev, upto, t }),
            (scope, mode, text(), epochs(), n()).prop_map(|(scope, mode, reason, epoch, upto)| {
                HubFrame::Reset {
                    scope,
                    mode,
                    reason,
                    epoch,
                    upto,
                }
            }),
            n().prop_map(|in_s| HubFrame::AuthExpiring { in_s }),
            (n(), text(), any::<bool>()).prop_map(|(retry_ms, code, reconnect)| HubFrame::GoAway {
                retry_ms,
                code,
                reconnect
            }),
        ]
    }

    fn read(text: &str) -> Option<HubFrame> {
        HubFrame::read(&Json::parse(text)?)
    }

    proptest! {
        #[test]
        fn a_client_writes_what_a_hub_reads(frame in client_frames()) {
            let text = frame.to_text();
            prop_assert_eq!(&text, &serde_json::to_string(&frame).unwrap());
            prop_assert_eq!(serde_json::from_str::<ClientFrame>(&text).unwrap(), frame);
        }

        #[test]
        fn a_client_reads_what_a_hub_writes(frame in hub_frames()) {
            let text = serde_json::to_string(&frame).unwrap();
            prop_assert_eq!(read(&text), Some(frame));
        }

        /// A field that is missing or of another kind: both forms refuse it, or neither does.
        #[test]
        fn damaged_frames_are_refused_as_the_other_form_refuses_them(
            frame in hub_frames(),
            at in any::<prop::sample::Index>(),
            by in prop_oneof![Just("true"), Just("7"), Just("\"x\""), Just("[]"), Just("{}"), Just("-1")],
            remove in any::<bool>(),
        ) {
            let mut value = serde_json::to_value(&frame).unwrap();
            let fields = value.as_object_mut().unwrap();
            let name = fields.keys().nth(at.index(fields.len())).unwrap().clone();
            if remove {
                fields.remove(&name);
            } else {
                fields.insert(name, serde_json::from_str(by).unwrap());
            }
            let text = value.to_string();
            prop_assert_eq!(read(&text), serde_json::from_str::<HubFrame>(&text).ok(), "{}", text);
        }
    }

    #[test]
    fn strange_operations_and_fields_are_read_and_not_dropped() {
        let frame =
            read(r#"{"type":"inv","prev":1,"seq":2,"new":{},"ops":[["z","a","q",null,7]]}"#);
        let Some(HubFrame::Inv { ops, .. }) = frame else {
            panic!("not read");
        };
        assert_eq!(
            (ops[0].kind, ops[0].mode),
            (OpKind::Unknown, OpMode::Unknown)
        );
        for ops in [
            r#"[["k","a"]]"#,
            r#"[["k","a","x",{"z":1}]]"#,
            r#"[["k",1,"x"]]"#,
            r#"["k"]"#,
        ] {
            let text = format!(r#"{{"type":"inv","prev":1,"seq":2,"ops":{ops}}}"#);
            assert_eq!(read(&text), None, "{text}");
            assert!(serde_json::from_str::<HubFrame>(&text).is_err(), "{text}");
        }
    }
}
