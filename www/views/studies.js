import { Binding } from "../binding.js";
import {
  description, instanceCount, instanceUid, modality, seriesCount, studyDate, studyUid,
} from "../dicom.js";
import { h, icon } from "../dom.js";
import { count, date } from "../format.js";
import { load } from "../loaders.js";
import { openImage } from "./image.js";
import { provenance } from "./provenance.js";
import { empty, failed, missing, skeleton, tampered } from "./states.js";

/** Pictures of a study that are fetched by themselves; a study can have hundreds. */
const PICTURES_MAX = 6;

/** Addresses of pictures in memory. They outlive their elements until they are given back. */
const addresses = new Set();

/** Gives back every picture: the tablet was locked or another page was opened. */
export function revokePictures() {
  for (const address of addresses) URL.revokeObjectURL(address);
  addresses.clear();
}

/** The card with a patient's studies and their rendered images. */
export function studiesView(patient) {
  const marks = provenance("studies");
  const body = h("div", { class: "card-body" }, skeleton(3));
  const inner = new Set();
  let shown;
  const binding = new Binding({
    name: "studies:patient",
    key: patient,
    fetcher: load.studies(patient),
    show: ({ status, entry, updating, code }) => {
      marks.update(status === "ready" ? entry : undefined, updating);
      const text = status === "ready" ? JSON.stringify(entry.value) : undefined;
      if (text !== undefined && text === shown) return;
      shown = text;
      for (const old of inner) old.stop();
      inner.clear();
      body.replaceChildren(status === "ready" ? studies(entry.value ?? []) : stateOf(status, code));
    },
  });

  function stateOf(status, code) {
    const retry = () => binding.load();
    if (status === "offline") return missing();
    if (status === "tampered") return tampered(retry);
    if (status === "error") return failed(code, retry);
    return skeleton(3);
  }

  function studies(found) {
    if (found.length === 0) return empty("No imaging on record.");
    return h("ul", { class: "studies" }, found.map((study) => {
      const pictures = h("div", { class: "pictures" });
      pictureStrip({ patient, study, pictures, inner });
      return studyRow(study, pictures);
    }));
  }

  binding.start();
  return h(
    "section",
    { class: "card wide", "aria-labelledby": "section-studies", "data-section": "studies" },
    h("div", { class: "card-head" }, h("h2", { id: "section-studies" }, "Imaging"), marks.element),
    body,
  );
}

function studyRow(study, pictures) {
  const facts = [
    date(studyDate(study)) || "No date",
    count(seriesCount(study), "series", "series"),
    count(instanceCount(study), "image"),
  ];
  return h("li", { class: "study", "data-testid": "study-row" },
    h("div", { class: "study-head" },
      h("span", { class: "badge" }, modality(study)),
      h("span", { class: "row-text" }, description(study) || "No description"),
      h("span", { class: "row-note" }, facts.join(" · "))),
    pictures);
}

/** Fills in the pictures of one study, each a cached value of its own. */
function pictureStrip({ patient, study, pictures, inner }) {
  const uid = studyUid(study);
  const tags = [`patient/${patient}`, `study/${uid}`];
  let shown;
  const binding = new Binding({
    name: "study:instances",
    key: uid,
    tags,
    fetcher: load.instances(uid),
    show: ({ status, entry }) => {
      if (status === "loading") return;
      const rows = status === "ready" ? (entry.value ?? []) : [];
      const uids = rows.slice(0, PICTURES_MAX).map(instanceUid).filter(Boolean);
      const text = `${status} ${uids.join()}`;
      if (text === shown) return;
      shown = text;
      if (status !== "ready") {
        pictures.replaceChildren(placeholder(status === "offline" ? "Images are not on this tablet" : "Images could not be read"));
        return;
      }
      const label = `${modality(study)} image`;
      pictures.replaceChildren(
        ...uids.map((instance, i) =>
          picture({ instance, tags, inner, label: `${label} ${i + 1} of ${instanceCount(study) || uids.length}` })),
        ...(rows.length > uids.length ? [h("span", { class: "more" }, `and ${rows.length - uids.length} more`)] : []),
      );
    },
  });
  inner.add(binding.start());
}

function picture({ instance, tags, inner, label }) {
  const frame = h("div", { class: "picture", "aria-label": label, role: "group" }, skeleton(1));
  let address;
  const binding = new Binding({
    name: "image:bytes",
    key: instance,
    tags,
    fetcher: load.image(instance),
    show: ({ status, entry }) => {
      if (status === "loading" || (status === "ready" && address && entry.value)) {
        if (entry) frame.dataset.source ??= entry.source;
        return;
      }
      giveBack();
      frame.dataset.status = status;
      if (status !== "ready") {
        frame.replaceChildren(placeholder(status === "offline" ? "Not on this tablet" : "Could not be read"));
      } else if (!(entry.value instanceof Uint8Array)) {
        frame.replaceChildren(placeholder("No picture"));
      } else {
        frame.dataset.source = entry.source;
        address = URL.createObjectURL(new Blob([entry.value], { type: "image/jpeg" }));
        addresses.add(address);
        frame.replaceChildren(imageButton(address, label));
      }
    },
  });

  function giveBack() {
    if (!address) return;
    URL.revokeObjectURL(address);
    addresses.delete(address);
    address = undefined;
  }

  inner.add(binding.start());
  return frame;
}

function imageButton(address, label) {
  return h("button", { type: "button", class: "picture-button", onclick: () => openImage(address, label) },
    h("img", { src: address, alt: label, "data-testid": "study-image", draggable: "false" }));
}

function placeholder(text) {
  return h("span", { class: "placeholder", "data-testid": "image-placeholder" }, icon("image"), text);
}
