/** The codes of `src/error.rs`, with the answer to "may the same call succeed later?". */
const RETRYABLE = new Set(["OriginFailed", "Blocked", "Conflict", "Busy", "Timeout"]);

/** Registered, so that every copy of this class on a page knows the errors of the others. */
const BRAND = Symbol.for("clinicache.CacheError");

/** What every failing call throws. Its text never holds a key, an identifier or a value. */
export class CacheError extends Error {
  constructor(code, message, { field, retryable = RETRYABLE.has(code), cause } = {}) {
    super(message);
    this.code = code;
    this.retryable = retryable;
    if (field !== undefined) this.field = field;
    // Assigned only when there is one, so that a logged error shows no empty cause.
    if (cause !== undefined && cause !== null) {
      Object.defineProperty(this, "cause", {
        value: cause,
        enumerable: false,
        configurable: true,
        writable: true,
      });
    }
  }

  /** By brand, not by prototype: CommonJS callers and second bundles hold another copy. */
  static [Symbol.hasInstance](value) {
    if (this !== CacheError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === "object" && value !== null && value[BRAND] === true;
  }
}

Object.defineProperty(CacheError.prototype, "name", { value: "CacheError", configurable: true });
Object.defineProperty(CacheError.prototype, BRAND, { value: true });

export const invalid = (field, message, cause) =>
  new CacheError("InvalidArgument", `${field}: ${message}`, { field, cause });

export const notInitialised = (message) => new CacheError("NotInitialised", message);

/** Passes our own errors through; anything else out of the core is a bug of ours. */
export function asCacheError(error) {
  if (error instanceof CacheError) return error;
  return new CacheError("Internal", "clinicache failed in an unforeseen way", { cause: error });
}
