// Every line of this file must compile: it is what the documentation promises.
import {
  CacheError,
  defineClass,
  keys,
  openCache,
  withMeta,
  type Bundle,
  type Cache,
  type CacheErrorCode,
  type DicomJson,
  type Entry,
  type Json,
  type Patient,
  type PutResult,
  type Session,
  type Value,
} from "clinicache";
import { init, initSync, openCache as openSlim } from "clinicache/slim";

/** Compiles only if the two types are the same; `any` equals nothing else. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function same<A, B>(yes: Same<A, B>): void;

interface Note {
  text: string;
  at: number;
}

const note = defineClass({
  name: "note",
  parts: ["patient", "note"],
  ttlMs: 600_000,
  keepMs: 86_400_000,
  consistency: "eventual",
});
same<typeof note.name, "note">(true);

export async function defaults(signal: AbortSignal): Promise<void> {
  await using cache = await openCache("ward-7", {
    user: "dr-lee",
    keys: keys.passphrase(async () => new Uint8Array(8)),
    hub: { url: "wss://his.example/clinicache", token: async () => "token" },
    autoLockMs: 120_000,
    memoryBytesMax: 16 << 20,
    classes: { patient: { ttlMs: 600_000, offline: "serve-not-current" } },
    define: [note],
    signal,
  });
  same<typeof cache, Cache>(true);
  await using session = await cache.session({ purpose: "treatment" });
  same<typeof session, Session>(true);

  const patient = await session.patients.getOrFetch("123", ({ signal }) => {
    same<typeof signal, AbortSignal>(true);
    return fetch("/api/fhir/Patient/123", { signal });
  });
  same<typeof patient, Entry<Patient>>(true);
  same<typeof patient.value, Patient | null>(true);
  same<typeof patient.freshness, "fresh" | "stale">(true);
  same<typeof patient.source, "memory" | "store" | "origin" | "outbox">(true);
  same<typeof patient.verified, boolean>(true);
  same<typeof patient.ageMs, number>(true);
  same<typeof patient.version, string | undefined>(true);
  const family: string | undefined = patient.value?.name?.[0]?.family;

  await session.patients.getOrFetch("1", () => null, { signal, tags: ["ward/7"] });
  await session.patients.getOrFetch("1", async () => ({ resourceType: "Patient" as const }));
  await session.patients.getOrFetch("1", () =>
    withMeta<Patient>({ resourceType: "Patient" }, { position: "e:1", version: "2", ttlMs: 5 }),
  );

  same<ReturnType<typeof session.patients.peek>, Entry<Patient> | null>(true);
  const lists = await session.records.lists.get({ patient: "1", type: "Condition" });
  same<typeof lists, Entry<Bundle> | null>(true);
  await session.records.lists.get({ patient: "1" });
  const many = await session.studies.ofPatient.getMany(["1", "2"], { signal });
  same<typeof many, (Entry<DicomJson[]> | null)[]>(true);
  const results = await session.patients.putMany([
    { key: "1", value: { resourceType: "Patient", birthDate: "1980" }, version: "4" },
  ]);
  same<typeof results, PutResult[]>(true);
  for (const result of results) if (!result.ok) result.error.code satisfies CacheErrorCode;
  await session.departments.list.getOrFetch(() => ({ resourceType: "Bundle", type: "searchset" }));
  await session.slots.remove({ doctor: "d", date: "2026-11-23" });
  await session.vitals.history.get({ patient: "1", start: 0, end: 1 });

  const generic = await session.get("patient", "1");
  same<typeof generic, Entry<Patient> | null>(true);
  const own = await session.get("note", ["1", "2"]);
  same<typeof own, Entry<Value> | null>(true);
  await session.put("note", ["1", "2"], { text: "a", at: 1 }, { tags: ["patient/1"] });
  await session.put("note", ["1", "2"], new Uint8Array(4));

  const stop = session.patients.subscribe("1", () => {});
  same<typeof stop, () => void>(true);
  const snapshot = session.patients.snapshot("1");
  same<typeof snapshot, Entry<Patient> | null>(true);

  const off = cache.on("change", (event) => {
    same<typeof event.type, "change">(true);
  });
  off();
  cache.on("lock", () => {});
  await cache.invalidate({ tag: "patient/1" });
  await cache.invalidate({ key: ["medical_record", "1", "Condition/2"] }, { signal });
  await cache.invalidate({ class: "patient" });
  await cache.invalidate({ all: true });
  cache.setOffline(true);
  same<typeof cache.state, "open" | "locked" | "closed">(true);
  same<typeof cache.feedState, "off" | "connecting" | "live" | "suspect" | "offline">(true);
  await cache.lock();
  await cache.unlock(keys.bytes(new Uint8Array(32)), { signal });
  const report = await cache.wipe();
  same<typeof report.shredded, boolean>(true);
  const stats = cache.stats();
  same<typeof stats.memoryBytes, number>(true);
  const hits: number | undefined = stats.classes["patient"]?.hitsMemory;
  void hits;
  void family;
}

export async function ownTypes(): Promise<void> {
  interface Schema {
    patient: { name: string };
    note: Note;
    "image:bytes": Uint8Array;
  }
  const cache = await openCache<Schema>("c", { user: "u", keys: keys.ephemeral() });
  const session = await cache.session({ purpose: "treatment" });
  const patient = session.patients.peek("1");
  same<typeof patient, Entry<{ name: string }> | null>(true);
  const own = session.peek("note", ["1", "2"]);
  same<typeof own, Entry<Note> | null>(true);
  const image = await session.getOrFetch("image:bytes", "1", () => fetch("/image"));
  same<typeof image, Entry<Uint8Array>>(true);
  // What the schema does not name keeps its default.
  const summary = session.patients.summary.peek("1");
  same<typeof summary, Entry<Record<string, unknown>> | null>(true);
}

export function errors(error: unknown): CacheErrorCode | undefined {
  if (!(error instanceof CacheError)) return undefined;
  same<typeof error.retryable, boolean>(true);
  same<typeof error.cause, unknown>(true);
  const made = new CacheError("Busy", "later", { cause: error });
  same<typeof made.name, "CacheError">(true);
  switch (error.code) {
    case "Locked":
    case "WrongKey":
      return error.code;
    default:
      return undefined;
  }
}

export async function slim(module: WebAssembly.Module): Promise<void> {
  await init({ url: new URL("https://example.org/clinicache_bg.wasm") });
  await init({ bytes: new Uint8Array(8) });
  initSync({ module });
  same<typeof openSlim, typeof openCache>(true);
}

export const json: Json = { a: [1, "b", null, { c: true }] };
