// What must never be readable at rest: everything that tells a person.

import { readFile, readdir } from "node:fs/promises";

const DATA = new URL("../../../examples/data/", import.meta.url);

/** Names, ids, identifiers and condition texts of every built-in patient and study. */
export async function personalTexts() {
  const texts = new Set();
  for (const file of await readdir(new URL("fhir-r4/", DATA))) {
    const lines = await readFile(new URL(`fhir-r4/${file}`, DATA), "utf8");
    for (const line of lines.split("\n").filter(Boolean)) {
      for (const text of ofResource(JSON.parse(line))) texts.add(text);
    }
  }
  for (const file of ["studies", "series", "instances"]) {
    const rows = JSON.parse(await readFile(new URL(`dicomweb/${file}.json`, DATA), "utf8"));
    for (const row of Object.values(rows).flat()) {
      for (const text of ofStudy(row)) texts.add(text);
    }
  }
  return texts;
}

function* ofResource(resource) {
  yield resource.id;
  for (const { value } of resource.identifier ?? []) yield value;
  for (const { family, given = [] } of resource.name ?? []) {
    yield family;
    yield `${given.join(" ")} ${family}`;
    yield `${family}, ${given.join(" ")}`;
  }
  if (resource.resourceType === "Condition") {
    yield resource.code.text;
    for (const { display } of resource.code.coding) yield display;
  }
  // The narrative of a patient repeats name and birth date.
  const narrative = /<p>([^<]+)<\/p><\/div>$/.exec(resource.text?.div ?? "");
  if (resource.resourceType === "Patient" && narrative) yield narrative[1];
}

/** Tags of a DICOM row: patient name and id; study, series and instance UIDs. */
const TAGS = ["00100010", "00100020", "0020000D", "0020000E", "00080018"];

function* ofStudy(row) {
  for (const tag of TAGS) {
    for (const value of row[tag]?.Value ?? []) {
      const text = typeof value === "object" ? value?.Alphabetic : value;
      // Archives hold stand-ins such as "^^^^" and "OB"; the common ones tell nobody apart, and
      // digits in a row stand in every program's tables.
      if (text && /[A-Za-z0-9]{6}/.test(text) && !/^(anonym|12345678$)/i.test(text)) yield text;
    }
  }
}
