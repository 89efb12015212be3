/** The steps of a running direct job: what they have counted, added up over its attempts and their instances. */
import type { ElementSamples } from "../bundle/element-samples.js";
import type { StepWork } from "../bundle/step-meter.js";
import { jobGraph } from "../graph/job-graph.js";
import type { ExecutableStage, Plan } from "../graph/translate.js";
import type { GraphStep, JobGraph } from "../job/job-view.js";
import type { LiveJob, StepCounts, StepSample } from "../job/live-job.js";
import type { EpochLoop } from "./epoch-loop.js";
import type { Pausing } from "./pausing.js";

/** Event times beyond these are Beam's "before all" and "after all", and no time of any clock. */
const DATE_MS_MAX = 8_640_000_000_000_000;

type Kept = Pick<StepCounts, "waiting" | "stateKeys" | "timers">;

const NOTHING_KEPT: Kept = { waiting: null, stateKeys: null, timers: null };

interface Sums {
  elementsIn: number;
  busyMs: number;
  waitedMs: number;
  queueFill: number | null;
  readonly outputs: Map<string, number>;
}

export class LiveDirectJob implements LiveJob {
  readonly graph: JobGraph;
  readonly #pausing: Pausing;
  readonly #stages: readonly ExecutableStage[];
  /** Of attempts that are over. */
  readonly #past = new Map<string, Sums>();
  #pastBlockedMs = 0;
  #loop: EpochLoop | undefined;

  readonly #samples: ElementSamples | undefined;

  constructor(plan: Plan, pausing: Pausing, samples: ElementSamples | undefined) {
    this.#samples = samples;
    this.graph = jobGraph(plan);
    this.#pausing = pausing;
    this.#stages = plan.stages;
  }

  get isPaused(): boolean {
    return this.#pausing.isPaused;
  }

  pause(): void {
    this.#pausing.set(true);
  }

  resume(): void {
    this.#pausing.set(false);
  }

  started(loop: EpochLoop): void {
    this.#loop = loop;
  }

  /** What this attempt has counted stays counted. */
  ended(): void {
    if (this.#loop === undefined) return;
    for (const work of this.#loop.work()) addAll(this.#past, work);
    for (const sum of this.#past.values()) sum.queueFill = null;
    this.#pastBlockedMs += this.#loop.blockedMs;
    this.#loop = undefined;
  }

  steps(): ReadonlyMap<string, StepCounts> {
    const sums = new Map<string, Sums>();
    addAll(sums, this.#past);
    for (const work of this.#loop?.work() ?? []) addAll(sums, work);
    const counts = new Map<string, number>();
    for (const { outputs } of sums.values()) for (const [id, count] of outputs) counts.set(id, count);
    const kept = this.#kept();
    return new Map(
      this.graph.steps.map((step) => [
        step.id,
        { ...this.#counts(step, sums, counts), ...(kept.get(step.id) ?? NOTHING_KEPT) },
      ]),
    );
  }

  get isSampling(): boolean {
    return this.#samples !== undefined;
  }

  samples(step: string): readonly StepSample[] {
    return this.#outputsOf(step).flatMap(([output, collection]) =>
      (this.#samples?.of(collection) ?? []).map((sample) => ({ output, ...sample })),
    );
  }

  #outputsOf(path: string): (readonly [output: string, collection: string])[] {
    const step = this.#stages.flatMap(({ steps }) => steps).find((candidate) => candidate.path === path);
    if (step === undefined) return [];
    return step.kind === "flatten" ? [["", step.output]] : [...step.outputs];
  }

  /** What waits at the steps and what they keep, as of now. */
  #kept(): ReadonlyMap<string, Kept> {
    const kept = new Map<string, Kept>();
    if (this.#loop === undefined) return kept;
    const { engine } = this.#loop;
    for (const stage of this.#stages) {
      const loads = engine.stageLoads(stage.id);
      for (const { id, consumers } of stage.roots) {
        const { waiting, keyed } = loads.get(id)!;
        for (const { step } of consumers) {
          const before = kept.get(step.path)?.waiting ?? 0;
          const [stateKeys, timers] = [keyed?.keys ?? null, keyed?.timers ?? null];
          kept.set(step.path, { waiting: before + waiting, stateKeys, timers });
        }
      }
    }
    for (const [id, stateKeys] of engine.groupedKeys())
      kept.set(id, { waiting: null, stateKeys, timers: null });
    return kept;
  }

  #counts(
    { id, kind, stage }: GraphStep,
    sums: ReadonlyMap<string, Sums>,
    counts: ReadonlyMap<string, number>,
  ): Omit<StepCounts, keyof Kept> {
    const watermarkMs = this.#watermarkOf(stage);
    const work = sums.get(id);
    if (work === undefined) return { ...this.#runnerStep(id, sums, counts), watermarkMs };
    const { elementsIn, busyMs, waitedMs, queueFill, outputs } = work;
    const elementsOut = [...outputs.values()].reduce((sum, count) => sum + count, 0);
    const blockedMs =
      kind === "source" ? waitedMs + this.#pastBlockedMs + (this.#loop?.blockedMs ?? 0) : waitedMs;
    return { elementsIn, elementsOut, busyMs, blockedMs, queueFill, watermarkMs };
  }

  /** What the runner does itself is counted by those before and behind it. */
  #runnerStep(id: string, sums: ReadonlyMap<string, Sums>, counts: ReadonlyMap<string, number>) {
    const { edges } = this.graph;
    const before = edges.filter(({ to }) => to === id);
    const behind = edges.find(({ from }) => from === id);
    return {
      elementsIn: before.reduce((sum, { collection }) => sum + (counts.get(collection) ?? 0), 0),
      elementsOut: (behind && sums.get(behind.to)?.elementsIn) ?? 0,
      busyMs: null,
      blockedMs: null,
      queueFill: null,
    };
  }

  /** Fused steps have their stage's. */
  #watermarkOf(stage: string): number | null {
    if (this.#loop === undefined || !this.#stages.some(({ id }) => id === stage)) return null;
    const ms = this.#loop.engine.stageWatermark(stage);
    return Math.abs(ms) > DATE_MS_MAX ? null : ms;
  }
}

function addAll(sums: Map<string, Sums>, work: ReadonlyMap<string, StepWork>): void {
  for (const [step, { elementsIn, busyMs, waitedMs, queueFill, outputs }] of work) {
    const sum = sums.get(step) ?? {
      ...{ elementsIn: 0, busyMs: 0, waitedMs: 0 },
      queueFill,
      outputs: new Map(),
    };
    sums.set(step, sum);
    sum.elementsIn += elementsIn;
    sum.busyMs += busyMs;
    sum.waitedMs += waitedMs;
    // the fullest of its instances
    if (queueFill !== null) sum.queueFill = Math.max(queueFill, sum.queueFill ?? 0);
    for (const [id, count] of outputs) sum.outputs.set(id, (sum.outputs.get(id) ?? 0) + count);
  }
}
