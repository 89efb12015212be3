/** A running direct job as it is watched: what each step counts, and a pause. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { directRunner } from "millrace/runners";
import { DirectRunner } from "../../../runners/direct/direct-runner.js";
import type { LiveDirectJob } from "../../../runners/direct/live-direct-job.js";
import type { DirectPipelineResult } from "../../../runners/direct/pipeline-result.js";
import { withUnknownFigures } from "../../../runners/inspect/unknown-figures.js";
import type { StepCounts } from "../../../runners/job/live-job.js";
import { P, type PCollection, Pipeline, Root, withName } from "../../../transforms/primitives/beam.js";
import { create } from "../../../transforms/primitives/create.js";

import { flattenAll } from "../../../transforms/primitives/flatten-all.js";
import { groupByKey } from "../../../transforms/primitives/group-by-key.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { systemClock } from "../../../transforms/primitives/system-clock.js";
import { takeValues } from "../../support/collected.js";
import { COUNTING, collect, counting, NAME, ticks, until, windows } from "./number-pipelines.js";

function counted(
  { job }: DirectPipelineResult,
  step: string,
): Pick<StepCounts, "elementsIn" | "elementsOut"> {
  const counts = job.live!.steps();
  const found = [...counts].find(([path]) => path.endsWith(step));
  if (found === undefined) throw new Error(`no step ${step} among ${[...counts.keys()].join(", ")}`);
  const { elementsIn, elementsOut } = found[1];
  return { elementsIn, elementsOut };
}

describe("LiveDirectJob", () => {
  beforeEach(() => void takeValues(NAME));

  it("counts what each fused step takes and gives, through a flatten as well", async () => {
    const result = await directRunner().run((root: Root) => {
      const numbers = root.apply(withName("Numbers", create([1, 2, 3, 4, 5])));
      const once = P(numbers).apply(
        withName("Count", registeredParDo(COUNTING, null)),
      ) as PCollection<number>;
      const both = P([numbers as PCollection<number>, once]).apply(withName("Both", flattenAll<number>()));
      collect(both as PCollection<unknown>);
    });
    expect(takeValues(NAME)).to.have.length(10);
    expect(counted(result, "Count")).to.deep.equal({ elementsIn: 5, elementsOut: 5 });
    expect(counted(result, "Both")).to.deep.equal({ elementsIn: 10, elementsOut: 10 });
    expect(counted(result, "Collect")).to.deep.equal({ elementsIn: 10, elementsOut: 0 });
    const { steps, edges } = (result.job.live as LiveDirectJob).graph;
    const byName = new Map(steps.map((step) => [step.name, step]));
    expect(byName.get("Count")).to.include({ kind: "parDo", id: "Count", hasState: false });
    expect(byName.get("Count")!.doFn).to.deep.equal({ name: "counting@beam-runner", config: null });
    expect(edges.filter(({ to }) => to === "Both")).to.have.length(2);
  });

  it("counts around a GroupByKey, which has no calls of its own", async () => {
    const result = await directRunner().run((root: Root) => {
      const pairs = root.apply(withName("Pairs", create(["a", "b", "a"].map((key) => ({ key, value: 1 })))));
      collect(P(pairs as PCollection<never>).apply(withName("Group", groupByKey())) as PCollection<unknown>);
    });
    expect(counted(result, "Group/GroupByKey")).to.deep.equal({ elementsIn: 3, elementsOut: 2 });
    expect(counted(result, "Collect")).to.deep.equal({ elementsIn: 2, elementsOut: 0 });
  });

  it("tells of keys that wait, of what steps have made if it is to be kept, and why figures are unknown", async () => {
    const pipeline = new Pipeline();
    const start = ticks(new Root(pipeline), { atOnce: 3, delayMs: 1 });
    collect(windows(start));
    const systemLog = { debug() {}, info() {}, warn() {}, error() {} };
    const job = await new DirectRunner().run(pipeline, {
      ...{ pipeline: "watched", once: false, takeover: false, retryTimeoutMs: 0 },
      ...{ clock: systemClock, log: systemLog, samplesMax: 2 },
    });
    const live = job.live as LiveDirectJob;
    const figures = (end: string) => [...live.steps()].find(([path]) => path.endsWith(end))![1];
    await until(() => (figures("GroupByKey").stateKeys ?? 0) > 0);
    expect(figures("GroupByKey")).to.include({ timers: null, waiting: null, queueFill: null });
    expect(live.isSampling).to.equal(true);
    const [path] = [...live.steps()].find(([, { elementsOut }]) => elementsOut > 2)!;
    const samples = live.samples(path);
    expect(samples.length, path).to.equal(2);
    const { steps } = withUnknownFigures(live.graph, live);
    const reasons = Object.fromEntries(steps.map(({ name, unknown }) => [name, unknown]));
    expect(reasons["GroupByKey"]).to.include({
      samples: "the runner does this step itself: see the one before it",
      waiting: "nothing: the runner does it at once",
    });
    expect(reasons["Collect"]).to.include({ samples: "it makes no elements: see the step before it" });
    await job.cancel();
    expect(figures("GroupByKey").stateKeys, "of a job that has ended").to.equal(null);
  });

  it("keeps nothing where it was not asked to", async () => {
    const result = await directRunner().run((root: Root) => collect(counting(root, 1, 2)));
    const live = result.job.live as LiveDirectJob;
    expect([live.isSampling, live.samples("Count")]).to.deep.equal([false, []]);
    const { steps } = withUnknownFigures(live.graph, live);
    for (const { unknown } of steps) expect(unknown!.samples).to.include("--monitor-samples=10");
  });

  it("lets a source stand still while paused, stays RUNNING, and goes on when resumed", async () => {
    const result = await directRunner().runAsync((root: Root) => {
      collect(ticks(root, { atOnce: 2, delayMs: 1 }));
    });
    const { job } = result;
    let collected = 0;
    const grown = () => {
      collected += takeValues(NAME).length;
      return collected;
    };
    await until(() => grown() >= 4);
    job.live!.pause();
    await sleep(50); // what was read by now goes on
    const atPause = grown();
    await sleep(150);
    expect(grown()).to.equal(atPause);
    expect(job.state).to.equal("RUNNING");
    expect(job.live!.isPaused).to.equal(true);
    job.live!.resume();
    await until(() => grown() > atPause);
    job.live!.pause();
    expect(await job.drain()).to.equal("DRAINED");
  });
});
