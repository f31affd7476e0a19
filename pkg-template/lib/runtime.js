import * as glue from "../clinicache.js";
import { makeEntry } from "./entry.js";
import { CacheError, invalid, notInitialised } from "./errors.js";

let ready = false;
let loading;

/** What the core calls to make the objects that the app sees. */
const host = {
  entry: makeEntry,
  error: (code, message, field, retryable, cause) =>
    new CacheError(code, message, { field: field ?? undefined, retryable, cause }),
};

/** The core's exports. Throws `NotInitialised` before the module is loaded. */
export function core() {
  if (!ready) throw notInitialised("call init() and wait for it before anything else");
  return glue;
}

/** Loads the module once; a failed attempt can be repeated. */
export function initialise(source) {
  if (ready) return Promise.resolve();
  loading ??= start(source).finally(() => {
    loading = undefined;
  });
  return loading;
}

async function start(source) {
  try {
    await glue.default({ module_or_path: await source });
  } catch (error) {
    throw unavailable(error);
  }
  finish();
}

/** Loads the module on this very stack, from bytes or a compiled module. */
export function initialiseSync(module) {
  if (ready) return;
  try {
    glue.initSync({ module });
  } catch (error) {
    throw unavailable(error);
  }
  finish();
}

function finish() {
  if (ready) return;
  glue.install(host);
  ready = true;
}

/** The one place that says where a module may come from. */
export function moduleSource(options, allowed) {
  const given = allowed.filter((name) => options?.[name] !== undefined);
  if (given.length !== 1) throw invalid("options", `give exactly one of ${allowed.join(", ")}`);
  return options[given[0]];
}

function unavailable(cause) {
  return new CacheError(
    "Unavailable",
    "the WebAssembly module could not be loaded: it needs a browser or worker that can fetch it, " +
      "and a content security policy with script-src 'wasm-unsafe-eval'",
    { cause },
  );
}
