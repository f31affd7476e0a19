//! Each relation against the plan's table, on a cache that holds one entry of everything.

mod documentation;

use super::*;
use proptest::prelude::*;

/// An entry: its logical key, and the tags that its fill told on top of the key's.
const HELD: &[(&str, &[&str])] = &[
    ("patients:list:q", &[]),
    ("summary:p", &[]),
    ("summary:o", &[]),
    ("patient:p", &[]),
    ("patient:o", &[]),
    ("medical_record:p:Condition/1", &[]),
    ("medical_record:p:Condition/2", &[]),
    ("medical_record:o:Condition/1", &[]),
    ("medical_records:list:p", &[]),
    ("medical_records:list:p:Condition", &[]),
    ("medical_records:list:o", &[]),
    ("report:meta:r", &["patient/p"]),
    ("report:file:r", &["patient/p"]),
    ("report:meta:r2", &["patient/o"]),
    ("doctor:d", &["department/dep"]),
    ("doctor:d2", &["department/dep"]),
    ("doctors:department:dep", &[]),
    ("doctors:department:dep2", &[]),
    ("doctors:department:dep3", &[]),
    ("department:dep", &[]),
    ("department:dep2", &[]),
    ("departments:all", &[]),
    ("equipment:e", &[]),
    ("equipment:status:e", &[]),
    ("equipment:e2", &[]),
    ("slots:available:d:2026-11-23", &[]),
    ("slots:available:d:2026-11-24", &[]),
    ("slots:available:d2:2026-11-23", &[]),
    ("appointment:a", &["patient/p"]),
    ("appointment:a2", &["patient/o"]),
    ("appointments:patient:p", &[]),
    ("appointments:patient:o", &[]),
    ("queue:position:q:p", &[]),
    ("queue:position:q:o", &[]),
    ("queue:info:q", &[]),
    ("queue:info:q2", &[]),
    ("vitals:realtime:p", &[]),
    ("vitals:history:p:1000:2000", &[]),
    ("vitals:history:p:2000:3000", &[]),
    ("vitals:history:o:1000:3000", &[]),
    ("device:status:dev", &[]),
    ("device:status:dev2", &[]),
    ("alerts:active:p", &[]),
    ("alerts:active:o", &[]),
    ("alerts:active:all", &[]),
    ("alerts:history:p", &[]),
    ("image:meta:i", &["study/s", "patient/p"]),
    ("image:meta:i2", &["study/s2", "patient/p"]),
    ("image:url:i:thumbnail", &["study/s", "patient/p"]),
    ("study:meta:s", &["patient/p"]),
    ("study:meta:s2", &["patient/p"]),
    ("studies:patient:p", &[]),
    ("studies:patient:o", &[]),
    ("processing:i:lesion", &["study/s", "patient/p"]),
    ("video:consultation:p:d", &[]),
];

/// What an event removes from a cache that holds [`HELD`], and how.
fn effect(event: &Event<'_>) -> Result<Vec<(String, OpMode)>> {
    let classes = Classes::builtin();
    let given = gives_up(&classes, event)?;
    let mut gone = Vec::new();
    for (text, told) in HELD {
        let key = classes.parse_key(text)?;
        let mut tags = key.tags(&classes);
        tags.extend(told.iter().map(|tag| (*tag).to_owned()));
        if let Some(hit) = given.iter().find(|given| given.target.holds(&key, &tags)) {
            gone.push(((*text).to_owned(), hit.mode));
        }
    }
    Ok(gone)
}

fn assert_gone(event: &Event<'_>, mode: OpMode, expected: &[&str]) -> Result<()> {
    let gone = effect(event)?;
    let names: Vec<&str> = gone.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(names, expected);
    assert!(gone.iter().all(|(_, how)| *how == mode));
    Ok(())
}

fn replaced(event: &Event<'_>) -> Result<Vec<String>> {
    let keys = replaces(&Classes::builtin(), event)?;
    Ok(keys.iter().map(|key| key.as_str().to_owned()).collect())
}

#[test]
fn an_updated_patient_gives_up_their_records_and_replaces_the_patient() -> Result<()> {
    let event = Event::new(EventKind::PatientUpdated).with(Arg::Patient, "p");
    assert_eq!(replaced(&event)?, ["patient:p"]);
    assert_gone(
        &event,
        OpMode::Expire,
        &[
            "patients:list:q",
            "summary:p",
            "medical_record:p:Condition/1",
            "medical_record:p:Condition/2",
            "medical_records:list:p",
            "medical_records:list:p:Condition",
        ],
    )
}

