/** Runs the DoFns of one fused stage, bundle after bundle; an element passes from step to step by a call. */
import type {
  DoFn,
  ProcessContinuation,
  ReadProgress,
  RestrictionTracker,
  SplittableDoFn,
} from "../../transforms/primitives/do-fn.js";
import { MAIN_OUTPUT } from "../../transforms/primitives/do-fn.js";
import { createDoFn } from "../../transforms/primitives/fn-registry.js";
import type { ExecutableStage, FusedStep, ParDoStep, StageRoot } from "../graph/translate.js";
import type { BundleHost, BundleScope } from "./host.js";
import { type Receive, StepRunner } from "./step-runner.js";

/**
 * One instance of a stage: its own DoFn instances, one bundle at a time. To have several bundles in
 * flight, make several processors.
 */
export class BundleProcessor {
  readonly #steps: StepRunner[] = [];
  readonly #byPath = new Map<string, StepRunner>();
  readonly #receivers = new Map<FusedStep, Receive>();

  private constructor(
    readonly stage: ExecutableStage,
    host: BundleHost,
  ) {
    // Consumers first, so that a step finds whom it calls.
    for (const step of [...stage.steps].reverse()) {
      this.#receivers.set(
        step,
        step.kind === "flatten" ? this.#receiver(step.output, host) : this.#build(step, host),
      );
    }
    this.#steps.reverse();
  }

  /** Builds the DoFns and runs their `setup`, producers first. @throws what a `setup` throws. */
  static async create(stage: ExecutableStage, host: BundleHost): Promise<BundleProcessor> {
    const processor = new BundleProcessor(stage, host);
    for (const step of processor.#steps) await step.setup(host.setupContext(step.path));
    return processor;
  }

  async startBundle(scope: BundleScope): Promise<void> {
    for (const step of this.#steps) {
      const started = step.startBundle(scope);
      if (started !== undefined) await started;
    }
  }

  /** Gives an element to the steps of a root; a promise only if a step is asynchronous. */
  processElement(root: StageRoot, value: unknown, timestampMs: number): void {
    for (const consumer of root.consumers)
      (this.#receivers.get(consumer.step) as Receive)(value, timestampMs);
  }

  /** The splittable step at a root, if that is what it holds. */
  splittable(root: StageRoot): SplittableStep | undefined {
    const step = root.consumers[0]?.step;
    if (step?.kind !== "parDo" || !step.isSplittable) return undefined;
    return new SplittableStep(this.#byPath.get(step.path) as StepRunner);
  }

  /** Waits for asynchronous steps and finishes them, producers first: a `finishBundle` may emit. */
  async finishBundle(): Promise<void> {
    for (const step of this.#steps) await step.finishBundle();
  }

  /** Resolves once every `teardown` was called; their errors are returned, as nobody can act on them. */
  async teardown(): Promise<unknown[]> {
    const outcomes = await Promise.allSettled(this.#steps.map((step) => step.teardown()));
    return outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
  }

  #build(step: ParDoStep, host: BundleHost): Receive {
    if (step.doFn.kind !== "registered") {
      throw new Error(`step "${step.path}" has a DoFn under "${step.doFn.urn}", which cannot be built here`);
    }
    const outputs = new Map<string, Receive>();
    for (const [tag, collection] of step.outputs) outputs.set(tag, this.#receiver(collection, host));
    // A single output is the main one, whatever its local name is.
    const only = outputs.size === 1 ? [...outputs.values()][0] : undefined;
    const main = outputs.get(MAIN_OUTPUT) ?? only;
    const doFn = createDoFn(step.doFn.fn, step.doFn.config) as DoFn & SplittableDoFn;
    const runner = new StepRunner(step.path, doFn, main, outputs);
    this.#steps.push(runner);
    this.#byPath.set(step.path, runner);
    return runner.receive;
  }

  /** What takes the elements of a PCollection: its consumers here, and the host if others read it. */
  #receiver(collection: string, host: BundleHost): Receive {
    const receivers = (this.stage.consumers.get(collection) ?? []).map(
      (consumer) => this.#receivers.get(consumer.step) as Receive,
    );
    if (this.stage.outputs.includes(collection)) {
      receivers.push((value, timestampMs) => host.emit(collection, value, timestampMs));
    }
    const [first, ...others] = receivers;
    if (first === undefined) return () => undefined;
    if (others.length === 0) return first;
    return (value, timestampMs) => {
      for (const receive of receivers) receive(value, timestampMs);
    };
  }
}

/** The splittable DoFn at the root of a stage. */
export class SplittableStep {
  readonly #runner: StepRunner;
  readonly #fn: SplittableDoFn;

  constructor(runner: StepRunner) {
    this.#runner = runner;
    this.#fn = runner.doFn as unknown as SplittableDoFn;
  }

  get path(): string {
    return this.#runner.path;
  }

  initialRestriction(element: unknown): unknown {
    return this.#fn.initialRestriction(element);
  }

  createTracker(restriction: unknown): RestrictionTracker<unknown, unknown> {
    return this.#fn.createTracker(restriction);
  }

  progress(): ReadProgress | undefined {
    return this.#fn.progress?.();
  }

  /** @throws StepFailedError what `process` throws. */
  process(
    element: unknown,
    tracker: RestrictionTracker<unknown, unknown>,
    timestampMs: number,
    onOutput: (timestampMs: number) => void,
  ): Promise<ProcessContinuation> {
    return this.#runner.processSplittable(element, tracker, timestampMs, onOutput);
  }
}
