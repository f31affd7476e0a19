// Many texts in many encodings, found in one pass.

/** Shorter texts would be found by accident. */
const BYTES_MIN = 5;

/** A set of texts to look for: in UTF-8, UTF-16LE and Latin-1 (V8 stores strings as either of the
 * last two), and in base64 of each at every alignment. */
export class Needles {
  #byStart = new Map();
  #starts = new Uint8Array(1 << 16);
  #texts;

  constructor(texts) {
    this.#texts = [...new Set(texts)].filter((text) => Buffer.byteLength(text) >= BYTES_MIN);
    for (const text of this.#texts) {
      for (const [encoding, bytes] of encodings(text)) this.#add(text, encoding, bytes);
    }
  }

  /** How many different texts are looked for. */
  get size() {
    return this.#texts.length;
  }

  #add(text, encoding, bytes) {
    this.#starts[bytes.readUInt16LE(0)] = 1;
    const start = bytes.readUInt32LE(0);
    const same = this.#byStart.get(start);
    if (same) same.push({ text, encoding, bytes });
    else this.#byStart.set(start, [{ text, encoding, bytes }]);
  }

  /** Calls `found(text, encoding)` for each place where a text stands. */
  search(haystack, found) {
    for (let at = 0; at + 4 <= haystack.length; at++) {
      if (this.#starts[haystack[at] | (haystack[at + 1] << 8)] === 0) continue;
      const candidates = this.#byStart.get(haystack.readUInt32LE(at));
      if (!candidates) continue;
      for (const { text, encoding, bytes } of candidates) {
        const end = at + bytes.length;
        if (end <= haystack.length && haystack.compare(bytes, 0, bytes.length, at, end) === 0) {
          found(text, encoding);
        }
      }
    }
  }
}

function* encodings(text) {
  for (const encoding of ["utf8", "utf16le", "latin1"]) {
    const bytes = Buffer.from(text, encoding);
    if (encoding === "latin1" && !isOwnLatin1(text, bytes)) continue;
    yield [encoding, bytes];
    for (let before = 0; before < 3; before++) {
      const base64 = insideBase64(bytes, before);
      yield [`base64 of ${encoding}`, Buffer.from(base64)];
      const url = base64.replaceAll("+", "-").replaceAll("/", "_");
      if (url !== base64) yield [`base64url of ${encoding}`, Buffer.from(url)];
    }
  }
}

/** Whether a text has Latin-1 bytes that are not its UTF-8 bytes anyway. */
function isOwnLatin1(text, bytes) {
  return bytes.toString("latin1") === text && !bytes.equals(Buffer.from(text));
}

/** The characters that these bytes always give, with `before` other bytes in front of them in
 * their group of three and any bytes behind. */
function insideBase64(bytes, before) {
  const whole = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
  const first = Math.ceil((before * 8) / 6);
  const last = Math.floor(((before + bytes.length) * 8) / 6);
  return whole.slice(first, last);
}
