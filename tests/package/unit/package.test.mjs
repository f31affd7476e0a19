import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import test from "node:test";

import { assemble, failure } from "../assemble.mjs";

const BYTES = { kind: "bytes" };

async function opened(t, options = {}) {
  const parts = await assemble(t);
  const api = await parts.load("index.js");
  const cache = await api.openCache("c", { user: "u", keys: api.keys.ephemeral(), ...options });
  const session = await cache.session({ purpose: "treatment" });
  return { ...parts, api, cache, session };
}

const called = (calls, name) => calls.filter(([call]) => call === name);

test("importing loads nothing; opening loads the module once", async (t) => {
  const { load, calls } = await assemble(t);
  const { openCache, keys } = await load("index.js");
  assert.deepEqual(calls, []);
  const options = { user: "u", keys: keys.ephemeral() };
  await Promise.all([openCache("a", options), openCache("b", options)]);
  assert.equal(called(calls, "init").length, 1);
  assert.match(called(calls, "init")[0][1].module_or_path.href, /clinicache_bg\.wasm$/);
  assert.equal(called(calls, "install").length, 1);
});

test("the slim entry needs init first, and a failed init can be repeated", async (t) => {
  const { load } = await assemble(t);
  const { init, openCache, keys } = await load("slim.js");
  const open = () => openCache("a", { user: "u", keys: keys.ephemeral() });
  assert.equal((await failure(open)).code, "NotInitialised");
  assert.equal((await failure(() => init({ url: "missing" }))).code, "Unavailable");
  assert.equal((await failure(() => init({}))).code, "InvalidArgument");
  await init({ url: "there" });
  assert.equal((await open()).state, "open");
});

test("initSync makes it ready on the same stack", async (t) => {
  const { load, calls } = await assemble(t);
  const { initSync, openCache, keys } = await load("slim.js");
  initSync({ bytes: new Uint8Array(1) });
  assert.equal(called(calls, "install").length, 1);
  await openCache("a", { user: "u", keys: keys.ephemeral() });
});

test("caches and sessions cannot be made by hand", async (t) => {
  const { load } = await assemble(t);
  const { Cache, Session } = await load("index.js");
  assert.throws(() => new Cache(), { code: "NotInitialised" });
  assert.throws(() => new Session(), { code: "NotInitialised" });
});

test("the passphrase is normalised, and options pass as they are", async (t) => {
  const { api, calls } = await opened(t);
  await api.openCache("c", { user: "u", keys: api.keys.passphrase("e\u0301"), autoLockMs: 5 });
  const [, name, options] = called(calls, "open").at(-1);
  assert.equal(name, "c");
  assert.deepEqual(options, {
    user: "u",
    autoLockMs: 5,
    keys: { kind: "passphrase", secret: new TextEncoder().encode("é") },
  });
});

test("the app's key array is copied, and a function's result is handed over", async (t) => {
  const { api, calls } = await opened(t);
  const mine = new Uint8Array(32).fill(1);
  const keys = api.keys.bytes(mine);
  mine.fill(0);
  await api.openCache("c", { user: "u", keys });
  assert.deepEqual(called(calls, "open").at(-1)[2].keys, { ...BYTES, key: new Uint8Array(32).fill(1) });
  const given = new Uint8Array(32).fill(2);
  await api.openCache("c", { user: "u", keys: api.keys.bytes(async () => given) });
  assert.equal(called(calls, "open").at(-1)[2].keys.key, given);
});

test("keys that are not from keys.* are refused", async (t) => {
  const { api } = await opened(t);
  for (const keys of [undefined, null, "secret", { kind: "bytes" }]) {
    const error = await failure(() => api.openCache("c", { user: "u", keys }));
    assert.equal(error.field, "keys");
  }
  assert.throws(() => api.keys.bytes("text"), { field: "keys.bytes" });
  assert.throws(() => api.keys.passphrase(5), { field: "keys.passphrase" });
});

test("a key source shows nothing when printed", async (t) => {
  const { api } = await opened(t);
  const { inspect } = await import("node:util");
  const shown = inspect(api.keys.passphrase("open sesame"), { depth: 9 });
  assert.doesNotMatch(shown, /sesame/);
});

test("namespaces fill in class name and key", async (t) => {
  const { session, calls } = await opened(t);
  await session.patients.put("1", { a: 1 });
  await session.records.put({ patient: "1", record: "Condition/2" }, { a: 1 });
  await session.records.lists.put({ patient: "1" }, []);
  await session.records.lists.put({ patient: "1", type: "Condition" }, []);
  await session.departments.list.put([]);
  await session.vitals.history.put({ patient: "1", start: 5, end: 6 }, []);
  assert.deepEqual(
    called(calls, "put").map(([, name, key]) => [name, key]),
    [
      ["patient", "1"],
      ["medical_record", ["1", "Condition/2"]],
      ["medical_records:list", ["1"]],
      ["medical_records:list", ["1", "Condition"]],
      ["departments:all", []],
      ["vitals:history", ["1", "5", "6"]],
    ],
  );
});

test("a missing part of a key is refused by its name", async (t) => {
  const { session } = await opened(t);
  assert.equal((await failure(() => session.records.get({ patient: "1" }))).field, "record");
  assert.equal((await failure(() => session.patients.get(5))).field, "patient");
  assert.throws(() => session.patients.peek(), { field: "patient" });
});

test("entries read alike from peek, get and getMany", async (t) => {
  const { session } = await opened(t);
  assert.equal(session.patients.peek("1"), null);
  await session.patients.put("1", { a: 1 }, { version: "3" });
  const common = {
    value: { a: 1 }, freshness: "fresh", verified: false, ageMs: 5, storedAt: 1000,
    expiresAt: 2000, version: "3", pending: false,
  };
  assert.deepEqual(session.patients.peek("1"), { ...common, source: "memory" });
  assert.deepEqual(await session.patients.get("1"), { ...common, source: "store" });
  assert.deepEqual(await session.patients.getMany(["2", "1"]), [null, { ...common, source: "store" }]);
});

