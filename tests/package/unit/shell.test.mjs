import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));

const read = (path) => readFile(join(root, path), "utf8");

async function files(folder) {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(root.length));
}

test("the page's worker keeps every file of the page, and only files that are there", async () => {
  const worker = await read("www/sw.js");
  const shell = [.../^const SHELL = \[([^\]]*)\]/m.exec(worker)[1].matchAll(/"([^"]*)"/g)].map(([, path]) => path);
  const page = (await files("www"))
    .filter((path) => path !== "www/sw.js" && path !== "www/index.html")
    .map((path) => path.slice("www".length));
  const library = (await files("pkg-template/lib"))
    .filter((path) => path.endsWith(".js"))
    .map((path) => path.replace("pkg-template", "/pkg"));
  const built = ["/pkg/clinicache.js", "/pkg/clinicache_bg.wasm", "/pkg/index.js"];
  assert.deepEqual([...shell].sort(), ["/", ...page, ...library, ...built].sort());
});

test("nothing of the page is inline, which its content security policy would refuse", async () => {
  const html = await read("www/index.html");
  assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|https?:/);
  for (const path of await files("www")) {
    if (path.endsWith(".js")) assert.doesNotMatch(await read(path), /\.innerHTML|style:|\.style\b|eval\(/, path);
  }
});

test("the title of the page is constant", async () => {
  assert.match(await read("www/index.html"), /<title>clinicache demo<\/title>/);
  for (const path of await files("www")) {
    if (path.endsWith(".js")) assert.doesNotMatch(await read(path), /document\.title/, path);
  }
});
