// Reads LevelDB's files for what is in them, deleted and overwritten entries included.
// https://github.com/google/leveldb/blob/main/doc/table_format.md and log_format.md

import { decompress } from "./snappy.js";

const TABLE_MAGIC = Buffer.from("57fb808b247547db", "hex");
const FOOTER_BYTES = 48;
const LOG_BLOCK_BYTES = 32 * 1024;
const LOG_HEADER_BYTES = 7;

/** Whether these bytes end as a table does. */
export function isTable(bytes) {
  return bytes.length >= FOOTER_BYTES && bytes.subarray(-8).equals(TABLE_MAGIC);
}

/** Every key and value of a table, as `[key, value]`; keys are whole again. */
export function* tableEntries(bytes) {
  const footer = reader(bytes, bytes.length - FOOTER_BYTES);
  footer.handle(); // The meta index: filters, which hold hashes only.
  for (const [, value] of blockEntries(block(bytes, footer.handle()))) {
    yield* blockEntries(block(bytes, reader(value, 0).handle()));
  }
}

function block(bytes, { offset, size }) {
  const body = bytes.subarray(offset, offset + size);
  const kind = bytes[offset + size];
  if (kind === 0) return body;
  if (kind === 1) return decompress(body);
  throw new Error(`leveldb: block compression ${kind} is not known`);
}

function* blockEntries(body) {
  const restarts = body.readUInt32LE(body.length - 4);
  const end = body.length - 4 - 4 * restarts;
  const entry = reader(body, 0);
  let key = Buffer.alloc(0);
  while (entry.at < end) {
    const shared = entry.varint();
    const own = entry.varint();
    const size = entry.varint();
    key = Buffer.concat([key.subarray(0, shared), entry.take(own)]);
    yield [key, entry.take(size)];
  }
}

/** Every record of a write-ahead log or manifest, its fragments joined. */
export function* logRecords(bytes) {
  let parts = [];
  for (let at = 0; at + LOG_HEADER_BYTES <= bytes.length; ) {
    const left = LOG_BLOCK_BYTES - (at % LOG_BLOCK_BYTES);
    if (left < LOG_HEADER_BYTES) {
      at += left;
      continue;
    }
    const size = bytes.readUInt16LE(at + 4);
    const kind = bytes[at + 6];
    // Zeros are space that was set aside and never written.
    if (kind === 0 && size === 0) {
      at += left;
      continue;
    }
    const start = at + LOG_HEADER_BYTES;
    if (kind < 1 || kind > 4 || LOG_HEADER_BYTES + size > left || start + size > bytes.length) {
      throw new Error("leveldb: not a log");
    }
    const data = bytes.subarray(start, start + size);
    if (kind === 1 || kind === 2) parts = [];
    parts.push(data);
    if (kind === 1 || kind === 4) yield Buffer.concat(parts);
    at = start + size;
  }
  // A record that was cut off by a crash is still readable.
  if (parts.length > 0) yield Buffer.concat(parts);
}

function reader(bytes, at) {
  return {
    at,
    varint() {
      let value = 0;
      for (let factor = 1; ; factor *= 128) {
        if (this.at >= bytes.length) throw new Error("leveldb: cut off");
        const byte = bytes[this.at++];
        value += (byte & 0x7f) * factor;
        if (byte < 0x80) return value;
      }
    },
    handle() {
      const offset = this.varint();
      return { offset, size: this.varint() };
    },
    take(size) {
      if (this.at + size > bytes.length) throw new Error("leveldb: cut off");
      const taken = bytes.subarray(this.at, this.at + size);
      this.at += size;
      return taken;
    },
  };
}
