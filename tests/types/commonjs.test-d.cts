// CommonJS code sees the same types.
import clinicache = require("clinicache-cjs");

async function open(): Promise<string> {
  const { openCache, keys } = clinicache;
  const cache = await openCache("c", { user: "u", keys: keys.ephemeral() });
  const { Session } = await clinicache.load();
  const session = await cache.session({ purpose: "treatment" });
  return session instanceof Session ? cache.state : "closed";
}

export = open;
