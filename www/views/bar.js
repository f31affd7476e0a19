import { h, icon } from "../dom.js";
import { setOffline, vault } from "../vault.js";

const FEED_HELP = {
  live: "Live: changes at the hospital arrive at once",
  connecting: "Connecting to the hospital's feed",
  suspect: "The feed has gone quiet: nothing counts as confirmed until it speaks",
  offline: "Offline: showing what is on this tablet",
  off: "No feed is set up",
};

/** The bar on top: feed state, offline switch, lock. */
export function barView({ onLock, onOffline }) {
  const feed = h("span", { class: "feed", "data-testid": "feed-state", role: "status" });
  const toggle = h(
    "button",
    {
      type: "button",
      class: "switch",
      role: "switch",
      "aria-checked": String(vault.offline),
      "data-testid": "offline-toggle",
      onclick: () => {
        setOffline(!vault.offline);
        toggle.setAttribute("aria-checked", String(vault.offline));
        onOffline();
      },
    },
    h("span", { class: "track", "aria-hidden": "true" }),
    h("span", { class: "switch-label" }, "Offline"),
  );
  const lock = h(
    "button",
    { type: "button", class: "lock", "aria-label": "Lock", "data-testid": "lock-button", onclick: onLock },
    icon("lock"),
    h("span", {}, "Lock"),
  );

  return {
    elements: [
      h("a", { class: "brand", href: "#/", "aria-label": "clinicache demo, list of patients" },
        icon("shield"), h("span", {}, "clinicache")),
      h("div", { class: "controls" }, feed, toggle, lock),
    ],
    update() {
      const state = vault.cache?.feedState ?? "offline";
      if (feed.dataset.state === state) return;
      feed.dataset.state = state;
      feed.textContent = state;
      feed.title = FEED_HELP[state] ?? "";
    },
  };
}
