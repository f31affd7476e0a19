//! What holds for every registry, key and text.

use crate::kernel::{
    class::{
        CLASSES, ClassDef, Classes,
        Consistency::{Eventual, Strong},
        Offline::{Refuse, Serve, ServeNotCurrent as NotCurrent},
        PartDef, PartKind, TagDef, Tighten,
    },
    key::Key,
};
use proptest::prelude::*;

fn tighten() -> impl Strategy<Value = Tighten> {
    let ms = || proptest::option::of(prop_oneof![0..=1_000_000_u64, any::<u64>()]);
    let offline = proptest::option::of(prop_oneof![Just(Serve), Just(NotCurrent), Just(Refuse)]);
    let consistency = proptest::option::of(prop_oneof![Just(Eventual), Just(Strong)]);
    (
        ms(),
        ms(),
        ms(),
        offline,
        consistency,
        any::<Option<bool>>(),
        any::<Option<bool>>(),
    )
        .prop_map(
            |(fresh_ms, keep_ms, negative_ms, offline, consistency, phi, swr)| Tighten {
                fresh_ms,
                keep_ms,
                offline,
                consistency,
                phi,
                swr,
                negative_ms,
                schema_version: None,
            },
        )
}

/// Names from few segments, so that collisions with the table and each other are likely.
fn definition() -> impl Strategy<Value = ClassDef> {
    let segment = prop_oneof![
        Just("patient"),
        Just("patients"),
        Just("list"),
        Just("equipment"),
        Just("status"),
        Just("departments"),
        Just("all"),
        Just("vitals"),
        Just("medical_records"),
        Just("x"),
    ];
    let kind = prop_oneof![
        Just(PartKind::Id),
        Just(PartKind::Word),
        Just(PartKind::Patient)
    ];
    let parts = proptest::collection::vec((kind, any::<bool>()), 0..4);
    (proptest::collection::vec(segment, 1..4), parts).prop_map(|(name, mut parts)| {
        parts.sort_by_key(|(_, optional)| *optional);
        let parts = parts.into_iter().map(|(kind, optional)| PartDef {
            optional,
            ..PartDef::new("part", kind)
        });
        ClassDef::new(name.join(":"), parts.collect(), 1, 1)
    })
}

fn id_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z:%]{1,8}",
        "[A3205%:]{1,8}",
        Just("list".to_owned()),
        Just("status".to_owned()),
        Just("all".to_owned()),
        any::<String>(),
    ]
}

/// Parts that fit a class, made from a pool of texts that may or may not.
fn key_of(classes: &Classes, class: usize, texts: &[String]) -> Option<(Vec<String>, Key)> {
    let class = classes.iter().nth(class % classes.len())?;
    let (least, most) = class.arity();
    let count = least + texts.len() % (most - least + 1);
    let parts: Vec<String> = class
        .parts
        .iter()
        .zip(texts.iter().cycle())
        .take(count)
        .enumerate()
        .map(|(at, (part, text))| match part.kind {
            PartKind::Date => format!("2026-0{}-11", 1 + text.len() % 9),
            PartKind::TimeMs => (text.len() + at * 100_000).to_string(),
            _ => text.clone(),
        })
        .collect();
    let texts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let key = classes.key(class.id, &texts).ok()?;
    Some((parts, key))
}

