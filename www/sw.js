// Keeps the page's own files, and nothing else: no answer of /api ever comes near this worker.

const SHELL = [
  "/",
  "/app.js",
  "/binding.js",
  "/dicom.js",
  "/dom.js",
  "/fhir.js",
  "/format.js",
  "/handles.js",
  "/icons/icon.svg",
  "/idle.js",
  "/imaging.css",
  "/loaders.js",
  "/manifest.webmanifest",
  "/records.css",
  "/shell.js",
  "/style.css",
  "/toast.js",
  "/vault.js",
  "/views/bar.js",
  "/views/edit-name.js",
  "/views/image.js",
  "/views/patient.js",
  "/views/patients.js",
  "/views/provenance.js",
  "/views/sections.js",
  "/views/states.js",
  "/views/stats.js",
  "/views/studies.js",
  "/views/unlock.js",
  "/pkg/clinicache.js",
  "/pkg/clinicache_bg.wasm",
  "/pkg/index.js",
  "/pkg/lib/cache.js",
  "/pkg/lib/classes.js",
  "/pkg/lib/entry.js",
  "/pkg/lib/errors.js",
  "/pkg/lib/events.js",
  "/pkg/lib/keys.js",
  "/pkg/lib/meta.js",
  "/pkg/lib/origin.js",
  "/pkg/lib/runtime.js",
  "/pkg/lib/session.js",
  "/pkg/lib/signal.js",
  "/pkg/lib/snapshots.js",
  "/pkg/lib/turn.js",
  "/pkg/lib/values.js",
  "/pkg/lib/view.js",
];

/** The version is the hash of the contents, so that any change of any file is a new version. */
const PREFIX = "clinicache-shell-";

/** Names the version in use. A version is complete before it is named here. */
const POINTER = "clinicache-shell";
const CURRENT = "/current";

self.addEventListener("install", (event) => {
  event.waitUntil(refresh().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(self.clients.claim());
});

self.addEventListener("message", (event) => {
  if (event.data?.type === "check") event.waitUntil(check(event.source));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (!SHELL.includes(url.pathname)) return;
  event.respondWith(fromShell(url.pathname, request));
});

async function fromShell(path, request) {
  const name = await current();
  const held = name && (await (await caches.open(name)).match(path));
  return held ?? fetch(request);
}

async function current() {
  const named = await (await caches.open(POINTER)).match(CURRENT);
  return named?.text();
}

async function check(client) {
  try {
    if (await refresh()) client?.postMessage({ type: "shell-updated" });
  } catch {
    // Offline, or a file is missing in the middle of a roll-out: the version in use stands.
  }
}

/** Fetches every file, and takes the set into use if any differs. Says whether it did. */
async function refresh() {
  const files = await Promise.all(SHELL.map(fetchFile));
  const name = PREFIX + (await hash(files));
  if ((await current()) === name) return false;
  const cache = await caches.open(name);
  await Promise.all(files.map(({ path, response }) => cache.put(path, response)));
  await (await caches.open(POINTER)).put(CURRENT, new Response(name));
  for (const old of await caches.keys()) {
    if (old.startsWith(PREFIX) && old !== name) await caches.delete(old);
  }
  return true;
}

async function fetchFile(path) {
  const response = await fetch(path, { cache: "no-cache" });
  if (!response.ok || response.redirected) throw new Error(`shell file: ${response.status}`);
  return { path, body: await response.clone().arrayBuffer(), response };
}

async function hash(files) {
  const digests = await Promise.all(files.map(({ body }) => crypto.subtle.digest("SHA-256", body)));
  const all = await new Blob(digests).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", all));
  return [...digest.slice(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
