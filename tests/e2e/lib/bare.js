// The package alone, in a bare page of the demo's origin: what the demo's own screens hide.

import { startBrowser } from "./browser.js";
import { startServer } from "./server.js";

/** A page with nothing on it that has the package as `globalThis.lib`. */
export async function barePage(t, { context, server } = {}) {
  server ??= await startServer(t);
  context ??= (await startBrowser(t)).context;
  const page = await context.newPage();
  await page.route(`${server.origin}/bare.html`, (route) =>
    route.fulfill({ contentType: "text/html", body: "<!doctype html><title>bare</title>" }));
  await page.goto(`${server.origin}/bare.html`);
  await load(page);
  return { page, context, server };
}

async function load(page) {
  await page.evaluate(async () => {
    globalThis.lib = await import("/pkg/index.js");
    /** The code of the error that `act` ends with, or `fine`. */
    globalThis.codeOf = async (act) => {
      try {
        await act();
        return "fine";
      } catch (error) {
        return error instanceof lib.CacheError ? error.code : `not typed: ${error}`;
      }
    };
  });
}

/** As after a reload: nothing in memory. */
export async function reloadBare(page) {
  await page.reload();
  await load(page);
}
