// The scanner of files at rest, tested by itself: what it cannot find it cannot clear.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { Needles } from "./lib/scan/needles.js";
import { scan } from "./lib/scan/scan.js";
import { decompress } from "./lib/scan/snappy.js";

const MARKER = "Märta Markerperson";

async function found(files, texts = [MARKER]) {
  const folder = await mkdtemp(path.join(tmpdir(), "scan-"));
  try {
    for (const [name, bytes] of Object.entries(files)) {
      await writeFile(path.join(folder, name), bytes);
    }
    const { hits } = await scan(folder, new Needles(texts));
    return hits.map(({ layer, encoding }) => `${layer}: ${encoding}`);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Snappy with one literal and one overlapping copy, so that the decoder's both halves run. */
function snappy(bytes, repeat = 0) {
  const length = [];
  for (let left = bytes.length + repeat; ; left = Math.floor(left / 128)) {
    if (left < 128) {
      length.push(left);
      break;
    }
    length.push((left % 128) + 128);
  }
  const literal = Buffer.from([(61 << 2) | 0, (bytes.length - 1) & 255, (bytes.length - 1) >> 8]);
  const copy = repeat ? Buffer.from([((repeat - 1) << 2) | 2, 1, 0]) : Buffer.alloc(0);
  return Buffer.concat([Buffer.from(length), literal, bytes, copy]);
}

test("snappy gives back literals and overlapping copies and refuses what is cut off", () => {
  const packed = snappy(Buffer.from("abc"), 20);
  assert.equal(decompress(packed).toString(), "abc" + "c".repeat(20));
  assert.throws(() => decompress(packed.subarray(0, -1)));
  assert.throws(() => decompress(Buffer.from([5, (3 << 2) | 2, 9, 0])));
});

test("a text is found in UTF-8, UTF-16, Latin-1 and in base64 at each alignment", async () => {
  assert.deepEqual(await found({ a: `x${MARKER}x` }), ["raw: utf8"]);
  assert.deepEqual(await found({ a: Buffer.from(MARKER, "utf16le") }), ["raw: utf16le"]);
  assert.deepEqual(await found({ a: Buffer.from(MARKER, "latin1") }), ["raw: latin1"]);
  for (const before of ["", "1", "12", "123"]) {
    const base64 = Buffer.from(`${before}${MARKER}9`).toString("base64");
    assert.deepEqual(await found({ a: base64 }), ["raw: base64 of utf8"], before);
  }
  assert.deepEqual(await found({ a: MARKER.slice(1), b: MARKER.slice(0, -1) }), []);
});

test("a text in a file's name is found", async () => {
  assert.deepEqual(await found({ Markerperson: "" }, ["Markerperson"]), ["name: utf8"]);
});

test("a text is found in a log record that a block's edge cuts in two", async () => {
  const head = (kind, size) => Buffer.from([0, 0, 0, 0, size & 255, size >> 8, kind]);
  const record = Buffer.concat([Buffer.alloc(32 * 1024 - 7 - 7, 1), Buffer.from(MARKER)]);
  const cut = 32 * 1024 - 7;
  const log = Buffer.concat([
    head(2, cut), record.subarray(0, cut), head(4, record.length - cut), record.subarray(cut),
  ]);
  assert.deepEqual(await found({ "000003.log": log }), ["leveldb log: utf8"]);
});

test("a text is found in a compressed value inside a compressed table block", async () => {
  const value = Buffer.concat([Buffer.from([0xff, 0x11, 0x02]), snappy(Buffer.from(MARKER))]);
  const block = (entries) => {
    const rows = entries.map(([key, body]) =>
      Buffer.concat([Buffer.from([0, key.length, body.length]), Buffer.from(key), body]));
    return Buffer.concat([...rows, Buffer.from([0, 0, 0, 0, 1, 0, 0, 0])]);
  };
  const stored = (body, kind) => Buffer.concat([body, Buffer.from([kind, 0, 0, 0, 0])]);
  const data = snappy(block([["key", value]]));
  const index = block([["key", Buffer.from([0, data.length])]]);
  const footer = Buffer.alloc(48);
  footer.set([0, 0, data.length + 5, index.length]);
  footer.set(Buffer.from("57fb808b247547db", "hex"), 40);
  const table = Buffer.concat([stored(data, 1), stored(index, 0), footer]);
  assert.ok((await found({ "000005.ldb": table })).includes("leveldb table value: utf8"));
  await assert.rejects(found({ "000005.ldb": table.subarray(0, -1) }), /not a LevelDB table/);
});
