/** One step of a stage: its DoFn, whom it calls, and the contexts that the DoFn is given. */
import type {
  DoFn,
  EpochTransaction,
  FinishBundleContext,
  Ledger,
  ProcessContext,
  ProcessContinuation,
  RestrictionTracker,
  SetupContext,
  SplittableDoFn,
} from "../../transforms/primitives/do-fn.js";
import { MAX_TIMESTAMP_MS } from "../../transforms/primitives/timestamp-bounds.js";
import type { BundleScope } from "./host.js";

/** Takes an element with its event time, ms since 1970. */
export type Receive = (value: unknown, timestampMs: number) => void;

/** A DoFn threw: names the step and the method; `cause` is what it threw. */
export class StepFailedError extends Error {
  override readonly name = "StepFailedError";
  constructor(
    readonly step: string,
    readonly method: string,
    cause: unknown,
  ) {
    super(`step "${step}" failed in ${method}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

/** A step as its bundles run it; what asynchronous elements have pending is awaited when the bundle ends. */
export class StepRunner {
  scope: BundleScope | undefined;
  /** Counts what a splittable DoFn emits; undefined outside its `process`. */
  onOutput: ((timestampMs: number) => void) | undefined;
  readonly #pending = new Set<Promise<void>>();
  #asyncFailure: StepFailedError | undefined;

  constructor(
    readonly path: string,
    readonly doFn: DoFn,
    readonly main: Receive | undefined,
    readonly outputs: ReadonlyMap<string, Receive>,
  ) {}

  setup(context: SetupContext): Promise<void> {
    return this.#guard("setup", async () => this.doFn.setup?.(context));
  }

  startBundle(scope: BundleScope): void | Promise<void> {
    this.scope = scope;
    if (this.doFn.startBundle === undefined) return undefined;
    return this.#guard("startBundle", async () => this.doFn.startBundle?.(scope));
  }

  readonly receive: Receive = (value, timestampMs) => {
    let result: void | Promise<void>;
    try {
      result = this.doFn.process(value, new ElementContext(this, timestampMs));
    } catch (error) {
      throw this.#named("process", error);
    }
    if (result !== undefined) this.#track(result);
  };

  async processSplittable(
    element: unknown,
    tracker: RestrictionTracker<unknown, unknown>,
    timestampMs: number,
    onOutput: (timestampMs: number) => void,
  ): Promise<ProcessContinuation> {
    const fn = this.doFn as unknown as SplittableDoFn;
    this.onOutput = onOutput;
    try {
      return await fn.process(element, tracker, new ElementContext(this, timestampMs));
    } catch (error) {
      throw this.#named("process", error);
    } finally {
      this.onOutput = undefined;
    }
  }

  async finishBundle(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
    if (this.#asyncFailure !== undefined) throw this.#asyncFailure;
    if (this.doFn.finishBundle === undefined) return;
    await this.#guard("finishBundle", async () => this.doFn.finishBundle?.(new FinishContext(this)));
  }

  async teardown(): Promise<void> {
    await this.doFn.teardown?.();
  }

  /** Emits to a tag. @throws when the graph knows no such output. */
  emit(tag: string, value: unknown, timestampMs: number): void {
    const receive = this.outputs.get(tag);
    if (receive === undefined) {
      throw new Error(
        `step "${this.path}" has no output "${tag}" (it has ${[...this.outputs.keys()].join(", ")})`,
      );
    }
    receive(value, timestampMs);
  }

  #track(result: Promise<void>): void {
    const settled = result.then(
      () => undefined,
      (error: unknown) => {
        this.#asyncFailure ??= this.#named("process", error);
      },
    );
    const tracked = settled.then(() => {
      this.#pending.delete(tracked);
    });
    this.#pending.add(tracked);
  }

  async #guard(method: string, call: () => Promise<void>): Promise<void> {
    try {
      await call();
    } catch (error) {
      throw this.#named(method, error);
    }
  }

  /** The innermost step is the one that failed. */
  #named(method: string, error: unknown): StepFailedError {
    return error instanceof StepFailedError ? error : new StepFailedError(this.path, method, error);
  }
}

/** One for each call of `process`, as an asynchronous DoFn keeps it over its awaits. */
class ElementContext implements ProcessContext {
  constructor(
    readonly step: StepRunner,
    readonly timestampMs: number,
  ) {}

  get ledger(): Ledger {
    return (this.step.scope as BundleScope).ledger;
  }

  afterCommit(callback: () => void | Promise<void>): void {
    (this.step.scope as BundleScope).afterCommit(callback);
  }

  output(value: unknown, timestampMs: number = this.timestampMs): void {
    const { step } = this;
    if (step.onOutput !== undefined) step.onOutput(timestampMs);
    if (step.main === undefined) step.emit("main", value, timestampMs);
    else step.main(value, timestampMs);
  }

  outputTo(tag: string, value: unknown, timestampMs: number = this.timestampMs): void {
    if (this.step.onOutput !== undefined) this.step.onOutput(timestampMs);
    this.step.emit(tag, value, timestampMs);
  }
}

/** Elements of `finishBundle` without a time of their own stand at the end of the global window. */
class FinishContext extends ElementContext implements FinishBundleContext {
  constructor(step: StepRunner) {
    super(step, MAX_TIMESTAMP_MS);
  }

  transaction(): Promise<EpochTransaction> {
    return (this.step.scope as BundleScope).transaction();
  }
}
