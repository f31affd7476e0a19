// Chromium with a profile of its own.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { chromium } from "playwright-core";

const PROGRAM = process.env.CLINICACHE_CHROMIUM ?? process.env.CHROMIUM ?? "/usr/bin/chromium";

const FLAGS = [
  // Containers give root no sandbox of its own.
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  // Nothing but the page under test may use the line or the profile.
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A fresh folder that goes when the test ends. */
export async function temporaryFolder(t, name) {
  const folder = await mkdtemp(path.join(tmpdir(), `clinicache-${name}-`));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/**
 * Starts a browser over `profile`, a fresh folder by default; it is closed when the test ends.
 * A tablet in landscape. Any error of a page that nobody handled fails the test.
 */
export async function startBrowser(t, { profile, viewport } = {}) {
  const folder = profile ?? (await temporaryFolder(t, "profile"));
  const context = await chromium.launchPersistentContext(folder, {
    executablePath: PROGRAM,
    headless: true,
    args: FLAGS,
    viewport: viewport ?? { width: 1180, height: 820 },
    serviceWorkers: "allow",
  });
  const errors = [];
  context.on("weberror", (error) => errors.push(error.error()));
  t.after(async () => {
    await context.close();
    if (errors.length > 0) throw new AggregateError(errors, "a page had unhandled errors");
  });
  context.setDefaultTimeout(15_000);
  return { context, profile: folder };
}
