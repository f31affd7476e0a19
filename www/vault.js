import { CacheError, defineClass, keys, openCache } from "/pkg/index.js";

import { loadConfig, setLoadersOffline } from "./loaders.js";

const NAME = "demo";
const USER = "demo-nurse";

/** Without a touch for this long the page locks. */
export const IDLE_LOCK_MS = 5 * 60_000;
const DAY_MS = 86_400_000;

/** Classes that the hospital's table does not have: pictures as bytes, and a study's instances. */
const OWN_CLASSES = [
  defineClass({
    name: "image:bytes",
    parts: ["image"],
    tags: ["image"],
    ttlMs: DAY_MS,
    keepMs: 7 * DAY_MS,
    consistency: "eventual",
  }),
  defineClass({
    name: "study:instances",
    parts: ["study"],
    tags: ["study"],
    ttlMs: DAY_MS,
    keepMs: 7 * DAY_MS,
    consistency: "eventual",
  }),
];

/** The one cache of this page, and what the page has switched on it. */
export const vault = {
  cache: undefined,
  session: undefined,
  offline: false,
};

/** Opens or unlocks with a passphrase. Throws `CacheError`. */
export async function unlock(passphrase) {
  const key = keys.passphrase(passphrase);
  // The browser may close a database behind the page's back; a new one opens the same vault.
  if (vault.cache?.state === "closed") vault.cache = undefined;
  if (vault.cache === undefined) {
    const { hubPath } = await loadConfig();
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    vault.cache = await openCache(NAME, {
      user: USER,
      keys: key,
      hub: { url: `${scheme}://${location.host}${hubPath}` },
      // The page locks sooner; this holds where its timers are stopped.
      autoLockMs: 3 * IDLE_LOCK_MS,
      define: OWN_CLASSES,
    });
  } else if (vault.cache.state === "locked") {
    await vault.cache.unlock(key);
  }
  vault.session = await vault.cache.session({ purpose: "treatment" });
  if (vault.offline) vault.cache.setOffline(true);
}

export async function lock() {
  dropSession();
  await vault.cache?.lock();
}

/** Lets go of everything readable that the session holds. */
export function dropSession() {
  void vault.session?.close();
  vault.session = undefined;
}

export function setOffline(offline) {
  vault.offline = offline;
  setLoadersOffline(offline);
  vault.cache?.setOffline(offline);
}

/** Whether this tablet holds a vault already; where the browser does not tell, assume so. */
export async function hasVault() {
  try {
    return (await indexedDB.databases()).length > 0;
  } catch {
    return true;
  }
}

/** Erases the sealed copies of this tablet: for a passphrase that is lost, the only way on. */
export async function eraseTablet() {
  const databases = await indexedDB.databases();
  await Promise.all(databases.map(({ name }) => settled(indexedDB.deleteDatabase(name))));
}

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new CacheError("Blocked", "another tab holds the database"));
  });
}
