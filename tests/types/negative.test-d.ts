// Every marked line must be refused: an unused marker is an error.
import { Cache, CacheError, keys, openCache, Session, withMeta, type Value } from "clinicache";
import { init, initSync } from "clinicache/slim";

export async function misuse(cache: Cache, session: Session): Promise<void> {
  // @ts-expect-error no keys: plaintext is not an option
  await openCache("c", { user: "u" });
  // @ts-expect-error no user
  await openCache("c", { keys: keys.ephemeral() });
  // @ts-expect-error a key must come from keys.*
  await openCache("c", { user: "u", keys: "open sesame" });
  // @ts-expect-error an unknown option
  await openCache("c", { user: "u", keys: keys.ephemeral(), autoLock: 5 });
  // @ts-expect-error a hub without an address
  await openCache("c", { user: "u", keys: keys.ephemeral(), hub: {} });
  // @ts-expect-error an unknown store
  await openCache("c", { user: "u", keys: keys.ephemeral(), store: "disk" });
  // @ts-expect-error a key of text
  keys.bytes("00ff");

  // @ts-expect-error made by openCache alone
  new Cache();
  // @ts-expect-error made by cache.session alone
  new Session();

  // @ts-expect-error a purpose is due
  await cache.session({ user: "u" });
  // @ts-expect-error an unknown purpose
  await cache.session({ purpose: "curiosity" });
  // @ts-expect-error scopes are not supported yet
  await cache.session({ purpose: "treatment", scopes: "user/*.rs" });

  // @ts-expect-error another resource type
  await session.patients.put("1", { resourceType: "Practitioner" });
  // @ts-expect-error an id is text
  await session.patients.get(1);
  // @ts-expect-error a record needs both parts
  await session.records.get({ patient: "1" });
  // @ts-expect-error a record is not named by text
  await session.records.get("1");
  // @ts-expect-error a class with one entry has no key
  await session.departments.list.get("1");
  // @ts-expect-error a Date is not JSON
  await session.put("note", "1", new Date());
  // @ts-expect-error a Map is not JSON
  await session.put("note", "1", new Map());
  // @ts-expect-error a function is not JSON
  await session.put("note", "1", () => 1);
  // @ts-expect-error undefined is not JSON
  await session.put("note", "1", { a: undefined });
  // @ts-expect-error a BigInt is not JSON
  await session.put("note", "1", 1n);
  // @ts-expect-error an unknown option of put
  await session.patients.put("1", { resourceType: "Patient" }, { ttl: 5 });
  // @ts-expect-error ttlMs is a number
  withMeta({}, { ttlMs: "5" });
  // @ts-expect-error a fetcher must return something
  await session.patients.getOrFetch("1", () => {});
  // @ts-expect-error of the class's type
  await session.patients.getOrFetch("1", () => 5);

  // @ts-expect-error may be null
  session.patients.peek("1").value;
  // @ts-expect-error may be null: the origin said that there is none
  (await session.patients.getOrFetch("1", () => null)).value.name;
  const entry = await session.get("note", "1");
  // @ts-expect-error entries are read-only
  if (entry) entry.verified = true;
  const value: Value | null | undefined = entry?.value;
  // @ts-expect-error an untyped value is not any
  value.anything;

  // @ts-expect-error an unknown event
  cache.on("locked", () => {});
  // @ts-expect-error an event names no entry
  cache.on("lock", (event) => event.key);
  // @ts-expect-error a target names what
  await cache.invalidate({});
  // @ts-expect-error all is true or absent
  await cache.invalidate({ all: false });
  // @ts-expect-error the state is not set but reached
  cache.state = "open";

  // @ts-expect-error an unknown code
  new CacheError("Oops", "x");
  // @ts-expect-error exactly one source
  await init({});
  // @ts-expect-error an address cannot be loaded at once
  initSync({ url: "x" });
}
