import { initialise, initialiseSync, moduleSource } from "./lib/runtime.js";

export { Cache, open as openCache } from "./lib/cache.js";
export { defineClass } from "./lib/classes.js";
export { CacheError } from "./lib/errors.js";
export { keys } from "./lib/keys.js";
export { withMeta } from "./lib/meta.js";
export { Session } from "./lib/session.js";

export async function init(options) {
  await initialise(moduleSource(options, ["module", "url", "bytes"]));
}

export function initSync(options) {
  initialiseSync(moduleSource(options, ["module", "bytes"]));
}
