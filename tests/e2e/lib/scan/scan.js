// Looks for texts in every file below a folder, through the storage formats that Chromium uses.

import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { isTable, logRecords, tableEntries } from "./leveldb.js";
import { decompress } from "./snappy.js";

/** How Blink marks an IndexedDB value that it compressed: version tag, "needs processing",
 * "compressed with Snappy" (`idb_value_wrapping.cc`). */
const COMPRESSED_VALUE = Buffer.from([0xff, 0x11, 0x02]);

/**
 * Scans all files.
 *
 * Resolves with `hits`, one `{ file, text, encoding, layer }` for each text and file and layer
 * (`raw`, `leveldb table`, `leveldb log`, each perhaps with ` value` for what was compressed
 * inside), and with how much was read. Throws where a storage file cannot be understood: what
 * cannot be read is not clean.
 */
export async function scan(folder, needles) {
  const hits = new Map();
  let files = 0;
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.relative(folder, path.join(entry.parentPath ?? entry.path, entry.name));
    const content = await readFile(path.join(folder, file));
    files += 1;
    bytes += content.length;
    for (const [layer, part] of layers(file, content)) {
      needles.search(part, (text, encoding) => {
        const hit = { file, text, encoding, layer };
        hits.set(JSON.stringify(hit), hit);
      });
    }
    // Names count, too.
    needles.search(Buffer.from(file), (text, encoding) => {
      const hit = { file, text, encoding, layer: "name" };
      hits.set(JSON.stringify(hit), hit);
    });
  }
  return { hits: [...hits.values()], files, bytes };
}

function* layers(file, content) {
  yield* withValues("raw", content);
  const name = path.basename(file);
  if (/\.(ldb|sst)$/.test(name)) {
    if (!isTable(content)) throw new Error(`${file} is not a LevelDB table`);
    for (const [key, value] of tableEntries(content)) {
      yield ["leveldb table", key];
      yield* withValues("leveldb table", value);
    }
  } else if (/^(\d+\.log|MANIFEST-\d+)$/.test(name)) {
    for (const record of logRecords(content)) yield* withValues("leveldb log", record);
  }
}

/** The bytes, and what is compressed inside them. */
function* withValues(layer, bytes) {
  yield [layer, bytes];
  for (let at = bytes.indexOf(COMPRESSED_VALUE); at >= 0; at = bytes.indexOf(COMPRESSED_VALUE, at + 1)) {
    let value;
    try {
      value = decompress(bytes, at + COMPRESSED_VALUE.length);
    } catch {
      continue; // The same three bytes by accident, or a value cut by a raw block's edge.
    }
    yield [`${layer} value`, value];
  }
}
