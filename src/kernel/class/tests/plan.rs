//! The table against a second writing of the plan's numbers.

use crate::kernel::class::{CLASSES, ClassSpec, Consistency, Evict, Offline, Pattern};

/// One row as the plan states it. Seconds and days; `?` marks an optional part.
struct Row(
    &'static str,       // name and parts
    u64,                // fresh, s
    u64,                // keep, days
    u64,                // keep on a device, days
    Pattern,            //
    Evict,              //
    Consistency,        //
    bool,               // PHI
    Option<(f32, u32)>, // hit share and latency in ms
    Option<u32>,        // load per s
    &'static str,       // FHIR types; `*` is the value's own
    &'static str,       // tags from the key, with the part
    Offline,            //
);

use Consistency::{Eventual, Strong};
use Evict::{Fifo, Lru, Ttl};
use Offline::{Refuse, Serve, ServeNotCurrent as NotCurrent};
use Pattern::{Cdn, Compute, Read, WriteBehind, WriteThrough};

const P: &str = "patient=0";

#[rustfmt::skip]
const PLAN: &[Row] = &[
    Row("patients:list query", 300, 7, 7, Read, Lru, Strong, true, None, None, "Patient", "", Serve),
    Row("summary patient", 3600, 365, 7, Read, Lru, Strong, true, Some((0.90, 10)), None, "Patient", P, Serve),
    Row("patient patient", 3600, 365, 7, WriteThrough, Lru, Strong, true, Some((0.90, 10)), Some(5_000), "Patient", P, Serve),
    Row("medical_record patient record", 1800, 365, 7, WriteThrough, Lru, Strong, true, Some((0.90, 10)), None, "*", P, Serve),
    Row("medical_records:list patient type?", 1800, 365, 7, Read, Lru, Strong, true, Some((0.90, 10)), None, "*", P, Serve),
    Row("report:meta report", 7200, 365, 7, Read, Lru, Eventual, true, None, None, "DiagnosticReport", "report=0", Serve),
    Row("report:file report", 7200, 365, 7, Cdn, Ttl, Eventual, true, None, None, "DocumentReference", "report=0", Serve),
    Row("doctor doctor", 3600, 90, 7, Read, Lru, Eventual, false, None, None, "Practitioner", "doctor=0", Serve),
    Row("doctors:department department", 3600, 90, 7, Read, Lru, Eventual, false, None, None, "Practitioner", "department=0", Serve),
    Row("department department", 7200, 90, 7, Read, Lru, Eventual, false, None, None, "Organization", "department=0", Serve),
    Row("departments:all", 7200, 90, 7, Read, Lru, Eventual, false, None, None, "Organization", "", Serve),
    Row("equipment equipment", 300, 90, 7, Read, Lru, Eventual, false, None, None, "Device", "equipment=0", Serve),
    Row("equipment:status equipment", 30, 1, 1, Read, Ttl, Eventual, false, None, None, "Device", "equipment=0", NotCurrent),
    Row("slots:available doctor date", 300, 1, 1, WriteThrough, Lru, Strong, false, Some((0.95, 5)), Some(10_000), "Slot", "doctor=0", Refuse),
    Row("appointment appointment", 1800, 90, 7, WriteThrough, Lru, Strong, true, Some((0.95, 5)), Some(10_000), "Appointment", "", Serve),
    Row("appointments:patient patient", 1800, 90, 7, Read, Lru, Strong, true, Some((0.95, 5)), None, "Appointment", P, Serve),
    Row("queue:position queue patient", 60, 1, 1, Read, Ttl, Eventual, true, None, None, "Task", "queue=0 patient=1", Refuse),
    Row("queue:info queue", 60, 1, 1, Read, Ttl, Eventual, false, None, None, "Task", "queue=0", Refuse),
    Row("vitals:realtime patient", 60, 1, 1, WriteBehind, Fifo, Strong, true, None, Some(50_000), "Observation", P, NotCurrent),
    Row("vitals:history patient start end", 3600, 1, 1, Read, Fifo, Eventual, true, None, None, "Observation", P, Serve),
    Row("device:status device", 30, 1, 1, Read, Ttl, Eventual, false, None, None, "Device", "device=0", NotCurrent),
    Row("alerts:active patient", 300, 1, 1, WriteThrough, Ttl, Strong, true, None, None, "Flag", P, NotCurrent),
    Row("alerts:history patient", 300, 90, 7, Read, Lru, Eventual, true, None, None, "Flag", P, Serve),
    Row("image:meta image", 86_400, 2555, 30, Read, Ttl, Eventual, true, Some((0.85, 100)), Some(3_000), "ImagingStudy", "image=0", Serve),
    Row("image:url image variant", 86_400, 2555, 30, Cdn, Ttl, Eventual, true, Some((0.85, 100)), Some(3_000), "ImagingStudy", "image=0", Serve),
    Row("study:meta study", 3600, 2555, 30, Read, Lru, Eventual, true, Some((0.85, 100)), None, "ImagingStudy", "study=0", Serve),
    Row("studies:patient patient", 3600, 2555, 30, Read, Lru, Eventual, true, Some((0.85, 100)), None, "ImagingStudy", P, Serve),
    Row("processing image type", 86_400, 2555, 30, Compute, Ttl, Eventual, true, None, None, "ImagingStudy", "image=0", Serve),
    Row("video:consultation patient doctor", 300, 1, 1, Read, Ttl, Eventual, true, None, None, "Appointment", P, Refuse),
];

