// The workloads. A case opens its candidate, is measured in turns with the other cases, and gives
// for each turn one number of milliseconds per metric, or several.

import { candidates } from "./candidates.js";
import { idOf, summaryOf, wardOf, WARDS } from "./record.js";

/** Entries of a warm database. */
const WARM = 1_000;
/** Entries read after opening, and in one call. */
const READ = 200;
/** Single puts that start together. */
const TOGETHER = 100;

const row = (n, edition) => ({ id: idOf(n), ward: wardOf(n), value: summaryOf(n, edition) });
const rows = (count, from = 0, edition = 0) =>
  Array.from({ length: count }, (_, i) => row(from + i, edition));
/** Spread over the whole database, another part of it in each round. */
const spread = (round) => Array.from({ length: READ }, (_, i) => idOf((i * 5 + round) % WARM));

async function timed(act) {
  const start = performance.now();
  await act();
  return performance.now() - start;
}

/** A case over one open candidate with a warm database. */
const warm = (candidate, turn) => async (name) => {
  const opened = await candidates[candidate].open(name);
  await opened.putMany(rows(WARM));
  return { turn: (round) => turn(opened, round), close: () => opened.close() };
};

/** A case that opens its warm database anew in each turn. */
const reopened = (candidate, options, turn) => async (name) => {
  const first = await candidates[candidate].open(name, options);
  await first.putMany(rows(WARM));
  await first.close();
  return {
    turn: (round) => turn(() => candidates[candidate].open(name, options), round),
    close: () => {},
  };
};

// ----------------------------------------------------------------------------------- in memory

const GETS = 25;

const getOne = (candidate, method = "get") =>
  warm(candidate, async (opened, round) => {
    const ids = Array.from({ length: GETS }, (_, i) => idOf((i * 37 + round * 11) % WARM));
    // Read once before, so that each turn finds what was read before.
    for (const id of ids) await opened[method](id);
    const synchronous = method === "peek" || candidate === "floor";
    const took = synchronous
      ? await timed(() => ids.forEach((id) => opened[method](id)))
      : await timed(async () => {
          for (const id of ids) await opened[method](id);
        });
    return { get: took / GETS };
  });

// -------------------------------------------------------------------------------- after opening

const openAndRead = (candidate) =>
  reopened(candidate, undefined, async (open, round) => {
    let opened;
    const opening = await timed(async () => {
      opened = await open();
    });
    const reads = [];
    const reading = await timed(async () => {
      for (const id of spread(round)) {
        const start = performance.now();
        await opened.get(id);
        reads.push(performance.now() - start);
      }
    });
    await opened.close();
    return { open: opening, first: reads, total: opening + reading };
  });

const getMany = (candidate, options) =>
  reopened(candidate, options, async (open, round) => {
    const opened = await open();
    let found;
    const took = await timed(async () => {
      found = await opened.getMany(spread(round));
    });
    await opened.close();
    if (!found.every((value) => value?.resourceType === "Patient")) throw new Error("a row is missing");
    return { each: took / READ };
  });

// -------------------------------------------------------------------------------------- writing

const putOne = (candidate) =>
  warm(candidate, async (opened, round) => {
    const each = [];
    for (let i = 0; i < 5; i += 1) {
      const next = row((round * 5 + i) % WARM, round + 1);
      each.push(await timed(() => opened.put(next)));
    }
    return { put: each };
  });

const putTogether = (candidate, batched = false) =>
  warm(candidate, async (opened, round) => {
    const next = rows(TOGETHER, (round * TOGETHER) % WARM, round + 1);
    const took = await timed(() =>
      batched ? opened.putMany(next) : Promise.all(next.map((one) => opened.put(one))),
    );
    return { each: took / TOGETHER };
  });

/** Each turn into a database of its own: nobody overwrites. */
const load = (candidate) => async (name) => ({
  turn: async (round) => {
    const opened = await candidates[candidate].open(`${name}-${round}`);
    const all = rows(WARM);
    const gaps = watchGaps();
    const took = await timed(() => opened.putMany(all));
    const longest = gaps.longest();
    await opened.close();
    indexedDB.deleteDatabase(`${name}-${round}`);
    return { each: took / WARM, block: longest };
  },
  close: () => {},
});

