// What an app can get wrong, each answered by a typed error.

import assert from "node:assert/strict";
import { test } from "node:test";
import { barePage } from "./lib/bare.js";
import { until } from "./lib/tablet.js";

/** Codes that the page's `acts` end with; they get an open cache and session. */
async function codes(page, acts) {
  const found = {};
  for (const [name, act] of Object.entries(acts)) {
    found[name] = await page.evaluate(`codeOf(${act})`);
  }
  return found;
}

async function openPage(t) {
  const { page, context, server } = await barePage(t);
  await page.evaluate(async () => {
    globalThis.cache = await lib.openCache("ward", { user: "ann", keys: lib.keys.ephemeral() });
    globalThis.session = await cache.session({ purpose: "treatment" });
  });
  return { page, context, server };
}

test("unknown classes, malformed ids and options are refused as InvalidArgument", async (t) => {
  const { page } = await openPage(t);
  const found = await codes(page, {
    "unknown class": () => session.get("no-such-class", "1"),
    "empty id": () => session.patients.get(""),
    "control character": () => session.patients.get("a\u0000b"),
    "too long an id": () => session.patients.get("x".repeat(257)),
    "too few parts": () => session.get("medical_record", ["p"]),
    "a number for an id": () => session.patients.get(7),
    "unknown purpose": () => cache.session({ purpose: "" }),
    "scopes, not supported yet": () =>
      cache.session({ purpose: "treatment", scopes: "user/*.rs" }),
    "empty tag": () => cache.invalidate({ tag: "" }),
  });
  for (const [name, code] of Object.entries(found)) assert.equal(code, "InvalidArgument", name);
  const stranger = await codes(page, {
    "another user": () => cache.session({ user: "bert", purpose: "treatment" }),
  });
  assert.deepEqual(stranger, { "another user": "AccessDenied" });
});

test("a value that JSON cannot hold is refused and changes nothing", async (t) => {
  const { page } = await openPage(t);
  const found = await codes(page, {
    "undefined": () => session.patients.put("p", undefined),
    "undefined member": () => session.patients.put("p", { a: undefined }),
    "bigint": () => session.patients.put("p", { a: 1n }),
    "map": () => session.patients.put("p", new Map()),
    "date": () => session.patients.put("p", { at: new Date() }),
    "not a number": () => session.patients.put("p", { a: NaN }),
    "cycle": () => {
      const value = {};
      value.self = value;
      return session.patients.put("p", value);
    },
  });
  for (const [name, code] of Object.entries(found)) assert.equal(code, "InvalidArgument", name);
  assert.equal(await page.evaluate(async () => await session.patients.get("p")), null);
});

test("a key of wrong length, a short passphrase and a wrong one are told apart", async (t) => {
  const { page } = await barePage(t);
  const found = await codes(page, {
    "31 bytes": () =>
      lib.openCache("a", { user: "u", keys: lib.keys.bytes(new Uint8Array(31).fill(1)) }),
    "no keys": () => lib.openCache("a", { user: "u" }),
    "short passphrase": () => lib.openCache("a", { user: "u", keys: lib.keys.passphrase("short") }),
  });
  for (const [name, code] of Object.entries(found)) assert.equal(code, "InvalidArgument", name);
  const wrong = await page.evaluate(async () => {
    const first = await lib.openCache("b", { user: "u", keys: lib.keys.bytes(new Uint8Array(32).fill(1)) });
    await first.close();
    return codeOf(() =>
      lib.openCache("b", { user: "u", keys: lib.keys.bytes(new Uint8Array(32).fill(2)) }));
  });
  assert.equal(wrong, "WrongKey");
});

test("use after lock is Locked and use after close is Closed", async (t) => {
  const { page } = await barePage(t);
  const found = await page.evaluate(async () => {
    const keys = () => lib.keys.bytes(new Uint8Array(32).fill(1));
    const cache = await lib.openCache("ward", { user: "ann", keys: keys() });
    const session = await cache.session({ purpose: "treatment" });
    await session.patients.put("p", { id: "p" });
    const use = async () => [
      await codeOf(() => session.patients.peek("p")),
      await codeOf(() => session.patients.get("p")),
      await codeOf(() => session.patients.put("p", {})),
      await codeOf(() => session.patients.getOrFetch("p", () => ({}))),
    ];
    await cache.lock();
    const locked = await use();
    await cache.unlock(keys());
    const opened = (await session.patients.get("p"))?.value?.id;
    await cache.close();
    const closed = await use();
    closed.push(await codeOf(() => cache.session({ purpose: "treatment" })));
    return { locked, opened, closed };
  });
  assert.ok(found.locked.every((code) => code === "Locked"), String(found.locked));
  assert.equal(found.opened, "p");
  assert.ok(found.closed.every((code) => code === "Closed"), String(found.closed));
});

test("a hub that sends garbage or frames of another version is a typed fault and verifies nothing", async (t) => {
  const { page } = await barePage(t);
  for (const [name, reply] of Object.entries({
    garbage: "not json at all",
    version: JSON.stringify({ type: "welcome", v: 99 }),
    unknown: JSON.stringify({ type: "something-new" }),
    list: "[]",
  })) {
    let hellos = 0;
    await page.routeWebSocket(new RegExp(`/odd-hub/${name}$`), (socket) => {
      socket.onMessage((message) => {
        if (JSON.parse(message).type === "hello") hellos += 1;
        socket.send(reply);
      });
    });
    const found = await page.evaluate(async (name) => {
      const url = `ws://${location.host}/odd-hub/${name}`;
      const cache = await lib.openCache(`odd-${name}`, {
        user: "ann", keys: lib.keys.ephemeral(), hub: { url }, feedWaitMs: 100,
      });
      const session = await cache.session({ purpose: "treatment" });
      const read = () => session.patients.getOrFetch("p", () => ({ id: "p" }));
      const states = new Set();
      const fault = new Promise((resolve) => cache.on("fault", ({ code }) => resolve(code)));
      for (const type of ["live", "connecting", "suspect", "offline"]) {
        cache.on(type, () => states.add(type));
      }
      const entries = [await read(), await read()];
      const code = await fault;
      await cache.close();
      return {
        code,
        ids: entries.map(({ value }) => value.id),
        verified: entries.some(({ verified }) => verified),
        live: states.has("live"),
      };
    }, name);
    await until("the hub was asked", () => hellos > 0);
    const expected = { code: "Incompatible", ids: ["p", "p"], verified: false, live: false };
    assert.deepEqual(found, expected, name);
  }
});

test("the slim entry refuses everything before it is given its module", async (t) => {
  const { page } = await barePage(t);
  const found = await page.evaluate(async () => {
    const slim = await import("/pkg/slim.js");
    const open = () => slim.openCache("a", { user: "u", keys: slim.keys.ephemeral() });
    const before = await codeOf(open);
    await slim.init({ url: "/pkg/clinicache_bg.wasm" });
    const cache = await open();
    await cache.close();
    return { before };
  });
  assert.equal(found.before, "NotInitialised");
});
