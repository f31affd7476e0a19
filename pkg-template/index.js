import { open } from "./lib/cache.js";
import { initialise } from "./lib/runtime.js";

export { Cache } from "./lib/cache.js";
export { defineClass } from "./lib/classes.js";
export { CacheError } from "./lib/errors.js";
export { keys } from "./lib/keys.js";
export { withMeta } from "./lib/meta.js";
export { Session } from "./lib/session.js";

export async function openCache(name, options) {
  // Bundlers find the file by this literal; it must stay one.
  await initialise(new URL("./clinicache_bg.wasm", import.meta.url));
  return open(name, options);
}
