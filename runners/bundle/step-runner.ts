/** A step with a DoFn as bundles run it: the life of the DoFn, and what becomes of what its methods give. */
import type { DoFn, SetupContext } from "../../transforms/primitives/do-fn.js";
import { MAIN_OUTPUT } from "../../transforms/primitives/do-fn.js";
import type { Metrics } from "../../transforms/primitives/metrics.js";
import type { SideInputSpec } from "../../transforms/primitives/side-input-spec.js";
import type { Timer, TimerSpec } from "../../transforms/primitives/timer-spec.js";
import type { Window } from "../engine/element.js";
import type { BundleFlow } from "./bundle-flow.js";
import type { DoFnFields } from "./do-fn-fields.js";
import type { BundleHost, BundleScope } from "./host.js";
import type { KeyScope } from "./key-scope.js";
import { isPromise } from "./maybe-promise.js";
import type { Receive } from "./receive.js";
import { SideInputReader } from "./side-input-reader.js";
import { type ContextStep, FinishContext, StepBundleContext, StepContext } from "./step-context.js";
import { StepFailedError } from "./step-failed-error.js";
import { StepMeter } from "./step-meter.js";

/** How many elements an asynchronous step works on at once, unless its DoFn says otherwise. */
const CONCURRENCY_DEFAULT = 64;

/** What every method of a DoFn has in common, whatever kind of DoFn it is. */
export type DoFnLife = Pick<DoFn, "setup" | "startBundle" | "finishBundle" | "teardown" | "concurrencyMax">;

/** What a step is made of. */
export interface StepParts<Fn extends DoFnLife = DoFnLife> {
  readonly path: string;
  /** Among the steps of its processor, producers before consumers. */
  readonly place: number;
  readonly doFn: Fn;
  readonly fields: DoFnFields;
  /** By tag; a single output is the main one, whatever its tag. */
  readonly outputs: ReadonlyMap<string, Receive>;
  /** Tags of outputs that some step reads, in this stage or another. */
  readonly readTags: ReadonlySet<string>;
  readonly flow: BundleFlow;
  readonly host: BundleHost;
}

export abstract class StepRunner<Fn extends DoFnLife = DoFnLife> implements ContextStep {
  readonly path: string;
  readonly main: Receive;
  readonly meter = new StepMeter();
  protected readonly doFn: Fn;
  protected readonly flow: BundleFlow;
  protected readonly place: number;
  protected readonly concurrencyMax: number;
  /** Reads the side inputs, if the DoFn declares any. */
  protected readonly sideInputs: SideInputReader | undefined;
  /** For the next call; see `leave`. */
  protected context = new StepContext(this);
  /** Calls that have not come to their end. */
  protected running = 0;
  readonly #outputs: ReadonlyMap<string, Receive>;
  readonly #readTags: ReadonlySet<string>;
  #metrics: Metrics | undefined;
  #whenIdle: (() => void)[] = [];

