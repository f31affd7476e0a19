/** The resources of a search answer, in its order. */
export function resources(bundle) {
  return (bundle?.entry ?? []).map((row) => row.resource).filter(Boolean);
}

/** The text of a CodeableConcept, else its first coding's. */
export function concept(value) {
  return value?.text ?? value?.coding?.find((coding) => coding.display)?.display ?? value?.coding?.[0]?.code ?? "";
}

/** The name to show: official, else the first. */
export function officialName(patient) {
  const names = patient?.name ?? [];
  return names.find((name) => name.use === "official") ?? names[0];
}

export function fullName(patient) {
  const name = officialName(patient);
  if (!name) return "No name on record";
  if (name.text) return name.text;
  return [...(name.given ?? []), name.family].filter(Boolean).join(" ") || "No name on record";
}

export function initials(patient) {
  const name = officialName(patient);
  const letters = [name?.given?.[0], name?.family].filter(Boolean).map((part) => [...part][0]);
  return letters.join("").toUpperCase() || "?";
}

/** A copy with given and family name replaced, other names and parts kept. */
export function renamed(patient, given, family) {
  const copy = structuredClone(patient);
  const name = officialName(copy) ?? { use: "official" };
  if (!copy.name?.includes(name)) copy.name = [name, ...(copy.name ?? [])];
  name.given = given.split(/\s+/).filter(Boolean);
  if (name.given.length === 0) delete name.given;
  name.family = family;
  // A text made from the old parts would contradict them.
  delete name.text;
  return copy;
}

export function identifier(patient) {
  return patient?.identifier?.find((row) => row.value)?.value ?? "";
}

/** Names that people on a ward use; the rest is cleaned of what only machines need. */
const SHORT = {
  "2093-3": "Total cholesterol",
  "2085-9": "HDL cholesterol",
  "13457-7": "LDL cholesterol",
  "18262-6": "LDL cholesterol",
  "2571-8": "Triglycerides",
  "4548-4": "Haemoglobin A1c",
  "8302-2": "Height",
  "29463-7": "Weight",
  "39156-5": "Body mass index",
  "8867-4": "Heart rate",
  "9279-1": "Breathing rate",
  "8310-5": "Temperature",
  "2708-6": "Oxygen saturation",
  "59408-5": "Oxygen saturation",
  "85354-9": "Blood pressure",
  "57698-3": "Lipid panel",
};

export function measureName(code) {
  const known = code?.coding?.map((coding) => SHORT[coding.code]).find(Boolean);
  return known ?? concept(code).replace(/ \[[^\]]*\].*$/, "");
}

export function measureNameOf(code, text) {
  return SHORT[code] ?? (text ?? "").replace(/ \[[^\]]*\].*$/, "");
}

/** What was measured, with its unit; components joined as a pressure is written. */
export function measured(observation) {
  const quantity = observation?.valueQuantity;
  if (quantity) return withUnit(quantity.value, quantity.unit ?? quantity.code);
  const parts = (observation?.component ?? []).map((part) => part.valueQuantity).filter(Boolean);
  if (parts.length > 0) {
    return withUnit(parts.map((part) => part.value).join("/"), parts[0].unit ?? parts[0].code);
  }
  return observation?.valueString ?? concept(observation?.valueCodeableConcept) ?? "";
}

/** Units that codes or long words stand for. */
const UNITS = {
  Cel: "°C",
  degC: "°C",
  "/min": "/min",
  "{beats}/min": "/min",
  "beats/minute": "/min",
  "breaths/minute": "/min",
  "[lb_av]": "lb",
  "mm[Hg]": "mmHg",
  "kg/m2": "kg/m²",
};

export const unitText = (unit) => UNITS[unit] ?? unit ?? "";

export function withUnit(value, unit) {
  if (value === undefined || value === null) return "";
  const shown = unitText(unit);
  return shown === "%" ? `${value}%` : `${value} ${shown}`.trim();
}

export function hasCategory(observation, code) {
  return (observation?.category ?? []).some((category) =>
    category.coding?.some((coding) => coding.code === code),
  );
}

export const isActive = (resource) =>
  (resource.clinicalStatus?.coding?.[0]?.code ?? "active") === "active";
