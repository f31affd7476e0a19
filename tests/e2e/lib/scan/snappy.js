// Raw Snappy (no framing), decoding only: what LevelDB blocks and Chromium's IndexedDB values use.

/** Largest output that is believed; a length beyond it means that this is not Snappy. */
const OUTPUT_BYTES_MAX = 256 << 20;

/** Decodes one block that starts at `at`. Throws where the bytes are not a valid block. */
export function decompress(bytes, at = 0, end = bytes.length) {
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = byteAt(bytes, at++, end);
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
    if (shift >= 28) throw new Error("snappy: bad length");
  }
  if (length > OUTPUT_BYTES_MAX) throw new Error("snappy: bad length");

  const out = Buffer.allocUnsafe(length);
  let written = 0;
  // A value inside another structure may be followed by other bytes: the length ends it.
  while (written < length) {
    const tag = byteAt(bytes, at++, end);
    if ((tag & 3) === 0) {
      let size = (tag >> 2) + 1;
      if (size > 60) {
        const width = size - 60;
        size = 1 + little(bytes, at, width, end);
        at += width;
      }
      if (at + size > end || written + size > length) throw new Error("snappy: bad literal");
      bytes.copy(out, written, at, at + size);
      at += size;
      written += size;
      continue;
    }
    let size, offset;
    if ((tag & 3) === 1) {
      size = ((tag >> 2) & 7) + 4;
      offset = ((tag >> 5) << 8) | byteAt(bytes, at++, end);
    } else {
      const width = (tag & 3) === 2 ? 2 : 4;
      size = (tag >> 2) + 1;
      offset = little(bytes, at, width, end);
      at += width;
    }
    if (offset === 0 || offset > written || written + size > length) {
      throw new Error("snappy: bad copy");
    }
    // Byte by byte: a copy may overlap its own output.
    for (const stop = written + size; written < stop; written++) {
      out[written] = out[written - offset];
    }
  }
  return out;
}

function byteAt(bytes, at, end) {
  if (at >= end) throw new Error("snappy: cut off");
  return bytes[at];
}

function little(bytes, at, width, end) {
  if (at + width > end) throw new Error("snappy: cut off");
  return bytes.readUIntLE(at, width);
}
