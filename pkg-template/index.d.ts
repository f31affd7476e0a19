/// <reference lib="esnext.disposable" />

import type { DefaultSchema, Value } from "./lib/schema.js";
import type { ClassView, Namespaces } from "./lib/views.js";

export type * from "./lib/schema.js";
export type * from "./lib/views.js";

// ---------------------------------------------------------------------------------- opening

/**
 * Opens the vault of one user on this device, and creates it the first time.
 *
 * Loads the WebAssembly module on first use (one request, kept for the life of the page). The
 * page's content security policy must allow `script-src 'wasm-unsafe-eval'`, and `connect-src`
 * the hub.
 *
 * Cost: with a passphrase, 600,000 rounds of PBKDF2 in WebCrypto (100 to 400 ms on a tablet), then
 * one bulk read of what is stored. Several tabs may open the same vault; they stay coherent.
 *
 * @param name Names the cache on this origin: 1 to 256 bytes. It is not stored in readable form.
 * @typeParam S Value types by class name. What it does not name keeps the FHIR-shaped default.
 *
 * Errors: `WrongKey`, `InvalidArgument` (names the field), `Unavailable` (no WebAssembly, no
 * secure context, or no IndexedDB without `memoryFallback`), `Blocked`, `Incompatible`,
 * `Aborted`.
 */
export function openCache<S extends object = DefaultSchema>(
  name: string,
  options: CacheOptions,
): Promise<Cache<S>>;

/** Options of {@link openCache}. Unknown ones are refused, so that a typing error is seen. */
export interface CacheOptions {
  /** Whose vault. Never stored in readable form, but whoever has the disk can confirm a guess:
   * pass a random handle where that matters. */
  user: string;
  /** Which tenant of a shared installation. Default: none. */
  tenant?: string;
  /** Where the key comes from: one of {@link keys}. There is no default. */
  keys: KeySource;
  /** The invalidation hub. Without one nothing is ever `verified`, and strong classes are read
   * from the network first. */
  hub?: HubOptions;
  /** Locks after this long without a read or write, in milliseconds. Default: never. */
  autoLockMs?: number;
  /** Budget of the memory tier, in bytes. Default: 16 MiB. */
  memoryBytesMax?: number;
  /** `"memory"` keeps nothing on the device. Default: `"indexeddb"`. */
  store?: "indexeddb" | "memory";
  /** Whether to go on in memory alone where IndexedDB is not to be had. Default: false. */
  memoryFallback?: boolean;
  /** Tighter numbers per class; a looser one is refused. */
  classes?: Readonly<Record<string, ClassOptions>>;
  /** Classes of the app's own, made with {@link defineClass}. */
  define?: readonly ClassDefinition[];
  /** How long a strong read waits for a connecting feed, in milliseconds. Default: 500. */
  feedWaitMs?: number;
  /** Gives up waiting for the opening. */
  signal?: AbortSignal;
}

/** Where invalidations come from. */
export interface HubOptions {
  /** A `ws:` or `wss:` address. */
  url: string;
  /** Called before each connection; its result is sent to the hub, never stored. */
  token?: () => string | Promise<string>;
}

/** What an app may tighten about a class. Durations in milliseconds. */
export interface ClassOptions {
  /** How long an entry is fresh. */
  ttlMs?: number;
  /** How long an entry is kept at all. */
  keepMs?: number;
  /** What a read answers when the origin cannot be reached. */
  offline?: OfflineRule;
}

/** While there is no connection. `serve`: the held value, marked as what it is.
 * `serve-not-current`: the same, always as `stale`. `refuse`: nothing, also to `get` and `peek`. */
export type OfflineRule = "serve" | "serve-not-current" | "refuse";

/** A class of the app's own. */
export interface ClassDefinition<Name extends string = string> {
  /** Unique; not one of the built-in names. */
  readonly name: Name;
  /** The parts of its key, in order. */
  readonly parts: readonly string[];
  /** How long an entry is fresh, in milliseconds. */
  readonly ttlMs: number;
  /** How long an entry is kept, in milliseconds; on a device 7 days at most unless it is an
   * image class. */
  readonly keepMs: number;
  /** `strong`: never older than the newest change that the feed has told of. `eventual`: bounded
   * by `ttlMs`. */
  readonly consistency: "strong" | "eventual";
  /** Parts of the key that are compartments: `"patient"` gives every entry the tag
   * `patient/{patient}`. Default: none. */
  readonly tags?: readonly string[];
  /** What a read answers when the origin cannot be reached. Default: `serve`. */
  readonly offline?: OfflineRule;
  /** Protected health information: sealed in memory too. Default: true. */
  readonly phi?: boolean;
  /** The version of the value's shape: an entry of another version is a miss. Default: 0. */
  readonly schemaVersion?: number;
}

