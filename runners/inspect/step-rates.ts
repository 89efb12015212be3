/** Figures of a graph's steps with rates: what was counted, compared with what was counted a moment ago. */
import type { GraphFigures, JobGraph, StepFigures } from "../job/job-view.js";
import type { LiveJob, StepCounts } from "../job/live-job.js";
import type { MetricResults } from "../job/metrics.js";

/** Rates are over so long, and the figures taken for that not closer than this. */
const WINDOW_MS = 3_000;
const APART_MS = 400;

interface Snapshot {
  readonly atMs: number;
  readonly steps: ReadonlyMap<string, StepCounts>;
}

const NOTHING: StepCounts = {
  elementsIn: 0,
  elementsOut: 0,
  busyMs: null,
  blockedMs: null,
  queueFill: null,
  waiting: null,
  stateKeys: null,
  timers: null,
  watermarkMs: null,
};

/** Where another process runs the graph. */
const NOT_TOLD: Omit<StepFigures, "id" | "counters"> = {
  ...{ elementsIn: null, elementsOut: null, inPerSecond: null, outPerSecond: null },
  ...{ busyShare: null, blockedShare: null, queueFill: null, waiting: null, watermarkMs: null },
  ...{ stateBytes: null, stateKeys: null, timers: null },
};

export class StepRates {
  readonly #graph: JobGraph;
  readonly #live: LiveJob | undefined;
  #snapshots: Snapshot[];

  constructor(graph: JobGraph, live: LiveJob | undefined, nowMs: number) {
    this.#graph = graph;
    this.#live = live;
    this.#snapshots = [{ atMs: nowMs, steps: new Map() }];
  }

  at(nowMs: number, metrics: MetricResults): GraphFigures {
    const steps = this.#live?.steps() ?? new Map<string, StepCounts>();
    const before = this.#snapshots.find(({ atMs }) => atMs >= nowMs - WINDOW_MS) ?? this.#snapshots.at(-1)!;
    const spanMs = Math.max(nowMs - before.atMs, 1);
    const counters = countersByStep(metrics);
    const figures = this.#graph.steps.map(({ id }) => ({
      id,
      ...(this.#live === undefined
        ? NOT_TOLD
        : figuresOf(steps.get(id) ?? NOTHING, before.steps.get(id) ?? NOTHING, spanMs)),
      counters: counters.get(id) ?? {},
    }));
    this.#keep({ atMs: nowMs, steps });
    return { atMs: nowMs, steps: figures };
  }

  #keep(snapshot: Snapshot): void {
    if (snapshot.atMs - this.#snapshots.at(-1)!.atMs < APART_MS) return;
    this.#snapshots = this.#snapshots.filter(({ atMs }) => atMs >= snapshot.atMs - WINDOW_MS);
    this.#snapshots.push(snapshot);
  }
}

function figuresOf(
  now: StepCounts,
  before: StepCounts,
  spanMs: number,
): Omit<StepFigures, "id" | "counters"> {
  const perSecond = (count: number, earlier: number) => Math.max(0, ((count - earlier) * 1_000) / spanMs);
  const share = (ms: number | null, earlierMs: number | null) =>
    ms === null ? null : Math.min(1, Math.max(0, (ms - (earlierMs ?? 0)) / spanMs));
  return {
    elementsIn: now.elementsIn,
    elementsOut: now.elementsOut,
    inPerSecond: perSecond(now.elementsIn, before.elementsIn),
    outPerSecond: perSecond(now.elementsOut, before.elementsOut),
    busyShare: share(now.busyMs, before.busyMs),
    blockedShare: share(now.blockedMs, before.blockedMs),
    queueFill: now.queueFill,
    waiting: now.waiting,
    watermarkMs: now.watermarkMs,
    stateBytes: null,
    stateKeys: now.stateKeys,
    timers: now.timers,
  };
}

function countersByStep({ counters }: MetricResults): Map<string, Record<string, number>> {
  const steps = new Map<string, Record<string, number>>();
  for (const { step, name, attempted } of counters) {
    const of = steps.get(step) ?? {};
    of[name] = attempted;
    steps.set(step, of);
  }
  return steps;
}
