// Somebody edits the sealed rows on the disk.

import assert from "node:assert/strict";
import { test } from "node:test";
import { barePage, reloadBare } from "./lib/bare.js";
import { startBrowser } from "./lib/browser.js";
import { flipped, readRows, writeRow } from "./lib/idb.js";
import { startServer } from "./lib/server.js";
import { Tablet } from "./lib/tablet.js";

/** Opens the vault of `user` and puts `people` one by one; resolves with the row of each. */
async function filledVault(page, user, people) {
  await page.evaluate(async (user) => {
    const key = new Uint8Array(32).fill(user.length);
    globalThis.cache = await lib.openCache("ward", { user, keys: lib.keys.bytes(key) });
    globalThis.session = await cache.session({ purpose: "treatment" });
  }, user);
  const rows = {};
  for (const id of people) {
    const before = new Set((await readRows(page)).map(({ key }) => key));
    await page.evaluate((id) => session.patients.put(id, { resourceType: "Patient", id }), id);
    rows[id] = (await readRows(page)).find(({ key }) => !before.has(key));
    assert.ok(rows[id], "a put adds one row");
  }
  await page.evaluate(() => cache.close());
  return rows;
}

/** Opens the vault again after a reload and says what each read gives and which events came. */
async function readAll(page, user, people) {
  await reloadBare(page);
  return page.evaluate(async ({ user, people }) => {
    const key = new Uint8Array(32).fill(user.length);
    const cache = await lib.openCache("ward", { user, keys: lib.keys.bytes(key) });
    const session = await cache.session({ purpose: "treatment" });
    let events = 0;
    cache.on("tampered", () => events++);
    const read = {};
    for (const id of people) {
      read[id] = await session.patients.get(id).then(
        (entry) => entry?.value?.id ?? "nothing",
        (error) => error.code,
      );
    }
    const again = {};
    for (const id of people) {
      again[id] = await session.patients.getOrFetch(id, () => ({ resourceType: "Patient", id }))
        .then((entry) => entry.value.id, (error) => error.code);
    }
    await new Promise((resolve) => setTimeout(resolve));
    await cache.close();
    return { read, again, events };
  }, { user, people });
}

const PEOPLE = ["anna", "berta", "carla"];

test("a flipped byte anywhere in a row is Tampered, and the other rows are read", async (t) => {
  const { page } = await barePage(t);
  // One row for each byte of the header, of the body's start, and of the seal at the end.
  const places = [...Array.from({ length: 96 }, (_, at) => at), ...[16, 9, 2, 1].map((at) => -at)];
  const damaged = places.map((at) => `damaged${at}`);
  const rows = await filledVault(page, "ann", [...damaged, "berta"]);
  for (const [index, at] of places.entries()) {
    const row = rows[damaged[index]];
    await writeRow(page, { ...row, value: flipped(row.value, at) });
  }
  const { read, again, events } = await readAll(page, "ann", Object.keys(rows));
  const wrong = damaged.filter((id) => !["Tampered", "Incompatible"].includes(read[id]));
  assert.deepEqual(wrong.map((id) => `${id}: ${read[id]}`), []);
  assert.equal(read.berta, "berta");
  assert.ok(events > 0, "the app is told");
  // The way out: the origin, and a good row again.
  for (const id of Object.keys(rows)) assert.equal(again[id], id);
});

test("a row copied over another is Tampered and never answers for it", async (t) => {
  const { page } = await barePage(t);
  const rows = await filledVault(page, "ann", PEOPLE);
  await writeRow(page, { ...rows.berta, value: rows.anna.value });
  const { read, again, events } = await readAll(page, "ann", PEOPLE);
  assert.deepEqual(read, { anna: "anna", berta: "Tampered", carla: "carla" });
  assert.deepEqual(again, { anna: "anna", berta: "berta", carla: "carla" });
  assert.equal(events, 1);
});

test("a row from another vault is Tampered, also where both vaults hold the same patient", async (t) => {
  const { page } = await barePage(t);
  const rows = await filledVault(page, "ann", PEOPLE);
  await reloadBare(page);
  const others = await filledVault(page, "bert", PEOPLE);
  assert.notEqual(others.anna.key, rows.anna.key, "blind keys differ from vault to vault");
  await writeRow(page, { ...rows.anna, value: others.anna.value });
  const { read, again } = await readAll(page, "ann", PEOPLE);
  assert.deepEqual(read, { anna: "Tampered", berta: "berta", carla: "carla" });
  assert.equal(again.anna, "anna");
});

test("the demo shows no altered row and gets the patient from the hospital again", async (t) => {
  const server = await startServer(t);
  const patients = await server.patients();
  const { context } = await startBrowser(t);
  const tablet = await Tablet.open(context, server.origin);
  await tablet.unlock();
  await tablet.feedIs("live");
  for (const { id } of patients.slice(0, 2)) {
    await tablet.openPatient(id);
    await tablet.cardsAreFilled();
    await tablet.backToList();
  }
  await tablet.$("lock-button").click();
  await tablet.$("locked-screen").waitFor();
  // Every row is damaged: whatever a page shows now, it did not get it from the disk.
  for (const row of await readRows(tablet.page)) {
    await writeRow(tablet.page, { ...row, value: flipped(row.value, -1) });
  }
  await tablet.reload();
  await tablet.unlock();
  await tablet.openPatient(patients[0].id);
  await tablet.nameIs(patients[0].name[0].family);
  await tablet.marksAre("patient", { source: "(origin|memory)", verified: "verified" });
  await tablet.cardsAreFilled();
});
