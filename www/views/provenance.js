import { h } from "../dom.js";
import { age } from "../format.js";
import { vault } from "../vault.js";

const shownTimes = new Set();

/** Keeps the ages on the screen honest without reading the cache for it. */
export function tickAges() {
  for (const update of [...shownTimes]) update();
}

/**
 * What is known about a value: whether it is verified, how fresh, from where, how old. The words
 * are those of the cache. `say` adds a sentence for people.
 */
export function provenance(name, { say = false } = {}) {
  const verified = word("entry-verified");
  const freshness = word("entry-freshness");
  const source = word("entry-source");
  const old = h("span", { class: "age", "data-testid": "entry-age" });
  const sentence = say ? h("p", { class: "say" }) : null;
  const line = h(
    "p",
    { class: "marks", "data-entry": name, role: "group", hidden: true },
    h("span", { class: "dot", "aria-hidden": "true" }),
    verified, freshness, source, old,
  );
  const element = h("div", { class: "provenance" }, sentence, line);
  let entry;
  let readAt = 0;

  const currentAge = () => entry.ageMs + (performance.now() - readAt);

  function refresh() {
    if (!element.isConnected) {
      shownTimes.delete(refresh);
      return;
    }
    old.textContent = age(currentAge());
    const text = explain(entry, currentAge());
    line.setAttribute("aria-label", text);
    if (sentence && sentence.textContent !== text) sentence.textContent = text;
  }

  return {
    element,
    update(next, updating) {
      if (!next) {
        entry = undefined;
        line.hidden = true;
        if (sentence) sentence.textContent = "";
        shownTimes.delete(refresh);
        return;
      }
      entry = next;
      readAt = performance.now();
      set(verified, entry.verified ? "verified" : "unverified");
      set(freshness, entry.freshness);
      set(source, entry.source);
      line.dataset.state = stateOf(entry, updating);
      line.hidden = false;
      shownTimes.add(refresh);
      // The element may be put into the page right after this call.
      queueMicrotask(refresh);
    },
  };
}

function word(testId) {
  return h("span", { class: "word", "data-testid": testId });
}

function set(element, text) {
  if (element.textContent === text) return;
  element.textContent = text;
  element.dataset.value = text;
}

function stateOf(entry, updating) {
  if (updating) return "updating";
  if (entry.freshness === "stale") return "stale";
  return entry.verified ? "verified" : "unverified";
}

const FROM = {
  memory: "From this tablet's memory",
  store: "From this tablet's sealed store",
  origin: "From the hospital",
  outbox: "Entered on this tablet",
};

const UNCONFIRMED = {
  live: "Being confirmed.",
  connecting: "Not confirmed yet: the live feed is connecting.",
  suspect: "Not confirmed: the live feed has gone quiet.",
  offline: "Not confirmed: offline, it may have changed.",
  off: "Not confirmed: there is no live feed.",
};

/** One honest sentence about an entry. */
function explain(entry, ageMs) {
  const from = `${FROM[entry.source]}, ${age(ageMs)}.`;
  if (entry.verified && entry.freshness === "fresh") return `Confirmed current by the live feed. ${from}`;
  const feed = vault.cache?.feedState ?? "offline";
  const doubt = entry.verified ? "No change was reported." : UNCONFIRMED[feed];
  if (entry.freshness === "stale") return `${from} Past its time: check before you act on it. ${doubt}`;
  return `${from} ${doubt}`;
}
