import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { chromium } from "playwright-core";

import { chromiumPath, installApp, serve } from "./support.mjs";

let app;
let server;
let browser;
let result;
const complaints = [];

before(async () => {
  app = await installApp();
  await app.build();
  server = await serve(join(app.folder, "dist"));
  browser = await chromium.launch({
    executablePath: chromiumPath(),
    args: ["--no-sandbox", "--disable-gpu"],
  });
  const page = await browser.newPage();
  page.on("console", (message) => {
    // The page asks for a missing file on purpose, and Chromium logs the 404.
    if (message.type() === "error" && !message.text().includes("404")) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(server.url);
  result = await page.evaluate(() => window.result);
});

after(async () => {
  await browser?.close();
  await server?.close();
  await app?.remove();
});

test("the build carries the wasm file once, under a name of its own", async () => {
  const names = await readdir(join(app.folder, "dist", "assets"));
  assert.equal(names.filter((name) => name.endsWith(".wasm")).length, 1, names.join(" "));
});

test("a strict content security policy is enough, and nothing is logged as an error", () => {
  assert.equal(result.failed, undefined);
  assert.deepEqual(complaints, []);
});

test("what was put is read back, from memory and synchronously", () => {
  assert.deepEqual(result.put.value, { resourceType: "Patient", gender: "female" });
  assert.equal(result.put.version, "1");
  assert.equal(result.put.source, "memory");
  assert.equal(result.put.freshness, "fresh");
  assert.equal(result.put.verified, false);
  assert.deepEqual(result.peeked.value, result.put.value);
});

test("two readers of one key share one fetch", () => {
  assert.equal(result.fetches, 1);
  assert.equal(result.fetched.value.id, "2");
  assert.equal(result.fetched.version, "5");
  assert.equal(result.fetched.source, "origin");
});

test("what the origin does not have is an entry without a value", () => {
  assert.equal(result.missing.value, null);
  assert.equal(result.missing.source, "origin");
});

test("putMany answers for each row", () => {
  assert.deepEqual(result.many, ["ok", "InvalidArgument"]);
});

test("every misuse has its code, and names the field", () => {
  assert.deepEqual(result.errors, {
    beforeInit: "NotInitialised",
    unknownClass: "InvalidArgument class",
    badId: "InvalidArgument patient",
    controlCharacter: "InvalidArgument patient",
    undefinedMember: "InvalidArgument value",
    date: "InvalidArgument value",
    keyLength: "InvalidArgument keys.bytes",
    unknownOption: "InvalidArgument autoLock",
    scopes: "InvalidArgument scopes",
    webPage: "OriginFailed",
    aborted: "Aborted",
    fetcher: "OriginFailed",
    locked: "Locked",
    peekLocked: "Locked",
    closed: "Closed",
    closedPeek: "Closed",
  });
});