#[test]
fn a_saved_record_gives_up_its_lists() -> Result<()> {
    let event = Event::new(EventKind::RecordSaved)
        .with(Arg::Patient, "p")
        .with(Arg::Record, "Condition/1");
    assert_eq!(replaced(&event)?, ["medical_record:p:Condition/1"]);
    let lists = [
        "summary:p",
        "medical_records:list:p",
        "medical_records:list:p:Condition",
    ];
    assert_gone(&event, OpMode::Expire, &lists)
}

#[test]
fn a_deleted_record_is_removed_and_its_lists_are_given_up() -> Result<()> {
    let event = Event::new(EventKind::RecordDeleted)
        .with(Arg::Patient, "p")
        .with(Arg::Record, "Condition/1");
    let gone = effect(&event)?;
    assert_eq!(
        gone,
        [
            ("summary:p".to_owned(), OpMode::Expire),
            ("medical_record:p:Condition/1".to_owned(), OpMode::Remove),
            ("medical_records:list:p".to_owned(), OpMode::Expire),
            (
                "medical_records:list:p:Condition".to_owned(),
                OpMode::Expire
            ),
        ]
    );
    Ok(())
}

#[test]
fn a_changed_slot_gives_up_that_day_the_appointment_and_the_queue_that_is_named() -> Result<()> {
    let event = Event::new(EventKind::SlotChanged)
        .with(Arg::Doctor, "d")
        .with(Arg::Date, "2026-11-23")
        .with(Arg::Appointment, "a")
        .with(Arg::Patient, "p");
    let base = [
        "slots:available:d:2026-11-23",
        "appointment:a",
        "appointments:patient:p",
    ];
    assert_gone(&event, OpMode::Expire, &base)?;
    let event = event.with(Arg::Queue, "q");
    let mut all = base.to_vec();
    all.extend(["queue:position:q:p", "queue:info:q"]);
    assert_gone(&event, OpMode::Expire, &all)
}

#[test]
fn what_is_not_told_widens_to_the_class_rather_than_being_missed() -> Result<()> {
    let event = Event::new(EventKind::SlotChanged)
        .with(Arg::Doctor, "d")
        .with(Arg::Date, "2026-11-23");
    assert_gone(
        &event,
        OpMode::Expire,
        &[
            "slots:available:d:2026-11-23",
            "appointment:a",
            "appointment:a2",
            "appointments:patient:p",
            "appointments:patient:o",
        ],
    )
}

#[test]
fn an_alert_is_seen_for_its_patient_and_for_all() -> Result<()> {
    let event = Event::new(EventKind::AlertChanged).with(Arg::Patient, "p");
    let keys = ["alerts:active:p", "alerts:active:all", "alerts:history:p"];
    assert_gone(&event, OpMode::Expire, &keys)
}

#[test]
fn vital_signs_give_up_the_ranges_that_hold_their_time() -> Result<()> {
    let event = Event::new(EventKind::VitalsRecorded).with(Arg::Patient, "p");
    assert_eq!(replaced(&event)?, ["vitals:realtime:p"]);
    let ranges = ["vitals:history:p:1000:2000", "vitals:history:p:2000:3000"];
    assert_gone(&event, OpMode::Expire, &ranges)?;
    for (time, expected) in [
        ("999", [].as_slice()),
        ("1000", &ranges[..1]),
        ("2000", &ranges),
        ("2001", &ranges[1..]),
        ("3001", &[]),
    ] {
        assert_gone(
            &event.clone().with(Arg::TimeMs, time),
            OpMode::Expire,
            expected,
        )?;
    }
    Ok(())
}

#[test]
fn a_changed_study_gives_up_its_metadata_images_and_processing() -> Result<()> {
    let event = Event::new(EventKind::StudyChanged)
        .with(Arg::Study, "s")
        .with(Arg::Patient, "p");
    assert_gone(
        &event,
        OpMode::Expire,
        &[
            "image:meta:i",
            "study:meta:s",
            "studies:patient:p",
            "processing:i:lesion",
        ],
    )
}

#[test]
fn a_changed_doctor_gives_up_the_lists_of_every_department_told() -> Result<()> {
    let event = Event::new(EventKind::DoctorChanged)
        .with(Arg::Doctor, "d")
        .with(Arg::Department, "dep")
        .with(Arg::Department, "dep2");
    let keys = [
        "doctor:d",
        "doctors:department:dep",
        "doctors:department:dep2",
    ];
    assert_gone(&event, OpMode::Expire, &keys)
}

