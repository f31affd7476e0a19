import type * as esm from "./index.js" with { "resolution-mode": "import" };

// The CommonJS entry loads the ES module when a cache is opened; the names are the same.
export declare const openCache: typeof esm.openCache;
export declare const keys: typeof esm.keys;
export declare const withMeta: typeof esm.withMeta;
export declare const defineClass: typeof esm.defineClass;
export declare const CacheError: typeof esm.CacheError;
export type CacheError = esm.CacheError;

/** The ES module, with the classes `Cache` and `Session`. */
export declare function load(): Promise<typeof esm>;
