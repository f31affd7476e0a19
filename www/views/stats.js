import { h } from "../dom.js";
import { bytes, number } from "../format.js";
import { vault } from "../vault.js";

/** The counters of the cache, live while the panel is open. */
export function statsView() {
  const tiles = h("dl", { class: "tiles" });
  const table = h("div", { class: "table-scroll", tabindex: "0", role: "group", "aria-label": "Counters by class" });
  const element = h(
    "details",
    { class: "stats", "data-testid": "stats-panel", ontoggle: () => update() },
    h("summary", {}, "Cache counters"),
    h("p", { class: "muted" }, "Since this page was unlocked for the first time. No names or ids are counted."),
    tiles,
    table,
  );

  function update() {
    if (!element.open || !vault.cache) return;
    const { classes = {}, ...rest } = vault.cache.stats();
    showTiles(tiles, rest);
    showTable(table, classes);
  }

  return { element, update };
}

function showTiles(tiles, values) {
  const flat = Object.entries(flatten(values));
  if (tiles.children.length !== flat.length) {
    tiles.replaceChildren(...flat.map(() => h("div", { class: "tile" }, h("dt"), h("dd"))));
  }
  flat.forEach(([name, value], i) => {
    const [title, text] = tiles.children[i].children;
    setText(title, words(name));
    setText(text, shown(name, value));
  });
}

function showTable(holder, classes) {
  const used = Object.entries(classes)
    .map(([name, counters]) => [name, flatten(counters)])
    .filter(([, counters]) => Object.values(counters).some((value) => typeof value === "number" && value > 0));
  const columns = [...new Set(used.flatMap(([, counters]) =>
    Object.entries(counters).filter(([, value]) => typeof value === "number" && value > 0).map(([name]) => name)))];
  const head = h("tr", {}, h("th", { scope: "col" }, "Class"), columns.map((name) => h("th", { scope: "col" }, words(name))));
  const rows = used.map(([name, counters]) =>
    h("tr", {}, h("th", { scope: "row" }, name), columns.map((column) => h("td", {}, shown(column, counters[column] ?? 0)))));
  const { scrollLeft } = holder;
  holder.replaceChildren(h("table", {}, h("thead", {}, head), h("tbody", {}, rows)));
  holder.scrollLeft = scrollLeft;
}

/** Nested counters by their path; lists and histograms are for machines. */
function flatten(value, path = "", into = {}) {
  for (const [name, inner] of Object.entries(value ?? {})) {
    const full = path === "" ? name : `${path} ${name}`;
    if (typeof inner === "object" && inner !== null) {
      if (!Array.isArray(inner)) flatten(inner, full, into);
    } else if (inner !== null && inner !== undefined) into[full] = inner;
  }
  return into;
}

const words = (name) => {
  const text = name.replace(/([a-z])([A-Z])/g, "$1 $2").replaceAll("_", " ").toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
};

function shown(name, value) {
  if (typeof value !== "number") return String(value);
  if (/bytes/i.test(name)) return bytes(value);
  return number(value);
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