test("getOrFetch of something that is not there is an entry without a value", async (t) => {
  const { session } = await opened(t);
  const entry = await session.patients.getOrFetch("1", () => null);
  assert.equal(entry.value, null);
  assert.equal(entry.source, "origin");
});

test("getOrFetch tells what was wrong with the fetcher's answer", async (t) => {
  const { session } = await opened(t);
  const bad = await failure(() => session.patients.getOrFetch("1", () => ({ at: new Date() })));
  assert.deepEqual([bad.code, bad.field], ["InvalidArgument", "value"]);
  const thrown = new Error("network");
  const failed = await failure(() => session.patients.getOrFetch("1", () => { throw thrown; }));
  assert.deepEqual([failed.code, failed.cause], ["OriginFailed", thrown]);
});

test("putMany answers for each row and sends the good ones", async (t) => {
  const { session, calls } = await opened(t);
  const results = await session.patients.putMany([
    { key: "1", value: { a: 1 }, version: "1" },
    { key: "2", value: undefined },
    { key: "full", value: {} },
  ]);
  assert.deepEqual(results.map((result) => result.error?.code), [undefined, "InvalidArgument", "QuotaExceeded"]);
  assert.deepEqual(called(calls, "putMany")[0][2].map((row) => row.key), ["1", "full"]);
});

test("a signal that fired refuses before anything crosses; later it ends the waiting", async (t) => {
  const { session, calls } = await opened(t);
  const gone = AbortSignal.abort();
  for (const call of [
    () => session.patients.get("1", { signal: gone }),
    () => session.patients.put("1", {}, { signal: gone }),
    () => session.patients.getOrFetch("1", () => null, { signal: gone }),
  ]) {
    assert.equal((await failure(call)).code, "Aborted");
  }
  assert.deepEqual(called(calls, "put"), []);
  const controller = new AbortController();
  const waiting = session.patients.get("1", { signal: controller.signal });
  controller.abort();
  assert.equal((await failure(() => waiting)).code, "Aborted");
});

test("a snapshot is one object until something that is seen changes", async (t) => {
  const { session, cache } = await opened(t);
  await session.patients.put("1", { a: 1 });
  const first = session.patients.snapshot("1");
  assert.equal(session.patients.snapshot("1"), first);
  await session.patients.put("1", { a: 2 });
  const second = session.patients.snapshot("1");
  assert.notEqual(second, first);
  await session.images.put("i", new Uint8Array([1, 2]));
  assert.equal(session.images.snapshot("i"), session.images.snapshot("i"));
  await cache.lock();
  assert.equal(session.patients.snapshot("1"), null);
  await cache.unlock((await import("../../../pkg-template/lib/keys.js")).keys.ephemeral());
  assert.notEqual(session.patients.snapshot("1"), second);
});

test("subscribers are called from a microtask until they stop", async (t) => {
  const { session, calls } = await opened(t);
  let told = 0;
  const stop = session.patients.subscribe("1", () => { told += 1; });
  const put = session.patients.put("1", {});
  assert.equal(told, 0);
  await put;
  assert.equal(told, 1);
  stop();
  stop();
  assert.equal(called(calls, "unsubscribe").length, 1);
});

test("events reach every listener, though one throws", async (t) => {
  const { cache } = await opened(t);
  const caught = [];
  globalThis.reportError = (error) => caught.push(error.message);
  t.after(() => delete globalThis.reportError);
  const told = [];
  cache.on("lock", () => { throw new Error("app bug"); });
  const stop = cache.on("lock", (event) => told.push(event.type));
  await cache.lock();
  assert.deepEqual([told, caught], [["lock"], ["app bug"]]);
  stop();
  await cache.lock();
  assert.deepEqual(told, ["lock"]);
  assert.throws(() => cache.on("locked", () => {}), { code: "InvalidArgument", field: "type" });
});

test("errors of the core keep code and field; use after close is Closed", async (t) => {
  const { session, cache } = await opened(t);
  assert.equal((await failure(() => session.get("unknown", "1"))).field, "class");
  await cache.lock();
  assert.throws(() => session.patients.peek("1"), { code: "Locked", name: "CacheError" });
  await cache.close();
  assert.throws(() => session.patients.peek("1"), { code: "Closed" });
  assert.equal((await failure(() => session.patients.get("1"))).code, "Closed");
  assert.equal((await failure(() => session.patients.put("1", {}))).code, "Closed");
  assert.equal(session.patients.snapshot("1"), null);
});

test("CommonJS callers get the same names, and their errors are known to both", async (t) => {
  const { folder, load } = await assemble(t);
  const cjs = createRequire(join(folder, "x.js"))("./index.cjs");
  const esm = await load("index.js");
  const cache = await cjs.openCache("c", { user: "u", keys: cjs.keys.passphrase("a phrase") });
  assert.ok(cache instanceof esm.Cache);
  const error = await failure(() => cjs.openCache("c", { user: "u" }));
  assert.ok(error instanceof cjs.CacheError);
  assert.ok(new cjs.CacheError("Busy", "x") instanceof esm.CacheError);
  assert.equal(new cjs.CacheError("Busy", "x").retryable, true);
  const session = await cache.session({ purpose: "treatment" });
  const entry = await session.patients.getOrFetch("1", () => cjs.withMeta({ a: 1 }, { version: "9" }));
  assert.equal(entry.version, "9");
});