/** Freezes the definition of a class, for {@link CacheOptions.define}. */
export function defineClass<const Name extends string>(
  definition: ClassDefinition<Name>,
): ClassDefinition<Name>;

// ------------------------------------------------------------------------------------- keys

declare const keySource: unique symbol;

/** Where the key of a vault comes from. Made by {@link keys}; shows nothing when logged. */
export interface KeySource {
  readonly [keySource]: true;
}

/** The key sources. */
export declare const keys: {
  /**
   * A passphrase of the user: opens offline and after a reload; as strong as the passphrase. At
   * least 8 characters for a new vault.
   * Strings are normalised (NFC) and encoded as UTF-8. A function is called at each opening, and
   * the array that it returns is filled with zeros; strings cannot be erased.
   */
  passphrase(
    secret: string | Uint8Array | (() => string | Uint8Array | Promise<string | Uint8Array>),
  ): KeySource;
  /**
   * 32 random bytes, not all zero, that the app keeps elsewhere. They are copied, yours are left alone; the
   * array that a function returns is filled with zeros.
   */
  bytes(key: Uint8Array | (() => Uint8Array | Promise<Uint8Array>)): KeySource;
  /** A random key that dies with this page: nothing that it sealed can be read again. */
  ephemeral(): KeySource;
};

// ------------------------------------------------------------------------------------ cache

/** One vault, open or locked. Made by {@link openCache}; safe to share. */
export declare class Cache<S extends object = DefaultSchema> {
  private constructor();

  /** Whether records can be read. Cost: none. */
  readonly state: CacheState;
  /** How the feed of invalidations is doing. Cost: none. */
  readonly feedState: FeedState;

  /** Begins a session, the only way to a record. Errors: `Locked`, `Closed`, `InvalidArgument`. */
  session(options: SessionOptions): Promise<Session<S>>;

  /** Forgets the keys and everything readable, in every tab, and stops the feed. Entries that
   * the app holds are its own to drop. Errors: `Closed`. */
  lock(): Promise<void>;
  /** Opens the vault again; the feed resumes where it stopped. Sessions go on.
   * Errors: `WrongKey`, `Closed`, `Aborted`. */
  unlock(keys: KeySource, options?: CallOptions): Promise<void>;

  /** Gives up copies, here and in every tab: the next read asks the origin. Errors: `Locked`,
   * `Closed`, `InvalidArgument`, `QuotaExceeded`, `Aborted`. */
  invalidate(target: InvalidateTarget, options?: CallOptions): Promise<void>;

  /** Pauses the feed and makes reads behave as they do offline, or resumes. */
  setOffline(offline: boolean): void;

  /** A snapshot of the counters. No identifiers in it. Cost: microseconds. */
  stats(): Stats;

  /**
   * Calls `listener` for each event, from a microtask and never from inside a call. Returns the
   * function that stops it. A listener that throws is reported and stops no other.
   */
  on<E extends keyof CacheEvents>(type: E, listener: (event: CacheEvents[E]) => void): () => void;
  /** Stops a listener. */
  off<E extends keyof CacheEvents>(type: E, listener: (event: CacheEvents[E]) => void): void;

  /** Destroys the vault of this user on this device: keys first, then rows. */
  wipe(): Promise<WipeReport>;

