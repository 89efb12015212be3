/**
 * Property: a random pipeline that commits in a log, and whose process crashes at random commits, also within their
 * bytes, collects what one does that never crashed. `MILLRACE_SEEDS` says how many seeds, `MILLRACE_SEED` the first:
 * alone, it runs one again.
 */
import { rm } from "node:fs/promises";
import { assert } from "chai";
import { graphProto } from "../../../../runners/graph/graph-proto.js";
import { stateShapeOf } from "../../../../runners/graph/state-shape.js";
import { type Plan, translate } from "../../../../runners/graph/translate.js";
import { buildPlan } from "../../../model/support/build-plan.js";
import { canonicalText } from "../../../model/support/canonical-text.js";
import { randomPlan } from "../../../model/support/random-plan.js";
import { buildModel, type Collected } from "../../../model/support/run-model.js";
import { CommittedMemory } from "../../../support/memory-committer.js";
import { runThroughCrashes, runThroughStarts } from "../../../support/restarted-plan.js";
import { Choice, chooseSeed } from "../../../support/seeded-choice.js";
import { CrashingLogCommitter, type CrashPlace } from "./crashing-log.js";
import { newFolder, openLog, removeFolders } from "./log-scene.js";

const SEEDS_DEFAULT = 200;
const SEEDS_PER_TEST = 50;
const PLACES: readonly CrashPlace[] = ["before", "within", "after"];

interface Run {
  readonly lines: readonly string[];
  readonly crashes: number;
}

const linesOf = (groups: readonly Collected[]) =>
  groups.map((one) => canonicalText({ ...one, window: one.window.id })).sort();

async function undisturbed(plan: Plan, groups: Collected[]): Promise<readonly string[]> {
  groups.length = 0;
  const onRestart = () => undefined;
  await runThroughCrashes(plan, new CommittedMemory(), { bundleElementsMax: 1, onRestart });
  return linesOf(groups);
}

/** @param crashShare of the commits */
async function crashing(plan: Plan, groups: Collected[], choice: Choice, crashShare: number): Promise<Run> {
  groups.length = 0;
  const folder = await newFolder();
  let committed = 0;
  const start = async () => {
    const log = await openLog(folder, { shape: stateShapeOf(plan), snapshotEpochs: choice.between(1, 8) });
    const crashes = () => (choice.isHit(crashShare) ? choice.of(PLACES) : undefined);
    const onCommit = () => {
      committed = groups.length;
    };
    return {
      committer: new CrashingLogCommitter(log, folder, choice, crashes, onCommit),
      restored: log.restored,
      close: () => log.close(),
    };
  };
  const crashes = await runThroughStarts(plan, start, {
    bundleElementsMax: 1,
    // What was collected in an epoch that was not committed did not happen.
    onRestart: () => {
      groups.length = committed;
    },
  });
  await rm(folder, { recursive: true });
  return { crashes, lines: linesOf(groups) };
}

async function checkSeed(seed: number): Promise<number> {
  const { pipeline, collected } = buildModel((root) => buildPlan(root, randomPlan(seed)));
  const plan = translate(graphProto(pipeline));
  const groups = collected("groups");
  const choice = new Choice(~seed);
  const expected = await undisturbed(plan, groups);
  try {
    const actual = await crashing(plan, groups, choice, choice.of([0.1, 0.4]));
    assert.equal(actual.lines.join("\n"), expected.join("\n"));
    return actual.crashes;
  } catch (error) {
    throw new Error(`MILLRACE_SEED=${seed} fails: ${(error as Error).message}`, { cause: error });
  }
}

describe("random pipelines that crash over a commit log (property)", function () {
  this.timeout(300_000);
  const isOne = (process.env["MILLRACE_SEED"] ?? "") !== "";
  const count = Number(process.env["MILLRACE_SEEDS"] ?? (isOne ? 1 : SEEDS_DEFAULT));
  const first = chooseSeed();
  after(removeFolders);

  for (let from = 0; from < count; from += SEEDS_PER_TEST) {
    const until = Math.min(count, from + SEEDS_PER_TEST);
    it(`collect what those do that never crash, seeds ${first + from} to ${first + until - 1}`, async () => {
      let crashes = 0;
      for (let seed = first + from; seed < first + until; seed++) crashes += await checkSeed(seed);
      if (until - from > 10) assert.isAbove(crashes, 0, "crashes");
    });
  }
});
