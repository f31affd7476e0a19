import { Binding } from "../binding.js";
import { h } from "../dom.js";
import {
  concept, hasCategory, isActive, measured, measureName, measureNameOf, resources, unitText,
} from "../fhir.js";
import { date } from "../format.js";
import { load } from "../loaders.js";
import { provenance } from "./provenance.js";
import { empty, failed, missing, skeleton, tampered } from "./states.js";

const records = (type) => ({
  name: "medical_records:list",
  key: (id) => [id, type],
  fetcher: (id) => load.records(id, type),
});

/** The cards of a patient's page, in the order in which a clinician looks. */
export const SECTIONS = {
  glance: {
    entry: "summary",
    title: "At a glance",
    wide: true,
    name: "summary",
    key: (id) => id,
    fetcher: (id) => load.summary(id),
    body: (value) => summaryBody(value ?? {}),
  },
  left: [
    {
      entry: "conditions",
      title: "Conditions",
      ...records("Condition"),
      body: (value) => rows(resources(value), "No conditions on record.", (condition) => ({
        text: concept(condition.code),
        note: condition.onsetDateTime && `since ${date(condition.onsetDateTime)}`,
        badge: isActive(condition) ? null : concept(condition.clinicalStatus),
      })),
    },
    {
      entry: "medications",
      title: "Medications",
      ...records("MedicationRequest"),
      body: (value) => rows(resources(value), "No medications on record.", (request) => ({
        text: concept(request.medicationCodeableConcept),
        note: request.authoredOn && `ordered ${date(request.authoredOn)}`,
        badge: request.status,
      })),
    },
    {
      entry: "allergies",
      title: "Allergies",
      ...records("AllergyIntolerance"),
      body: (value) => rows(resources(value), "No allergies on record.", (allergy) => ({
        text: concept(allergy.code),
        note: allergy.recordedDate && `recorded ${date(allergy.recordedDate)}`,
        badge: concept(allergy.verificationStatus),
      })),
    },
    {
      entry: "reports",
      title: "Reports",
      ...records("DiagnosticReport"),
      body: (value) => rows(resources(value), "No reports on record.", (report) => ({
        text: measureName(report.code),
        note: [date(report.issued ?? report.effectiveDateTime), concept(report.category?.[0])].filter(Boolean).join(" · "),
        badge: report.status,
      })),
    },
  ],
  right: [
    {
      entry: "observations",
      title: "Vital signs and laboratory",
      ...records("Observation"),
      body: (value) => observationsBody(resources(value)),
    },
    {
      entry: "encounters",
      title: "Visits",
      ...records("Encounter"),
      body: (value) => rows(resources(value), "No visits on record.", (visit) => ({
        text: concept(visit.type?.[0]) || visit.class?.display || "Visit",
        note: date(visit.period?.start),
        badge: visit.status,
      })),
    },
  ],
};

/** One card: title, what is known about its value, and the value. */
export function sectionView(id, section) {
  const marks = provenance(section.entry);
  const body = h("div", { class: "card-body" }, skeleton(3));
  const titleId = `section-${section.entry}`;
  const card = h(
    "section",
    { class: section.wide ? "card wide" : "card", "aria-labelledby": titleId, "data-section": section.entry },
    h("div", { class: "card-head" }, h("h2", { id: titleId }, section.title), marks.element),
    body,
  );
  let shown;
  const binding = new Binding({
    name: section.name,
    key: section.key(id),
    fetcher: section.fetcher(id),
    show: ({ status, entry, updating, code }) => {
      marks.update(status === "ready" ? entry : undefined, updating);
      if (status !== "ready") {
        shown = undefined;
        body.replaceChildren(stateOf(status, code));
        return;
      }
      // The same value again, only its marks differ: nothing moves on the screen.
      const text = JSON.stringify(entry.value);
      if (text !== shown) body.replaceChildren(section.body(entry.value));
      shown = text;
    },
  });

  function stateOf(status, code) {
    const retry = () => binding.load();
    if (status === "offline") return missing();
    if (status === "tampered") return tampered(retry);
    if (status === "error") return failed(code, retry);
    return skeleton(3);
  }

  binding.start();
  return card;
}

function rows(items, none, describe) {
  if (items.length === 0) return empty(none);
  return h("ul", { class: "rows" }, items.map((item) => {
    const { text, note, badge } = describe(item);
    return h("li", {},
      h("span", { class: "row-text" }, text || "Not named"),
      badge && h("span", { class: "badge" }, badge),
      note && h("span", { class: "row-note" }, note));
  }));
}

function observationsBody(observations) {
  if (observations.length === 0) return empty("No observations on record.");
  const isVital = (row) => hasCategory(row, "vital-signs");
  const groups = [
    ["Vital signs", observations.filter(isVital)],
    ["Laboratory", observations.filter((row) => !isVital(row))],
  ];
  return h("div", {}, groups.filter(([, rows]) => rows.length > 0).map(([title, group]) =>
    h("table", { class: "measures" },
      h("caption", {}, title),
      h("thead", { class: "visually-hidden" },
        h("tr", {}, ["What", "Value", "When"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, group.map((row) =>
        h("tr", {},
          h("th", { scope: "row" }, measureName(row.code)),
          h("td", { class: "value" }, measured(row)),
          h("td", { class: "when" }, date(row.effectiveDateTime))))))));
}

/** The vital signs that a ward looks at first. */
const TILES = ["85354-9", "8867-4", "2708-6", "59408-5", "8310-5", "9279-1"];

function summaryBody(summary) {
  const vitals = (summary.vitals ?? []).filter((row) => TILES.includes(row.code));
  vitals.sort((a, b) => TILES.indexOf(a.code) - TILES.indexOf(b.code));
  const allergies = summary.allergies ?? [];
  return h("div", { class: "summary" },
    vitals.length > 0 && h("dl", { class: "tiles" }, vitals.map((row) =>
      h("div", { class: "tile" },
        h("dt", {}, measureNameOf(row.code, row.text)),
        h("dd", {}, tileValue(row))))),
    h("div", { class: "chips" },
      h("span", { class: "chips-title" }, "Allergies"),
      allergies.length === 0
        ? h("span", { class: "muted" }, "none on record")
        : allergies.map((row) => h("span", { class: "chip warn" }, row.text))),
    h("div", { class: "chips" },
      h("span", { class: "chips-title" }, "Active problems"),
      (summary.conditions ?? []).length === 0
        ? h("span", { class: "muted" }, "none on record")
        : summary.conditions.map((row) => h("span", { class: "chip" }, row.text))));
}

function tileValue(row) {
  const parts = row.components ?? [];
  const value = parts.length > 0 ? parts.map((part) => part.value).join("/") : row.value;
  return [String(value ?? ""), " ", h("small", {}, unitText(parts[0]?.unit ?? row.unit))];
}
