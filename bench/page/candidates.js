// The candidates, behind one interface: `open(name)` gives `get put putMany getMany giveUp close`.
// Every row is `{ id, ward, value }`; `giveUp(ward)` removes the rows of a ward.

import { openDB } from "idb";
import * as keyval from "idb-keyval";
import * as clinicache from "/pkg/index.js";

/** 32 bytes that are the same in each run: no passphrase is stretched here. */
const KEY = Uint8Array.from({ length: 32 }, (_, i) => 7 * i + 1);

// --------------------------------------------------------------------------------- clinicache

class Clinicache {
  static async open(name, options = {}) {
    const keys = clinicache.keys.bytes(KEY);
    const cache = await clinicache.openCache(name, { user: "dr-lee", keys, ...options });
    return new Clinicache(cache, await cache.session({ purpose: "treatment" }));
  }

  constructor(cache, session) {
    this.cache = cache;
    this.session = session;
  }

  async get(id) {
    return (await this.session.get("summary", id)).value;
  }

  peek(id) {
    return this.session.peek("summary", id).value;
  }

  put({ id, ward, value }) {
    return this.session.put("summary", id, value, { tags: [ward] });
  }

  async putMany(rows) {
    const items = rows.map(({ id, ward, value }) => ({ key: id, value, tags: [ward] }));
    const refused = (await this.session.putMany("summary", items)).find(({ ok }) => !ok);
    if (refused) throw refused.error;
  }

  async getMany(ids) {
    return (await this.session.getMany("summary", ids)).map((entry) => entry?.value);
  }

  giveUp(ward) {
    return this.cache.invalidate({ tag: ward });
  }

  close() {
    return this.cache.close();
  }
}

// ----------------------------------------------- JSON, AES-256-GCM of WebCrypto, a wrapper of IDB

/** What a careful developer writes: a fresh nonce for each row, bound to the row's id. */
class Seal {
  static async make() {
    return new Seal(await crypto.subtle.importKey("raw", KEY, "AES-GCM", false, ["encrypt", "decrypt"]));
  }

  #text = new TextEncoder();
  #plain = new TextDecoder();

  constructor(key) {
    this.key = key;
  }

  async seal(id, value) {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const plain = this.#text.encode(JSON.stringify(value));
    return { iv, data: await crypto.subtle.encrypt(this.#algorithm(id, iv), this.key, plain) };
  }

  async open(id, { iv, data }) {
    const plain = await crypto.subtle.decrypt(this.#algorithm(id, iv), this.key, data);
    return JSON.parse(this.#plain.decode(plain));
  }

  #algorithm(id, iv) {
    return { name: "AES-GCM", iv, additionalData: this.#text.encode(id) };
  }
}

class SealedIdb {
  static async open(name) {
    const seal = await Seal.make();
    const database = await openDB(name, 1, {
      upgrade: (created) => {
        created.createObjectStore("rows", { keyPath: "id" }).createIndex("ward", "ward");
      },
    });
    return new SealedIdb(database, seal);
  }

  constructor(database, seal) {
    this.database = database;
    this.seal = seal;
  }

  async get(id) {
    return this.seal.open(id, await this.database.get("rows", id));
  }

  async put(row) {
    await this.database.put("rows", await this.#sealed(row));
  }

  async putMany(rows) {
    // Sealed first: a transaction would end while WebCrypto works.
    const sealed = await Promise.all(rows.map((row) => this.#sealed(row)));
    const transaction = this.database.transaction("rows", "readwrite");
    for (const row of sealed) transaction.store.put(row);
    await transaction.done;
  }

  async getMany(ids) {
    const { store } = this.database.transaction("rows");
    const rows = await Promise.all(ids.map((id) => store.get(id)));
    return Promise.all(rows.map((row) => this.seal.open(row.id, row)));
  }

  async giveUp(ward) {
    const transaction = this.database.transaction("rows", "readwrite");
    for (const id of await transaction.store.index("ward").getAllKeys(ward)) {
      transaction.store.delete(id);
    }
    await transaction.done;
  }

  async #sealed({ id, ward, value }) {
    return { id, ward, ...(await this.seal.seal(id, value)) };
  }

  close() {
    this.database.close();
  }
}

class SealedKeyval {
  static async open(name) {
    return new SealedKeyval(keyval.createStore(name, "rows"), await Seal.make());
  }

  constructor(store, seal) {
    this.store = store;
    this.seal = seal;
  }

  async get(id) {
    return this.seal.open(id, await keyval.get(id, this.store));
  }

  async put({ id, value }) {
    await keyval.set(id, await this.seal.seal(id, value), this.store);
  }

  async putMany(rows) {
    const sealed = await Promise.all(
      rows.map(async ({ id, value }) => [id, await this.seal.seal(id, value)]),
    );
    await keyval.setMany(sealed, this.store);
  }

  async getMany(ids) {
    const rows = await keyval.getMany(ids, this.store);
    return Promise.all(rows.map((row, i) => this.seal.open(ids[i], row)));
  }

  async close() {
    // The library keeps its connection to itself; a transaction is the way to it.
    await this.store("readonly", (rows) => rows.transaction.db.close());
  }
}

// --------------------------------------------------------------- IndexedDB without any protection

const settled = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const completed = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });

class Plain {
  static async open(name) {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("rows", { keyPath: "id" }).createIndex("ward", "ward");
    };
    return new Plain(await settled(request));
  }

  constructor(database) {
    this.database = database;
  }

  async get(id) {
    return (await settled(this.#rows("readonly").get(id))).value;
  }

  async put(row) {
    const rows = this.#rows("readwrite");
    rows.put(row);
    await completed(rows.transaction);
  }

  async putMany(many) {
    const rows = this.#rows("readwrite");
    for (const row of many) rows.put(row);
    await completed(rows.transaction);
  }

  async getMany(ids) {
    const rows = this.#rows("readonly");
    const found = await Promise.all(ids.map((id) => settled(rows.get(id))));
    return found.map((row) => row.value);
  }

  async giveUp(ward) {
    const rows = this.#rows("readwrite");
    for (const id of await settled(rows.index("ward").getAllKeys(ward))) rows.delete(id);
    await completed(rows.transaction);
  }

  #rows(mode) {
    return this.database.transaction("rows", mode).objectStore("rows");
  }

  close() {
    this.database.close();
  }
}

// -------------------------------------------------------------------------- the floor of a read

/** JSON text in a `Map`: nobody can hand out a fresh object for less. */
class Floor {
  static async open() {
    return new Floor();
  }

  #texts = new Map();

  get(id) {
    return JSON.parse(this.#texts.get(id));
  }

  putMany(rows) {
    for (const { id, value } of rows) this.#texts.set(id, JSON.stringify(value));
  }

  close() {}
}

/** By the names that workloads and results use. */
export const candidates = {
  clinicache: Clinicache,
  idb: SealedIdb,
  keyval: SealedKeyval,
  plain: Plain,
  floor: Floor,
};

/** Removes everything that candidates stored on this origin. */
export async function removeAll() {
  for (const { name } of await indexedDB.databases()) await settled(indexedDB.deleteDatabase(name));
}
