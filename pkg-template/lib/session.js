import { absentEntry } from "./entry.js";
import { asCacheError, CacheError, invalid, notInitialised } from "./errors.js";
import { callSafely } from "./events.js";
import { readMeta } from "./meta.js";
import { originCall } from "./origin.js";
import { abortable, throwIfAborted } from "./signal.js";
import { Snapshots } from "./snapshots.js";
import { nextTurn } from "./turn.js";
import { encodeValue } from "./values.js";
import { addNamespaces } from "./view.js";

/** Only the package makes sessions: whoever holds this may. */
export const SESSION_TOKEN = Symbol("session");

/** Rows of one call that are encoded and sealed without a pause between. */
const ROWS_AT_A_STRETCH = 100;

/** Stands in for the core's session after `close()`. */
const CLOSED = new Proxy(Object.freeze({}), {
  get() {
    throw new CacheError("Closed", "the session was closed");
  },
});

/** The only way to a record: what one person does for one purpose. */
export class Session {
  #raw;
  #snapshots = new Snapshots();
  #subscriptions = new Set();
  #onClose;

  constructor(token, raw, onClose) {
    if (token !== SESSION_TOKEN) throw notInitialised("sessions come from cache.session()");
    this.#raw = raw;
    this.#onClose = onClose;
    addNamespaces(this);
  }

  peek(name, key) {
    try {
      return this.#raw.peek(name, key);
    } catch (error) {
      throw asCacheError(error);
    }
  }

  get(name, key, options) {
    return this.#call(options, () => this.#raw.get(name, key));
  }

  getMany(name, keys, options) {
    return this.#call(options, () => this.#raw.getMany(name, keys));
  }

  async getOrFetch(name, key, fetcher, options = {}) {
    const { signal, tags } = options;
    throwIfAborted(signal);
    const passed = readMeta({ tags });
    if (signal) passed.signal = signal;
    try {
      // The core listens to the signal itself: it must know when nobody waits any more.
      return (await this.#raw.getOrFetch(name, key, originCall(fetcher), passed)) ?? absentEntry();
    } catch (error) {
      throw originError(asCacheError(error));
    }
  }

  async put(name, key, value, options) {
    const meta = readMeta(options, ["signal"]);
    const body = encodeValue(value);
    return this.#call(options, () => this.#raw.put(name, key, body, meta));
  }

  async putMany(name, items, options) {
    if (!Array.isArray(items)) throw invalid("items", "must be an array");
    const results = new Array(items.length);
    const rows = [];
    const places = [];
    items.forEach((item, i) => {
      try {
        rows.push(toRow(item));
        places.push(i);
      } catch (error) {
        results[i] = { ok: false, error: asCacheError(error) };
      }
    });
    const answers = await this.#call(options, async () => {
      // Encoding a thousand values is as much as a page should do at a stretch.
      if (rows.length > ROWS_AT_A_STRETCH) await nextTurn();
      return this.#raw.putMany(name, rows);
    });
    answers.forEach((answer, i) => {
      results[places[i]] = toResult(answer);
    });
    return results;
  }

  remove(name, key, options) {
    return this.#call(options, () => this.#raw.remove(name, key));
  }

  subscribe(name, key, listener) {
    if (typeof listener !== "function") throw invalid("listener", "must be a function");
    const id = snapshotId(name, key);
    const raw = this.#raw;
    let number;
    try {
      number = raw.subscribe(name, key, () => callSafely(listener));
    } catch (error) {
      throw asCacheError(error);
    }
    this.#snapshots.watch(id);
    const unsubscribe = () => {
      if (!this.#subscriptions.delete(unsubscribe)) return;
      this.#snapshots.unwatch(id);
      raw.unsubscribe(number);
    };
    this.#subscriptions.add(unsubscribe);
    return unsubscribe;
  }

  snapshot(name, key) {
    try {
      return this.#snapshots.take(snapshotId(name, key), () => this.#raw.peek(name, key));
    } catch (error) {
      const known = asCacheError(error);
      // A render must not throw because the tablet was locked under it.
      if (known.code === "Locked" || known.code === "Closed") return null;
      throw known;
    }
  }

  async close() {
    for (const unsubscribe of [...this.#subscriptions]) unsubscribe();
    this.#snapshots.clear();
    this.#raw = CLOSED;
    this.#onClose?.(this);
    this.#onClose = undefined;
  }

  /** The cache was locked or closed: nothing readable may stay behind in this realm. */
  forget(token) {
    if (token === SESSION_TOKEN) this.#snapshots.clear();
  }

  async #call(options, run) {
    const signal = options?.signal;
    throwIfAborted(signal);
    try {
      return await abortable(run(), signal);
    } catch (error) {
      throw asCacheError(error);
    }
  }
}

// Older engines have no Symbol.asyncDispose; there `close()` does the same.
if (Symbol.asyncDispose) Session.prototype[Symbol.asyncDispose] = Session.prototype.close;

/** What went wrong in the fetcher's answer says more than that something did. */
function originError(error) {
  return error.code === "OriginFailed" && error.cause instanceof CacheError ? error.cause : error;
}

function toRow(item) {
  if (typeof item !== "object" || item === null) throw invalid("items", "must hold objects");
  return { ...readMeta(item, ["key", "value"]), key: item.key, body: encodeValue(item.value) };
}

function toResult(answer) {
  if (answer === null || answer === undefined) return { ok: true };
  if (answer instanceof CacheError) return { ok: false, error: answer };
  const { code, message, field } = answer;
  return { ok: false, error: new CacheError(code, message, { field: field ?? undefined }) };
}

/** Ids hold no control characters, so that joining with one is unambiguous. */
function snapshotId(name, key) {
  return `${name}\n${typeof key === "string" ? key : (key ?? []).join("\n")}`;
}
