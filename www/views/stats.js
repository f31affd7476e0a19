import { h } from "../dom.js";
import { bytes, number } from "../format.js";
import { vault } from "../vault.js";

/** What is counted for the whole cache, in words for people. */
const TILES = [
  ["Answered by the tablet", (stats, sum) => share(sum("hitsMemory") + sum("hitsStore"), sum("misses"))],
  ["From memory", (stats, sum) => number(sum("hitsMemory"))],
  ["From the sealed store", (stats, sum) => number(sum("hitsStore"))],
  ["Calls to the hospital", (stats, sum) => number(sum("originCalls"))],
  ["Entries in memory", (stats) => `${number(stats.entriesInMemory)} of ${number(stats.entries)}`],
  ["Sealed bytes in memory", (stats) => bytes(stats.memoryBytes)],
  ["Changes heard", (stats) => number(stats.invalidations)],
  ["Topics followed", (stats) => number(stats.topics)],
  ["Resumed without loss", (stats) => number(stats.resumes)],
  ["Lost continuity", (stats) => number(stats.resets)],
  ["Writes to the device", (stats) => number(stats.commits)],
  ["Left for want of room", (stats) => number(stats.evicted)],
  ["Holds the feed", (stats) => (stats.leader ? "this tab" : "another tab")],
];

/** What is counted for each class. */
const COLUMNS = [
  ["hitsMemory", "Memory"],
  ["hitsStore", "Store"],
  ["misses", "Misses"],
  ["originCalls", "Calls"],
  ["sharedCalls", "Shared"],
  ["originErrors", "Failed"],
  ["stored", "Stored"],
  ["stale", "Stale"],
  ["unverified", "Unverified"],
  ["fenced", "Fenced"],
  ["tampered", "Tampered"],
];

/** The counters of the cache, live while the panel is open. */
export function statsView() {
  const values = TILES.map(() => h("dd"));
  const tiles = h("dl", { class: "tiles" }, TILES.map(([title], i) =>
    h("div", { class: "tile" }, h("dt", {}, title), values[i])));
  const body = h("tbody");
  const table = h("table", {},
    h("thead", {}, h("tr", {}, ["Class", ...COLUMNS.map(([, title]) => title)].map((title) =>
      h("th", { scope: "col" }, title)))),
    body);
  const rows = new Map();
  const element = h(
    "details",
    { class: "stats", "data-testid": "stats-panel", open: true, ontoggle: () => update() },
    h("summary", {}, "Cache counters"),
    h("p", { class: "muted" }, "Counted since this page was first unlocked, without names or ids."),
    tiles,
    h("div", { class: "table-scroll", tabindex: "0", role: "group", "aria-label": "Counters by class" }, table),
  );

  function update() {
    if (!element.open || !vault.cache) return;
    const stats = vault.cache.stats();
    const classes = Object.entries(stats.classes ?? {});
    const sum = (name) => classes.reduce((total, [, counters]) => total + (counters[name] ?? 0), 0);
    TILES.forEach(([, show], i) => setText(values[i], show(stats, sum)));
    for (const [name, counters] of classes) fillRow(name, counters);
  }

  function fillRow(name, counters) {
    let cells = rows.get(name);
    if (!cells) {
      cells = COLUMNS.map(() => h("td"));
      rows.set(name, cells);
      body.append(h("tr", {}, h("th", { scope: "row" }, name), cells));
    }
    COLUMNS.forEach(([counter], i) => setText(cells[i], number(counters[counter] ?? 0)));
  }

  return { element, update };
}

function share(hits, misses) {
  const reads = hits + misses;
  return reads === 0 ? "–" : `${Math.round((100 * hits) / reads)} %`;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
