import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const TEMPLATE = fileURLToPath(new URL("../../pkg-template/", import.meta.url));
const FAKE_CORE = fileURLToPath(new URL("./fake-core.mjs", import.meta.url));

/** Lays the hand-written half and the fake core out as the package is, in a folder of its own. */
export async function assemble(t) {
  const folder = await mkdtemp(join(tmpdir(), "clinicache-unit-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await cp(TEMPLATE, folder, { recursive: true });
  await cp(FAKE_CORE, join(folder, "clinicache.js"));
  const load = (name) => import(pathToFileURL(join(folder, name)).href);
  const { calls } = await load("clinicache.js");
  return { folder, load, calls };
}

/** Runs a call that must fail and gives its error. */
export async function failure(run) {
  try {
    await run();
  } catch (error) {
    return error;
  }
  throw new Error("the call succeeded");
}
