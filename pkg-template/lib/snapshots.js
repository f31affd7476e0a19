import { readWithBody } from "./entry.js";

/** Snapshots held for keys that nobody subscribes to; a first render reads before it subscribes. */
const UNWATCHED_MAX = 256;

/**
 * Gives the same entry object for a key until its value, freshness or verified mark changes,
 * as `useSyncExternalStore` demands of a snapshot.
 */
export class Snapshots {
  #held = new Map();
  #watchers = new Map();

  /** `read` is a synchronous read of memory that may throw: then there is nothing to show. */
  take(id, read) {
    let entry = null;
    let body;
    try {
      ({ entry, body } = readWithBody(read));
    } catch (error) {
      this.#held.delete(id);
      throw error;
    }
    if (entry === null || entry === undefined) {
      this.#held.delete(id);
      return null;
    }
    const held = this.#held.get(id);
    if (held !== undefined && isSame(held, entry, body)) return held.entry;
    this.#held.delete(id);
    this.#held.set(id, { entry, body });
    this.#trim();
    return entry;
  }

  watch(id) {
    this.#watchers.set(id, (this.#watchers.get(id) ?? 0) + 1);
  }

  unwatch(id) {
    const left = (this.#watchers.get(id) ?? 1) - 1;
    if (left > 0) this.#watchers.set(id, left);
    else this.#watchers.delete(id);
  }

  /** Drops every value: the cache was locked or closed. */
  clear() {
    this.#held.clear();
  }

  #trim() {
    let excess = this.#held.size - this.#watchers.size - UNWATCHED_MAX;
    if (excess <= 0) return;
    for (const id of this.#held.keys()) {
      if (this.#watchers.has(id)) continue;
      this.#held.delete(id);
      excess -= 1;
      if (excess <= 0) return;
    }
  }
}

function isSame(held, entry, body) {
  return (
    held.entry.freshness === entry.freshness &&
    held.entry.verified === entry.verified &&
    isSameBody(held.body, body)
  );
}

function isSameBody(a, b) {
  if (typeof a !== "object" || typeof b !== "object") return a === b;
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
