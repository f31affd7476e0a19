// The demo's back end as a process of its own, with its test switches on.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const READY = /^ready (http:\/\/127\.0\.0\.1:(\d+))$/m;

/** The program: given by the environment, else built and run by cargo. */
function program() {
  const { CLINICACHE_SERVER: built } = process.env;
  if (built) return [built, []];
  const run = ["run", "--quiet", "--example", "clinic_server", "--features", "hub", "--"];
  return ["cargo", run];
}

/**
 * Starts a back end on a free port, or on `port`; it is stopped when the test ends.
 * Options: `port`, `state`, `data`, `heartbeatMs` (default 1000, so that a dead line shows soon).
 */
export async function startServer(t, { port = 0, state, data, heartbeatMs = 1000 } = {}) {
  const [command, args] = program();
  args.push("--port", String(port), "--test-hooks", "--heartbeat-ms", String(heartbeatMs));
  const { CLINICACHE_WWW: www = `${ROOT}www`, CLINICACHE_PKG: pkg = `${ROOT}pkg` } = process.env;
  args.push("--www", www, "--pkg", pkg);
  if (state) args.push("--state", state);
  if (data) args.push("--data", data);
  const child = spawn(command, args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  const server = new Server(child, await ready(child));
  t.after(() => server.stop());
  return server;
}

async function ready(child) {
  let text = "";
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`the back end ended with ${code} before it was ready`);
  });
  const line = (async () => {
    for await (const chunk of child.stdout) {
      text += chunk;
      const found = READY.exec(text);
      if (found) return found;
    }
    return ended;
  })();
  const [, origin, port] = await Promise.race([line, ended]);
  ended.catch(() => {});
  child.stdout.resume();
  return { origin, port: Number(port) };
}

class Server {
  #child;

  constructor(child, { origin, port }) {
    this.#child = child;
    this.origin = origin;
    this.port = port;
  }

  /** Asks it to stop and waits for that; resolves with its exit code. */
  async stop() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGCONT");
    this.#child.kill("SIGTERM");
    const [code] = await ended;
    return code;
  }

  /** Ends it at once, as a power cut does: nothing more is sent. */
  async kill() {
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  /** Stops it where it stands: its sockets stay open and say nothing. */
  pause() {
    this.#child.kill("SIGSTOP");
  }

  /** Lets it go on. */
  resume() {
    this.#child.kill("SIGCONT");
  }

  /** Fetches a path and refuses an unexpected status. */
  async fetch(path, init) {
    const response = await fetch(this.origin + path, init);
    if (!response.ok) throw new Error(`${init?.method ?? "GET"} was answered ${response.status}`);
    return response;
  }

  /** All patients, in file order. */
  async patients() {
    const bundle = await (await this.fetch("/api/fhir/Patient")).json();
    return bundle.entry.map(({ resource }) => resource);
  }

  /** Changes a patient's name in the database; resolves when the change was announced. */
  async rename(id, family, given = ["Neu"]) {
    const path = `/api/fhir/Patient/${id}`;
    const patient = await (await this.fetch(path)).json();
    patient.name = [{ use: "official", family, given }];
    await this.fetch(path, { method: "PUT", body: JSON.stringify(patient) });
  }

  /** How often each request came since the last reset, as `{ "GET /path": n }`. */
  async requests() {
    return (await (await this.fetch("/test/requests")).json()).requests;
  }

  /** The paths of the responses that are being held now. */
  async held() {
    return (await (await this.fetch("/test/requests")).json()).held;
  }

  /** Forgets counts and lets all responses go. */
  async reset() {
    await this.fetch("/test/reset", { method: "POST" });
  }

  /** Holds responses of reads below a path, after they were read from the database. Where some
   * are held already those go, and the next ones are held. */
  async hold(pathPrefix) {
    await this.#delay({ pathPrefix, hold: true });
  }

  /** Lets them go. */
  async release(pathPrefix) {
    await this.#delay({ pathPrefix, release: true });
  }

  async #delay(order) {
    await this.fetch("/test/delay", { method: "POST", body: JSON.stringify(order) });
  }
}
