//! `docs/classes.md` says what the relations say.

use super::{Arg, EventKind, KeyPart, OpMode, RELATIONS, Rule};
use crate::kernel::class::tests::documentation::generated;

fn event(kind: EventKind) -> &'static str {
    match kind {
        EventKind::PatientUpdated => "patient updated",
        EventKind::RecordSaved => "medical record saved",
        EventKind::RecordDeleted => "medical record deleted",
        EventKind::SlotChanged => "slot booked, moved or cancelled",
        EventKind::AlertChanged => "alert added or resolved",
        EventKind::VitalsRecorded => "vital signs recorded",
        EventKind::StudyChanged => "study changed",
        EventKind::DoctorChanged => "doctor changed",
        EventKind::DepartmentChanged => "department changed",
        EventKind::EquipmentChanged => "equipment changed",
        EventKind::DeviceChanged => "device changed",
        EventKind::ReportChanged => "report changed",
        EventKind::QueueMoved => "queue moved",
        EventKind::PatientRevoked => "access to a patient revoked",
    }
}

fn rule(rule: &Rule) -> String {
    match rule {
        Rule::Key(class, parts) => {
            let part = |part: &KeyPart| match part {
                KeyPart::Told(arg) => format!(":{{{}}}", arg.name()),
                KeyPart::Word(word) => format!(":{word}"),
            };
            format!("`{class}{}`", parts.iter().map(part).collect::<String>())
        }
        Rule::Class(class) => format!("all of `{class}`"),
        Rule::Tag(kind, arg) => format!("everything of `{kind}/{{{}}}`", arg.name()),
        Rule::Within(class, kind, arg) => format!("`{class}` of `{kind}/{{{}}}`", arg.name()),
        Rule::Ranges(class, kind, arg, time) => {
            let (arg, time) = (arg.name(), time.name());
            format!("`{class}` of `{kind}/{{{arg}}}`, ranges that hold `{time}`")
        }
    }
}

fn given(list: &[(Rule, OpMode)]) -> String {
    let item = |(target, mode): &(Rule, OpMode)| match mode {
        OpMode::Purge => format!("{}, erased on every tier", rule(target)),
        OpMode::Remove => format!("{}, removed", rule(target)),
        _ => rule(target),
    };
    list.iter().map(item).collect::<Vec<_>>().join("; ")
}

#[test]
fn the_page_of_the_classes_holds_the_relations() {
    let mut expected = String::from(
        "| event | must tell | replaces | gives up | and, where told |\n|---|---|---|---|---|\n",
    );
    for relation in RELATIONS {
        let needs: Vec<&str> = relation.needs.iter().copied().map(Arg::name).collect();
        let replaces: Vec<String> = relation.replaces.iter().map(rule).collect();
        expected += &format!(
            "| {} | {} | {} | {} | {} |\n",
            event(relation.event),
            needs.join(", "),
            replaces.join("; "),
            given(relation.gives_up),
            given(relation.only_where_told),
        );
    }
    assert!(
        generated("relations") == expected,
        "docs/classes.md should hold:\n{expected}"
    );
}
