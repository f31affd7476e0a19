//! The relations, as the hospital cache plan has them, and with them what shows the same facts
//! once more: lists of patients, the list of all alerts, and the summary.

use super::{Arg, EventKind, KeyPart, Relation, Rule};
use crate::kernel::{id::ALL, protocol::OpMode};

const fn told(event: EventKind, needs: &'static [Arg]) -> Relation {
    Relation {
        event,
        needs,
        replaces: &[],
        gives_up: &[],
        only_where_told: &[],
    }
}

const PATIENT: KeyPart = KeyPart::Told(Arg::Patient);
const SUMMARY: (Rule, OpMode) = (Rule::Key("summary", &[PATIENT]), OpMode::Expire);

/// Every relation, one per kind of event.
pub const RELATIONS: &[Relation] = &[
    Relation {
        replaces: &[Rule::Key("patient", &[PATIENT])],
        gives_up: &[
            (
                Rule::Within("medical_record", "patient", Arg::Patient),
                OpMode::Expire,
            ),
            (
                Rule::Within("medical_records:list", "patient", Arg::Patient),
                OpMode::Expire,
            ),
            SUMMARY,
            (Rule::Class("patients:list"), OpMode::Expire),
        ],
        ..told(EventKind::PatientUpdated, &[Arg::Patient])
    },
    Relation {
        replaces: &[Rule::Key(
            "medical_record",
            &[PATIENT, KeyPart::Told(Arg::Record)],
        )],
        gives_up: &[
            (
                Rule::Within("medical_records:list", "patient", Arg::Patient),
                OpMode::Expire,
            ),
            SUMMARY,
        ],
        ..told(EventKind::RecordSaved, &[Arg::Patient, Arg::Record])
    },
    Relation {
        gives_up: &[
            (
                Rule::Key("medical_record", &[PATIENT, KeyPart::Told(Arg::Record)]),
                OpMode::Remove,
            ),
            (
                Rule::Within("medical_records:list", "patient", Arg::Patient),
                OpMode::Expire,
            ),
            SUMMARY,
        ],
        ..told(EventKind::RecordDeleted, &[Arg::Patient, Arg::Record])
    },
    Relation {
        gives_up: &[
            (
                Rule::Key(
                    "slots:available",
                    &[KeyPart::Told(Arg::Doctor), KeyPart::Told(Arg::Date)],
                ),
                OpMode::Expire,
            ),
            (
                Rule::Key("appointment", &[KeyPart::Told(Arg::Appointment)]),
                OpMode::Expire,
            ),
            (
                Rule::Key("appointments:patient", &[PATIENT]),
                OpMode::Expire,
            ),
        ],
        only_where_told: &[
            (
                Rule::Key("queue:info", &[KeyPart::Told(Arg::Queue)]),
                OpMode::Expire,
            ),
            (
                Rule::Key("queue:position", &[KeyPart::Told(Arg::Queue), PATIENT]),
                OpMode::Expire,
            ),
        ],
        ..told(EventKind::SlotChanged, &[Arg::Doctor, Arg::Date])
    },
    Relation {
        gives_up: &[
            (Rule::Key("alerts:active", &[PATIENT]), OpMode::Expire),
            (
                Rule::Key("alerts:active", &[KeyPart::Word(ALL)]),
                OpMode::Expire,
            ),
            (Rule::Key("alerts:history", &[PATIENT]), OpMode::Expire),
        ],
        ..told(EventKind::AlertChanged, &[Arg::Patient])
    },
    Relation {
        replaces: &[Rule::Key("vitals:realtime", &[PATIENT])],
        gives_up: &[(
            Rule::Ranges("vitals:history", "patient", Arg::Patient, Arg::TimeMs),
            OpMode::Expire,
        )],
        ..told(EventKind::VitalsRecorded, &[Arg::Patient])
    },
    Relation {
        gives_up: &[
            (
                Rule::Key("study:meta", &[KeyPart::Told(Arg::Study)]),
                OpMode::Expire,
            ),
            (Rule::Key("studies:patient", &[PATIENT]), OpMode::Expire),
            (
                Rule::Within("image:meta", "study", Arg::Study),
                OpMode::Expire,
            ),
            (
                Rule::Within("processing", "study", Arg::Study),
                OpMode::Expire,
            ),
        ],
        ..told(EventKind::StudyChanged, &[Arg::Study])
    },
    Relation {
        gives_up: &[
            (
                Rule::Key("doctor", &[KeyPart::Told(Arg::Doctor)]),
                OpMode::Expire,
            ),
            (
                Rule::Key("doctors:department", &[KeyPart::Told(Arg::Department)]),
                OpMode::Expire,
            ),
        ],
        ..told(EventKind::DoctorChanged, &[Arg::Doctor])
    },
    Relation {
        gives_up: &[
            (
                Rule::Key("department", &[KeyPart::Told(Arg::Department)]),
                OpMode::Expire,
            ),
            (Rule::Key("departments:all", &[]), OpMode::Expire),
        ],
        ..told(EventKind::DepartmentChanged, &[Arg::Department])
    },
    Relation {
        gives_up: &[(Rule::Tag("equipment", Arg::Equipment), OpMode::Expire)],
        ..told(EventKind::EquipmentChanged, &[Arg::Equipment])
    },
    Relation {
        gives_up: &[(Rule::Tag("device", Arg::Device), OpMode::Expire)],
        ..told(EventKind::DeviceChanged, &[Arg::Device])
    },
    Relation {
        gives_up: &[(Rule::Tag("report", Arg::Report), OpMode::Expire)],
        ..told(EventKind::ReportChanged, &[Arg::Report])
    },
    Relation {
        gives_up: &[(Rule::Tag("queue", Arg::Queue), OpMode::Expire)],
        ..told(EventKind::QueueMoved, &[Arg::Queue])
    },
    Relation {
        gives_up: &[
            (Rule::Tag("patient", Arg::Patient), OpMode::Purge),
            (Rule::Class("patients:list"), OpMode::Purge),
            (
                Rule::Key("alerts:active", &[KeyPart::Word(ALL)]),
                OpMode::Purge,
            ),
        ],
        ..told(EventKind::PatientRevoked, &[Arg::Patient])
    },
];