/** The longest time for which the page could not answer its user. */
function watchGaps() {
  let last = performance.now();
  let most = 0;
  let running = true;
  const look = () => {
    const now = performance.now();
    most = Math.max(most, now - last);
    last = now;
    // As urgent as a touch of the screen.
    if (running) scheduler.postTask(look, { priority: "user-blocking", delay: 1 });
  };
  look();
  return {
    longest() {
      running = false;
      return Math.max(most, performance.now() - last);
    },
  };
}

// ------------------------------------------------------------------------------------ giving up

const refill = (opened, ward) =>
  opened.putMany(rows(WARM).filter((one) => one.ward === ward));

const giveUp = (candidate) =>
  warm(candidate, async (opened, round) => {
    const ward = wardOf(round);
    const disk = await timed(() => opened.giveUp(ward));
    await refill(opened, ward);
    return { disk };
  });

const giveUpInMemory = warm("clinicache", async (opened, round) => {
  const ward = wardOf(round);
  const last = idOf(WARM - WARDS + (round % WARDS));
  const start = performance.now();
  const stored = opened.giveUp(ward);
  while (opened.session.peek("summary", last) !== null) await null;
  const memory = performance.now() - start;
  await stored;
  const disk = performance.now() - start;
  await refill(opened, ward);
  return { memory, disk };
});

// -------------------------------------------------------------------------------------- locking

const LOCKED = 10_000;

const lock = async (name) => {
  const opened = await candidates.clinicache.open(name, { memoryBytesMax: 64 << 20 });
  for (let from = 0; from < LOCKED; from += WARM) await opened.putMany(rows(WARM, from));
  await opened.close();
  return {
    turn: async () => {
      const again = await candidates.clinicache.open(name, { memoryBytesMax: 64 << 20 });
      const took = await timed(() => again.cache.lock());
      await again.close();
      return { lock: took };
    },
    close: () => {},
  };
};

/** By name: the cases, and how many turns each gets. */
export const workloads = {
  memory: {
    rounds: 60,
    cases: {
      peek: getOne("clinicache", "peek"),
      clinicache: getOne("clinicache"),
      floor: getOne("floor"),
      idb: getOne("idb"),
      keyval: getOne("keyval"),
      plain: getOne("plain"),
    },
  },
  opening: {
    rounds: 9,
    cases: {
      clinicache: openAndRead("clinicache"),
      idb: openAndRead("idb"),
      keyval: openAndRead("keyval"),
      plain: openAndRead("plain"),
    },
  },
  many: {
    rounds: 15,
    cases: {
      clinicache: getMany("clinicache"),
      // The smallest memory tier: 19 of 20 rows come from the device.
      device: getMany("clinicache", { memoryBytesMax: 65_536 }),
      idb: getMany("idb"),
      keyval: getMany("keyval"),
      plain: getMany("plain"),
    },
  },
  put: {
    rounds: 40,
    cases: {
      clinicache: putOne("clinicache"),
      idb: putOne("idb"),
      keyval: putOne("keyval"),
      plain: putOne("plain"),
    },
  },
  together: {
    rounds: 15,
    cases: {
      clinicache: putTogether("clinicache"),
      batched: putTogether("idb", true),
      idb: putTogether("idb"),
      keyval: putTogether("keyval"),
      plain: putTogether("plain"),
    },
  },
  load: {
    rounds: 9,
    cases: {
      clinicache: load("clinicache"),
      idb: load("idb"),
      keyval: load("keyval"),
      plain: load("plain"),
    },
  },
  tag: {
    rounds: 20,
    cases: { clinicache: giveUpInMemory, idb: giveUp("idb"), plain: giveUp("plain") },
  },
  lock: { rounds: 5, cases: { clinicache: lock } },
};
