import { asCacheError, invalid, notInitialised } from "./errors.js";
import { Events } from "./events.js";
import { resolveKeys } from "./keys.js";
import { core } from "./runtime.js";
import { Session, SESSION_TOKEN } from "./session.js";
import { abortable, throwIfAborted } from "./signal.js";

const CACHE_TOKEN = Symbol("cache");

const OPEN_OPTIONS = new Set([
  "user", "tenant", "keys", "hub", "autoLockMs", "memoryBytesMax", "store", "memoryFallback",
  "classes", "define", "feedWaitMs", "signal",
]);
/** `scopes` passes, so that the core can say that it is not supported yet. */
const SESSION_OPTIONS = new Set(["user", "purpose", "scopes"]);

/** Opens the cache once the module is there. */
export async function open(name, options) {
  const { open: openRaw } = core();
  checkOptions(options, OPEN_OPTIONS);
  const { signal, ...rest } = options;
  throwIfAborted(signal);
  // Resolved last of all checks here, so that a refused call reads no secret.
  const keys = await resolveKeys(options.keys);
  const opening = settle(() => openRaw(name, { ...rest, keys }));
  try {
    return new Cache(CACHE_TOKEN, await abortable(opening, signal), rest.user);
  } catch (error) {
    // Nobody will close a cache that arrives after its caller has left.
    if (signal?.aborted) opening.then((raw) => raw.close(), () => {});
    throw error;
  }
}

/** One vault, open or locked, in this window or worker. */
export class Cache {
  #raw;
  #user;
  #events = new Events();
  #sessions = new Set();

  constructor(token, raw, user) {
    if (token !== CACHE_TOKEN) throw notInitialised("caches come from openCache()");
    this.#raw = raw;
    this.#user = user;
    raw.listen((event) => {
      if (event.type === "lock" || event.type === "closed") this.#forget();
      this.#events.emit(event);
    });
  }

  get state() {
    return this.#raw.state();
  }

  get feedState() {
    return this.#raw.feedState();
  }

  async session(options) {
    checkOptions(options, SESSION_OPTIONS);
    const raw = await settle(() => this.#raw.session({ user: this.#user, ...options }));
    const session = new Session(SESSION_TOKEN, raw, (closed) => this.#sessions.delete(closed));
    this.#sessions.add(session);
    return session;
  }

  async lock() {
    this.#forget();
    await settle(() => this.#raw.lock());
  }

  async unlock(keySource, options) {
    const signal = options?.signal;
    throwIfAborted(signal);
    const keys = await resolveKeys(keySource);
    await abortable(settle(() => this.#raw.unlock(keys)), signal);
  }

  async invalidate(target, options) {
    const signal = options?.signal;
    throwIfAborted(signal);
    // The core takes the path apart: it gets one of its own.
    const path = target?.key;
    const own = Array.isArray(path) ? { ...target, key: [...path] } : target;
    await abortable(settle(() => this.#raw.invalidate(own)), signal);
  }

  async close() {
    for (const session of [...this.#sessions]) await session.close();
    await settle(() => this.#raw.close());
  }

  async wipe() {
    this.#forget();
    return settle(() => this.#raw.wipe());
  }

  setOffline(offline) {
    if (typeof offline !== "boolean") throw invalid("offline", "must be true or false");
    try {
      this.#raw.setOffline(offline);
    } catch (error) {
      throw asCacheError(error);
    }
  }

  stats() {
    try {
      return this.#raw.stats();
    } catch (error) {
      throw asCacheError(error);
    }
  }

  on(type, listener) {
    return this.#events.on(type, listener);
  }

  off(type, listener) {
    this.#events.off(type, listener);
  }

  #forget() {
    for (const session of this.#sessions) session.forget(SESSION_TOKEN);
  }
}

// Older engines have no Symbol.asyncDispose; there `close()` does the same.
if (Symbol.asyncDispose) Cache.prototype[Symbol.asyncDispose] = Cache.prototype.close;

/** A misspelt option that is passed over in silence could leave a guard off. */
function checkOptions(options, known) {
  if (typeof options !== "object" || options === null) {
    throw invalid("options", "must be an object");
  }
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw invalid(name, "is not an option of this call");
  }
}

async function settle(run) {
  try {
    return await run();
  } catch (error) {
    throw asCacheError(error);
  }
}
