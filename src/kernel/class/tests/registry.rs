//! What the registry takes, refuses and answers.

use crate::{
    Error, Result,
    kernel::class::{
        CLASSES, CLASSES_MAX, ClassDef, Classes,
        Consistency::{Eventual, Strong},
        Offline::{Refuse, Serve},
        PartDef, PartKind, Pattern, TagDef, Tighten,
    },
};

#[test]
fn the_built_in_classes_are_not_ambiguous_and_would_pass_as_definitions() -> Result<()> {
    let classes = Classes::builtin();
    for a in classes.iter() {
        for b in classes.iter().filter(|b| b.id < a.id) {
            assert!(!a.is_ambiguous_with(b), "{} {}", a.name, b.name);
        }
        let mut def = ClassDef::new(a.name.to_string(), a.parts.clone(), a.fresh_ms, a.keep_ms);
        def.tags.clone_from(&a.tags);
        def.fhir.clone_from(&a.fhir);
        def.check()?;
    }
    Ok(())
}

#[test]
fn an_unknown_class_is_refused_without_being_named() {
    let error = Classes::builtin().id("mallory").err();
    assert_eq!(error.as_ref().and_then(Error::field), Some("class"));
    assert!(!error.is_some_and(|error| error.to_string().contains("mallory")));
}

#[test]
fn an_id_of_another_registry_keeps_nothing() -> Result<()> {
    let mut other = Classes::builtin();
    let id = other.define(ClassDef::new("own", vec![], 1, 1))?;
    let classes = Classes::builtin();
    let class = classes.get(id);
    assert_eq!((class.keep_ms, class.offline, class.phi), (0, Refuse, true));
    Ok(())
}

#[test]
fn loosening_is_refused_and_names_the_field() -> Result<()> {
    let mut classes = Classes::builtin();
    let before = classes.get(classes.id("patient")?).clone();
    let looser = [
        (
            "ttlMs",
            Tighten {
                fresh_ms: Some(before.fresh_ms + 1),
                ..Tighten::default()
            },
        ),
        (
            "keepMs",
            Tighten {
                keep_ms: Some(before.keep_ms + 1),
                ..Tighten::default()
            },
        ),
        (
            "keepMs",
            Tighten {
                keep_ms: Some(0),
                ..Tighten::default()
            },
        ),
        (
            "negativeMs",
            Tighten {
                negative_ms: Some(1),
                ..Tighten::default()
            },
        ),
        (
            "consistency",
            Tighten {
                consistency: Some(Eventual),
                ..Tighten::default()
            },
        ),
        (
            "phi",
            Tighten {
                phi: Some(false),
                ..Tighten::default()
            },
        ),
        (
            "swr",
            Tighten {
                swr: Some(true),
                ..Tighten::default()
            },
        ),
    ];
    for (field, rules) in looser {
        let error = classes.tighten("patient", &rules).err();
        assert_eq!(error.as_ref().and_then(Error::field), Some(field));
    }
    let rules = Tighten {
        offline: Some(Serve),
        ..Tighten::default()
    };
    let error = classes.tighten("slots:available", &rules).err();
    assert_eq!(error.as_ref().and_then(Error::field), Some("offline"));
    assert_eq!(*classes.get(before.id), before);
    Ok(())
}

#[test]
fn shorter_times_are_taken_and_shorten_what_hangs_on_them() -> Result<()> {
    let mut classes = Classes::builtin();
    let rules = Tighten {
        keep_ms: Some(30_000),
        ..Tighten::default()
    };
    classes.tighten("vitals:history", &rules)?;
    let class = classes.get(classes.id("vitals:history")?);
    assert_eq!(
        (class.keep_ms, class.device_keep_ms, class.fresh_ms),
        (30_000, 30_000, 30_000)
    );
    assert_eq!(
        (class.fresh_open_range_ms, class.swr),
        (Some(30_000), false)
    );

    let rules = Tighten {
        consistency: Some(Strong),
        ..Tighten::default()
    };
    classes.tighten("doctor", &rules)?;
    let class = classes.get(classes.id("doctor")?);
    assert_eq!(
        (class.swr, class.negative_ms, class.jitter_percent),
        (false, 0, 0)
    );
    Ok(())
}

#[test]
fn a_range_that_has_not_ended_is_fresh_for_a_minute() -> Result<()> {
    let classes = Classes::builtin();
    let id = classes.id("vitals:history")?;
    let class = classes.get(id);
    let key = classes.key(id, &["7", "1000", "2000"])?;
    assert_eq!(
        (class.fresh_ms_at(&key, 2000), class.swr_at(&key, 2000)),
        (60_000, false)
    );
    assert_eq!(
        (class.fresh_ms_at(&key, 2001), class.swr_at(&key, 2001)),
        (3_600_000, true)
    );
    let patient = classes.id("patient")?;
    let key = classes.key(patient, &["9000"])?;
    assert_eq!(classes.get(patient).fresh_ms_at(&key, 1), 3_600_000);
    Ok(())
}

