// The record that everybody stores: a FHIR-like patient summary of about 2.2 KB of JSON.

/** Wards that the patients are spread over, so that giving up one concerns 50 of 1,000. */
export const WARDS = 20;

const FAMILY = ["Hansen", "Okafor", "Müller", "Tanaka", "Silva", "Kowalski", "Rossi", "Haddad"];
const GIVEN = ["Ada", "Bo", "Chidi", "Dana", "Emil", "Farah", "Gus", "Hana"];
const CONDITIONS = [
  ["38341003", "Hypertensive disorder"],
  ["44054006", "Diabetes mellitus type 2"],
  ["195967001", "Asthma"],
  ["13645005", "Chronic obstructive lung disease"],
  ["49436004", "Atrial fibrillation"],
];
const MEDICINES = [
  ["860975", "metformin hydrochloride 500 MG Oral Tablet"],
  ["314076", "lisinopril 10 MG Oral Tablet"],
  ["745679", "albuterol 0.09 MG/ACTUAT Inhalant Solution"],
  ["197361", "amlodipine 5 MG Oral Tablet"],
];

/** The id of patient number `n`. */
export const idOf = (n) => `p-${String(n).padStart(6, "0")}`;

/** The ward of patient number `n`. */
export const wardOf = (n) => `ward/${n % WARDS}`;

/** The summary of patient number `n`: the same object for the same number, in every run. */
export function summaryOf(n, edition = 0) {
  const next = numbers(n + 1);
  const pick = (list) => list[Math.floor(next() * list.length)];
  const day = () => `20${10 + Math.floor(next() * 15)}-0${1 + Math.floor(next() * 9)}-1${Math.floor(next() * 10)}`;
  const coded = (system, [code, display]) => ({ coding: [{ system, code, display }] });
  const reference = { reference: `Patient/${idOf(n)}` };
  const observation = (code, display, value, unit) => ({
    resourceType: "Observation",
    status: "final",
    code: { coding: [{ system: "http://loinc.org", code, display }] },
    subject: reference,
    effectiveDateTime: `${day()}T08:30:00Z`,
    valueQuantity: { value, unit, system: "http://unitsofmeasure.org" },
  });
  return {
    resourceType: "Patient",
    id: idOf(n),
    meta: { versionId: String(edition + 1), lastUpdated: `${day()}T10:15:30Z` },
    identifier: [{ system: "urn:oid:1.2.36.146.595.217.0.1", value: hex(next, 16) }],
    active: true,
    name: [{ use: "official", family: pick(FAMILY), given: [pick(GIVEN), pick(GIVEN)] }],
    telecom: [{ system: "phone", use: "mobile", value: `+44 7700 ${hex(next, 6)}` }],
    gender: next() < 0.5 ? "female" : "male",
    birthDate: `19${10 + Math.floor(next() * 89)}-03-21`,
    address: [{ line: [`${Math.floor(next() * 400)} Hill Road`], city: "Leeds", postalCode: hex(next, 6) }],
    condition: [pick(CONDITIONS), pick(CONDITIONS)].map((condition) => ({
      resourceType: "Condition",
      clinicalStatus: "active",
      code: coded("http://snomed.info/sct", condition),
      subject: reference,
      onsetDateTime: day(),
    })),
    medication: [pick(MEDICINES), pick(MEDICINES)].map((medicine) => ({
      resourceType: "MedicationRequest",
      status: "active",
      medicationCodeableConcept: coded("http://www.nlm.nih.gov/research/umls/rxnorm", medicine),
      subject: reference,
      authoredOn: day(),
    })),
    observation: [
      observation("8480-6", "Systolic blood pressure", 100 + Math.floor(next() * 60), "mm[Hg]"),
      observation("8867-4", "Heart rate", 55 + Math.floor(next() * 50), "/min"),
    ],
  };
}

/** Numbers in [0, 1) from a seed (mulberry32). */
function numbers(seed) {
  let state = Math.imul(seed, 0x9e3779b1);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function hex(next, digits) {
  let text = "";
  while (text.length < digits) text += Math.floor(next() * 16).toString(16);
  return text;
}
