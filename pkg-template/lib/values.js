import { CacheError, invalid } from "./errors.js";

/** Deeper values are refused: no clinical document comes near, and the stack is finite. */
const DEPTH_MAX = 500;

/** A value as it crosses into the core: JSON text, or bytes. */
export function encodeValue(value) {
  const bytes = asBytes(value);
  if (bytes !== undefined) return bytes;
  try {
    checkJson(value, []);
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof CacheError) throw error;
    // A getter or a proxy of the app threw while it was being read.
    throw invalid("value", "could not be read", error);
  }
}

/** The bytes of a `Uint8Array` (of any realm) or `ArrayBuffer`; undefined for anything else. */
export function asBytes(value) {
  if (typeof value !== "object" || value === null) return undefined;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value) && value[Symbol.toStringTag] === "Uint8Array") return value;
  return undefined;
}

/**
 * One walk that refuses whatever `JSON.stringify` would drop or change without a word, because
 * the reader would get back something else than was put in.
 */
function checkJson(value, ancestors) {
  switch (typeof value) {
    case "string":
    case "boolean":
      return;
    case "number":
      if (!Number.isFinite(value)) throw refused("NaN and infinities");
      return;
    case "undefined":
      throw refused("undefined");
    case "bigint":
      throw refused("a BigInt");
    case "function":
    case "symbol":
      throw refused(`a ${typeof value}`);
    default:
      if (value !== null) checkObject(value, ancestors);
  }
}

function checkObject(value, ancestors) {
  if (ancestors.includes(value)) throw refused("a cycle");
  if (ancestors.length === DEPTH_MAX) throw invalid("value", "is nested too deeply");
  if (typeof value.toJSON === "function") throw refused("an object with toJSON, such as a Date,");
  ancestors.push(value);
  if (Array.isArray(value)) {
    // Holes read as undefined below; named members of an array would be lost.
    for (let i = 0; i < value.length; i += 1) checkJson(value[i], ancestors);
    if (Object.keys(value).length !== value.length) throw refused("an array with named members");
  } else {
    if (!isPlain(value)) throw refused("a class instance, such as a Map or Set,");
    if (Object.getOwnPropertySymbols(value).length > 0) throw refused("a symbol member");
    for (const name of Object.keys(value)) checkJson(value[name], ancestors);
  }
  ancestors.pop();
}

/** Plain in any realm: the prototype is none, or is the root of its own chain. */
function isPlain(value) {
  const prototype = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return true;
  return (
    Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf")
  );
}

const refused = (what) => invalid("value", `${what} cannot be held by JSON`);
