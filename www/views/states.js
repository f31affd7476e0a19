import { h, icon } from "../dom.js";

/** Grey lines where text will be. They appear late, so that a quick answer does not flash. */
export function skeleton(lines = 3) {
  return h(
    "div",
    { class: "skeleton", "aria-hidden": "true" },
    ...Array.from({ length: lines }, () => h("span")),
  );
}

export function empty(text) {
  return h("p", { class: "empty" }, text);
}

/** `what` names the thing that is missing, in the singular or plural that fits "is not here". */
export function offline(what, retry) {
  return notice({
    kind: "offline",
    mark: "cloudOff",
    title: "Not on this tablet",
    text: `${what} not opened here before, so there is nothing to show without the network.`,
    retry,
  });
}

/** The short form, for one card of many. */
export function missing() {
  return h("p", { class: "empty", "data-testid": "state-offline" }, icon("cloudOff"), "Not on this tablet");
}

export function failed(code, retry) {
  return notice({
    kind: "error",
    mark: "alert",
    title: "Could not be read",
    text:
      code === "OriginFailed"
        ? "The hospital's server answered with an error, and there is no copy that may be shown instead."
        : `The tablet's cache reported a problem (${code}).`,
    retry,
  });
}

export function tampered(retry) {
  return notice({
    kind: "tampered",
    mark: "shield",
    title: "A stored copy failed its check",
    text: "It was altered or damaged on this tablet and will not be shown. Read it again from the hospital.",
    retry,
    action: "Read again",
  });
}

function notice({ kind, mark, title, text, retry, action = "Try again" }) {
  return h(
    "div",
    { class: `notice ${kind}`, "data-testid": `state-${kind}` },
    icon(mark),
    h(
      "div",
      {},
      h("p", { class: "notice-title" }, title),
      h("p", {}, text),
      retry && h("button", { type: "button", class: "quiet", onclick: retry }, icon("retry"), action),
    ),
  );
}
