import { clock } from "./format.js";
import { dismiss, pin } from "./toast.js";
import { IDLE_LOCK_MS } from "./vault.js";

/** How long before the lock the page says so. */
const WARN_MS = 30_000;

/** Locks after a time without a touch, also one that passed while the tablet slept. */
export function watchIdle({ isOpen, lock }) {
  let last = Date.now();
  let warned = false;

  function touch() {
    last = Date.now();
    if (!warned) return;
    warned = false;
    dismiss();
  }

  function check() {
    if (!isOpen()) {
      touch();
      return;
    }
    // Timers stand still while a tablet sleeps; the clock does not.
    const left = IDLE_LOCK_MS - (Date.now() - last);
    if (left <= 0) {
      touch();
      lock("Locked after 5 minutes without a touch.");
    } else if (left <= WARN_MS) {
      warned = true;
      pin(`Locking in ${clock(left)}. Touch the screen to stay.`);
    }
  }

  for (const type of ["pointerdown", "keydown", "wheel", "touchmove"]) {
    addEventListener(type, touch, { passive: true, capture: true });
  }
  document.addEventListener("visibilitychange", check);
  setInterval(check, 1000);
}
