/**
 * Property: a random pipeline whose process crashes at random commits collects what one does that never crashed.
 * `MILLRACE_SEEDS` says how many seeds, `MILLRACE_SEED` the first: alone, it runs one again.
 */
import { assert } from "chai";
import { graphProto } from "../../../runners/graph/graph-proto.js";
import { type Plan, translate } from "../../../runners/graph/translate.js";
import { buildPlan } from "../../model/support/build-plan.js";
import { canonicalText } from "../../model/support/canonical-text.js";
import { randomPlan } from "../../model/support/random-plan.js";
import { buildModel, type Collected } from "../../model/support/run-model.js";
import { CommittedMemory } from "../../support/memory-committer.js";
import { runThroughCrashes } from "../../support/restarted-plan.js";
import { Choice, chooseSeed } from "../../support/seeded-choice.js";

const SEEDS_DEFAULT = 50;
const SEEDS_PER_TEST = 50;

interface Run {
  readonly lines: readonly string[];
  readonly crashes: number;
}

/** @param crashShare of the commits */
async function run(plan: Plan, groups: Collected[], choice: Choice, crashShare: number): Promise<Run> {
  groups.length = 0;
  const memory = new CommittedMemory();
  let committed = 0;
  memory.onCommit = () => {
    committed = groups.length;
  };
  memory.crashes = () => (choice.isHit(crashShare) ? choice.of(["before", "after"] as const) : undefined);
  memory.isSnapshotDue = () => choice.isHit(0.2);
  const crashes = await runThroughCrashes(plan, memory, {
    bundleElementsMax: 1,
    // What was collected in an epoch that was not committed did not happen.
    onRestart: () => {
      groups.length = committed;
    },
  });
  return { crashes, lines: groups.map((one) => canonicalText({ ...one, window: one.window.id })).sort() };
}

async function checkSeed(seed: number): Promise<number> {
  const { pipeline, collected } = buildModel((root) => buildPlan(root, randomPlan(seed)));
  const plan = translate(graphProto(pipeline));
  const groups = collected("groups");
  const choice = new Choice(~seed);
  const expected = await run(plan, groups, choice, 0);
  try {
    const actual = await run(plan, groups, choice, choice.of([0.1, 0.4]));
    assert.equal(actual.lines.join("\n"), expected.lines.join("\n"));
    return actual.crashes;
  } catch (error) {
    throw new Error(`MILLRACE_SEED=${seed} fails: ${(error as Error).message}`, { cause: error });
  }
}

describe("random pipelines that crash (property)", function () {
  this.timeout(120_000);
  const isOne = (process.env["MILLRACE_SEED"] ?? "") !== "";
  const count = Number(process.env["MILLRACE_SEEDS"] ?? (isOne ? 1 : SEEDS_DEFAULT));
  const first = chooseSeed();

  for (let from = 0; from < count; from += SEEDS_PER_TEST) {
    const until = Math.min(count, from + SEEDS_PER_TEST);
    it(`collect what those do that never crash, seeds ${first + from} to ${first + until - 1}`, async () => {
      let crashes = 0;
      for (let seed = first + from; seed < first + until; seed++) crashes += await checkSeed(seed);
      if (until - from > 10) assert.isAbove(crashes, 0, "crashes");
    });
  }
});
