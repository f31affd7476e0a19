import { Binding } from "../binding.js";
import { h, icon } from "../dom.js";
import { fullName, initials, resources } from "../fhir.js";
import { count, date, years } from "../format.js";
import { handleOf } from "../handles.js";
import { load } from "../loaders.js";
import { vault } from "../vault.js";
import { provenance } from "./provenance.js";
import { empty, failed, offline, skeleton, tampered } from "./states.js";

/** The list of patients, in the order of the hospital. */
export function patientsView() {
  const marks = provenance("patients");
  const list = h("ul", { class: "patients" });
  const body = h("div", {}, skeleton(6));
  const total = h("p", { class: "muted", "aria-live": "polite" });
  const filter = h("input", {
    id: "filter",
    type: "search",
    autocomplete: "off",
    autocorrect: "off",
    spellcheck: "false",
    placeholder: "Find a patient",
    "aria-label": "Find a patient by name",
    oninput: () => applyFilter(),
  });
  let patients;

  const binding = new Binding({
    name: "patients:list",
    key: "all",
    fetcher: load.patients(),
    show: ({ status, entry, updating, code }) => {
      marks.update(status === "ready" ? entry : undefined, updating);
      if (status === "ready") {
        if (!updating) showRows(resources(entry.value));
      } else {
        patients = undefined;
        body.replaceChildren(stateOf(status, code));
      }
    },
  });

  function stateOf(status, code) {
    const retry = () => binding.load();
    if (status === "offline") return offline("The list of patients was", retry);
    if (status === "tampered") return tampered(retry);
    if (status === "error") return failed(code, retry);
    return skeleton(6);
  }

  function showRows(next) {
    // The same rows again: leave the page, its focus and its scroll position alone.
    if (patients && JSON.stringify(patients) === JSON.stringify(next)) {
      markAvailability();
      return;
    }
    patients = next;
    list.replaceChildren(...patients.map(row));
    body.replaceChildren(patients.length === 0 ? empty("No patients on this list.") : list);
    applyFilter();
    markAvailability();
  }

  function applyFilter() {
    const wanted = filter.value.trim().toLowerCase();
    let shown = 0;
    for (const item of list.children) {
      item.hidden = !item.querySelector(".name").textContent.toLowerCase().includes(wanted);
      if (!item.hidden) shown += 1;
    }
    total.textContent = wanted === "" ? count(list.children.length, "patient") : `${shown} of ${count(list.children.length, "patient")}`;
  }

  /** Offline, a row says beforehand whether it can be opened. */
  function markAvailability() {
    const away = vault.offline || vault.cache?.feedState === "offline";
    for (const item of list.children) {
      const link = item.firstElementChild;
      const missing = away && !isHere(link.dataset.patientId);
      link.classList.toggle("missing", missing);
      link.querySelector(".where").textContent = missing ? "Not on this tablet" : "";
    }
  }

  return {
    element: h(
      "section",
      { class: "page", "aria-labelledby": "page-title" },
      h("div", { class: "page-head" },
        h("div", {}, h("h1", { id: "page-title", tabindex: "-1" }, "Patients"), total),
        h("div", { class: "search" }, icon("search"), filter)),
      marks.element,
      body,
    ),
    start: () => binding.start(),
    feedChanged: markAvailability,
  };
}

function isHere(id) {
  try {
    return vault.session.peek("patient", id) !== null;
  } catch {
    return false;
  }
}

function row(patient) {
  const age = years(patient.birthDate);
  const facts = [
    age === undefined ? null : `${age} years`,
    patient.gender,
    patient.birthDate && `born ${date(patient.birthDate)}`,
  ];
  return h(
    "li",
    {},
    h(
      "a",
      {
        class: "patient-row",
        href: `#/p/${handleOf(patient.id)}`,
        "data-testid": "patient-row",
        "data-patient-id": patient.id,
      },
      h("span", { class: "initials", "aria-hidden": "true" }, initials(patient)),
      h("span", { class: "who" },
        h("span", { class: "name" }, fullName(patient)),
        h("span", { class: "facts" }, facts.filter(Boolean).join(" · ")),
        h("span", { class: "where" })),
    ),
  );
}
