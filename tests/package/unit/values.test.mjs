import assert from "node:assert/strict";
import test from "node:test";
import { runInNewContext } from "node:vm";

import { encodeValue } from "../../../pkg-template/lib/values.js";

const holds = [
  ["null", null],
  ["text", "é\ud800"],
  ["numbers", [0, -1.5, 1e300]],
  ["nesting", { a: [{ b: { c: [true, false, null] } }] }],
  ["a member named __proto__", JSON.parse('{"__proto__":{"a":1}}')],
  ["an object without prototype", Object.assign(Object.create(null), { a: 1 })],
  ["an object of another realm", runInNewContext("({ a: [1] })")],
];
for (const [name, value] of holds) {
  test(`${name} comes back as it was`, () => {
    assert.deepEqual(JSON.parse(encodeValue(value)), JSON.parse(JSON.stringify(value)));
  });
}

test("an object that occurs twice is no cycle", () => {
  const shared = { a: 1 };
  assert.equal(encodeValue([shared, shared]), '[{"a":1},{"a":1}]');
});

const cycle = { inner: [] };
cycle.inner.push(cycle);
const deep = (levels) => JSON.parse("[".repeat(levels) + "]".repeat(levels));
const named = Object.assign([1], { note: 2 });
const refusals = [
  ["undefined", undefined],
  ["an undefined member", { a: undefined }],
  ["an undefined element", [undefined]],
  ["a hole", [1, , 3]],
  ["a Date", { at: new Date(0) }],
  ["a Map", new Map()],
  ["a Set inside", [new Set()]],
  ["a BigInt", { n: 1n }],
  ["a function", { f() {} }],
  ["a symbol", Symbol("s")],
  ["a symbol member", { [Symbol("s")]: 1 }],
  ["NaN", [Number.NaN]],
  ["infinity", -Infinity],
  ["a cycle", cycle],
  ["501 levels", deep(501)],
  ["a class instance", new (class Dose {})()],
  ["a boxed number", Object(1)],
  ["a toJSON", { toJSON: () => 1 }],
  ["an array with named members", named],
  ["bytes inside JSON", { image: new Uint8Array(2) }],
  ["a Float32Array", new Float32Array(2)],
  ["a getter that throws", { get a() { throw new Error("secret"); } }],
];
for (const [name, value] of refusals) {
  test(`${name} is refused, and the error names the field alone`, () => {
    assert.throws(() => encodeValue(value), (error) => {
      assert.equal(error.code, "InvalidArgument");
      assert.equal(error.field, "value");
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  });
}

test("500 levels are held", () => {
  assert.equal(encodeValue(deep(500)).length, 1000);
});

test("bytes stay bytes", () => {
  const bytes = new Uint8Array([1, 2]);
  assert.equal(encodeValue(bytes), bytes);
  assert.deepEqual(encodeValue(bytes.buffer), bytes);
  assert.deepEqual([...encodeValue(runInNewContext("new Uint8Array([3])"))], [3]);
});