  /** Ends every session and closes the database. Later calls throw `Closed`. */
  close(): Promise<void>;
  /** The same as {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** `locked`: only sealed bytes are at hand, and every read is a typed `Locked`. */
export type CacheState = "open" | "locked" | "closed";

/** `live`: caught up and in touch. `suspect`: connected, but silent for too long. `off`: no hub. */
export type FeedState = "off" | "connecting" | "live" | "suspect" | "offline";

/** Options of {@link Cache.session}. */
export interface SessionOptions {
  /** Who reads. Must be the vault's user. Default: that user. */
  user?: string;
  /** What for. */
  purpose: Purpose;
}

/** Why records are read. */
export type Purpose = "treatment" | "payment" | "operations" | "patient-request";

/** What to give up: one entry, everything with a tag, a class, or all. */
export type InvalidateTarget =
  | { key: readonly [className: string, ...parts: string[]] }
  | { tag: string }
  | { class: string }
  | { all: true };

/** Options that every asynchronous call takes. */
export interface CallOptions {
  /** Ends the waiting with `Aborted`. What was begun, such as a write, may still happen. */
  signal?: AbortSignal;
}

/** The events of a cache. */
export interface CacheEvents {
  /** Entries were put, removed, given up or confirmed, by this tab or another: look again. Which
   * ones is for {@link Session.subscribe} to tell: the event names nothing. */
  change: { readonly type: "change" };
  lock: { readonly type: "lock" };
  unlock: { readonly type: "unlock" };
  /** The feed is caught up. */
  live: { readonly type: "live" };
  connecting: { readonly type: "connecting" };
  /** The feed has been silent for too long: nothing is verified until it speaks. */
  suspect: { readonly type: "suspect" };
  offline: { readonly type: "offline" };
  /** The hub cannot tell what was missed: every entry is unverified until fetched again. */
  reset: { readonly type: "reset" };
  /** The device had no room: entries left, or a write was refused. */
  evict: { readonly type: "evict" };
  /** A stored row failed authentication and was dropped. */
  tampered: { readonly type: "tampered" };
  /** The browser erased the database behind our back. */
  coldstart: { readonly type: "coldstart" };
  /** Something failed where no call waits for it: `Incompatible` when the hub sends what is no
   * frame or one of another version, or the kind of a failed store. Nothing is to be done; nothing
   * that the fault concerns is verified. */
  fault: { readonly type: "fault"; readonly code: CacheErrorCode };
  closed: { readonly type: "closed" };
}

/** What {@link Cache.wipe} did. */
export interface WipeReport {
  /** Whether every row is gone from the database. */
  readonly rowsErased: boolean;
  /** True only if every key that could open the old bytes is destroyed. */
  readonly shredded: boolean;
}

/** Counters since the opening. */
export interface Stats {
  readonly state: CacheState;
  readonly feed: FeedState;
  /** Whether this tab holds the connection to the hub. */
  readonly leader: boolean;
  /** Whether this vault can be opened again after a reload without the network. */
  readonly offlineUnlock: boolean;
  /** Entries known, in memory or on the device. */
  readonly entries: number;
  readonly entriesInMemory: number;
  /** Bytes of sealed entries in memory. */
  readonly memoryBytes: number;
  /** Entries that left memory for want of room. */
  readonly evicted: number;
  /** Transactions that wrote. */
  readonly commits: number;
  /** Times that the device had no room. */
  readonly quotaErrors: number;
  /** Invalidations applied from the feed. */
  readonly invalidations: number;
  /** Times that a connection continued where it was. */
  readonly resumes: number;
  /** Times that continuity was lost, for some topics or all. */
  readonly resets: number;
  /** Topics that the feed covers. */
  readonly topics: number;
  /** Counters of every class that was used, by class name. */
  readonly classes: Readonly<Record<string, ClassStats>>;
}

/** Counters of one class since the opening. */
export interface ClassStats {
  /** Reads that memory answered. */
  readonly hitsMemory: number;
  /** Reads that the device answered. */
  readonly hitsStore: number;
  /** Reads that nobody here could answer. */
  readonly misses: number;
  /** Calls of fetchers. */
  readonly originCalls: number;
  /** Reads that shared a call with another one. */
  readonly sharedCalls: number;
  /** Calls that failed. */
  readonly originErrors: number;
  /** Values handed out past their TTL. */
  readonly stale: number;
  /** Values handed out without proof that nothing changed. */
  readonly unverified: number;
  /** Fills that came too late to be kept. */
  readonly fenced: number;
  /** Rows that failed authentication. */
  readonly tampered: number;
  /** Values stored. */
  readonly stored: number;
}

// ---------------------------------------------------------------------------------- session

/** The value type of a class: the app's, else the FHIR-shaped default, else any value. */
export type ValueOf<S extends object, C extends string> = C extends keyof S
  ? S[C]
  : C extends keyof DefaultSchema
    ? DefaultSchema[C]
    : Value;

/** Class names that complete in an editor; any other string is the app's own class. */
export type ClassName<S extends object> =
  | (keyof S & string)
  | keyof DefaultSchema
  // A plain `string` would swallow the names above.
  | (string & {});

/** A key: text for one part, an array for several, `[]` for none. 1 to 256 bytes a part. */
export type Key = string | readonly string[];

/** What one person does for one purpose. Every call throws `Locked` while the vault is. */
export declare class Session<S extends object = DefaultSchema> {
  private constructor();

