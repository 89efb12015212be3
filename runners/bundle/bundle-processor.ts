/** Runs the DoFns of one fused stage, bundle after bundle; an element passes from step to step by a call. */
import type { ReadProgress } from "../../transforms/primitives/do-fn.js";
import type { BundleInput } from "../engine/bundle.js";
import type { Element } from "../engine/element.js";
import type { ExecutableStage, FusedStep, StageRoot } from "../graph/translate.js";
import { type BuiltStep, buildStep } from "./build-step.js";
import { BEFORE_ALL_STEPS, BundleFlow } from "./bundle-flow.js";
import type { BundleHost, BundleScope } from "./host.js";
import { isPromise } from "./maybe-promise.js";
import { type Receive, receiveAll } from "./receive.js";
import { SplittableRunner } from "./splittable-runner.js";
import { StatefulRunner } from "./stateful-runner.js";
import { StepFailedError } from "./step-failed-error.js";
import { isCountedByConsumer, StepMeter, type StepWork, stageWork } from "./step-meter.js";
import type { StepRunner } from "./step-runner.js";

export { StepFailedError } from "./step-failed-error.js";

/** Where the items of a bundle go, by the kind of item. */
interface Root {
  readonly receive: Receive;
  /** The one step at it, if it needs more than elements. */
  readonly runner: StepRunner | undefined;
}

/**
 * One instance of a stage: its own DoFn instances, one bundle at a time. To have several bundles in
 * flight, make several processors. After a failure it can only be torn down.
 */
export class BundleProcessor {
  readonly #flow = new BundleFlow();
  /** Producers first. */
  readonly #runners: StepRunner[] = [];
  /** Those with side inputs. */
  readonly #readers: StepRunner[] = [];
  readonly #steps = new Map<FusedStep, BuiltStep>();
  readonly #roots = new Map<string, Root>();
  readonly #meters = new Map<FusedStep, StepMeter>();
  /** Of PCollections that no step of this stage takes alone. */
  readonly #counters = new Map<string, StepMeter>();
  /** Those whose `setup` was called. */
  #begun: StepRunner[] = [];

  private constructor(
    readonly stage: ExecutableStage,
    private readonly host: BundleHost,
  ) {
    // Consumers first, so that a step finds whom it calls.
    for (const [place, step] of [...stage.steps.entries()].reverse()) {
      const built = this.#build(step, place);
      this.#steps.set(step, built);
      if (built.runner === undefined) continue;
      this.#runners.unshift(built.runner);
      if (step.kind === "parDo" && step.sideInputs.size > 0) this.#readers.push(built.runner);
    }
    for (const root of stage.roots) this.#addRoot(root);
  }

  /**
   * Builds the DoFns and runs their `setup`, producers first.
   * @throws StepFailedError what a `setup` throws; whatever was set up is torn down then.
   */
  static async create(stage: ExecutableStage, host: BundleHost): Promise<BundleProcessor> {
    const processor = new BundleProcessor(stage, host);
    try {
      for (const step of processor.#runners) {
        processor.#begun.push(step);
        await step.setup(host.setupContext(step.path));
      }
    } catch (error) {
      const errors = await processor.teardown();
      if (error instanceof StepFailedError) error.teardownErrors.push(...errors);
      throw error;
    }
    return processor;
  }

  /** @throws StepFailedError what a `startBundle` throws. */
  async startBundle(scope: BundleScope): Promise<void> {
    this.#mustBeWhole();
    this.#flow.begin(scope);
    for (const step of this.#runners) {
      const started = step.startBundle();
      if (started !== undefined) await started;
    }
  }

