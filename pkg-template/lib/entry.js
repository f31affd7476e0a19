const FRESHNESS = ["fresh", "stale"];
const SOURCE = ["memory", "store", "origin", "outbox"];

/** While true, `makeEntry` leaves the body in `captured`: snapshots compare bodies, not values. */
let capturing = false;
let captured;

/** Called by the core for every entry that it returns. Every object has the same shape. */
export function makeEntry(
  body, json, freshness, verified, ageMs, storedAt, expiresAt, source, version, pending,
) {
  if (capturing) captured = body;
  return {
    value: body === undefined || body === null ? null : json ? JSON.parse(body) : body,
    freshness: FRESHNESS[freshness],
    verified,
    ageMs,
    storedAt,
    expiresAt,
    version,
    source: SOURCE[source],
    pending,
  };
}

/** The entry of a fetch that found nothing and of which nothing was kept. */
export function absentEntry() {
  const now = Date.now();
  return makeEntry(undefined, true, 0, false, 0, now, now, 2, undefined, false);
}

/** Runs a synchronous read and returns its entry together with the body that it came from. */
export function readWithBody(read) {
  capturing = true;
  try {
    const entry = read();
    return { entry, body: captured };
  } finally {
    // Plain text must not stay behind in a module variable.
    capturing = false;
    captured = undefined;
  }
}
