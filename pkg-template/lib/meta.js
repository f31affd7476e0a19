import { invalid } from "./errors.js";

/** A registered symbol, so that the CommonJS entry can make the same thing without this module. */
export const WITH_META = Symbol.for("clinicache.withMeta");

/** What may be known about a value besides the value. */
const FIELDS = new Set(["position", "version", "tags", "ttlMs"]);

/** A fetched value with what the origin said about it. */
export function withMeta(value, meta = {}) {
  const checked = readMeta(meta);
  return Object.freeze({ [WITH_META]: () => [value, checked] });
}

/** The pair behind `withMeta`, or undefined. */
export function metaOf(result) {
  if (typeof result !== "object" || result === null) return undefined;
  const describe = result[WITH_META];
  if (typeof describe !== "function") return undefined;
  const [value, meta] = describe();
  return { value, meta: readMeta(meta) };
}

/** Checks the fields and leaves out those that are not there. `extra` names further ones. */
export function readMeta(meta, extra = []) {
  const result = {};
  if (meta === undefined || meta === null) return result;
  if (typeof meta !== "object") throw invalid("options", "must be an object");
  for (const name of Object.keys(meta)) {
    const value = meta[name];
    if (extra.includes(name) || value === undefined) continue;
    // The app's own spelling is safe to repeat: it is code, not data.
    if (!FIELDS.has(name)) throw invalid(name, "is not an option of this call");
    checkField(name, value);
    result[name] = name === "tags" ? [...value] : value;
  }
  return result;
}

function checkField(name, value) {
  if (name === "ttlMs") {
    if (!Number.isFinite(value) || value < 0) throw invalid(name, "must be milliseconds, 0 or more");
  } else if (name === "tags") {
    if (!Array.isArray(value) || !value.every((tag) => typeof tag === "string")) {
      throw invalid(name, "must be an array of strings");
    }
  } else if (typeof value !== "string") {
    throw invalid(name, "must be a string");
  }
}
