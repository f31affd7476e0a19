// Changing a patient on the tablet, and people other than the built-in ones.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { startBrowser, temporaryFolder } from "./lib/browser.js";
import { startServer } from "./lib/server.js";
import { Tablet } from "./lib/tablet.js";

test("a name changed on one tablet is there at once, and on the other by the feed", async (t) => {
  const server = await startServer(t);
  const [patient] = await server.patients();
  const tablets = [];
  for (let count = 0; count < 2; count++) {
    const { context } = await startBrowser(t);
    const tablet = await Tablet.open(context, server.origin);
    await tablet.unlock();
    await tablet.feedIs("live");
    await tablet.openPatient(patient.id);
    await tablet.marksAre("patient", { verified: "verified" });
    tablets.push(tablet);
  }
  await tablets[0].rename("Neuname");
  for (const tablet of tablets) {
    await tablet.nameIs("Neuname");
    await tablet.marksAre("patient", { verified: "verified" });
  }
  const [stored] = await server.patients();
  assert.equal(stored.name[0].family, "Neuname");
  assert.equal(stored.meta.versionId, "2");
});

test("a change against an older version is refused and says so", async (t) => {
  const server = await startServer(t);
  const [patient] = await server.patients();
  const { context } = await startBrowser(t);
  const tablet = await Tablet.open(context, server.origin);
  await tablet.unlock();
  await tablet.feedIs("live");
  await tablet.openPatient(patient.id);
  await tablet.nameIs(patient.name[0].family);
  await tablet.$("edit-name").click();
  await server.rename(patient.id, "Schneller");
  await tablet.$("edit-family").fill("Langsamer");
  await tablet.page.getByRole("button", { name: "Save at the hospital" }).click();
  await tablet.page.getByRole("alert").filter({ hasText: "Somebody changed" }).waitFor();
  const [stored] = await server.patients();
  assert.equal(stored.name[0].family, "Schneller");
});

test("people of one's own replace the built-in ones, whatever little is known of them", async (t) => {
  const data = await temporaryFolder(t, "people");
  const people = [
    { resourceType: "Patient", id: "only-text", name: [{ text: "Frau <b>Ährenfeld</b>" }] },
    { resourceType: "Patient", id: "nameless" },
    { resourceType: "Patient", id: "full", name: [{ family: "Voll", given: ["Ada", "Bo"] }], birthDate: "2020" },
  ];
  const lines = people.map((person) => JSON.stringify(person)).join("\n");
  await writeFile(path.join(data, "Patient.ndjson"), lines);
  const server = await startServer(t, { data });
  const { context } = await startBrowser(t);
  const tablet = await Tablet.open(context, server.origin);
  await tablet.unlock();
  await tablet.feedIs("live");
  const ids = await tablet.$("patient-row").evaluateAll((rows) =>
    rows.map((row) => row.dataset.patientId));
  assert.deepEqual(ids, people.map(({ id }) => id));
  // What stands in a record is text, never markup.
  await tablet.row("only-text").filter({ hasText: "<b>Ährenfeld</b>" }).waitFor();
  for (const { id } of people) {
    await tablet.openPatient(id);
    await tablet.cardsAreFilled();
    await tablet.$("patient-name").filter({ hasText: /\S/ }).waitFor();
    await tablet.backToList();
  }
});
