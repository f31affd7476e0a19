/**
 * Addresses of the page name a patient by a random handle: browser history, bookmarks and
 * screenshots of the address bar then say nothing. Handles live in memory only.
 */
const idByHandle = new Map();
const handleById = new Map();

export function handleOf(id) {
  let handle = handleById.get(id);
  if (handle === undefined) {
    handle = [...crypto.getRandomValues(new Uint8Array(6))]
      .map((byte) => byte.toString(16).padStart(2, "0"))
      .join("");
    handleById.set(id, handle);
    idByHandle.set(handle, id);
  }
  return handle;
}

export const idOf = (handle) => idByHandle.get(handle);

export function forgetHandles() {
  idByHandle.clear();
  handleById.clear();
}
