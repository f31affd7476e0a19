// Without the network: what is here is shown as what it is, and what is not is named.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startBrowser } from "./lib/browser.js";
import { startServer } from "./lib/server.js";
import { Tablet, until } from "./lib/tablet.js";

/** A tab with the first two patients opened and the third never. */
async function ward(t) {
  const server = await startServer(t);
  const patients = await server.patients();
  const { context } = await startBrowser(t);
  const tablet = await Tablet.open(context, server.origin);
  await tablet.unlock();
  await tablet.feedIs("live");
  await tablet.shellIsKept();
  for (const { id } of patients.slice(0, 2)) {
    await tablet.openPatient(id);
    await tablet.cardsAreFilled();
    await tablet.backToList();
  }
  return { server, context, tablet, patients };
}

async function showsWhatItHas(tablet, [first, , third]) {
  await tablet.openPatient(first.id);
  await tablet.nameIs(first.name[0].family);
  await tablet.marksAre("patient", { source: "(store|memory)", verified: "unverified" });
  await tablet.cardsAreFilled();
  assert.equal(await tablet.$("study-image").count(), 2, "pictures are here, too");
  await tablet.backToList();
  await tablet.row(third.id).click();
  await tablet.$("state-offline").first().waitFor();
  assert.equal((await tablet.$("patient-name").textContent()).trim(), "");
  await tablet.backToList();
}

test("with the back end stopped, a reload and the passphrase still show the opened patients", async (t) => {
  const { server, tablet, patients } = await ward(t);
  assert.equal(await server.stop(), 0);
  await tablet.reload();
  await tablet.unlock();
  await showsWhatItHas(tablet, patients);
  await tablet.feedIs(/^(offline|connecting)$/);
});

test("with the browser offline, a reload still works, and back online a missed change arrives by resume", async (t) => {
  const { server, context, tablet, patients } = await ward(t);
  const [first, second] = patients;
  await context.setOffline(true);
  await tablet.reload();
  await tablet.unlock();
  await showsWhatItHas(tablet, patients);

  await server.rename(first.id, "Zwischenzeit");
  await server.reset();
  tablet.frames.length = 0;
  await context.setOffline(false);
  await tablet.feedIs("live");
  await tablet.openPatient(first.id);
  await tablet.nameIs("Zwischenzeit");
  await tablet.marksAre("patient", { verified: "verified" });
  await tablet.backToList();
  await tablet.openPatient(second.id);
  await tablet.marksAre("patient", { source: "(store|memory)", verified: "verified" });

  const sent = tablet.frames.flatMap(({ sent }) => sent ?? []);
  const received = tablet.frames.flatMap(({ received }) => received ?? []);
  assert.ok(sent.some(({ type }) => type === "resume"), "the tab asked for what it missed");
  assert.ok(!received.some(({ type }) => type === "reset"), "nothing was dropped as a whole");
  const requests = Object.keys(await server.requests());
  assert.ok(requests.includes(`GET /api/fhir/Patient/${first.id}`));
  assert.deepEqual(requests.filter((line) => line.includes(second.id)), []);
});

test("the page's own switch keeps everything from the line until it is turned back", async (t) => {
  const { server, tablet, patients } = await ward(t);
  const [first, , third] = patients;
  await tablet.$("offline-toggle").click();
  await tablet.feedIs("offline");
  await server.reset();
  await tablet.openPatient(first.id);
  await tablet.marksAre("patient", { source: "(store|memory)", verified: "unverified" });
  await tablet.backToList();
  await tablet.row(third.id).click();
  await tablet.$("state-offline").first().waitFor();
  await server.rename(first.id, "Umgelegt");
  const asked = Object.keys(await server.requests());
  assert.deepEqual(asked.filter((line) => line.includes(third.id)), []);

  await tablet.backToList();
  await tablet.$("offline-toggle").click();
  await tablet.feedIs("live");
  await tablet.openPatient(first.id);
  await tablet.nameIs("Umgelegt");
  await tablet.marksAre("patient", { verified: "verified" });
});

test("after a restart of the back end, whose log begins anew, the tablet trusts nothing unseen and recovers", async (t) => {
  const { server, tablet, patients } = await ward(t);
  const [first] = patients;
  await server.rename(first.id, "Verloren");
  await tablet.openPatient(first.id);
  await tablet.nameIs("Verloren");
  await server.kill();
  // The database is in memory: the change is gone, and the version counts from one again.
  const next = await startServer(t, { port: server.port });
  await tablet.nameIs(first.name[0].family);
  await tablet.marksAre("patient", { verified: "verified" });
  await tablet.feedIs("live");
  await next.rename(first.id, "Danach");
  await tablet.nameIs("Danach");
  await tablet.marksAre("patient", { verified: "verified" });
});

test("a line that goes silent without closing is noticed within the heartbeat's time-out", async (t) => {
  const { tablet, server } = await ward(t);
  server.pause();
  await tablet.feedIs(/^(suspect|connecting|offline)$/);
  server.resume();
  await tablet.feedIs("live");
  await until("the counters are still shown", () => tablet.$("stats-panel").count());
});
