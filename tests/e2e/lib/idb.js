// The browser's database from beside the library: what an attacker with the disk could do.

/** Every row of the records tables, as `{ database, key, value }`; bytes as base64 strings. */
export function readRows(page) {
  return page.evaluate(async () => {
    const open = (name) => new Promise((resolve, reject) => {
      const request = indexedDB.open(name);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const base64 = (bytes) => {
      const view = ArrayBuffer.isView(bytes)
        ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
        : new Uint8Array(bytes);
      return btoa(Array.from(view, (byte) => String.fromCharCode(byte)).join(""));
    };
    const rows = [];
    for (const { name } of await indexedDB.databases()) {
      const database = await open(name);
      if (database.objectStoreNames.contains("records")) {
        const store = database.transaction("records").objectStore("records");
        const read = (request) => new Promise((resolve, reject) => {
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
        const [keys, values] = await Promise.all([read(store.getAllKeys()), read(store.getAll())]);
        keys.forEach((key, at) => {
          rows.push({ database: name, key: base64(key), value: base64(values[at]) });
        });
      }
      database.close();
    }
    return rows;
  });
}

/** Overwrites one row's value. */
export function writeRow(page, row) {
  return page.evaluate(async ({ database: name, key, value }) => {
    const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const database = await new Promise((resolve, reject) => {
      const request = indexedDB.open(name);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const transaction = database.transaction("records", "readwrite");
    const store = transaction.objectStore("records");
    // Keys of either byte type are the same key; the value keeps the type that is stored.
    const held = await new Promise((resolve, reject) => {
      const request = store.get(bytes(key));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    if (held === undefined) throw new Error("there is no such row to overwrite");
    store.put(ArrayBuffer.isView(held) ? bytes(value) : bytes(value).buffer, bytes(key));
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    database.close();
  }, row);
}

/** The value with one bit of one byte turned; `at` counts from the end where negative. */
export function flipped(value, at) {
  const bytes = Buffer.from(value, "base64");
  bytes[at < 0 ? bytes.length + at : at] ^= 1;
  return bytes.toString("base64");
}

/**
 * Writes rows as an app without clinicache would: each with `text` and a patient, readable, in a
 * database of its own, and enough of them that the engine writes tables besides its log.
 */
export function plantReadable(page, { text, patient }) {
  return page.evaluate(async ({ text, patient }) => {
    const database = await new Promise((resolve, reject) => {
      const request = indexedDB.open("readable");
      request.onupgradeneeded = () => request.result.createObjectStore("rows");
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    for (let batch = 0; batch < 60; batch++) {
      const transaction = database.transaction("rows", "readwrite", { durability: "strict" });
      for (let row = 0; row < 10; row++) {
        // Random filler cannot be compressed away, so that the tables really fill.
        const filler = crypto.getRandomValues(new Uint8Array(12_000));
        transaction.objectStore("rows").put({ text, patient, filler }, batch * 10 + row);
      }
      await new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error);
      });
    }
    database.close();
  }, { text, patient });
}
