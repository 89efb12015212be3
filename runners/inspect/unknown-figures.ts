/** Why some figures of a step are never known; pure. A page shows the reason in the figure's place. */

import type { GraphStep, JobGraph, UnknownFigure } from "../job/job-view.js";
import type { LiveJob } from "../job/live-job.js";

const SAMPLING_OFF = "data sampling is off: start the run with --monitor-samples=10";

/** What no DoFn does. */
const RUNNERS_OWN: ReadonlySet<GraphStep["kind"]> = new Set(["impulse", "groupByKey", "reshuffle"]);
const TEST_STREAM = "beam:transform:teststream:v1";

type Reasons = Partial<Record<UnknownFigure, string>>;

/** @param live undefined where the graph is run by another process */
export function withUnknownFigures(graph: JobGraph, live: Pick<LiveJob, "isSampling"> | undefined): JobGraph {
  const stageOf = new Map(graph.steps.map(({ id, stage }) => [id, stage]));
  const reasonsOf = (step: GraphStep): Reasons => {
    if (live === undefined) return onJobServer(step);
    const isCalled = graph.edges
      .filter(({ to }) => to === step.id)
      .some(({ from }) => stageOf.get(from) === step.stage);
    const makesNothing = graph.edges.every(({ from }) => from !== step.id);
    return {
      ...inThisProcess(step, isCalled, makesNothing),
      ...(!live.isSampling && { samples: SAMPLING_OFF }),
    };
  };
  return { ...graph, steps: graph.steps.map((step) => ({ ...step, unknown: reasonsOf(step) })) };
}

function onJobServer({ hasState, hasTimers }: GraphStep): Reasons {
  return {
    counts: "the job server runs the steps, and tells of them at the job's end",
    ...(hasState && { stateBytes: "the job server keeps it" }),
    ...(hasTimers && { timers: "the job server keeps them" }),
    samples: "the job server runs the steps",
  };
}

function inThisProcess(step: GraphStep, isCalled: boolean, makesNothing: boolean): Reasons {
  const isRunners = RUNNERS_OWN.has(step.kind) || step.urn === TEST_STREAM;
  return {
    ...(isRunners
      ? { waiting: "nothing: the runner does it at once" }
      : isCalled && { waiting: "nothing: the step before calls it" }),
    queueFill: "none: it ends each call before the next",
    ...((step.hasState || step.kind === "groupByKey") && {
      stateBytes: "its values are objects in memory: they have no size before they are written",
    }),
    ...(isRunners
      ? { samples: "the runner does this step itself: see the one before it" }
      : makesNothing && { samples: "it makes no elements: see the step before it" }),
  };
}