  /** Reads memory alone, synchronously. Null where there is nothing. Cost: microseconds (opens
   * and parses the value). Errors: `Locked`, `Closed`, `Tampered`, `InvalidArgument`. */
  peek<C extends ClassName<S>>(name: C, key: Key): Entry<ValueOf<S, C>> | null;

  /** Reads memory, then the device. Null where there is nothing. Errors: as `peek`, `Aborted`. */
  get<C extends ClassName<S>>(
    name: C,
    key: Key,
    options?: CallOptions,
  ): Promise<Entry<ValueOf<S, C>> | null>;

  /** As `get`, in one transaction; results in the order of the keys. */
  getMany<C extends ClassName<S>>(
    name: C,
    keys: readonly Key[],
    options?: CallOptions,
  ): Promise<(Entry<ValueOf<S, C>> | null)[]>;

  /**
   * Reads memory, then the device, then the origin where the held entry does not do: it is not
   * fresh, or the class is strong and it is not verified. One call of `fetcher` serves every
   * caller of the key. Where the fetcher fails, the held value is returned, marked as what it is,
   * if the class allows it offline.
   *
   * Errors: `OriginFailed` (with the cause), `InvalidArgument`, `Locked`, `Closed`, `Aborted`.
   */
  getOrFetch<C extends ClassName<S>>(
    name: C,
    key: Key,
    fetcher: Fetcher<ValueOf<S, C>>,
    options?: FetchOptions,
  ): Promise<Entry<ValueOf<S, C>>>;

  /** Stores a value; settles when the transaction completed. Without a `position` the entry is
   * unverified. Errors: `InvalidArgument`, `Conflict`, `QuotaExceeded`, `Locked`, `Closed`. */
  put<C extends ClassName<S>>(
    name: C,
    key: Key,
    value: ValueOf<S, C>,
    options?: PutOptions,
  ): Promise<void>;

  /** Stores many in one transaction, with one result for each, in order. */
  putMany<C extends ClassName<S>>(
    name: C,
    items: readonly PutItem<Key, ValueOf<S, C>>[],
    options?: CallOptions,
  ): Promise<PutResult[]>;

  /** Deletes the data of a key from memory and device. */
  remove<C extends ClassName<S>>(name: C, key: Key, options?: CallOptions): Promise<void>;

  /** Calls `listener`, from a microtask, whenever the entry may have changed. Returns the
   * function that stops it. */
  subscribe<C extends ClassName<S>>(name: C, key: Key, listener: () => void): () => void;

  /** As `peek`, but the same object until value, freshness, verified or the lock changes; null
   * while locked or closed. Made for `useSyncExternalStore`. */
  snapshot<C extends ClassName<S>>(name: C, key: Key): Entry<ValueOf<S, C>> | null;

