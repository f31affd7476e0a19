//! The built-in classes.

use super::spec::{ClassSpec, Evict, Offline, Part, Pattern, TagRule};

const PATIENT: &[TagRule] = &[TagRule::new("patient", 0)];
const QUEUE: &[TagRule] = &[TagRule::new("queue", 0)];
const IMAGE: &[TagRule] = &[TagRule::new("image", 0)];
const STUDY: &[TagRule] = &[TagRule::new("study", 0)];
const REPORT: &[TagRule] = &[TagRule::new("report", 0)];
const DOCTOR: &[TagRule] = &[TagRule::new("doctor", 0)];
const DEPARTMENT: &[TagRule] = &[TagRule::new("department", 0)];
const EQUIPMENT: &[TagRule] = &[TagRule::new("equipment", 0)];
const DEVICE: &[TagRule] = &[TagRule::new("device", 0)];

/// Every built-in class.
///
/// Numbers are those of the hospital cache plan that the project follows: seconds to live, days
/// to keep. An app may tighten them, never loosen.
pub const CLASSES: &[ClassSpec] = &[
    ClassSpec::new(
        "patients:list",
        "patients of a list",
        &[Part::word("query")],
        300,
        7,
    )
    .strong()
    .phi()
    .fhir(&["Patient"])
    .last_evicted(),
    ClassSpec::new("summary", "patient summary", &[Part::patient()], 3600, 365)
        .strong()
        .phi()
        .fhir(&["Patient"])
        .tags(PATIENT)
        .target(0.90, 10)
        .last_evicted(),
    ClassSpec::new("patient", "patient", &[Part::patient()], 3600, 365)
        .strong()
        .phi()
        .pattern(Pattern::WriteThrough)
        .fhir(&["Patient"])
        .tags(PATIENT)
        .target(0.90, 10)
        .load(5_000)
        .last_evicted(),
    ClassSpec::new(
        "medical_record",
        "medical record",
        &[Part::patient(), Part::id("record")],
        1800,
        365,
    )
    .strong()
    .phi()
    .pattern(Pattern::WriteThrough)
    .fhir_of_value()
    .tags(PATIENT)
    .target(0.90, 10)
    .last_evicted(),
    ClassSpec::new(
        "medical_records:list",
        "medical records of a patient, of one type or all",
        &[Part::patient(), Part::word("type").optional()],
        1800,
        365,
    )
    .strong()
    .phi()
    .fhir_of_value()
    .tags(PATIENT)
    .target(0.90, 10)
    .last_evicted(),
    ClassSpec::new(
        "report:meta",
        "report metadata",
        &[Part::id("report")],
        7200,
        365,
    )
    .phi()
    .fhir(&["DiagnosticReport"])
    .tags(REPORT)
    .needs_tags(&["patient"])
    .one_flight(),
    ClassSpec::new(
        "report:file",
        "report file URL",
        &[Part::id("report")],
        7200,
        365,
    )
    .phi()
    .pattern(Pattern::Cdn)
    .evict(Evict::Ttl)
    .fhir(&["DocumentReference"])
    .tags(REPORT)
    .needs_tags(&["patient"])
    .signed_url()
    .one_flight(),
    ClassSpec::new("doctor", "doctor", &[Part::id("doctor")], 3600, 90)
        .fhir(&["Practitioner"])
        .tags(DOCTOR)
        .fill_tags(&["department"]),
    ClassSpec::new(
        "doctors:department",
        "doctors of a department",
        &[Part::id("department")],
        3600,
        90,
    )
    .fhir(&["Practitioner"])
    .tags(DEPARTMENT),
    ClassSpec::new(
        "department",
        "department",
        &[Part::id("department")],
        7200,
        90,
    )
    .fhir(&["Organization"])
    .tags(DEPARTMENT),
    ClassSpec::new("departments:all", "all departments", &[], 7200, 90).fhir(&["Organization"]),
    ClassSpec::new("equipment", "equipment", &[Part::id("equipment")], 300, 90)
        .fhir(&["Device"])
        .tags(EQUIPMENT),
    ClassSpec::new(
        "equipment:status",
        "equipment status",
        &[Part::id("equipment")],
        30,
        1,
    )
    .evict(Evict::Ttl)
    .fhir(&["Device"])
    .tags(EQUIPMENT)
    .offline(Offline::ServeNotCurrent),
    ClassSpec::new(
        "slots:available",
        "available slots of a doctor on a day",
        &[Part::id("doctor"), Part::date("date")],
        300,
        1,
    )
    .strong()
    .pattern(Pattern::WriteThrough)
    .fhir(&["Slot"])
    .tags(DOCTOR)
    .fill_tags(&["department"])
    .target(0.95, 5)
    .load(10_000)
    .offline(Offline::Refuse),
    ClassSpec::new(
        "appointment",
        "appointment",
        &[Part::id("appointment")],
        1800,
        90,
    )
    .strong()
    .phi()
    .pattern(Pattern::WriteThrough)
    .fhir(&["Appointment"])
    .needs_tags(&["patient"])
    .target(0.95, 5)
    .load(10_000)
    .last_evicted(),
    ClassSpec::new(
        "appointments:patient",
        "appointments of a patient",
        &[Part::patient()],
        1800,
        90,
    )
    .strong()
    .phi()
    .fhir(&["Appointment"])
    .tags(PATIENT)
    .target(0.95, 5)
    .last_evicted(),
    ClassSpec::new(
        "queue:position",
        "position of a patient in a queue",
        &[Part::id("queue"), Part::patient()],
        60,
        1,
    )
    .phi()
    .evict(Evict::Ttl)
    .fhir(&["Task"])
    .tags(&[TagRule::new("queue", 0), TagRule::new("patient", 1)])
    .offline(Offline::Refuse),
    ClassSpec::new("queue:info", "queue info", &[Part::id("queue")], 60, 1)
        .evict(Evict::Ttl)
        .fhir(&["Task"])
        .tags(QUEUE)
        .offline(Offline::Refuse),
    ClassSpec::new(
        "vitals:realtime",
        "vital signs, now",
        &[Part::patient()],
        60,
        1,
    )
    .strong()
    .phi()
    .pattern(Pattern::WriteBehind)
    .evict(Evict::Fifo)
    .fhir(&["Observation"])
    .tags(PATIENT)
    .load(50_000)
    .offline(Offline::ServeNotCurrent),
    ClassSpec::new(
        "vitals:history",
        "vital signs, range",
        &[
            Part::patient(),
            Part::time_ms("start"),
            Part::time_ms("end"),
        ],
        3600,
        1,
    )
    .open_range(60)
    .phi()
    .evict(Evict::Fifo)
    .fhir(&["Observation"])
    .tags(PATIENT),
    ClassSpec::new(
        "device:status",
        "device status",
        &[Part::id("device")],
        30,
        1,
    )
    .evict(Evict::Ttl)
    .fhir(&["Device"])
    .tags(DEVICE)
    .offline(Offline::ServeNotCurrent),
    ClassSpec::new(
        "alerts:active",
        "active alerts of a patient, or of all",
        &[Part::patient_or_all()],
        300,
        1,
    )
    .strong()
    .phi()
    .pattern(Pattern::WriteThrough)
    .evict(Evict::Ttl)
    .fhir(&["Flag"])
    .tags(PATIENT)
    .offline(Offline::ServeNotCurrent),
    ClassSpec::new(
        "alerts:history",
        "alert history",
        &[Part::patient()],
        300,
        90,
    )
    .phi()
    .fhir(&["Flag"])
    .tags(PATIENT),
    ClassSpec::new(
        "image:meta",
        "image metadata",
        &[Part::id("image")],
        86_400,
        2555,
    )
    .phi()
    .evict(Evict::Ttl)
    .fhir(&["ImagingStudy"])
    .tags(IMAGE)
    .fill_tags(&["study", "patient"])
    .target(0.85, 100)
    .load(3_000)
    .image()
    .one_flight(),
    ClassSpec::new(
        "image:url",
        "image URL of a variant",
        &[Part::id("image"), Part::word("variant")],
        86_400,
        2555,
    )
    .phi()
    .pattern(Pattern::Cdn)
    .evict(Evict::Ttl)
    .fhir(&["ImagingStudy"])
    .tags(IMAGE)
    .fill_tags(&["study", "patient"])
    .target(0.85, 100)
    .load(3_000)
    .image()
    .signed_url()
    .one_flight(),
    ClassSpec::new(
        "study:meta",
        "study metadata",
        &[Part::id("study")],
        3600,
        2555,
    )
    .phi()
    .fhir(&["ImagingStudy"])
    .tags(STUDY)
    .fill_tags(&["patient"])
    .target(0.85, 100)
    .image()
    .one_flight(),
    ClassSpec::new(
        "studies:patient",
        "studies of a patient",
        &[Part::patient()],
        3600,
        2555,
    )
    .phi()
    .fhir(&["ImagingStudy"])
    .tags(PATIENT)
    .target(0.85, 100)
    .image()
    .one_flight(),
    ClassSpec::new(
        "processing",
        "image processing result",
        &[Part::id("image"), Part::word("type")],
        86_400,
        2555,
    )
    .phi()
    .pattern(Pattern::Compute)
    .evict(Evict::Ttl)
    .fhir(&["ImagingStudy"])
    .tags(IMAGE)
    .fill_tags(&["study", "patient"])
    .image()
    .one_flight(),
    ClassSpec::new(
        "video:consultation",
        "consultation video URL",
        &[Part::patient(), Part::id("doctor")],
        300,
        1,
    )
    .phi()
    .evict(Evict::Ttl)
    .fhir(&["Appointment"])
    .tags(PATIENT)
    .signed_url()
    .offline(Offline::Refuse),
];
