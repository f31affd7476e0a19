import { announce, h } from "../dom.js";
import { officialName, renamed } from "../fhir.js";
import { savePatient } from "../loaders.js";
import { vault } from "../vault.js";

const MESSAGES = {
  offline: "The tablet is offline. A name can be changed only at the hospital.",
  network: "The hospital cannot be reached. Nothing was changed.",
  conflict: "Somebody changed this patient meanwhile. Close, check the new name, and try again.",
  status: "The hospital refused the change. Nothing was changed.",
};

/** Changes a name at the hospital; every open tab then hears of it by the feed. */
export function editNameDialog(id, entry) {
  const name = officialName(entry.value);
  const given = field("Given names", (name?.given ?? []).join(" "));
  const family = field("Family name", name?.family ?? "");
  const error = h("p", { class: "field-error", role: "alert" });
  const save = h("button", { type: "submit", class: "primary" }, "Save at the hospital");
  const form = h("form", { autocomplete: "off", novalidate: true, onsubmit: submit },
    h("h2", { id: "edit-title" }, "Edit name"),
    given.element, family.element, error,
    h("div", { class: "buttons" },
      h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Cancel"), save));
  const dialog = h("dialog", { class: "sheet", "aria-labelledby": "edit-title", onclose: () => dialog.remove() }, form);

  async function submit(event) {
    event.preventDefault();
    const familyName = family.input.value.trim();
    if (familyName === "") {
      error.textContent = "Enter a family name.";
      family.input.focus();
      return;
    }
    save.disabled = true;
    error.textContent = "";
    try {
      const changed = renamed(entry.value, given.input.value, familyName);
      const saved = await savePatient(id, changed, entry.value.meta?.versionId);
      await keep(id, saved);
      dialog.close();
      announce("The name was saved.");
    } catch (failure) {
      save.disabled = false;
      error.textContent = MESSAGES[failure.kind] ?? MESSAGES.status;
    }
  }

  document.body.append(dialog);
  dialog.showModal();
}

/** What the hospital answered goes straight into the cache, at the position of the change. */
async function keep(id, { patient, position }) {
  const version = patient.meta?.versionId;
  try {
    await vault.session.patients.put(id, patient, {
      ...(version && { version }),
      ...(position && { position }),
    });
  } catch {
    // Saved is saved: the copy comes by the feed, or with the next read.
  }
}

function field(label, value) {
  const id = `edit-${label.split(" ")[0].toLowerCase()}`;
  const input = h("input", {
    id,
    type: "text",
    value,
    autocomplete: "off",
    autocorrect: "off",
    spellcheck: "false",
    "data-1p-ignore": true,
    "data-testid": id,
  });
  return { input, element: h("div", { class: "field" }, h("label", { for: id }, label), input) };
}
