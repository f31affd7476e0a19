// From nothing to an open, empty cache: run once in a fresh page.

/** Milliseconds of loading the modules and compiling, and of all of it with opening. */
export async function start(name) {
  const begun = performance.now();
  const { keys, openCache } = await import("/pkg/index.js");
  const key = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
  const cache = await openCache(name, { user: "dr-lee", keys: keys.bytes(key) });
  const took = performance.now() - begun;
  await cache.close();
  return took;
}
