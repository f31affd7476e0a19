// What is shown of each workload, and what it is held against. A budget is a ratio of medians of
// the same run (or milliseconds, where nothing stands beside it): reported, never asserted.

const SEALED = ["idb", "keyval"];

/** The cases by name. */
export const CASES = {
  clinicache: "clinicache",
  peek: "clinicache, peek",
  device: "clinicache, from the device",
  floor: "JSON.parse(map.get(k))",
  idb: "idb + WebCrypto",
  keyval: "idb-keyval + WebCrypto",
  batched: "idb + WebCrypto, batched by hand",
  plain: "IndexedDB, not encrypted",
};

/** Rows of the report: workload and metric, a title, and the budgets. */
export const METRICS = [
  {
    workload: "memory", metric: "get", title: "get one, in memory",
    budgets: [
      { of: "peek", against: SEALED, most: 0.1 },
      { of: "clinicache", against: SEALED, most: 0.1 },
      { of: "peek", against: ["floor"], most: 2.5 },
      { of: "clinicache", against: ["floor"], most: 2.5 },
    ],
  },
  {
    workload: "opening", metric: "first", title: "first gets after opening a warm database of 1,000",
    budgets: [{ of: "clinicache", against: SEALED, most: 1 / 8 }],
  },
  {
    workload: "opening", metric: "total", title: "open a database of 1,000 and get 200 one by one",
    budgets: [{ of: "clinicache", against: SEALED, most: 0.5 }],
  },
  { workload: "opening", metric: "open", title: "open a database of 1,000", budgets: [] },
  {
    workload: "many", metric: "each", title: "get 200 in one call, cold (per entry)",
    budgets: [
      { of: "clinicache", against: SEALED, most: 0.5 },
      { of: "device", against: SEALED, most: 0.5 },
    ],
  },
  {
    workload: "put", metric: "put", title: "put one, awaited to commit",
    budgets: [{ of: "clinicache", against: ["plain"], most: 1.1 }],
  },
  {
    workload: "together", metric: "each", title: "100 single puts started together (per entry)",
    budgets: [{ of: "clinicache", against: ["batched"], most: 1.1 }],
  },
  {
    workload: "load", metric: "each", title: "put 1,000 in one call (per entry)",
    budgets: [{ of: "clinicache", against: ["plain"], most: 1.3 }],
  },
  {
    workload: "load", metric: "block", title: "longest block of the page meanwhile",
    budgets: [{ of: "clinicache", mostMs: 50 }],
  },
  {
    workload: "tag", metric: "memory", title: "give up a tag, 50 of 1,000: in memory",
    budgets: [{ of: "clinicache", mostMs: 1 }],
  },
  {
    workload: "tag", metric: "disk", title: "give up a tag, 50 of 1,000: on the device",
    budgets: [{ of: "clinicache", against: ["plain"], most: 1 }],
  },
  {
    workload: "lock", metric: "lock", title: "lock, 10,000 records",
    budgets: [{ of: "clinicache", mostMs: 5 }],
  },
  {
    workload: "start", metric: "start", title: "import, compile and open, empty",
    budgets: [{ of: "clinicache", mostMs: 60 }],
  },
];
