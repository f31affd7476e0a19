import assert from "node:assert/strict";
import test from "node:test";

import { description, instanceCount, modality, studyDate, studyUid } from "../../../www/dicom.js";
import {
  fullName, initials, measured, measureName, renamed, resources,
} from "../../../www/fhir.js";
import { age, clock, date, years } from "../../../www/format.js";

const coded = (code, text) => ({ coding: [{ code }], text });

test("a bundle without entries is an empty list", () => {
  assert.deepEqual(resources({ resourceType: "Bundle", total: 0 }), []);
  assert.deepEqual(resources(null), []);
});

test("the official name goes before others, and a missing one is said", () => {
  const patient = { name: [{ use: "nickname", given: ["Bo"] }, { use: "official", given: ["Ada", "M."], family: "Ek" }] };
  assert.equal(fullName(patient), "Ada M. Ek");
  assert.equal(initials(patient), "AE");
  assert.equal(fullName({}), "No name on record");
  assert.equal(initials({}), "?");
});

test("renaming keeps what it does not change, and leaves the held value alone", () => {
  const held = { id: "1", name: [{ use: "nickname", text: "Bo" }, { use: "official", text: "Ada Ek", given: ["Ada"], family: "Ek" }] };
  const before = structuredClone(held);
  const changed = renamed(held, "Eva  Maria", "Ekh");
  assert.deepEqual(held, before);
  assert.deepEqual(changed.name, [{ use: "nickname", text: "Bo" }, { use: "official", given: ["Eva", "Maria"], family: "Ekh" }]);
  assert.deepEqual(renamed({ id: "1" }, "", "Ek").name, [{ use: "official", family: "Ek" }]);
});

test("measurements read as a ward writes them", () => {
  const quantity = (value, unit) => ({ valueQuantity: { value, unit } });
  assert.equal(measured(quantity(36.5, "Cel")), "36.5 °C");
  assert.equal(measured(quantity(97, "%")), "97%");
  assert.equal(measured({ component: [quantity(120, "mmHg"), quantity(80, "mmHg")] }), "120/80 mmHg");
  assert.equal(measured({ valueString: "negative" }), "negative");
  assert.equal(measured({}), "");
  assert.equal(measureName(coded("8867-4", "Heart rate by palpation")), "Heart rate");
  assert.equal(measureName(coded("x", "Sodium [Moles/volume] in Blood")), "Sodium");
});

test("a study of an old or careless archive is shown as far as it tells", () => {
  const row = {
    "0020000D": { vr: "UI", Value: ["1.2.3"] },
    "00080020": { vr: "DA", Value: ["1997.04.24"] },
    "00080061": { vr: "CS" },
    "00081030": { vr: "LO", Value: ["abdomen^liver"] },
    "00201208": { vr: "IS", Value: ["3"] },
  };
  assert.equal(studyUid(row), "1.2.3");
  assert.equal(studyDate(row), "1997-04-24");
  assert.equal(modality(row), "Imaging");
  assert.equal(description(row), "abdomen, liver");
  assert.equal(instanceCount(row), 3);
  assert.equal(studyDate({ "00080020": { vr: "DA" } }), "");
  assert.equal(description({}), "");
});

test("dates are shown as far as they are known", () => {
  assert.equal(date("2026-11-03T23:30:00Z"), "3\u00a0Nov\u00a02026");
  assert.equal(date("2026-11"), "Nov\u00a02026");
  assert.equal(date("2026"), "2026");
  assert.equal(date(undefined), "");
});

test("a birthday counts from its day on", () => {
  assert.equal(years("2000-06-15", new Date(2026, 5, 14)), 25);
  assert.equal(years("2000-06-15", new Date(2026, 5, 15)), 26);
  assert.equal(years("2000"), undefined);
});

test("ages and countdowns are in the unit that a person would say", () => {
  assert.deepEqual(
    [0, 59_999, 60_000, 7_200_000, 86_400_000, 200_000_000].map(age),
    ["just now", "59 s ago", "1 min ago", "2 h ago", "1 day ago", "2 days ago"],
  );
  assert.equal(clock(61_000), "1:01");
});
