// From samples to what people read.

import { CASES, METRICS } from "./budgets.mjs";

/** The value below which `share` of the samples lie (nearest rank). */
export function quantile(samples, share) {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

const summary = (samples) => ({
  p50: quantile(samples, 0.5),
  p95: quantile(samples, 0.95),
  samples: samples.length,
});

/**
 * Rows of the report. `results` is `{ workload: { case: { metric: [ms, ..] } } }`; what was not
 * measured has no row.
 */
export function evaluate(results) {
  return METRICS.flatMap(({ workload, metric, title, budgets }) => {
    const measured = Object.entries(results[workload] ?? {})
      .filter(([, metrics]) => metrics[metric]?.length > 0)
      .map(([label, metrics]) => [label, summary(metrics[metric])]);
    if (measured.length === 0) return [];
    const cases = Object.fromEntries(measured);
    const held = budgets.map((budget) => hold(budget, cases)).filter(Boolean);
    return [{ workload, metric, title, cases, budgets: held }];
  });
}

/** A budget against what was measured: `factor` above 1 is over the budget. */
function hold({ of, against, most, mostMs }, cases) {
  const own = cases[of];
  if (own === undefined) return undefined;
  if (mostMs !== undefined) return { of, mostMs, factor: own.p50 / mostMs };
  const peers = against.filter((name) => cases[name] !== undefined);
  if (peers.length === 0) return undefined;
  const best = peers.reduce((a, b) => (cases[b].p50 < cases[a].p50 ? b : a));
  const ratio = own.p50 / cases[best].p50;
  return { of, against: best, ratio, most, factor: ratio / most };
}

/** Milliseconds for people: three digits, in the unit that fits. */
export function duration(ms) {
  return ms < 1 ? `${round(ms * 1_000)} µs` : `${round(ms)} ms`;
}

function round(number) {
  const digits = number >= 100 ? 0 : number >= 10 ? 1 : 2;
  return number.toFixed(digits);
}

/** Every case of every row, as aligned text. */
export function asText(rows) {
  const lines = [];
  for (const { title, cases, budgets } of rows) {
    lines.push("", title);
    for (const [label, { p50, p95 }] of Object.entries(cases)) {
      const name = CASES[label] ?? label;
      lines.push(`  ${name.padEnd(34)}${duration(p50).padStart(10)}   p95 ${duration(p95).padStart(9)}`);
    }
    for (const budget of budgets) lines.push(`  → ${sentence(budget)}`);
  }
  return lines.slice(1).join("\n");
}

function sentence(budget) {
  const { of, against, ratio, most, mostMs, factor } = budget;
  const verdict = factor <= 1 ? "within" : `${factor.toFixed(2)}× over`;
  if (mostMs !== undefined) return `${CASES[of]}: budget ${mostMs} ms, ${verdict}`;
  const peer = CASES[against];
  return `${CASES[of]} / ${peer}: ${ratio.toFixed(3)}, budget ${most.toFixed(3)}, ${verdict}`;
}

/** One line a row and case, and one a budget, as Markdown. */
export function asMarkdown(rows) {
  const lines = ["| workload | case | p50 | p95 |", "|---|---|---:|---:|"];
  for (const { title, cases } of rows) {
    for (const [label, { p50, p95 }] of Object.entries(cases)) {
      lines.push(`| ${title} | ${CASES[label] ?? label} | ${duration(p50)} | ${duration(p95)} |`);
    }
  }
  lines.push("", "| workload | case | beside | ratio | budget | of the budget |");
  lines.push("|---|---|---|---:|---:|---:|");
  for (const { title, cases, budgets } of rows) {
    for (const { of, against, ratio, most, mostMs, factor } of budgets) {
      const beside = mostMs === undefined ? CASES[against] : "–";
      const value = mostMs === undefined ? ratio.toFixed(3) : duration(cases[of].p50);
      const budget = mostMs === undefined ? most.toFixed(3) : `${mostMs} ms`;
      lines.push(`| ${title} | ${CASES[of]} | ${beside} | ${value} | ${budget} | ${factor.toFixed(2)} |`);
    }
  }
  return lines.join("\n");
}
