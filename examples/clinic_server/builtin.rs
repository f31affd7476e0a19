//! The people and studies that come with the program. `examples/data/CREDITS.md` says from where.

use super::ndjson::{self, LoadError, Loaded};

macro_rules! people {
    ($($kind:literal),* $(,)?) => {
        /// Each FHIR type with its file.
        const PEOPLE: &[(&str, &[u8])] = &[$((
            $kind,
            include_bytes!(concat!("../data/fhir-r4/", $kind, ".ndjson")),
        )),*];
    };
}

people![
    "Patient",
    "Practitioner",
    "Encounter",
    "Condition",
    "AllergyIntolerance",
    "MedicationRequest",
    "Observation",
    "DiagnosticReport",
];

/// QIDO-RS rows of all studies.
pub(crate) const STUDIES: &[u8] = include_bytes!("../data/dicomweb/studies.json");
/// QIDO-RS rows of each study's series.
pub(crate) const SERIES: &[u8] = include_bytes!("../data/dicomweb/series.json");
/// QIDO-RS rows of each study's instances.
pub(crate) const INSTANCES: &[u8] = include_bytes!("../data/dicomweb/instances.json");

macro_rules! rendered {
    ($($uid:literal),* $(,)?) => {
        /// Rendered images: SOP instance UID and JPEG bytes.
        pub(crate) const RENDERED: &[(&str, &[u8])] = &[$((
            $uid,
            include_bytes!(concat!("../data/dicomweb/rendered/", $uid, ".jpg")),
        )),*];
    };
}

rendered![
    "1.2.276.0.7230010.3.1.4.0.35989.1606514566.150781",
    "1.2.276.0.7230010.3.1.4.8323329.5805.1512159514.457936",
    "1.2.276.0.7230010.3.1.4.8323329.5847.1512159606.71607",
    "1.2.826.0.1.3680043.8.498.60462359955763750474035947786807696063",
    "1.2.840.1136190195280574824680000700.3.0.1.19970424140438",
    "1.2.840.114340.3.8251017118051.3.20160503.121539.16117.4",
    "1.3.46.670589.14.1000.210.2.199999.20110525185628.1.0",
    "1.3.6.1.4.1.5962.1.1.0.0.0.1196533885.18148.0.138",
    "1.3.6.1.4.1.5962.1.1.0.0.0.1196533885.18148.0.139",
    "1.3.6.1.4.1.5962.1.1.0.0.0.1196533885.18148.0.476",
    "1.3.6.1.4.1.5962.1.1.0.0.0.1196533885.18148.0.482",
    "1.3.6.1.4.1.5962.1.1.0.0.0.977067309.6001.0",
    "1.3.6.1.4.1.5962.1.1.4.1.1.20040826185059.5457",
];

/// Reads the built-in people.
pub(crate) fn people() -> Result<Vec<Loaded>, LoadError> {
    let mut resources = Vec::new();
    for (kind, bytes) in PEOPLE {
        resources.extend(ndjson::parse(kind, &format!("built-in {kind}"), bytes)?);
    }
    Ok(resources)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_built_in_people_cover_every_known_type() {
        let kinds: Vec<_> = super::PEOPLE.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, super::ndjson::TYPES);
    }
}
