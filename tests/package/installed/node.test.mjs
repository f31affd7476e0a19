import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { installApp } from "./support.mjs";

let app;

before(async () => {
  app = await installApp();
});

after(() => app?.remove());

const NAMES = ["openCache", "keys", "withMeta", "defineClass", "CacheError"];

/** Runs a program inside the project that has the package installed. */
async function program(type, source) {
  const { stdout, stderr } = await app.node(`--input-type=${type}`, "--eval", source);
  assert.equal(stderr, "");
  return JSON.parse(stdout);
}

test("an ES module imports it, and no browser global is touched", async () => {
  const told = await program(
    "module",
    `for (const name of ["window", "document", "self", "indexedDB", "BroadcastChannel", "fetch"]) {
       Object.defineProperty(globalThis, name, { get() { throw new Error("touched " + name); }, configurable: true });
     }
     const api = await import("clinicache");
     const slim = await import("clinicache/slim");
     console.log(JSON.stringify({ names: Object.keys(api), slim: Object.keys(slim) }));`,
  );
  for (const name of [...NAMES, "Cache", "Session"]) assert.ok(told.names.includes(name), name);
  for (const name of [...NAMES, "init", "initSync"]) assert.ok(told.slim.includes(name), name);
});

test("CommonJS requires it and gets the same names", async () => {
  const told = await program(
    "commonjs",
    `const api = require("clinicache");
     api.load().then((esm) => console.log(JSON.stringify({
       names: Object.keys(api),
       esm: Object.keys(esm),
       same: new api.CacheError("Busy", "x") instanceof esm.CacheError,
     })));`,
  );
  for (const name of NAMES) assert.ok(told.names.includes(name), name);
  assert.ok(told.esm.includes("Cache"));
  assert.equal(told.same, true);
});

for (const [type, load] of [
  ["module", 'await import("clinicache")'],
  ["commonjs", 'require("clinicache")'],
]) {
  test(`opening a cache in Node (${type}) says that the platform lacks what it needs`, async () => {
    const told = await program(
      type,
      `${type === "module" ? "" : "(async () => {"}
       const { openCache, keys, CacheError } = ${load};
       const error = await openCache("c", { user: "u", keys: keys.ephemeral() }).catch((e) => e);
       console.log(JSON.stringify([error instanceof CacheError, error.code]));
       ${type === "module" ? "" : "})();"}`,
    );
    assert.deepEqual(told, [true, "Unavailable"]);
  });
}

test("the raw wasm file can be resolved", async () => {
  const told = await program(
    "commonjs",
    `console.log(JSON.stringify(require.resolve("clinicache/clinicache_bg.wasm")));`,
  );
  assert.match(told, /clinicache_bg\.wasm$/);
});