  /** Ends the subscriptions; later calls throw `Closed`. The cache stays open. */
  close(): Promise<void>;
  /** The same as {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** The namespaces of the built-in classes are members of every session. */
export interface Session<S extends object = DefaultSchema> extends Namespaces<S> {}

/** A value with what is known about it. */
export interface Entry<T> {
  /** Null: the origin said that there is none. */
  readonly value: T | null;
  /** `fresh`: younger than the class's TTL. `stale`: older, but not yet too old to keep. */
  readonly freshness: "fresh" | "stale";
  /** True only while a live feed covers the entry and nothing gave it up. */
  readonly verified: boolean;
  /** Since the value left the origin, in milliseconds. */
  readonly ageMs: number;
  /** Unix milliseconds. */
  readonly storedAt: number;
  /** When it stops being fresh, Unix milliseconds. */
  readonly expiresAt: number;
  /** The origin's version, such as FHIR's `meta.versionId`. */
  readonly version: string | undefined;
  /** Where this read found it. */
  readonly source: "memory" | "store" | "origin" | "outbox";
  /** True for a sample of one's own that the origin has not confirmed yet. */
  readonly pending: boolean;
}

/**
 * Asks the origin. Returns the value, `withMeta(value, …)`, a `Response`, or null for "there is
 * none". Of a `Response`, JSON types are kept as JSON and others as bytes; `Clinicache-Position`
 * and `ETag` are read from headers that the server must expose to scripts; 204, 404 and 410 mean
 * "there is none"; another failure status, or a web page in place of data, is `OriginFailed`.
 */
export type Fetcher<T> = (context: FetchContext) => FetchResult<T> | Promise<FetchResult<T>>;

/** What a fetcher is given. */
export interface FetchContext {
  /** Fires when nobody waits any more. */
  readonly signal: AbortSignal;
}

/** What a fetcher may return. */
export type FetchResult<T> = T | WithMeta<T> | ResponseLike | null;

/** The part of `Response` that is used. */
export interface ResponseLike {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  text(): Promise<string>;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** What an origin may say about a value. */
export interface Meta {
  /** The invalidation position from before the origin was read (`Clinicache-Position`). */
  position?: string;
  /** The origin's version of the value. */
  version?: string;
  /** Compartments besides those of the class, such as `study/…`; at most 32 in all. Reports,
   * appointments, studies and images do not name their patient in the key: give `patient/…`
   * here, or a purge of that patient cannot find them. */
  tags?: readonly string[];
  /** A shorter TTL than the class's, in milliseconds. For a signed URL: what is left of its life,
   * less a margin; the entry is gone then. */
  ttlMs?: number;
}

declare const withMetaOf: unique symbol;

/** A value with its {@link Meta}. Made by {@link withMeta}. */
export interface WithMeta<T> {
  readonly [withMetaOf]: T;
}

/** Tells the cache what the origin said about a value. Errors: `InvalidArgument`. */
export function withMeta<T>(value: T, meta: Meta): WithMeta<T>;

/** Options of `getOrFetch`. */
export interface FetchOptions extends CallOptions {
  /** Compartments besides those of the class. */
  tags?: readonly string[];
}

/** Options of `put`. */
export interface PutOptions extends CallOptions, Meta {}

/** One row of `putMany`. */
export interface PutItem<K, T> extends Meta {
  key: K;
  value: T;
}

/** The result of one row of `putMany`. */
export type PutResult =
  | { readonly ok: true; readonly error?: undefined }
  | { readonly ok: false; readonly error: CacheError };

// ----------------------------------------------------------------------------------- errors

/** What went wrong, by who must act on it. */
export type CacheErrorCode =
  /** The session may not do this. */
  | "AccessDenied"
  /** The caller gave up: its `AbortSignal` fired. */
  | "Aborted"
  /** The app's fetcher or save failed; the cause is attached. */
  | "OriginFailed"
  /** The vault is locked: unlock it first. */
  | "Locked"
  /** The factor does not open this vault. */
  | "WrongKey"
  /** The key of this vault cannot be had: the old bytes can never be read again. */
  | "KeyUnavailable"
  /** A stored row failed authentication: edited, copied from elsewhere or damaged. */
  | "Tampered"
  /** The bytes or frames come from a version that this build does not know. */
  | "Incompatible"
  /** The device's storage is full, even after eviction. */
  | "QuotaExceeded"
  /** Another connection holds the database and does not let go. */
  | "Blocked"
  /** The platform does not offer what is needed here. */
  | "Unavailable"
  /** Another writer won; read again and retry. */
  | "Conflict"
  /** Too much work is queued; retry later. */
  | "Busy"
  /** No answer in time. */
  | "Timeout"
  /** The cache or session was closed. */
  | "Closed"
  /** An argument is wrong; `field` names it. */
  | "InvalidArgument"
  /** The package was used before it was initialised. */
  | "NotInitialised"
  /** A bug in clinicache. */
  | "Internal";

/** What every failing call throws. Its text holds no key, identifier or value. */
export declare class CacheError extends Error {
  constructor(
    code: CacheErrorCode,
    message: string,
    options?: { field?: string; retryable?: boolean; cause?: unknown },
  );
  readonly name: "CacheError";
  readonly code: CacheErrorCode;
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean;
  /** The argument at fault, for `InvalidArgument`. */
  readonly field?: string;
  /** What caused it, such as the error that a fetcher threw. */
  readonly cause?: unknown;
}
