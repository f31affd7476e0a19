import { NAMESPACES } from "./classes.js";
import { invalid } from "./errors.js";

/** One record class of a session: the session's verbs with the class name filled in. */
class ClassView {
  #session;
  #name;
  #parts;

  constructor(session, name, parts) {
    this.#session = session;
    this.#name = name;
    this.#parts = parts;
  }

  peek(key) {
    return this.#session.peek(this.#name, this.#key(key));
  }

  async get(key, options) {
    return this.#session.get(this.#name, this.#key(key), options);
  }

  async getMany(keys, options) {
    return this.#session.getMany(this.#name, this.#keys(keys), options);
  }

  async getOrFetch(key, fetcher, options) {
    return this.#session.getOrFetch(this.#name, this.#key(key), fetcher, options);
  }

  async put(key, value, options) {
    return this.#session.put(this.#name, this.#key(key), value, options);
  }

  async putMany(items, options) {
    if (!Array.isArray(items)) throw invalid("items", "must be an array");
    const keyed = items.map((item) => ({ ...item, key: this.#key(item?.key) }));
    return this.#session.putMany(this.#name, keyed, options);
  }

  async remove(key, options) {
    return this.#session.remove(this.#name, this.#key(key), options);
  }

  subscribe(key, listener) {
    return this.#session.subscribe(this.#name, this.#key(key), listener);
  }

  snapshot(key) {
    return this.#session.snapshot(this.#name, this.#key(key));
  }

  #keys(keys) {
    if (!Array.isArray(keys)) throw invalid("keys", "must be an array");
    return keys.map((key) => this.#key(key));
  }

  /** A string where the class has one part, else an object of named parts. */
  #key(key) {
    const parts = this.#parts;
    if (parts.length === 1) {
      if (typeof key !== "string") throw invalid(parts[0], "must be a string");
      return key;
    }
    if (typeof key !== "object" || key === null) {
      throw invalid("key", `must be an object of ${parts.join(", ")}`);
    }
    const values = [];
    for (const part of parts) {
      const optional = part.endsWith("?");
      const field = optional ? part.slice(0, -1) : part;
      const value = key[field];
      if (optional && value === undefined) break;
      values.push(partText(field, value));
    }
    return values;
  }
}

/** Times are numbers (Unix milliseconds) for people and text in a key. */
function partText(field, value) {
  if (Number.isSafeInteger(value)) return String(value);
  if (typeof value !== "string") throw invalid(field, "must be a string");
  return value;
}

/** A class whose key has no parts: there is one entry of it. */
class SingleView {
  #session;
  #name;

  constructor(session, name) {
    this.#session = session;
    this.#name = name;
  }

  peek() {
    return this.#session.peek(this.#name, []);
  }

  async get(options) {
    return this.#session.get(this.#name, [], options);
  }

  async getOrFetch(fetcher, options) {
    return this.#session.getOrFetch(this.#name, [], fetcher, options);
  }

  async put(value, options) {
    return this.#session.put(this.#name, [], value, options);
  }

  async remove(options) {
    return this.#session.remove(this.#name, [], options);
  }

  subscribe(listener) {
    return this.#session.subscribe(this.#name, [], listener);
  }

  snapshot() {
    return this.#session.snapshot(this.#name, []);
  }
}

/** Hangs every namespace of the class table on a session. */
export function addNamespaces(session) {
  for (const [namespace, views] of Object.entries(NAMESPACES)) {
    const { all, ...others } = views;
    const view = makeView(session, all);
    for (const [name, row] of Object.entries(others)) define(view, name, makeView(session, row));
    define(session, namespace, Object.freeze(view));
  }
}

function makeView(session, [name, ...parts]) {
  return parts.length === 0 ? new SingleView(session, name) : new ClassView(session, name, parts);
}

function define(target, name, value) {
  Object.defineProperty(target, name, { value, enumerable: true });
}
