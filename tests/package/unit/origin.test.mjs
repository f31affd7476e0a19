import assert from "node:assert/strict";
import test from "node:test";

import { withMeta } from "../../../pkg-template/lib/meta.js";
import { originCall, toFill } from "../../../pkg-template/lib/origin.js";
import { failure } from "../assemble.mjs";

const json = (text, headers = {}, status = 200) =>
  new Response(text, { status, headers: { "Content-Type": "application/fhir+json", ...headers } });

test("a plain value crosses as JSON text", async () => {
  assert.deepEqual(await toFill({ a: 1 }), { body: '{"a":1}' });
});

test("null means that there is none", async () => {
  assert.deepEqual(await toFill(null), { body: null });
});

test("undefined, a forgotten return, is refused", async () => {
  assert.equal((await failure(() => toFill(undefined))).field, "value");
});

test("a JSON response crosses as the text that came, with its position and version", async () => {
  const response = json('{ "dose": 1.50 }', { "Clinicache-Position": "e:7", ETag: 'W/"3"' });
  assert.deepEqual(await toFill(response), {
    position: "e:7",
    version: "3",
    body: '{ "dose": 1.50 }',
  });
});

test("a strong ETag is a version too", async () => {
  assert.equal((await toFill(json("1", { ETag: '"abc"' }))).version, "abc");
});

test("what is told beside a response goes before its headers", async () => {
  const fill = await toFill(withMeta(json("1", { ETag: '"1"' }), { version: "2", ttlMs: 5 }));
  assert.deepEqual(fill, { version: "2", ttlMs: 5, body: "1" });
});

test("other types are kept as bytes", async () => {
  const response = new Response(new Uint8Array([255, 216]), {
    headers: { "Content-Type": "image/jpeg" },
  });
  assert.deepEqual((await toFill(response)).body, new Uint8Array([255, 216]));
});

for (const status of [404, 410]) {
  test(`status ${status} means that there is none, at the position told`, async () => {
    const fill = await toFill(json("{}", { "Clinicache-Position": "e:1" }, status));
    assert.deepEqual(fill, { position: "e:1", body: null });
  });
}

test("status 204 means that there is none", async () => {
  assert.equal((await toFill(new Response(null, { status: 204 }))).body, null);
});

for (const [name, response] of [
  ["a failure status", () => json('{"secret":1}', {}, 503)],
  ["broken JSON", () => json('{"secret":')],
  ["a captive portal's page", () => new Response("secret", { headers: { "Content-Type": "text/html; charset=utf-8" } })],
]) {
  test(`${name} is OriginFailed, without the body in its text`, async () => {
    const error = await failure(() => toFill(response()));
    assert.equal(error.code, "OriginFailed");
    assert.equal(error.retryable, true);
    assert.doesNotMatch(`${error.message} ${error.cause ?? ""}`, /secret/);
  });
}

test("the status is in the text", async () => {
  assert.match((await failure(() => toFill(json("", {}, 503)))).message, /503/);
});

test("the fetcher gets the signal of the core", async () => {
  const { signal } = new AbortController();
  let given;
  await originCall((context) => {
    given = context;
    return null;
  })(signal);
  assert.equal(given.signal, signal);
});

test("a fetcher must be a function", () => {
  assert.throws(() => originCall("no"), { code: "InvalidArgument", field: "fetcher" });
});

for (const [field, value] of [
  ["position", 7],
  ["version", 3],
  ["tags", "patient/1"],
  ["tags", [1]],
  ["ttlMs", -1],
  ["ttlMs", Number.NaN],
  ["ttl", 5],
]) {
  test(`withMeta refuses ${field}: ${JSON.stringify(value)}`, () => {
    assert.throws(() => withMeta({}, { [field]: value }), { code: "InvalidArgument", field });
  });
}
