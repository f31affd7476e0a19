import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

import { installApp } from "./support.mjs";

const TSC = createRequire(import.meta.url).resolve("typescript/bin/tsc");
const STRICT = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", "--typeRoots", "types"];

let app;

before(async () => {
  app = await installApp();
});

after(() => app?.remove());

for (const [name, module, resolution, files] of [
  ["a bundler's project", "esnext", "bundler", ["types/consumer.ts"]],
  ["Node's own resolution, as ES module and CommonJS", "nodenext", "nodenext", ["types/consumer.ts", "types/consumer.cts"]],
]) {
  test(`the types are found and right in ${name}`, async () => {
    const flags = ["--module", module, "--moduleResolution", resolution];
    const told = await app.node(TSC, ...STRICT, ...flags, ...files).catch((error) => error);
    assert.equal(told.stdout, "");
  });
}