#[test]
fn the_other_relations_are_those_of_the_plan() -> Result<()> {
    let table: [(EventKind, Arg, &str, OpMode, &[&str]); 6] = [
        (
            EventKind::DepartmentChanged,
            Arg::Department,
            "dep",
            OpMode::Expire,
            &["department:dep", "departments:all"],
        ),
        (
            EventKind::EquipmentChanged,
            Arg::Equipment,
            "e",
            OpMode::Expire,
            &["equipment:e", "equipment:status:e"],
        ),
        (
            EventKind::DeviceChanged,
            Arg::Device,
            "dev",
            OpMode::Expire,
            &["device:status:dev"],
        ),
        (
            EventKind::ReportChanged,
            Arg::Report,
            "r",
            OpMode::Expire,
            &["report:meta:r", "report:file:r"],
        ),
        (
            EventKind::QueueMoved,
            Arg::Queue,
            "q",
            OpMode::Expire,
            &["queue:position:q:p", "queue:position:q:o", "queue:info:q"],
        ),
        (
            EventKind::PatientRevoked,
            Arg::Patient,
            "o",
            OpMode::Purge,
            &[
                "patients:list:q",
                "summary:o",
                "patient:o",
                "medical_record:o:Condition/1",
                "medical_records:list:o",
                "report:meta:r2",
                "appointment:a2",
                "appointments:patient:o",
                "queue:position:q:o",
                "vitals:history:o:1000:3000",
                "alerts:active:o",
                "alerts:active:all",
                "studies:patient:o",
            ],
        ),
    ];
    for (kind, arg, text, mode, expected) in table {
        assert_gone(&Event::new(kind).with(arg, text), mode, expected)?;
    }
    Ok(())
}

#[test]
fn an_event_that_tells_too_little_is_refused_by_name() {
    for relation in RELATIONS {
        let error = gives_up(&Classes::builtin(), &Event::new(relation.event)).err();
        let first = relation.needs.first().map(|arg| arg.name());
        assert_eq!(error.as_ref().and_then(Error::field), first);
    }
}

#[test]
fn the_feed_is_told_the_key_or_the_whole_compartment() -> Result<()> {
    let event = Event::new(EventKind::PatientUpdated).with(Arg::Patient, "p");
    let given = gives_up(&Classes::builtin(), &event)?;
    let ops: Vec<_> = given
        .iter()
        .map(|given| given.target.op(given.mode))
        .collect();
    let told: Vec<_> = ops.iter().map(|op| (op.kind, op.id.as_str())).collect();
    assert_eq!(
        told,
        [
            (OpKind::Tag, "patient/p"),
            (OpKind::Tag, "patient/p"),
            (OpKind::Key, "summary:p"),
            (OpKind::Tag, "class/patients:list"),
        ]
    );
    assert!(!format!("{event:?} {given:?}").contains("/p"));
    Ok(())
}

proptest! {
    /// What the feed widens, it widens: an entry that the writer gives up is one that every
    /// reader gives up.
    #[test]
    fn no_text_panics_and_an_op_means_at_least_its_target(
        at in 0..RELATIONS.len(),
        texts in proptest::collection::vec(prop_oneof!["[a-z0-9]{1,3}", any::<String>()], 12),
    ) {
        const ARGS: [Arg; 12] = [
            Arg::Patient, Arg::Record, Arg::Doctor, Arg::Date, Arg::Appointment, Arg::Queue,
            Arg::Study, Arg::Department, Arg::Equipment, Arg::Device, Arg::Report, Arg::TimeMs,
        ];
        let classes = Classes::builtin();
        let kind = RELATIONS.get(at).map(|relation| relation.event);
        let mut event = Event::new(kind.unwrap_or(EventKind::QueueMoved));
        for (arg, text) in ARGS.iter().zip(&texts) {
            let text = match arg {
                Arg::Date if text.len() < 4 => "2026-11-23",
                Arg::TimeMs if text.len() < 4 => "2000",
                _ => text,
            };
            event = event.with(*arg, text);
        }
        for given in gives_up(&classes, &event).unwrap_or_default() {
            let op = given.target.op(given.mode);
            for (text, told) in HELD {
                let key = classes.parse_key(text)?;
                let mut tags = key.tags(&classes);
                tags.extend(told.iter().map(|tag| (*tag).to_owned()));
                if given.target.holds(&key, &tags) {
                    prop_assert!(op.id == key.as_str() || tags.contains(&op.id));
                }
            }
        }
    }
}
