import { invalid } from "./errors.js";

/** Every event of a cache, in the order of the documentation. */
export const EVENTS = Object.freeze([
  "change",
  "lock",
  "unlock",
  "live",
  "connecting",
  "suspect",
  "offline",
  "reset",
  "evict",
  "tampered",
  "coldstart",
  "fault",
  "closed",
]);

/** Listeners by event. The core calls `emit` from a microtask, never from inside a call. */
export class Events {
  #listeners = new Map(EVENTS.map((type) => [type, new Set()]));

  on(type, listener) {
    const listeners = this.#of(type);
    if (typeof listener !== "function") throw invalid("listener", "must be a function");
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }

  off(type, listener) {
    this.#of(type).delete(listener);
  }

  emit(event) {
    const listeners = this.#listeners.get(event.type);
    // A newer core may tell of more than this build documents.
    if (listeners === undefined) return;
    for (const listener of [...listeners]) callSafely(listener, event);
  }

  #of(type) {
    const listeners = this.#listeners.get(type);
    if (listeners === undefined) throw invalid("type", "is not an event of a cache");
    return listeners;
  }
}

/** A listener that throws is the app's bug: reported as one, and no reason to skip the others. */
export function callSafely(listener, ...args) {
  try {
    listener(...args);
  } catch (error) {
    if (typeof reportError === "function") reportError(error);
    else queueMicrotask(() => { throw error; });
  }
}
