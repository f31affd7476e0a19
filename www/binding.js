import { LoadError } from "./loaders.js";
import { vault } from "./vault.js";

/** Reloads in a row after which a view stops insisting for a while. */
const ROUNDS_MAX = 3;
const PAUSE_MS = 3_000;
const PAUSE_MS_MAX = 60_000;
/** How long a fresh entry may stay unproven under a live feed. */
const PROOF_MS = 2_000;
/** Timers beyond this overflow and fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

const active = new Set();

/** Looks at every entry on the screen again, after the feed or the network changed. */
export function recheckAll() {
  for (const binding of active) binding.recheck();
}

/** Stops every view: the tablet was locked or another page was opened. */
export function stopAll() {
  for (const binding of [...active]) binding.stop();
}

/**
 * Keeps one entry on the screen true. `show` gets `{ status, entry?, updating?, code? }` with
 * status `loading`, `ready`, `offline`, `error` or `tampered`; the entry's `source` is where the
 * value on the screen came from, not where the last look found it.
 */
export class Binding {
  #name;
  #key;
  #fetcher;
  #tags;
  #show;
  #shown;
  #busy = false;
  #dirty = false;
  #healing = false;
  #rounds = 0;
  #pauseMs = PAUSE_MS;
  #timer;
  #failure;
  #unsubscribe;
  #controller = new AbortController();

  constructor({ name, key, fetcher, tags, show }) {
    this.#name = name;
    this.#key = key;
    this.#fetcher = fetcher;
    this.#tags = tags;
    this.#show = show;
  }

  start() {
    active.add(this);
    this.#unsubscribe = vault.session.subscribe(this.#name, this.#key, () => this.recheck());
    const held = this.#peek();
    if (held) this.#present(held);
    else this.#show({ status: "loading" });
    void this.load();
    return this;
  }

  stop() {
    active.delete(this);
    clearTimeout(this.#timer);
    this.#unsubscribe?.();
    this.#controller.abort();
    this.#shown = undefined;
  }

  /** Reads through the cache, and asks the server where the cache says so. */
  async load() {
    if (this.#busy) {
      this.#dirty = true;
      return;
    }
    const { signal } = this.#controller;
    if (signal.aborted) return;
    this.#busy = true;
    this.#failure = undefined;
    try {
      const options = this.#tags ? { signal, tags: this.#tags } : { signal };
      const entry = await vault.session.getOrFetch(this.#name, this.#key, this.#fetch, options);
      if (!signal.aborted) {
        this.#present(entry);
        // What may be had is shown, and the hospital is asked again later.
        if (entry.freshness === "stale" && !vault.offline) this.#pause();
      }
    } catch (error) {
      // The bad row is gone: the same read again asks the hospital.
      if (error.code === "Tampered" && !this.#healing) this.#healing = this.#dirty = true;
      if (!signal.aborted) this.#failed(error);
    }
    this.#busy = false;
    if (this.#dirty && !signal.aborted) {
      this.#dirty = false;
      this.recheck();
    }
  }

  /** The entry, the feed or the network may have changed. */
  recheck() {
    if (this.#busy) {
      this.#dirty = true;
      this.#doubt();
      return;
    }
    const held = this.#peek();
    if (held) {
      // Where the value on the screen stands, so does the word of where it came from.
      const source = this.#shown && isSameFill(held, this.#shown) ? this.#shown.source : held.source;
      this.#present({ ...held, source });
    } else {
      this.#doubt();
    }
    if (held?.freshness !== "fresh") this.#insist();
    else if (held.value !== null && !held.verified && vault.cache.feedState === "live") this.#awaitProof();
  }

  /** What is on the screen must not say verified for a moment longer than it is. */
  #doubt() {
    const held = this.#peek();
    if (!this.#shown || (held?.verified && isSameFill(held, this.#shown))) return;
    this.#shown = { ...this.#shown, verified: false };
    this.#show({ status: "ready", entry: this.#shown, updating: true });
  }

  /** A live feed proves a fresh entry by itself; where it does not, the hospital is asked. */
  #awaitProof() {
    this.#wait(PROOF_MS, () => {
      const held = this.#peek();
      if (held && !held.verified && vault.cache.feedState === "live") this.#insist();
      else this.recheck();
    });
  }

  /** Reads again: at once a few times, then ever more slowly until something is settled. */
  #insist() {
    this.#rounds += 1;
    if (this.#rounds <= ROUNDS_MAX) void this.load();
    else this.#pause();
  }

  #pause() {
    this.#wait(this.#pauseMs, () => this.load());
    this.#pauseMs = Math.min(this.#pauseMs * 2, PAUSE_MS_MAX);
  }

  #fetch = async (context) => {
    try {
      return await this.#fetcher(context);
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  };

  #peek() {
    try {
      return vault.session.peek(this.#name, this.#key);
    } catch {
      // Locked under us, or the row failed its check: load() says which.
      return null;
    }
  }

  #present(next) {
    const entry = this.#isOlder(next) ? { ...this.#shown, verified: false } : next;
    this.#healing = false;
    this.#shown = entry;
    this.#show({ status: "ready", entry });
    if (entry.verified) {
      this.#rounds = 0;
      this.#pauseMs = PAUSE_MS;
    }
    // That there is none is looked at again when something changes, not by the clock.
    if (entry.freshness === "fresh" && entry.value !== null) {
      // Once it is past its time it must say so, and is read again where that is possible.
      this.#wait(entry.expiresAt - Date.now() + 50, () => this.recheck());
    }
  }

  /** Whether a value would lead back. A newer one may be on the screen and not in the cache: it was
   * overtaken by a change while it travelled, so it was shown and not kept. */
  #isOlder(entry) {
    return this.#shown && !entry.verified && entry.storedAt < this.#shown.storedAt;
  }

  #failed(error) {
    if (error.code === "Locked" || error.code === "Closed" || error.code === "Aborted") return;
    this.#shown = undefined;
    this.#show({ status: this.#statusOf(error), code: error.code });
  }

  #statusOf(error) {
    if (error.code === "Tampered") return "tampered";
    // The cache's own switch refuses before the fetcher is asked.
    if (vault.offline && ["OriginFailed", "Unavailable"].includes(error.code)) return "offline";
    if (error.code !== "OriginFailed") return "error";
    const failure = this.#failure ?? error.cause;
    const unreachable = failure instanceof LoadError && failure.kind !== "status";
    return unreachable || !navigator.onLine ? "offline" : "error";
  }

  #wait(ms, then) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, Math.min(Math.max(ms, 0), TIMER_MS_MAX));
  }
}

const isSameFill = (a, b) => a.storedAt === b.storedAt && a.version === b.version;
