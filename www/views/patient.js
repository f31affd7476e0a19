import { Binding, recheckAll, stopAll } from "../binding.js";
import { h, icon } from "../dom.js";
import { fullName, identifier, initials } from "../fhir.js";
import { date, years } from "../format.js";
import { load } from "../loaders.js";
import { editNameDialog } from "./edit-name.js";
import { provenance } from "./provenance.js";
import { SECTIONS, sectionView } from "./sections.js";
import { failed, offline, skeleton, tampered } from "./states.js";
import { studiesView } from "./studies.js";

/** A patient's page: the patient first, then a card for each kind of record. */
export function patientView(id) {
  const marks = provenance("patient", { say: true });
  const name = h("h1", { id: "page-title", tabindex: "-1", "data-testid": "patient-name" });
  const facts = h("p", { class: "facts" });
  const mark = h("span", { class: "initials large", "aria-hidden": "true" });
  const edit = h(
    "button",
    { type: "button", class: "quiet", hidden: true, "data-testid": "edit-name", onclick: () => editNameDialog(id, shown) },
    icon("edit"), "Edit name",
  );
  const card = h("div", { class: "patient-card" }, mark, h("div", { class: "who" }, name, facts), edit);
  const state = h("div", {}, skeleton(2));
  // A heading for as long as there is no name to be one.
  const nameless = h("h1", { class: "visually-hidden" }, "Patient");
  const sections = h("div", { class: "sections" });
  const element = h(
    "section",
    { class: "page", "aria-labelledby": "page-title" },
    h("a", { class: "back", href: "#/" }, icon("back"), "All patients"),
    h("header", { class: "patient-head" }, nameless, card, marks.element, state),
    sections,
  );
  let shown;
  card.hidden = true;

  const binding = new Binding({
    name: "patient",
    key: id,
    fetcher: load.patient(id),
    show: ({ status, entry, updating, code }) => {
      const patient = status === "ready" ? entry.value : null;
      marks.update(patient ? entry : undefined, updating);
      card.hidden = !patient;
      edit.hidden = !patient;
      nameless.hidden = Boolean(patient);
      shown = patient ? entry : undefined;
      if (patient) {
        fill(patient);
        state.replaceChildren();
      } else {
        name.textContent = "";
        state.replaceChildren(stateOf(status, code));
      }
    },
  });

  function fill(patient) {
    const age = years(patient.birthDate);
    name.textContent = fullName(patient);
    mark.textContent = initials(patient);
    facts.textContent = [
      age === undefined ? null : `${age} years`,
      patient.gender,
      patient.birthDate && `born ${date(patient.birthDate)}`,
      identifier(patient) && `no.\u00a0${identifier(patient)}`,
    ].filter(Boolean).join(" · ");
  }

  function stateOf(status, code) {
    const retry = () => binding.load();
    if (status === "offline") return offline("This patient was", () => { retry(); recheckAll(); });
    if (status === "tampered") return tampered(retry);
    if (status === "error") return failed(code, retry);
    if (status === "ready") return failedToFind();
    return skeleton(2);
  }

  return {
    element,
    start() {
      binding.start();
      const { glance, left, right } = SECTIONS;
      const column = (list) => h("div", { class: "column" }, list.map((section) => sectionView(id, section)));
      sections.append(sectionView(id, glance), column(left), column(right), studiesView(id));
    },
    stop: stopAll,
    feedChanged() {},
  };
}

function failedToFind() {
  return h("p", { class: "empty" }, "The hospital has no such patient any more.");
}