proptest! {
    #[test]
    fn tightening_never_loosens_anything(
        class in 0..CLASSES.len(),
        rules in proptest::collection::vec(tighten(), 1..6),
    ) {
        let mut classes = Classes::builtin();
        let name = CLASSES.get(class).map_or("", |spec| spec.name);
        let id = classes.id(name)?;
        for rules in rules {
            let before = classes.get(id).clone();
            let done = classes.tighten(name, &rules);
            let after = classes.get(id);
            if done.is_err() {
                prop_assert_eq!(after, &before);
            }
            prop_assert!(after.fresh_ms <= before.fresh_ms);
            prop_assert!(after.fresh_open_range_ms <= before.fresh_open_range_ms);
            prop_assert!(after.keep_ms <= before.keep_ms && after.keep_ms > 0);
            prop_assert!(after.device_keep_ms <= before.device_keep_ms.min(after.keep_ms));
            prop_assert!(after.fresh_ms <= after.keep_ms);
            prop_assert!(after.negative_ms <= before.negative_ms);
            prop_assert!(after.offline >= before.offline);
            prop_assert!(after.consistency >= before.consistency);
            prop_assert!(after.phi >= before.phi);
            prop_assert!(after.swr <= before.swr);
            prop_assert!(!after.swr || after.consistency == Eventual && after.fresh_ms >= 300_000);
        }
    }

    #[test]
    fn a_key_reads_back_as_what_made_it(
        defs in proptest::collection::vec(definition(), 0..6),
        class in any::<usize>(),
        texts in proptest::collection::vec(id_text(), 1..8),
    ) {
        let mut classes = Classes::builtin();
        for def in defs {
            let _ = classes.define(def);
        }
        if let Some((parts, key)) = key_of(&classes, class, &texts) {
            let (id, read) = classes.parse(key.as_str())?;
            prop_assert_eq!(id, key.class());
            prop_assert_eq!(&read, &parts);
            let of_key: Vec<_> = key.parts().map(std::borrow::Cow::into_owned).collect();
            prop_assert_eq!(of_key, parts);
            prop_assert_eq!(classes.parse_key(key.as_str())?, key);
        }
    }

    /// Tries every key of every class as a key of each class whose name it begins with.
    #[test]
    fn no_key_of_an_own_class_is_also_one_of_another(
        defs in proptest::collection::vec(definition(), 1..12),
    ) {
        let mut classes = Classes::builtin();
        for def in defs {
            let _ = classes.define(def);
        }
        for long in classes.iter() {
            let (least, most) = long.arity();
            for short in classes.iter() {
                let rest = long.name.strip_prefix(&*short.name);
                let Some(rest) = rest.and_then(|rest| rest.strip_prefix(':')) else {
                    continue;
                };
                for count in least..=most {
                    let parts: Vec<&str> = rest.split(':').chain(vec!["7"; count]).collect();
                    prop_assert!(classes.key(short.id, &parts).is_err(), "{} {}", long.name, short.name);
                }
            }
        }
    }

    #[test]
    fn different_parts_never_make_one_key(
        defs in proptest::collection::vec(definition(), 0..6),
        a in (any::<usize>(), proptest::collection::vec(id_text(), 1..8)),
        b in (any::<usize>(), proptest::collection::vec(id_text(), 1..8)),
    ) {
        let mut classes = Classes::builtin();
        for def in defs {
            let _ = classes.define(def);
        }
        let keys = (key_of(&classes, a.0, &a.1), key_of(&classes, b.0, &b.1));
        if let (Some((a, key_a)), Some((b, key_b))) = keys {
            let same = (key_a.class(), a) == (key_b.class(), b);
            prop_assert_eq!(key_a.as_str() == key_b.as_str(), same);
        }
    }

    #[test]
    fn only_a_key_that_would_be_made_is_read(logical in prop_oneof![
        any::<String>(),
        "(patient|equipment|equipment:status|vitals:history|slots:available)(:[a-z0-9%:A-]{0,12}){0,4}",
        "patient:[a3A25%:]{1,9}",
    ]) {
        let classes = Classes::builtin();
        if let Ok(key) = classes.parse_key(&logical) {
            prop_assert_eq!(key.as_str(), logical);
        }
    }

    #[test]
    fn any_definition_is_taken_or_refused_without_a_panic(
        name in any::<String>(),
        part in any::<String>(),
        kind in any::<String>(),
        at in any::<usize>(),
        times in any::<(u64, u64)>(),
    ) {
        let mut def = ClassDef::new(name, vec![PartDef::new(part, PartKind::Id)], times.0, times.1);
        def.tags.push(TagDef { kind: kind.into(), part: at });
        let _ = Classes::builtin().define(def);
    }
}
