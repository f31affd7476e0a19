/**
 * A stand-in for the generated `clinicache.js`, for tests of the hand-written half alone: it
 * keeps plain values in a map and records what crossed the boundary.
 */
let host;
export const calls = [];

export default async function init(source) {
  calls.push(["init", source]);
  if (source?.module_or_path === "missing") throw new TypeError("not found");
}

export function initSync(source) {
  calls.push(["initSync", source]);
}

export function install(given) {
  calls.push(["install"]);
  host = given;
}

export async function open(name, options) {
  calls.push(["open", name, options]);
  return new FakeCache(options);
}

const fail = (code, field, cause) => host.error(code, "fake", field, undefined, cause);

class FakeCache {
  rows = new Map();
  listeners = new Map();
  locked = false;
  closed = false;

  constructor(options) {
    this.options = options;
  }

  session(options) {
    calls.push(["session", options]);
    return new FakeSession(this);
  }

  async lock() {
    this.locked = true;
    queueMicrotask(() => this.tell({ type: "lock" }));
  }

  async unlock(keys) {
    calls.push(["unlock", keys]);
    this.locked = false;
  }

  async close() {
    this.closed = true;
  }

  async wipe() {
    return { shredded: true };
  }

  async invalidate(target) {
    calls.push(["invalidate", target]);
  }

  stats() {
    return { classes: {} };
  }

  state() {
    return this.closed ? "closed" : this.locked ? "locked" : "open";
  }

  feedState() {
    return "off";
  }

  setOffline(offline) {
    calls.push(["setOffline", offline]);
  }

  listen(tell) {
    this.tell = tell;
  }
}

class FakeSession {
  constructor(cache) {
    this.cache = cache;
  }

  id(name, key) {
    if (this.cache.closed) throw fail("Closed");
    if (this.cache.locked) throw fail("Locked");
    if (name === "unknown") throw fail("InvalidArgument", "class");
    return JSON.stringify([name, key]);
  }

  entry(id, source) {
    const row = this.cache.rows.get(id);
    if (row === undefined) return null;
    const isText = typeof row.body === "string";
    const freshness = row.stale ? 1 : 0;
    return host.entry(
      row.body ?? undefined, isText, freshness, Boolean(row.verified), 5, 1000, 2000, source,
      row.version, false,
    );
  }

  peek(name, key) {
    return this.entry(this.id(name, key), 0);
  }

  async get(name, key) {
    return this.entry(this.id(name, key), 1);
  }

  async getMany(name, keys) {
    return keys.map((key) => this.entry(this.id(name, key), 1));
  }

  async getOrFetch(name, key, fetcher, options) {
    calls.push(["getOrFetch", name, key, options]);
    const id = this.id(name, key);
    if (!this.cache.rows.has(id)) {
      let fill;
      try {
        fill = await fetcher(new AbortController().signal);
      } catch (error) {
        throw fail("OriginFailed", undefined, error);
      }
      calls.push(["fill", fill]);
      if (fill.body === null) return null;
      this.cache.rows.set(id, fill);
    }
    return this.entry(id, 2);
  }

  async put(name, key, body, meta) {
    calls.push(["put", name, key, body, meta]);
    const id = this.id(name, key);
    this.cache.rows.set(id, { ...meta, body });
    const listener = this.cache.listeners.get(id);
    if (listener) queueMicrotask(listener);
  }

  async putMany(name, rows) {
    calls.push(["putMany", name, rows]);
    return rows.map((row) => {
      if (row.key === "full") return { code: "QuotaExceeded", message: "fake", field: undefined };
      this.cache.rows.set(this.id(name, row.key), row);
      return null;
    });
  }

  async remove(name, key) {
    this.cache.rows.delete(this.id(name, key));
  }

  subscribe(name, key, listener) {
    this.cache.listeners.set(this.id(name, key), listener);
    return 7;
  }

  unsubscribe(number) {
    calls.push(["unsubscribe", number]);
  }
}
