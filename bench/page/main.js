// Runs one workload: the cases take turns, and whoever begins changes from round to round, so
// that nobody always follows the same neighbour.

import { removeAll } from "./candidates.js";
import { workloads } from "./workloads.js";

/** The samples of a workload, in milliseconds: `{ case: { metric: [..] } }`. */
export async function run(name, share = 1) {
  const { rounds, cases } = workloads[name];
  const running = [];
  for (const [label, begin] of Object.entries(cases)) {
    running.push({ label, ...(await begin(`bench-${name}-${label}`)) });
  }
  const samples = Object.fromEntries(running.map(({ label }) => [label, {}]));
  // The first round compiles and fills caches; it does not count.
  for (let round = -1; round < Math.max(2, Math.round(rounds * share)); round += 1) {
    for (let i = 0; i < running.length; i += 1) {
      const { label, turn } = running[(i + round + 1) % running.length];
      const measured = await turn(round + 1);
      if (round >= 0) note(samples[label], measured);
      await rest();
    }
  }
  for (const { close } of running) await close();
  await removeAll();
  return samples;
}

/** Names of the workloads, in order. */
export const names = Object.keys(workloads);

function note(samples, measured) {
  for (const [metric, value] of Object.entries(measured)) {
    (samples[metric] ??= []).push(...[value].flat());
  }
}

/** Lets the browser finish what the last turn left behind. */
const rest = () => new Promise((resolve) => setTimeout(resolve, 4));
