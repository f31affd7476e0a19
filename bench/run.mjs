// Measures clinicache beside its peers in one run of one Chromium.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { asMarkdown, asText, evaluate } from "./lib/report.mjs";
import { serve } from "./lib/server.mjs";

const HERE = fileURLToPath(new URL("./", import.meta.url));

const HELP = `Usage: node run.mjs [options]

  --only a,b      only these workloads: memory opening many put together load tag lock start
  --share N       this share of the rounds, such as 0.3 for a quick look (default 1)
  --markdown      print Markdown in place of text
  --out FILE      where the samples go (default results.json beside this program)
  --help          this text

CLINICACHE_PKG names the built package (default ../pkg), CLINICACHE_CHROMIUM the browser.`;

const FLAGS = [
  // Containers give root no sandbox of its own.
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Times that a fresh page starts the cache. */
const STARTS = 15;

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    share: { type: "string", default: "1" },
    markdown: { type: "boolean", default: false },
    out: { type: "string", default: path.join(HERE, "results.json") },
    help: { type: "boolean", default: false },
  },
});

if (options.help) console.log(HELP);
else await main();

async function main() {
  const share = Number(options.share);
  if (!(share > 0)) throw new Error("--share must be a number above 0");
  const server = await serve({
    "/pkg/": process.env.CLINICACHE_PKG ?? path.join(HERE, "../pkg"),
    "/vendor/": path.join(HERE, "node_modules"),
    "/": path.join(HERE, "page"),
  });
  const profile = await mkdtemp(path.join(tmpdir(), "clinicache-bench-"));
  try {
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: process.env.CLINICACHE_CHROMIUM ?? "/usr/bin/chromium",
      headless: true,
      args: FLAGS,
    });
    try {
      await report(await measure(context, server.origin, share), context);
    } finally {
      await context.close();
    }
  } finally {
    await server.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The samples of every workload that was asked for. */
async function measure(context, origin, share) {
  const open = async () => {
    const page = await context.newPage();
    page.setDefaultTimeout(0);
    await page.goto(`${origin}/index.html`);
    return page;
  };
  const page = await open();
  const known = [...(await page.evaluate(async () => (await import("/main.js")).names)), "start"];
  const wanted = options.only?.split(",") ?? known;
  const unknown = wanted.find((name) => !known.includes(name));
  if (unknown) throw new Error(`there is no workload ${unknown}; there are ${known.join(" ")}`);
  const results = {};
  for (const name of known.filter((one) => wanted.includes(one))) {
    process.stderr.write(`measuring: ${name}\n`);
    results[name] =
      name === "start"
        ? await starts(open, share)
        : await page.evaluate(
            async ([workload, part]) => (await import("/main.js")).run(workload, part),
            [name, share],
          );
  }
  await page.close();
  return results;
}

/** Fresh pages, each with an empty database. The first one finds no compiled code. */
async function starts(open, share) {
  const start = [];
  for (let i = 0; i < Math.max(3, Math.round(STARTS * share)); i += 1) {
    const page = await open();
    const name = `bench-start-${i}`;
    start.push(await page.evaluate(async (given) => (await import("/start.js")).start(given), name));
    await page.close();
  }
  return { clinicache: { start } };
}

async function report(results, context) {
  const rows = evaluate(results);
  const machine = {
    browser: `Chromium ${context.browser()?.version() ?? ""}`.trim(),
    processors: availableParallelism(),
    node: process.version,
    date: new Date().toISOString(),
  };
  await mkdir(path.dirname(options.out), { recursive: true });
  await writeFile(options.out, `${JSON.stringify({ machine, rows, results }, null, 1)}\n`);
  console.log(`${machine.browser}, ${machine.processors} processors\n`);
  console.log(options.markdown ? asMarkdown(rows) : asText(rows));
}
