/** How long a note stays; long enough to be read twice. */
const SHOWN_MS = 8_000;

const toast = document.getElementById("toast");
let timer;

/** Shows a note at the foot of the page for a while. */
export function notify(...content) {
  pin(...content);
  timer = setTimeout(dismiss, SHOWN_MS);
}

/** Shows a note until it is dismissed or another one comes. */
export function pin(...content) {
  clearTimeout(timer);
  toast.replaceChildren(...content);
  toast.hidden = false;
}

export function dismiss() {
  clearTimeout(timer);
  toast.hidden = true;
}
