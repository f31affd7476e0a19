// An answer that left the server before a change and arrives after its announcement.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startBrowser, temporaryFolder } from "./lib/browser.js";
import { startServer } from "./lib/server.js";
import { Tablet, until } from "./lib/tablet.js";

test("an overtaken answer is shown at most once, never as verified, and never stored", async (t) => {
  const state = await temporaryFolder(t, "state");
  const server = await startServer(t, { state });
  const [patient] = await server.patients();
  const old = patient.name[0].family;
  const path = `/api/fhir/Patient/${patient.id}`;
  const { context } = await startBrowser(t);
  const tablet = await Tablet.open(context, server.origin);
  await tablet.unlock();
  await tablet.feedIs("live");
  await tablet.shellIsKept();

  // The answer has been read from the database and waits at the server's door.
  await server.hold(path);
  await tablet.row(patient.id).click();
  await until("the answer is held", async () => (await server.held()).includes(path));
  await changeBesidesHeldReads(server, patient, "Überholt");
  await announced(tablet, patient);

  // Holding anew lets the old answer go and holds the page's next attempt.
  await server.hold(path);
  await until("the page asks again", async () =>
    (await server.requests())[`GET ${path}`] >= 2 && (await server.held()).includes(path));
  assert.ok((await tablet.seen()).every(({ name, verified }) => !(name.includes(old) && verified)));

  // The server dies with the new answer unsent: what the tablet has is what it stored.
  await server.kill();
  await tablet.reload();
  await tablet.unlock();
  await tablet.row(patient.id).click();
  await tablet.$("state-offline").first().waitFor();
  assert.ok((await tablet.seen()).every(({ name }) => !name.includes(old)));
});

test("once the overtaken answer is through, the page ends with the new name", async (t) => {
  const server = await startServer(t);
  const [patient] = await server.patients();
  const old = patient.name[0].family;
  const path = `/api/fhir/Patient/${patient.id}`;
  const { context } = await startBrowser(t);
  const tablet = await Tablet.open(context, server.origin);
  await tablet.unlock();
  await tablet.feedIs("live");
  await server.hold(path);
  await tablet.row(patient.id).click();
  await until("the answer is held", async () => (await server.held()).includes(path));
  await changeBesidesHeldReads(server, patient, "Überholt");
  await announced(tablet, patient);
  await server.release(path);
  await tablet.nameIs("Überholt");
  await tablet.marksAre("patient", { verified: "verified" });
  const seen = await tablet.seen();
  const shown = seen.filter(({ name }) => name.includes(old)).length;
  assert.ok(shown <= 1, JSON.stringify(seen));
  assert.ok(seen.every(({ name, verified }) => !(name.includes(old) && verified)));
});

/** Waits until the tab has applied the patient's change. */
async function announced(tablet, patient) {
  await until("the announcement arrived", () => tablet.frames.some(({ received }) =>
    received?.type === "inv" && received.ops.some(([, id]) => id === `patient:${patient.id}`)));
  await until("it was applied", async () => (await tablet.stats()).invalidations > 0);
}

/** `Server.rename` reads first, which would be held, too. */
async function changeBesidesHeldReads(server, patient, family) {
  const changed = { ...patient, name: [{ use: "official", family, given: ["Neu"] }] };
  await server.fetch(`/api/fhir/Patient/${patient.id}`, {
    method: "PUT",
    body: JSON.stringify(changed),
  });
}
