/** An engine that gives out what a test says, and stages that write down what happens to them. */
import type { BundleHost, BundleScope } from "../../../runners/bundle/host.js";
import { EpochLoop } from "../../../runners/direct/epoch-loop.js";
import type { LoopEngine, LoopOptions, LoopStage } from "../../../runners/direct/loop-options.js";
import { Pausing } from "../../../runners/direct/pausing.js";
import { VolatileCommitter } from "../../../runners/direct/volatile-epoch.js";
import type {
  Bundle,
  BundleInput,
  BundleResult,
  Residual,
  RestrictionWork,
} from "../../../runners/engine/bundle.js";
import type { Element } from "../../../runners/engine/element.js";
import { MetricsStore } from "../../../runners/job/metrics-store.js";
import { GLOBAL_WINDOW, NO_FIRING } from "../../../transforms/primitives/window.js";
import { ManualClock } from "../../support/manual-clock.js";

export function element(value: unknown, timestampMs = 0): Element {
  return { value, timestampMs, windows: [GLOBAL_WINDOW], pane: NO_FIRING };
}

let bundles = 0;

/** A bundle as the engine would give it; `stage` is also the name of its root. */
export function bundle(stage: string, input: Omit<BundleInput, "root">): Bundle {
  bundles += 1;
  const inputs = [{ root: stage, ...input } as BundleInput];
  return { id: bundles, stage, inputs, inputWatermarkMs: 0, processingTimeMs: 0 };
}

export function elements(stage: string, ...values: unknown[]): Bundle {
  return bundle(stage, { kind: "elements", elements: values.map((value) => element(value)) } as never);
}

export function restriction(stage: string, value: unknown, isTruncated = false): Bundle {
  const work: RestrictionWork = {
    element: element(null),
    restriction: value === undefined ? undefined : { value, watermarkState: null },
    isTruncated,
  };
  return bundle(stage, { kind: "restrictions", work: [work] } as never);
}

export function residual(root: string, value: unknown, more: Partial<Residual> = {}): Residual {
  return {
    ...{ root, element: element(null), restriction: value, watermarkState: null },
    ...{ watermarkMs: 0, resumeAtMs: 0 },
    ...more,
  };
}

/** Gives its ready bundles one by one; what is done with them stands in `events`. */
export class ScriptedEngine implements LoopEngine {
  readonly events: string[];
  ready: Bundle[] = [];
  counters = new Map<string, number>();
  rests = new Map<string, number>();
  durable = undefined;
  nextWakeUpMs: number | undefined;
  readonly results = new Map<number, BundleResult>();
  /** What becomes ready, and when it is over. */
  onApply: (bundle: Bundle, result: BundleResult) => void = () => undefined;
  onAdvance: (nowMs: number) => void = () => undefined;
  onDrain: () => void = () => undefined;
  onResume: (root: string) => void = () => undefined;

  constructor(events: string[]) {
    this.events = events;
  }

  get isDone(): boolean {
    return this.ready.length === 0 && this.nextWakeUpMs === undefined;
  }
  advanceProcessingTime(nowMs: number): void {
    this.onAdvance(nowMs);
  }
  nextBundle(): Bundle | undefined {
    return this.ready.shift();
  }
  apply(applied: Bundle, result: BundleResult): void {
    this.events.push(`apply ${nameOf(applied)}`);
    this.results.set(applied.id, result);
    this.onApply(applied, result);
  }
  resume(_stage: string, root: string): void {
    this.events.push(`resume ${root}`);
    this.onResume(root);
  }
  stageWatermark(): number {
    return 0;
  }
  stageLoads(): Map<string, never> {
    return new Map<string, never>();
  }
  groupedKeys(): Map<string, never> {
    return new Map<string, never>();
  }
  drain(): void {
    this.events.push("drain");
    this.onDrain();
  }
}

function nameOf({ stage, inputs }: Bundle): string {
  const [input] = inputs;
  if (input?.kind === "elements") return `${stage} ${input.elements.map(({ value }) => value).join(",")}`;
  if (input?.kind === "restrictions")
    return `${stage} ${input.work.map((work) => work.restriction?.value).join()}`;
  return stage;
}

/** What a stage does with a bundle's input, besides being written down. */
export type StageScript = (input: BundleInput, scope: BundleScope) => void | Promise<void>;

export class ScriptedRun {
  readonly events: string[] = [];
  readonly engine = new ScriptedEngine(this.events);
  readonly clock = new ManualClock();
  readonly metrics = new MetricsStore(() => this.clock.now());
  readonly committer = new VolatileCommitter();
  readonly drain = new AbortController();
  readonly stop = new AbortController();
  readonly cancel = new AbortController();
  readonly pausing = new Pausing();
  readonly scripts = new Map<string, StageScript>();
  readonly finishes = new Map<string, (scope: BundleScope) => void | Promise<void>>();

  get nowMs(): number {
    return this.clock.now();
  }

  loop(stages: readonly (Partial<LoopStage> & { id: string })[], more: Partial<LoopOptions> = {}): EpochLoop {
    return new EpochLoop({
      engine: this.engine,
      stages: stages.map((stage) => ({
        isLeaf: false,
        impulseRoots: new Set(),
        unboundedRoots: new Set(),
        ...stage,
      })),
      createProcessor: async (id) => this.#processor(id),
      host: {} as BundleHost,
      ...{ committer: this.committer, metrics: this.metrics, clock: this.clock },
      processingTimeMs: () => this.clock.now(),
      isTimeScripted: false,
      epochsInFlight: 1,
      bundleRecordsMax: 100,
      bundleElementsMax: 100,
      once: false,
      drainsAtEnd: false,
      drain: this.drain.signal,
      stop: this.stop.signal,
      pausing: this.pausing,
      cancel: this.cancel.signal,
      onCommit: ({ epoch }) => void this.events.push(`committed ${epoch}`),
      ...more,
    });
  }

  #processor(id: string) {
    let scope: BundleScope;
    return {
      startBundle: async (given: BundleScope) => {
        scope = given;
        this.events.push(`start ${id}`);
      },
      process: (input: BundleInput) => {
        this.events.push(`process ${id}`);
        return this.scripts.get(id)?.(input, scope);
      },
      finishBundle: async () => {
        await this.finishes.get(id)?.(scope);
        this.events.push(`finish ${id}`);
      },
      teardown: async () => {
        this.events.push(`teardown ${id}`);
        return [];
      },
      progress: () => [],
      work: () => new Map(),
    };
  }
}