  constructor(parts: StepParts<Fn>) {
    const { path, place, doFn, fields, outputs, flow, host } = parts;
    this.path = path;
    this.place = place;
    this.doFn = doFn;
    this.flow = flow;
    this.concurrencyMax = doFn.concurrencyMax ?? CONCURRENCY_DEFAULT;
    if (!(this.concurrencyMax >= 1)) {
      throw new Error(`step "${path}": concurrencyMax must be at least 1, got ${this.concurrencyMax}`);
    }
    this.#outputs = outputs;
    this.#readTags = parts.readTags;
    const only = outputs.size === 1 ? [...outputs.values()][0] : undefined;
    this.main = outputs.get(MAIN_OUTPUT) ?? only ?? (() => this.#refuse(MAIN_OUTPUT));
    if (fields.sideInputs.size > 0) {
      if (host.sideInputs === undefined)
        throw new Error(`step "${path}" reads side inputs, its host has none`);
      this.sideInputs = new SideInputReader(path, fields.sideInputs, host.sideInputs);
    }
  }

  get scope(): BundleScope {
    return this.flow.scope;
  }

  get metrics(): Metrics {
    this.#metrics ??= this.scope.metrics(this.path);
    return this.#metrics;
  }

  receiver(tag: string): Receive {
    return this.#outputs.get(tag) ?? (tag === MAIN_OUTPUT ? this.main : this.#refuse(tag));
  }

  isRead(tag: string): boolean {
    if (this.#outputs.has(tag)) return this.#readTags.has(tag);
    return tag === MAIN_OUTPUT && this.#outputs.size === 1 ? this.#readTags.size === 1 : this.#refuse(tag);
  }

  room(): Promise<void> | undefined {
    return this.flow.lastQueueAt > this.place ? this.flow.room(this.place) : undefined;
  }

  #refuse(tag: string): never {
    const tags = [...this.#outputs.keys()].join(", ");
    throw new Error(`step "${this.path}" has no output "${tag}" (it has ${tags || "none"})`);
  }

  sideInput(spec: SideInputSpec, window: Window): unknown {
    if (this.sideInputs === undefined)
      throw new Error(`no field of the DoFn holds this ${spec.kind} side input`);
    return this.sideInputs.view(spec, window);
  }

  timer(_spec: TimerSpec, _tag: string, _key: KeyScope, _currentMs: number | undefined): Timer {
    throw new Error("the DoFn declares no timer in its fields");
  }

  setup(context: SetupContext): Promise<void> {
    return this.#guard("setup", async () => this.doFn.setup?.(context));
  }

  startBundle(): void | Promise<void> {
    this.#metrics = undefined;
    if (this.doFn.startBundle === undefined) return undefined;
    return this.#guard("startBundle", async () => this.doFn.startBundle?.(new StepBundleContext(this)));
  }

  /** New elements come: side inputs may have changed since the last ones. */
  refresh(): void {
    this.sideInputs?.refresh();
  }

  /** Waits for what is running and lets the DoFn finish. @throws StepFailedError the bundle's first failure. */
  async finishBundle(): Promise<void> {
    await this.idle();
    if (this.flow.failure !== undefined) throw this.flow.failure;
    if (this.doFn.finishBundle === undefined) return;
    await this.#guard("finishBundle", async () => this.doFn.finishBundle?.(new FinishContext(this)));
  }

  async teardown(): Promise<void> {
    await this.idle();
    await this.#guard("teardown", async () => this.doFn.teardown?.());
  }

  /** Resolves when no call is running and none is waiting. */
  async idle(): Promise<void> {
    while (this.running > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  /** The context is kept by a call that goes on later. */
  protected leave(context: StepContext): void {
    if (context === this.context) this.context = new StepContext(this);
  }

  /** Counts a call that goes on later; what it fails with is the bundle's failure. */
  protected track(done: Promise<void>, method = "process"): void {
    this.meter.inFlight = ++this.running;
    this.meter.inFlightMax = this.concurrencyMax;
    const ended = () => {
      this.meter.inFlight = --this.running;
      this.hasRoom();
      if (this.running === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
    };
    done.then(ended, (error: unknown) => {
      this.fail(method, error);
      ended();
    });
  }

  /** A call has ended: another one may begin. */
  protected hasRoom(): void {}

  /** Names the failure after this step, unless it came from one behind it, and loses the bundle. */
  protected fail(method: string, error: unknown): StepFailedError {
    return this.flow.fail(StepFailedError.of(this.path, method, error));
  }

  /** Emits what a method gave to the main output. A promise only if that was asynchronous or consumers need time. */
  protected emitAll(result: unknown, context: StepContext): void | Promise<void> {
    if (result === undefined || result === null) return undefined;
    if (isPromise(result)) {
      this.leave(context);
      return result.then((outputs) => this.emitAll(outputs, context));
    }
    const outputs = result as Partial<Iterable<unknown> & AsyncIterable<unknown>>;
    if (typeof outputs[Symbol.iterator] === "function") {
      return this.#emitFrom((outputs as Iterable<unknown>)[Symbol.iterator](), context);
    }
    if (typeof outputs[Symbol.asyncIterator] === "function") {
      this.leave(context);
      return this.#emitLater(outputs as AsyncIterable<unknown>, context);
    }
    throw new TypeError(`it must return nothing, an iterable or a promise of one, got ${typeof result}`);
  }

  #emitFrom(outputs: Iterator<unknown>, context: StepContext): void | Promise<void> {
    const { flow, place, main } = this;
    for (;;) {
      const next = outputs.next();
      if (next.done === true) return undefined;
      try {
        main(next.value, context.timestampMs, context.windows, context.pane);
      } catch (error) {
        outputs.return?.();
        throw error;
      }
      if (flow.lastQueueAt > place) {
        this.leave(context);
        return flow.room(place).then(() => this.#emitRest(outputs, context));
      }
    }
  }

  #emitRest(outputs: Iterator<unknown>, context: StepContext): void | Promise<void> {
    if (this.flow.failure === undefined) return this.#emitFrom(outputs, context);
    outputs.return?.();
    return undefined;
  }

  async #emitLater(outputs: AsyncIterable<unknown>, context: StepContext): Promise<void> {
    const { flow, place, main } = this;
    for await (const output of outputs) {
      main(output, context.timestampMs, context.windows, context.pane);
      if (flow.lastQueueAt > place) await flow.room(place);
      if (flow.failure !== undefined) return;
    }
  }

  async #guard(method: string, call: () => Promise<void>): Promise<void> {
    try {
      await call();
    } catch (error) {
      throw StepFailedError.of(this.path, method, error);
    }
  }
}