pub(super) fn shape(class: &ClassSpec) -> String {
    let parts = class.parts.iter().map(|part| {
        let mark = if part.optional { "?" } else { "" };
        format!(" {}{mark}", part.name)
    });
    format!("{}{}", class.name, parts.collect::<String>())
}

#[test]
fn every_row_has_the_numbers_of_the_plan() {
    assert_eq!(CLASSES.len(), PLAN.len());
    for (class, row) in CLASSES.iter().zip(PLAN) {
        let name = class.name;
        assert_eq!(shape(class), row.0);
        assert_eq!(class.fresh_ms, row.1 * 1000, "{name}");
        assert_eq!(class.keep_ms, row.2 * 86_400_000, "{name}");
        assert_eq!(class.device_keep_ms, row.3 * 86_400_000, "{name}");
        assert_eq!(class.pattern, row.4, "{name}");
        assert_eq!(class.evict, row.5, "{name}");
        assert_eq!(class.consistency, row.6, "{name}");
        assert_eq!(class.phi, row.7, "{name}");
        assert_eq!(class.hit_target, row.8.map(|(hit, _)| hit), "{name}");
        assert_eq!(class.latency_target_ms, row.8.map(|(_, ms)| ms), "{name}");
        assert_eq!(class.load_target_per_s, row.9, "{name}");
        let fhir = if class.fhir_of_value {
            "*".to_owned()
        } else {
            class.fhir.join(" ")
        };
        assert_eq!(fhir, row.10, "{name}");
        let tags: Vec<_> = class
            .tags
            .iter()
            .map(|tag| format!("{}={}", tag.kind, tag.part))
            .collect();
        assert_eq!(tags.join(" "), row.11, "{name}");
        assert_eq!(class.offline, row.12, "{name}");
    }
}

#[test]
fn what_follows_from_a_row_follows_by_the_documented_rules() {
    let urls = ["report:file", "image:url", "video:consultation"];
    let one_flight = [
        "report:meta",
        "report:file",
        "image:meta",
        "image:url",
        "study:meta",
        "studies:patient",
        "processing",
    ];
    let last = [
        "patients:list",
        "summary",
        "patient",
        "medical_record",
        "medical_records:list",
        "appointment",
        "appointments:patient",
    ];
    for class in CLASSES {
        let name = class.name;
        let eventual = class.consistency == Eventual;
        assert_eq!(class.signed_url, urls.contains(&name), "{name}");
        assert_eq!(class.cross_tab_flight, one_flight.contains(&name), "{name}");
        assert_eq!(class.priority, u8::from(last.contains(&name)), "{name}");
        let swr = eventual && class.fresh_ms >= 300_000 && !class.signed_url;
        assert_eq!(class.swr, swr, "{name}");
        assert_eq!(
            class.negative_ms,
            if eventual { 30_000 } else { 0 },
            "{name}"
        );
        assert_eq!(
            class.jitter_percent,
            if eventual { 10 } else { 0 },
            "{name}"
        );
        let open = (name == "vitals:history").then_some(60_000);
        assert_eq!(class.fresh_open_range_ms, open, "{name}");
        assert!(class.fhir_of_value == class.fhir.is_empty(), "{name}");
        assert!(class.fresh_ms <= class.device_keep_ms, "{name}");
        let needed = ["report:meta", "report:file", "appointment"].contains(&name);
        assert_eq!(class.fill_tags_needed, needed, "{name}");
    }
}

/// A purge of a patient must find every entry that is theirs.
#[test]
fn every_class_of_patient_data_says_where_its_patient_comes_from() {
    for class in CLASSES
        .iter()
        .filter(|class| class.phi && class.name != "patients:list")
    {
        let key = class.tags.iter().any(|tag| tag.kind == "patient");
        let fill = class.fill_tags.contains(&"patient");
        assert!(key != fill, "{}", class.name);
    }
}
