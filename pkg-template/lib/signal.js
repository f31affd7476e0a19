import { CacheError } from "./errors.js";

const aborted = (signal) =>
  new CacheError("Aborted", "the call was aborted", { cause: signal.reason });

/** Throws `Aborted` when the signal already fired. */
export function throwIfAborted(signal) {
  if (signal?.aborted) throw aborted(signal);
}

/**
 * Settles with the promise, or rejects with `Aborted` as soon as the signal fires. What was
 * begun goes on: only the waiting ends.
 */
export function abortable(promise, signal) {
  if (signal === undefined || signal === null) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(aborted(signal));
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
    if (signal.aborted) onAbort();
  });
}
