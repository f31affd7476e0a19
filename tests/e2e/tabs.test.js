// A change at the hospital reaches every tab.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startBrowser } from "./lib/browser.js";
import { startServer } from "./lib/server.js";
import { Tablet, until } from "./lib/tablet.js";

async function twoTabs(t) {
  const server = await startServer(t);
  const [patient] = await server.patients();
  const { context } = await startBrowser(t);
  const tabs = [];
  for (let count = 0; count < 2; count++) {
    const tab = await Tablet.open(context, server.origin);
    await tab.unlock();
    await tab.openPatient(patient.id);
    await tab.feedIs("live");
    await tab.marksAre("patient", { verified: "verified" });
    tabs.push(tab);
  }
  return { server, patient, tabs };
}

test("a changed name reaches both tabs without a reload, and the old one is never verified again", async (t) => {
  const { server, patient, tabs } = await twoTabs(t);
  const old = patient.name[0].family;
  await server.rename(patient.id, "Umbenannt");
  for (const tab of tabs) {
    await tab.nameIs("Umbenannt");
    await tab.marksAre("patient", { verified: "verified" });
    const seen = await tab.seen();
    assert.ok(seen[0].name.includes(old), "the old name was shown before");
    const first = seen.findIndex(({ name }) => name.includes("Umbenannt"));
    assert.ok(seen.slice(first).every(({ name }) => name.includes("Umbenannt")));
  }
  // The list has names, too.
  for (const tab of tabs) {
    await tab.backToList();
    await tab.row(patient.id).filter({ hasText: "Umbenannt" }).waitFor();
  }
});

/** The declared bound: twice the heartbeat and a second until a dead line shows, and fan-out. */
const BOUND_MS = 2 * 1_000 + 1_000 + 500;

test("of many changes in a row each tab ends with the last, and calls no older one verified beyond the bound", async (t) => {
  const { server, patient, tabs } = await twoTabs(t);
  const names = Array.from({ length: 12 }, (_, at) => `Folge${String(at).padStart(2, "0")}`);
  const committed = [];
  for (const name of names) {
    await server.rename(patient.id, name);
    committed.push(Date.now());
  }
  const last = names.at(-1);
  for (const tab of tabs) {
    await tab.nameIs(last);
    await tab.marksAre("patient", { verified: "verified" });
    const seen = await tab.seen();
    assert.deepEqual([seen.at(-1).name, seen.at(-1).verified], [`Neu ${last}`, true]);
    seen.forEach(({ name, verified }, at) => {
      const next = seen[at + 1];
      const overtakenAt = committed[names.indexOf(name.split(" ").at(-1)) + 1];
      if (!verified || !next || overtakenAt === undefined) return;
      assert.ok(next.at <= overtakenAt + BOUND_MS, JSON.stringify(seen));
    });
  }
});

test("when the tab that holds the socket closes, the other takes over and hears the next change", async (t) => {
  const { server, patient, tabs } = await twoTabs(t);
  const leads = (tab) => tab.frames.some((frame) => frame.sent?.type === "hello");
  assert.equal(tabs.filter(leads).length, 1, "one socket for both tabs");
  const [leader, follower] = leads(tabs[0]) ? tabs : tabs.toReversed();
  await leader.page.close();
  await until("the other tab opened the socket", () => leads(follower));
  await follower.feedIs("live");
  await server.rename(patient.id, "Nachfolge");
  await follower.nameIs("Nachfolge");
  await follower.marksAre("patient", { verified: "verified" });
});
