import { CacheError, keys, openCache, withMeta } from "clinicache";
import { openCache as openSlim } from "clinicache/slim";

const options = (more) => ({ user: "u", keys: keys.ephemeral(), ...more });

/** The code (and field) of a call that must fail. */
async function codeOf(run) {
  try {
    await run();
    return "succeeded";
  } catch (error) {
    if (!(error instanceof CacheError)) return `not a CacheError: ${error}`;
    return error.field === undefined ? error.code : `${error.code} ${error.field}`;
  }
}

async function run() {
  const beforeInit = await codeOf(() => openSlim("c", options()));
  const cache = await openCache("c", options());
  const session = await cache.session({ purpose: "treatment" });

  await session.patients.put("1", { resourceType: "Patient", gender: "female" }, { version: "1" });
  const put = await session.patients.get("1");
  const peeked = session.patients.peek("1");
  let fetches = 0;
  const fetchTwo = () => {
    fetches += 1;
    return withMeta({ resourceType: "Practitioner", id: "2" }, { version: "5" });
  };
  const [fetched] = await Promise.all([
    session.doctors.getOrFetch("2", fetchTwo),
    session.doctors.getOrFetch("2", fetchTwo),
  ]);
  await session.processing.put({ image: "i", type: "t" }, { findings: [] });
  await session.images.put("i", {});
  await session.images.remove("i");
  const many = await session.patients.putMany([
    { key: "3", value: { resourceType: "Patient" } },
    { key: "4", value: undefined },
  ]);

  const missing = await session.patients.getOrFetch("8", () => fetch("/no-such-file"));

  const errors = {
    beforeInit,
    unknownClass: await codeOf(() => session.get("no-such-class", "1")),
    badId: await codeOf(() => session.patients.get("")),
    controlCharacter: await codeOf(() => session.patients.get("a\u0000b")),
    undefinedMember: await codeOf(() => session.put("patient", "1", { a: undefined })),
    date: await codeOf(() => session.patients.getOrFetch("9", () => ({ at: new Date() }))),
    keyLength: await codeOf(() => openCache("d", options({ keys: keys.bytes(new Uint8Array(31)) }))),
    unknownOption: await codeOf(() => openCache("d", options({ autoLock: 5 }))),
    scopes: await codeOf(() => cache.session({ purpose: "treatment", scopes: "user/*.rs" })),
    webPage: await codeOf(() => session.patients.getOrFetch("9", () => fetch("/"))),
    aborted: await codeOf(() => session.patients.get("1", { signal: AbortSignal.abort() })),
    fetcher: await codeOf(() =>
      session.patients.getOrFetch("9", () => {
        throw new Error("down");
      }),
    ),
  };
  await cache.lock();
  errors.locked = await codeOf(() => session.patients.get("1"));
  errors.peekLocked = await codeOf(() => session.patients.peek("1"));
  await cache.close();
  errors.closed = await codeOf(() => session.patients.get("1"));
  errors.closedPeek = await codeOf(() => session.patients.peek("1"));

  return {
    put,
    peeked,
    fetched,
    fetches,
    missing,
    many: many.map((result) => result.error?.code ?? "ok"),
    errors,
  };
}

window.result = run().catch((error) => ({ failed: `${error.code ?? ""} ${error.stack}` }));