  /**
   * Runs a part of the bundle. A promise only where there is something to wait for: asynchronous steps that have
   * enough to do, state or side inputs on their way, a splittable DoFn's promise.
   * @throws StepFailedError the first failure, also of what asynchronous steps still had to do.
   */
  process(input: BundleInput): void | Promise<void> {
    this.#mustBeWhole();
    const root = this.#roots.get(input.root);
    if (root === undefined) {
      throw new Error(`stage "${this.stage.id}" has no root "${input.root}" (it has ${this.#rootNames()})`);
    }
    for (const step of this.#readers) step.refresh();
    switch (input.kind) {
      case "elements":
        return this.#processElements(root.receive, input.elements, 0);
      case "keyed":
        if (!(root.runner instanceof StatefulRunner))
          throw this.#notFor(input, "keeps neither state nor timers");
        return this.#checked(root.runner.processKeys(input.keys));
      case "restrictions":
        if (!(root.runner instanceof SplittableRunner)) throw this.#notFor(input, "is not splittable");
        return this.#checked(root.runner.processRestrictions(input.work));
    }
  }

  /**
   * Waits for asynchronous steps and finishes them, producers first: a `finishBundle` may emit. Then writes back
   * what the host keeps of state.
   * @throws StepFailedError the first failure of the bundle.
   */
  async finishBundle(): Promise<void> {
    const { scope } = this.#flow;
    for (const step of this.#runners) await finish(step, scope);
    this.#mustBeWhole();
    await this.host.state?.flush();
    this.#flow.end();
  }

  /**
   * Resolves once nothing is running any more and every `teardown` was called, also after a failure; their
   * errors are returned, as nobody can act on them.
   */
  async teardown(): Promise<unknown[]> {
    const begun = this.#begun;
    this.#begun = [];
    // Producers first: what one of them still emits must not find a DoFn that was torn down.
    for (const step of begun) await step.idle();
    const outcomes = await Promise.allSettled(begun.map((step) => step.teardown()));
    return outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
  }

  /** The bundle under way is lost, for a reason outside of its steps: no further element is begun. */
  abort(reason: Error): void {
    this.#flow.fail(reason);
  }

  /**
   * What leaves the stage finds no room, or does again: steps that emit from an iterable, and whoever feeds the
   * stage, wait meanwhile.
   */
  setBlocked(isBlocked: boolean): void {
    this.#flow.setBlocked(isBlocked);
  }

  /** What each step has done so far, by path. */
  work(): ReadonlyMap<string, StepWork> {
    return stageWork(this.stage, this.#meters, this.#counters);
  }

  /** How far the sources of the stage are, by their own account. */
  progress(): ReadProgress[] {
    return this.#runners.flatMap((step) => (step instanceof SplittableRunner ? (step.progress() ?? []) : []));
  }

  #processElements(receive: Receive, elements: readonly Element[], from: number): void | Promise<void> {
    const flow = this.#flow;
    for (let i = from; i < elements.length; i++) {
      const { value, timestampMs, windows, pane } = elements[i]!;
      receive(value, timestampMs, windows, pane);
      if (flow.lastQueueAt > BEFORE_ALL_STEPS) {
        return flow.room(BEFORE_ALL_STEPS).then(() => {
          this.#mustBeWhole();
          return this.#processElements(receive, elements, i + 1);
        });
      }
    }
    this.#mustBeWhole();
    return undefined;
  }

  /** A failure that a DoFn has caught, or that came later, loses the bundle all the same. */
  #checked(done: void | Promise<void>): void | Promise<void> {
    if (isPromise(done)) return done.then(() => this.#mustBeWhole());
    this.#mustBeWhole();
    return undefined;
  }

  #mustBeWhole(): void {
    if (this.#flow.failure !== undefined) throw this.#flow.failure;
  }

  #build(step: FusedStep, place: number): BuiltStep {
    const built = this.#buildUncounted(step, place);
    const meter = built.runner?.meter ?? new StepMeter();
    this.#meters.set(step, meter);
    return built.runner === undefined ? { ...built, receive: meter.counting(built.receive) } : built;
  }

  #buildUncounted(step: FusedStep, place: number): BuiltStep {
    if (step.kind === "flatten") return { receive: this.#counted(step.output), runner: undefined };
    const outputs = new Map<string, Receive>();
    const readTags = new Set<string>();
    for (const [tag, collection] of step.outputs) {
      outputs.set(tag, this.#counted(collection));
      const isReadHere = (this.stage.consumers.get(collection)?.length ?? 0) > 0;
      if (isReadHere || this.stage.outputs.includes(collection)) readTags.add(tag);
    }
    return buildStep(step, { place, outputs, readTags, flow: this.#flow, host: this.host });
  }

  /** As `#receiver`, with a counter where no consumer's own count will do. */
  #counted(collection: string): Receive {
    const taken = this.#receiver(collection);
    const receive = this.host.samples?.observing(collection, taken) ?? taken;
    if (isCountedByConsumer(this.stage, collection)) return receive;
    const meter = new StepMeter();
    this.#counters.set(collection, meter);
    return meter.counting(receive);
  }

  /** What takes the elements of a PCollection: its consumers here, and the host if others read it. */
  #receiver(collection: string, consumers = this.stage.consumers.get(collection) ?? []): Receive {
    const receivers = consumers.map(({ step }) => this.#steps.get(step)!.receive);
    if (this.stage.outputs.includes(collection)) {
      const flow = this.#flow;
      receivers.push((value, timestampMs, windows, pane) =>
        flow.scope.emit(collection, { value, timestampMs, windows, pane }),
      );
    }
    return receiveAll(receivers);
  }

  #addRoot(root: StageRoot): void {
    const receive = this.#receiver(root.collection, root.consumers);
    const runner = root.kind === "elements" ? undefined : this.#steps.get(root.consumers[0]!.step)!.runner;
    this.#roots.set(root.id, { receive, runner });
  }

  #notFor(input: BundleInput, why: string): Error {
    return new Error(`root "${input.root}" was given ${input.kind}, but it ${why}`);
  }

  #rootNames(): string {
    return [...this.#roots.keys()].join(", ");
  }
}

/** What the step waits for before it gets the transaction is not its work. */
async function finish(step: StepRunner, scope: BundleScope): Promise<void> {
  const [startMs, waitedMs] = [performance.now(), scope.waitedMs ?? 0];
  await step.finishBundle();
  const waited = (scope.waitedMs ?? 0) - waitedMs;
  step.meter.waitedMs += waited;
  step.meter.finishMs += Math.max(0, performance.now() - startMs - waited);
}
