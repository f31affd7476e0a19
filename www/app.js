import { recheckAll, stopAll } from "./binding.js";
import { announce, h } from "./dom.js";
import { forgetHandles, idOf } from "./handles.js";
import { watchIdle } from "./idle.js";
import { watchShell } from "./shell.js";
import { notify } from "./toast.js";
import { dropSession, lock, vault } from "./vault.js";
import { barView } from "./views/bar.js";
import { patientView } from "./views/patient.js";
import { patientsView } from "./views/patients.js";
import { tickAges } from "./views/provenance.js";
import { statsView } from "./views/stats.js";
import { revokePictures } from "./views/studies.js";
import { unlockView } from "./views/unlock.js";

/** Every event after which what is known about a value may differ. */
const FEED_EVENTS = ["live", "connecting", "suspect", "offline", "reset"];

const main = document.getElementById("main");
const barElement = document.getElementById("bar");
const panel = document.getElementById("panel");

let bar;
let stats;
let page;
let watched;

function showLocked(reason) {
  stopAll();
  dropSession();
  revokePictures();
  forgetHandles();
  page = undefined;
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  history.replaceState(null, "", "#/");
  barElement.hidden = true;
  panel.hidden = true;
  panel.replaceChildren();
  barElement.replaceChildren();
  main.replaceChildren(unlockView({ reason, onUnlocked: showOpen }));
  if (reason) announce(reason);
  document.getElementById("passphrase").focus();
}

function showOpen() {
  watchCache();
  bar = barView({ onLock: () => lockNow("Locked."), onOffline: feedChanged });
  barElement.replaceChildren(...bar.elements);
  barElement.hidden = false;
  stats = statsView();
  panel.replaceChildren(stats.element);
  panel.hidden = false;
  bar.update();
  announce("Unlocked");
  showRoute();
}

/** One set of listeners for the life of the cache, which outlives locks. */
function watchCache() {
  if (watched === vault.cache) return;
  watched = vault.cache;
  for (const event of FEED_EVENTS) watched.on(event, feedChanged);
  // Another tab can lock this one, and so can the cache's own clock.
  watched.on("lock", () => {
    if (page) showLocked("Locked.");
  });
  watched.on("closed", () => {
    if (page) showLocked("The browser closed this tablet's database. Unlock to open it again.");
  });
  watched.on("tampered", () => notify("A stored copy failed its check and was thrown away."));
  watched.on("coldstart", () => notify("The browser had erased the copies on this tablet."));
}

function feedChanged() {
  if (!page) return;
  bar.update();
  page.feedChanged();
  recheckAll();
}

async function lockNow(reason) {
  showLocked(reason);
  await lock();
}

function showRoute() {
  if (!vault.session) return;
  const [, handle] = /^#\/p\/([0-9a-f]+)$/.exec(location.hash) ?? [];
  const id = handle && idOf(handle);
  if (!id && location.hash !== "#/") history.replaceState(null, "", "#/");
  stopAll();
  revokePictures();
  page = id ? patientView(id) : patientsView();
  main.replaceChildren(page.element);
  page.start();
  scrollTo(0, 0);
  // The title of a page that is still loading is hidden and takes no focus.
  const title = document.getElementById("page-title");
  (title?.offsetParent ? title : main).focus({ preventScroll: true });
}

addEventListener("hashchange", showRoute);
addEventListener("online", () => page && recheckAll());
addEventListener("offline", () => page && feedChanged());
// A page kept by the browser for "back" would come back unlocked.
addEventListener("pagehide", () => page && stopAll());
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

document.getElementById("skip").addEventListener("click", (event) => {
  // The hash is the route: the link must not change it.
  event.preventDefault();
  main.focus();
});

watchIdle({
  isOpen: () => page !== undefined,
  lock: (reason) => void lockNow(reason),
});
watchShell();
setInterval(() => {
  if (!page) return;
  bar.update();
  tickAges();
  stats.update();
}, 1000);

if (!isSecureContext) {
  main.replaceChildren(
    h("section", { class: "notice error" }, h("p", {}, "This page needs a secure address: https, or 127.0.0.1.")),
  );
} else {
  showLocked();
}