#[test]
fn definitions_that_make_no_sense_are_refused_by_field() {
    let ok = || ClassDef::new("ward", vec![PartDef::new("ward", PartKind::Id)], 1, 2);
    let part = |name: &'static str, optional| PartDef {
        optional,
        ..PartDef::new(name, PartKind::Id)
    };
    let tag = |kind: &'static str, part| {
        vec![TagDef {
            kind: kind.into(),
            part,
        }]
    };
    let bad = [
        (
            "name",
            ClassDef {
                name: String::new(),
                ..ok()
            },
        ),
        (
            "name",
            ClassDef {
                name: "Ward".into(),
                ..ok()
            },
        ),
        (
            "name",
            ClassDef {
                name: "a::b".into(),
                ..ok()
            },
        ),
        (
            "name",
            ClassDef {
                name: ":a".into(),
                ..ok()
            },
        ),
        (
            "name",
            ClassDef {
                name: "a%b".into(),
                ..ok()
            },
        ),
        (
            "name",
            ClassDef {
                name: "x".repeat(65),
                ..ok()
            },
        ),
        (
            "name",
            ClassDef {
                name: "patient".into(),
                ..ok()
            },
        ),
        (
            "name",
            ClassDef {
                name: "patient:list".into(),
                parts: vec![],
                ..ok()
            },
        ),
        (
            "name",
            ClassDef {
                name: "alerts".into(),
                parts: vec![part("a", false), part("b", false)],
                ..ok()
            },
        ),
        ("keepMs", ClassDef { keep_ms: 0, ..ok() }),
        (
            "keepMs",
            ClassDef {
                keep_ms: u64::MAX,
                ..ok()
            },
        ),
        (
            "ttlMs",
            ClassDef {
                fresh_ms: 3,
                ..ok()
            },
        ),
        (
            "parts",
            ClassDef {
                parts: vec![part("", false)],
                ..ok()
            },
        ),
        (
            "parts",
            ClassDef {
                parts: vec![part("0a", false)],
                ..ok()
            },
        ),
        (
            "parts",
            ClassDef {
                parts: vec![part("a", true), part("b", false)],
                ..ok()
            },
        ),
        (
            "parts",
            ClassDef {
                parts: vec![part("a", false); 9],
                ..ok()
            },
        ),
        (
            "tags",
            ClassDef {
                tags: tag("class", 0),
                ..ok()
            },
        ),
        (
            "tags",
            ClassDef {
                tags: tag("Ward", 0),
                ..ok()
            },
        ),
        (
            "tags",
            ClassDef {
                tags: tag("ward", 1),
                ..ok()
            },
        ),
        (
            "tags",
            ClassDef {
                parts: vec![part("a", true)],
                tags: tag("ward", 0),
                ..ok()
            },
        ),
        (
            "fhir",
            ClassDef {
                fhir: vec!["a b".into()],
                ..ok()
            },
        ),
    ];
    let mut classes = Classes::builtin();
    for (at, (field, def)) in bad.into_iter().enumerate() {
        let error = classes.define(def).err();
        assert_eq!(
            error.as_ref().and_then(Error::field),
            Some(field),
            "definition {at}"
        );
    }
    assert_eq!(classes.len(), CLASSES.len());
    assert!(classes.define(ok()).is_ok());
    assert!(classes.define(ok()).is_err());
}

#[test]
fn an_own_class_lives_on_a_device_for_a_week_and_urls_are_urls() -> Result<()> {
    let mut classes = Classes::builtin();
    let mut def = ClassDef::new("own:url", vec![], 400_000, 99 * 86_400_000);
    def.pattern = Pattern::Cdn;
    let id = classes.define(def)?;
    let class = classes.get(id);
    assert_eq!(class.device_keep_ms, 7 * 86_400_000);
    assert!(class.signed_url && !class.swr && class.phi);
    assert_eq!(&*class.class_tag, "class/own:url");
    Ok(())
}

#[test]
fn the_parts_of_an_own_class_are_named_in_errors() -> Result<()> {
    let mut classes = Classes::builtin();
    let part = PartDef::new("bed".to_owned(), PartKind::Id);
    let id = classes.define(ClassDef::new("bed", vec![part], 1, 1))?;
    let error = classes.key(id, &[""]).err();
    assert_eq!(
        error.map(|error| error.to_string()).as_deref(),
        Some("key: part `bed` must be 1 to 256 bytes long")
    );
    Ok(())
}

#[test]
fn the_number_of_classes_is_bounded() {
    let mut classes = Classes::builtin();
    let refused = (0..=CLASSES_MAX)
        .filter(|n| {
            classes
                .define(ClassDef::new(format!("c{n}"), vec![], 1, 1))
                .is_err()
        })
        .count();
    assert_eq!((classes.len(), refused), (CLASSES_MAX, CLASSES.len() + 1));
}
