import assert from "node:assert/strict";
import path from "node:path";
import test from "node:test";
import { METRICS } from "../lib/budgets.mjs";
import { asMarkdown, asText, duration, evaluate, quantile } from "../lib/report.mjs";
import { locate } from "../lib/server.mjs";
import { idOf, summaryOf, wardOf } from "../page/record.js";

test("a quantile is a sample, whatever the order", () => {
  const samples = [5, 1, 4, 2, 3];
  assert.equal(quantile(samples, 0.5), 3);
  assert.equal(quantile(samples, 0.95), 5);
  assert.equal(quantile([7], 0.5), 7);
});

test("a budget is held against the fastest peer that was measured", () => {
  const results = {
    memory: { peek: { get: [1] }, idb: { get: [20] }, keyval: { get: [10] } },
  };
  const [row] = evaluate(results);
  const budget = row.budgets.find(({ of }) => of === "peek");
  assert.equal(budget.against, "keyval");
  assert.equal(budget.ratio, 0.1);
  assert.equal(budget.factor, 1);
});

test("what was not measured has no row and no budget", () => {
  assert.deepEqual(evaluate({}), []);
  const rows = evaluate({ put: { clinicache: { put: [1] } } });
  assert.equal(rows.length, 1);
  assert.deepEqual(rows[0].budgets, []);
});

test("a budget in milliseconds needs no peer", () => {
  const [row] = evaluate({ start: { clinicache: { start: [120] } } });
  assert.equal(row.budgets[0].factor, 2);
});

test("both reports show every case and what is over its budget", () => {
  const rows = evaluate({ put: { clinicache: { put: [3.3] }, plain: { put: [1] } } });
  assert.match(asText(rows), /clinicache +3\.30 ms[^]*not encrypted +1\.00 ms[^]*3\.00× over/);
  assert.match(asMarkdown(rows), /\| clinicache \| 3\.30 ms \|[^]*\| 3\.300 \| 1\.100 \| 3\.00 \|/);
});

test("no two rows of the report are the same metric", () => {
  const names = METRICS.map(({ workload, metric }) => `${workload} ${metric}`);
  assert.equal(new Set(names).size, names.length);
});

test("durations have the unit that fits", () => {
  assert.equal(duration(0.0123), "12.3 µs");
  assert.equal(duration(45.67), "45.7 ms");
  assert.equal(duration(250), "250 ms");
});

test("the record is the same in every run, and about 2.2 KB", () => {
  assert.deepEqual(summaryOf(3), summaryOf(3));
  assert.notDeepEqual(summaryOf(3), summaryOf(4));
  const lengths = Array.from({ length: 100 }, (_, n) => JSON.stringify(summaryOf(n)).length);
  const mean = lengths.reduce((a, b) => a + b) / lengths.length;
  assert.ok(mean > 2_000 && mean < 2_400, `${mean} bytes`);
});

test("a ward holds 50 of 1,000 patients", () => {
  const wards = Array.from({ length: 1_000 }, (_, n) => wardOf(n));
  assert.equal(wards.filter((ward) => ward === wardOf(0)).length, 50);
  assert.equal(idOf(12), "p-000012");
});

test("the server finds nothing outside of its folders", () => {
  const folders = { "/pkg/": path.resolve("/srv/pkg"), "/": path.resolve("/srv/page") };
  assert.equal(locate(folders, "/pkg/index.js"), path.resolve("/srv/pkg/index.js"));
  assert.equal(locate(folders, "/main.js"), path.resolve("/srv/page/main.js"));
  assert.equal(locate(folders, "/pkg/../../etc/passwd"), undefined);
});
