"use strict";

// For `require()`: nothing is loaded until a cache is opened, and the rest is described in the
// terms that the ES module reads (registered symbols), so that every Node version can load it.

const KEY_SOURCE = Symbol.for("clinicache.keySource");
const WITH_META = Symbol.for("clinicache.withMeta");
const BRAND = Symbol.for("clinicache.CacheError");
const RETRYABLE = new Set(["OriginFailed", "Blocked", "Conflict", "Busy", "Timeout"]);

const load = () => import("./index.js");

const source = (describe) => Object.freeze({ [KEY_SOURCE]: describe });

const keys = Object.freeze({
  passphrase: (secret) => source(() => ({ kind: "passphrase", secret })),
  bytes: (key) => source(() => ({ kind: "bytes", key })),
  ephemeral: () => source(() => ({ kind: "ephemeral" })),
});

class CacheError extends Error {
  constructor(code, message, { field, retryable = RETRYABLE.has(code), cause } = {}) {
    super(message, cause && { cause });
    this.code = code;
    this.retryable = retryable;
    if (field !== undefined) this.field = field;
  }

  static [Symbol.hasInstance](value) {
    if (this !== CacheError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === "object" && value !== null && value[BRAND] === true;
  }
}
Object.defineProperty(CacheError.prototype, "name", { value: "CacheError", configurable: true });
Object.defineProperty(CacheError.prototype, BRAND, { value: true });

module.exports = {
  load,
  keys,
  CacheError,
  withMeta: (value, meta = {}) => Object.freeze({ [WITH_META]: () => [value, meta] }),
  defineClass: (definition) => Object.freeze({ ...definition }),
  openCache: async (name, options) => (await load()).openCache(name, options),
};
