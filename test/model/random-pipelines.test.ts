/**
 * Property: a random pipeline (windows × trigger × accumulation × state × side input × grouping) over random
 * input, in random bundles and random order within the watermark, gives on time what a naive batch gives.
 * `MILLRACE_SEEDS` says how many, `MILLRACE_SEED` runs one again.
 */
import { expect } from "chai";
import { chooseSeed } from "../support/seeded-choice.js";
import { evaluateNaively, type NaiveGroup } from "./naive-batch.js";
import { buildPlan } from "./support/build-plan.js";
import { type RandomPlan, randomPlan } from "./support/random-plan.js";
import { type Collected, type ModelRun, runModel } from "./support/run-model.js";

const SEEDS_DEFAULT = 2_000;
const SEEDS_PER_TEST = 50;

/** The groups of a run as the naive batch tells them: all panes together, or the last one where they accumulate. */
function groupsOf(run: ModelRun, plan: RandomPlan, expected: readonly NaiveGroup[]): NaiveGroup[] {
  return expected.map(({ key, startMs, endMs }) => {
    const panes = run
      .collected("groups")
      .filter(({ value }) => (value as { key: string }).key === key)
      .filter(({ window }) => isWithin(window.id, startMs, endMs, plan.grouping.windows.kind === "sessions"));
    const isAccumulating = plan.grouping.accumulation === "accumulating";
    // A session that others joined later was emitted under its window of that time.
    const counted = isAccumulating
      ? panes.filter(({ window }) => window.id === idOf(startMs, endMs)).slice(-1)
      : panes;
    return { key, startMs, endMs, values: valuesOf(counted, plan) };
  });
}

/** The values of the panes; of sums, their one sum. */
function valuesOf(panes: readonly Collected[], plan: RandomPlan): number[] {
  const values = panes.flatMap(({ value }) => (value as { value: number | number[] }).value);
  return plan.grouping.kind === "sum" ? [values.reduce((a, b) => a + b, 0)] : values.sort((a, b) => a - b);
}

function idOf(startMs: number, endMs: number): string {
  return endMs === Number.POSITIVE_INFINITY ? "" : `${startMs}/${endMs}`;
}

function isWithin(id: string, startMs: number, endMs: number, isSession: boolean): boolean {
  if (!isSession) return id === idOf(startMs, endMs);
  const [start = Number.NaN, end = Number.NaN] = id.split("/").map(Number);
  return startMs <= start && end <= endMs;
}

/** No pane stands in a window, or under a key, that the naive batch does not have. */
function expectNoOthers(run: ModelRun, plan: RandomPlan, expected: readonly NaiveGroup[]): void {
  const isSession = plan.grouping.windows.kind === "sessions";
  for (const { value, window } of run.collected("groups")) {
    const { key } = value as { key: string };
    const isExpected = expected.some(
      (group) => group.key === key && isWithin(window.id, group.startMs, group.endMs, isSession),
    );
    expect(isExpected, `pane of "${key}" in window "${window.id}"`).to.equal(true);
  }
}

/** Panes of a key and window number themselves; the on-time one comes at most once, behind all early ones. */
function expectPanesInOrder(run: ModelRun, plan: RandomPlan): void {
  if (plan.grouping.windows.kind === "sessions") return;
  const byGroup = new Map<string, Collected[]>();
  for (const collected of run.collected("groups")) {
    const group = `${(collected.value as { key: string }).key} ${collected.window.id}`;
    byGroup.set(group, [...(byGroup.get(group) ?? []), collected]);
  }
  for (const [group, panes] of byGroup) {
    expect(
      panes.map(({ pane }) => pane.index),
      `indexes of the panes of ${group}`,
    ).to.deep.equal(panes.map((_, index) => index));
    const timings = panes.map(({ pane }) => pane.timing).join(" ");
    expect(timings, `timings of ${group}`).to.match(/^(EARLY ?)*(ON_TIME)?( LATE)*$/);
  }
}

async function checkSeed(seed: number): Promise<void> {
  const plan = randomPlan(seed);
  try {
    const run = await runModel((root) => buildPlan(root, plan));
    const expected = evaluateNaively(plan);
    const isSum = plan.grouping.kind === "sum";
    const wanted = expected.map((group) => ({
      ...group,
      values: isSum ? [group.values.reduce((a, b) => a + b, 0)] : group.values,
    }));
    expectNoOthers(run, plan, expected);
    expect(groupsOf(run, plan, expected)).to.deep.equal(wanted);
    expectPanesInOrder(run, plan);
  } catch (error) {
    const { script, ...pipeline } = plan;
    const text = `${JSON.stringify(pipeline)}\n${script.map((event) => JSON.stringify(event)).join("\n")}`;
    throw new Error(`MILLRACE_SEED=${seed} fails: ${(error as Error).message}\n${text}`, { cause: error });
  }
}

describe("random pipelines", () => {
  const isOne = (process.env["MILLRACE_SEED"] ?? "") !== "";
  const count = isOne ? 1 : Number(process.env["MILLRACE_SEEDS"] ?? SEEDS_DEFAULT);
  const first = chooseSeed();

  for (let from = 0; from < count; from += SEEDS_PER_TEST) {
    const until = Math.min(count, from + SEEDS_PER_TEST);
    it(`give on time what a naive batch gives, seeds ${first + from} to ${first + until - 1}`, async () => {
      for (let seed = first + from; seed < first + until; seed += 1) await checkSeed(seed);
    });
  }
});
