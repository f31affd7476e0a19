import { invalid } from "./errors.js";
import { asBytes } from "./values.js";

/** A registered symbol, so that the CommonJS entry can make the same thing without this module. */
export const KEY_SOURCE = Symbol.for("clinicache.keySource");

/** The factor is behind a closure, so that logging or serialising a source shows nothing. */
const source = (describe) => Object.freeze({ [KEY_SOURCE]: describe });

/** Where the key of a vault comes from. */
export const keys = Object.freeze({
  passphrase(secret) {
    const held = typeof secret === "object" ? copy(secret, "keys.passphrase") : secret;
    if (typeof held !== "string" && typeof held !== "function" && asBytes(held) === undefined) {
      throw invalid("keys.passphrase", "must be a string, a Uint8Array or a function that returns one");
    }
    return source(() => ({ kind: "passphrase", secret: held }));
  },

  bytes(key) {
    const held = typeof key === "function" ? key : copy(key, "keys.bytes");
    return source(() => ({ kind: "bytes", key: held }));
  },

  ephemeral() {
    return source(() => ({ kind: "ephemeral" }));
  },
});

/** The plain description that the core takes. Its arrays are ours: the core zeroes them. */
export async function resolveKeys(keySource) {
  const describe = keySource?.[KEY_SOURCE];
  if (typeof describe !== "function") throw invalid("keys", "must come from keys.*");
  const described = describe();
  switch (described.kind) {
    case "passphrase":
      return { kind: "passphrase", secret: await secretBytes(described.secret) };
    case "bytes":
      return { kind: "bytes", key: await keyBytes(described.key) };
    default:
      return { kind: described.kind };
  }
}

async function secretBytes(held) {
  const given = typeof held === "function" ? await held() : held;
  // One character has several spellings in Unicode, and keyboards differ in which they type.
  if (typeof given === "string") return new TextEncoder().encode(given.normalize("NFC"));
  return fresh(given, held, "keys.passphrase");
}

async function keyBytes(held) {
  return fresh(typeof held === "function" ? await held() : held, held, "keys.bytes");
}

/** What a function returned is handed on as it is (and zeroed); what we hold is copied first. */
function fresh(given, held, field) {
  return typeof held === "function" && asBytes(given) !== undefined
    ? asBytes(given)
    : copy(given, field);
}

function copy(value, field) {
  const bytes = asBytes(value);
  if (bytes === undefined) throw invalid(field, "must be a Uint8Array");
  return new Uint8Array(bytes);
}
