import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const APP = fileURLToPath(new URL("../vite-app/", import.meta.url));

/** The packed package under test: `CLINICACHE_TGZ`, as `cargo xtask package` prints it. */
export function tarball() {
  const path = process.env.CLINICACHE_TGZ;
  if (!path) throw new Error("set CLINICACHE_TGZ to the .tgz that `cargo xtask package` made");
  const absolute = resolve(path);
  if (!existsSync(absolute)) throw new Error(`CLINICACHE_TGZ: there is no ${absolute}`);
  return absolute;
}

/** A fresh copy of the Vite project with the package installed in it. */
export async function installApp() {
  const folder = await mkdtemp(join(tmpdir(), "clinicache-app-"));
  await cp(APP, folder, { recursive: true });
  const npm = (...args) => run("npm", args, { cwd: folder });
  await npm("ci", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts");
  await npm("install", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts", tarball());
  return {
    folder,
    build: () => npm("run", "build"),
    node: (...args) => run(process.execPath, args, { cwd: folder }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".wasm": "application/wasm",
};

/** Serves a folder on loopback with the content security policy that the package documents. */
export async function serve(folder) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const path = join(folder, pathname === "/" ? "index.html" : pathname);
    const body = await readFile(path).catch(() => undefined);
    response.writeHead(body === undefined ? 404 : 200, {
      "Content-Type": TYPES[extname(path)] ?? "application/octet-stream",
      "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'",
    });
    response.end(body);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () => new Promise((done) => server.close(done)),
  };
}

const BROWSERS = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** The Chromium to use: `CLINICACHE_CHROMIUM`, else a usual place. */
export function chromiumPath() {
  const path = process.env.CLINICACHE_CHROMIUM ?? BROWSERS.find((candidate) => existsSync(candidate));
  if (!path) throw new Error("no Chromium found: set CLINICACHE_CHROMIUM to its path");
  return path;
}
