import { h } from "./dom.js";
import { pin } from "./toast.js";

/**
 * Keeps the page's own files on the tablet, so that it opens without the network. The worker
 * compares their contents after each start; a newer set is used from the next load on.
 */
export function watchShell() {
  const container = navigator.serviceWorker;
  if (!container) return;
  container.addEventListener("message", (event) => {
    if (event.data?.type === "shell-updated") offerReload();
  });
  void register(container);
}

async function register(container) {
  try {
    await container.register("/sw.js", { updateViaCache: "none" });
    const { active } = await container.ready;
    active?.postMessage({ type: "check" });
  } catch {
    // Without a worker everything works but a start without the network.
  }
}

function offerReload() {
  const reload = () => location.reload();
  pin("A new version is ready. ", h("button", { type: "button", class: "quiet", onclick: reload }, "Reload"));
}
