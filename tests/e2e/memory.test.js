// Opening a patient: from the hospital once, then from the tablet.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startBrowser } from "./lib/browser.js";
import { startServer } from "./lib/server.js";
import { Tablet, until } from "./lib/tablet.js";

test("a patient comes from the origin, then from memory, and after a reload without a request", async (t) => {
  const server = await startServer(t);
  const [patient, other] = await server.patients();
  const { context } = await startBrowser(t);
  const tablet = await Tablet.open(context, server.origin);
  await tablet.unlock();
  await tablet.feedIs("live");

  await tablet.openPatient(patient.id);
  await tablet.nameIs(patient.name[0].family);
  await tablet.marksAre("patient", { source: "origin", freshness: "fresh", verified: "verified" });
  await tablet.cardsAreFilled();

  await tablet.backToList();
  await tablet.openPatient(patient.id);
  await tablet.marksAre("patient", { source: "memory", verified: "verified" });

  await server.reset();
  tablet.requests.length = 0;
  await tablet.reload();
  await tablet.unlock();
  await tablet.openPatient(patient.id);
  await tablet.nameIs(patient.name[0].family);
  await tablet.cardsAreFilled();
  await tablet.feedIs("live");
  await tablet.marksAre("patient", { source: "(store|memory)", verified: "verified" });
  for (const entry of ["summary", "conditions", "observations", "studies"]) {
    await tablet.marksAre(entry, { source: "(store|memory)" });
  }
  const about = (requests) => requests.filter((request) => request.includes(patient.id));
  assert.deepEqual(about(tablet.requests), []);
  assert.deepEqual(about(Object.keys(await server.requests())), []);

  // The counter counts: a patient who was never opened is asked for.
  await tablet.backToList();
  await tablet.openPatient(other.id);
  await tablet.marksAre("patient", { source: "origin" });
  await until("the request was counted", async () =>
    (await server.requests())[`GET /api/fhir/Patient/${other.id}`] === 1);
});

test("the list shows every patient in file order", async (t) => {
  const server = await startServer(t);
  const patients = await server.patients();
  const { context } = await startBrowser(t);
  const tablet = await Tablet.open(context, server.origin);
  await tablet.unlock();
  const ids = await tablet.$("patient-row").evaluateAll((rows) =>
    rows.map((row) => row.dataset.patientId));
  assert.deepEqual(ids, patients.map(({ id }) => id));
  assert.equal(await tablet.$("stats-panel").count(), 1);
});

test("studies show their rendered images, and say so where the archive has none", async (t) => {
  const server = await startServer(t);
  const patients = await server.patients();
  const { context } = await startBrowser(t);
  const tablet = await Tablet.open(context, server.origin);
  await tablet.unlock();
  // The second patient's archive rows have no rendered image; the first one's have.
  await tablet.openPatient(patients[0].id);
  await tablet.cardsAreFilled();
  assert.equal(await tablet.$("study-row").count(), 2);
  const image = tablet.$("study-row").first().locator("img").first();
  await image.waitFor();
  assert.ok(await image.evaluate((img) => img.decode().then(() => img.naturalWidth)) > 0);
  await tablet.backToList();
  await tablet.openPatient(patients[1].id);
  await tablet.cardsAreFilled();
  await tablet.$("study-row").first().getByText("No picture").first().waitFor();
});
