import { h, icon } from "../dom.js";

/** Shows one picture as large as the screen allows. */
export function openImage(address, label) {
  const dialog = h("dialog", { class: "viewer", "aria-label": label, onclose: () => dialog.remove() },
    h("div", { class: "viewer-head" },
      h("p", {}, label),
      h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, icon("close"), "Close")),
    h("img", { src: address, alt: label, draggable: "false" }));
  document.body.append(dialog);
  dialog.showModal();
}
