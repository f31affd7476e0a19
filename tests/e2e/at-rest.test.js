// Nothing readable on the disk: not in the browser's profile, not in the server's stores.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startBrowser, temporaryFolder } from "./lib/browser.js";
import { plantReadable } from "./lib/idb.js";
import { personalTexts } from "./lib/people.js";
import { Needles } from "./lib/scan/needles.js";
import { scan } from "./lib/scan/scan.js";
import { startServer } from "./lib/server.js";
import { PASSPHRASE, Tablet } from "./lib/tablet.js";

const RENAMED = "Unverwechselbar";
const TYPED = "Eingetippterweise";

test("the scanner finds a marker and a patient that an app without clinicache left, in tables and logs", async (t) => {
  const server = await startServer(t);
  const [patient] = await server.patients();
  const { context, profile } = await startBrowser(t);
  const page = await context.newPage();
  await page.goto(server.origin);
  await plantReadable(page, { text: "Märta Markerperson", patient });
  await context.close();

  const needles = new Needles(["Märta Markerperson", ...(await personalTexts())]);
  const { hits } = await scan(profile, needles);
  for (const text of ["Märta Markerperson", patient.id, patient.name[0].family]) {
    const files = hits.filter((hit) => hit.text === text).map(({ file }) => file);
    assert.ok(files.some((file) => file.endsWith(".ldb")), `${text} in a table`);
    assert.ok(files.some((file) => file.endsWith(".log")), `${text} in a log`);
  }
});

test("after a whole shift no name, id, identifier or condition is in any file of profile or state", async (t) => {
  const state = await temporaryFolder(t, "state");
  const server = await startServer(t, { state });
  const patients = await server.patients();
  const { context, profile } = await startBrowser(t);
  const tablet = await Tablet.open(context, server.origin);
  await tablet.unlock();
  await tablet.feedIs("live");
  await tablet.shellIsKept();
  for (const { id } of patients) {
    await tablet.openPatient(id);
    await tablet.cardsAreFilled();
    await tablet.backToList();
  }
  // A change, a reload, a time offline, a lock and a second tab: every path that could leave
  // something behind.
  await server.rename(patients[0].id, RENAMED);
  await tablet.openPatient(patients[0].id);
  await tablet.nameIs(RENAMED);
  await tablet.backToList();
  await tablet.openPatient(patients[1].id);
  await tablet.rename(TYPED);
  await tablet.nameIs(TYPED);
  await tablet.reload();
  await tablet.unlock();
  await context.setOffline(true);
  await tablet.openPatient(patients[0].id);
  await tablet.nameIs(RENAMED);
  await context.setOffline(false);
  await tablet.feedIs("live");
  const second = await Tablet.open(context, server.origin);
  await second.unlock();
  await second.openPatient(patients[1].id);
  await second.cardsAreFilled();
  await tablet.$("lock-button").click();
  await second.$("locked-screen").waitFor();
  await context.close();
  await server.stop();

  const needles = new Needles([RENAMED, TYPED, PASSPHRASE, ...(await personalTexts())]);
  assert.ok(needles.size > 600, "there is enough to look for");
  const inProfile = await scan(profile, needles);
  assert.deepEqual(inProfile.hits, []);
  assert.ok(inProfile.bytes > 1_000_000, "the profile was read");
  const inState = await scan(state, needles);
  assert.deepEqual(inState.hits, []);
  assert.ok(inState.bytes > 10_000, "the stores were read");
});
