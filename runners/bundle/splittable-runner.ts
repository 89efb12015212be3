/** A splittable DoFn: works on restrictions one after the other, and hands back what is left of each. */
import type {
  ProcessContinuation,
  ReadProgress,
  RestrictionTracker,
  SplittableDoFn,
} from "../../transforms/primitives/do-fn.js";
import type { WatermarkEstimator } from "../../transforms/primitives/watermark-estimator.js";
import type { RestrictionWork } from "../engine/bundle.js";
import type { Element } from "../engine/element.js";
import { ActivePart, type RestrictionPart } from "./active-part.js";
import type { BundleHost } from "./host.js";
import { isPromise } from "./maybe-promise.js";
import type { Receive } from "./receive.js";
import { StepFailedError } from "./step-failed-error.js";
import { type StepParts, StepRunner } from "./step-runner.js";

/** What the outputs of a splittable step pass by: the estimator and the host are told of each event time. */
class OutputObserver {
  onOutput: ((timestampMs: number) => void) | undefined;

  observing(receive: Receive): Receive {
    return (value, timestampMs, windows, pane) => {
      this.onOutput?.(timestampMs);
      receive(value, timestampMs, windows, pane);
    };
  }
}

export class SplittableRunner extends StepRunner<SplittableDoFn> {
  readonly #observer: OutputObserver;
  readonly #isPerWindow: boolean;
  readonly #host: BundleHost;

  constructor(parts: StepParts<SplittableDoFn>, observer = new OutputObserver()) {
    const outputs = new Map([...parts.outputs].map(([tag, receive]) => [tag, observer.observing(receive)]));
    super({ ...parts, outputs });
    this.#observer = observer;
    this.#isPerWindow = parts.doFn.observesWindows === true || parts.fields.sideInputs.size > 0;
    this.#host = parts.host;
  }

  /** How far the source is, if it tells. */
  progress(): ReadProgress | undefined {
    return this.doFn.progress?.();
  }

  /** Works on each restriction in turn; a promise as soon as one of them gives one. */
  processRestrictions(work: readonly RestrictionWork[]): void | Promise<void> {
    this.meter.elementsIn += work.length;
    return this.meter.whole(() => this.#processFrom(work, 0));
  }

  #processFrom(work: readonly RestrictionWork[], from: number): void | Promise<void> {
    const { flow, place } = this;
    for (let i = from; i < work.length; i++) {
      if (flow.failure !== undefined) return undefined;
      const done = this.#processWindows(work[i]!);
      if (isPromise(done)) return done.then(() => this.#processFrom(work, i + 1));
      if (flow.lastQueueAt > place) {
        return flow.room(place).then(() => this.#processFrom(work, i + 1));
      }
    }
    return undefined;
  }

  #processWindows(work: RestrictionWork): void | Promise<void> {
    const { element } = work;
    if (!this.#isPerWindow || element.windows.length === 1) return this.#process(work);
    return this.#processFrom(
      element.windows.map((window) => ({ ...work, element: { ...element, windows: [window] } })),
      0,
    );
  }

  #process(work: RestrictionWork): void | Promise<void> {
    const { element } = work;
    const run = () => {
      const [first, ...others] = this.#named("splitting its restriction", () => this.#parts(work));
      for (const part of others) this.#putOff(part);
      return first === undefined ? undefined : this.#processPart(first);
    };
    if (this.sideInputs === undefined) return run();
    const loading = this.#named("loading its side inputs", () => this.sideInputs?.load(element.windows[0]!));
    if (!isPromise(loading)) return run();
    return loading.then(run, (error: unknown) => {
      throw this.fail("loading its side inputs", error);
    });
  }

  /** What there is to do: the part that was left, or all parts of the initial restriction; less when the pipeline drains. */
  #parts(work: RestrictionWork): RestrictionPart[] {
    const { element, restriction, isTruncated, wasTruncated } = work;
    const parts = restriction === undefined ? this.#initialParts(element) : [{ element, ...restriction }];
    return isTruncated && !wasTruncated ? parts.flatMap((part) => this.#truncated(part)) : parts;
  }

  #initialParts(element: Element): RestrictionPart[] {
    const { doFn } = this;
    const initial = doFn.initialRestriction(element.value);
    const values = doFn.splitRestriction?.(element.value, initial) ?? [initial];
    return Array.from(values, (value) => ({
      element,
      value,
      watermarkState: doFn.initialWatermarkState?.(element.value, value, element.timestampMs),
    }));
  }

  #truncated(part: RestrictionPart): RestrictionPart[] {
    if (this.doFn.truncateRestriction !== undefined) {
      const value = this.doFn.truncateRestriction(part.element.value, part.value);
      return value === undefined ? [] : [{ ...part, value }];
    }
    const facts = this.#host.stepFacts?.(this.path);
    if (facts === undefined) {
      throw new Error("it has no truncateRestriction, and its host does not say whether it is bounded");
    }
    return facts.isBounded ? [part] : [];
  }

  /** A part that waits for a bundle of its own. */
  #putOff(part: RestrictionPart): void {
    const watermarkMs = this.#named("createWatermarkEstimator", () => {
      const estimator = this.#estimator(part);
      return estimator === undefined ? part.element.timestampMs : estimator.currentWatermarkMs();
    });
    this.scope.addResidual({
      root: this.path,
      element: part.element,
      restriction: part.value,
      watermarkState: part.watermarkState,
      watermarkMs,
      resumeAtMs: this.scope.processingTimeMs(),
    });
  }

  #estimator(part: RestrictionPart): WatermarkEstimator | undefined {
    return this.doFn.createWatermarkEstimator?.(part.watermarkState);
  }

  #processPart(part: RestrictionPart): void | Promise<void> {
    const { tracker, estimator } = this.#named("createTracker", () => ({
      tracker: this.doFn.createTracker(part.value),
      estimator: this.#estimator(part),
    }));
    const { scope } = this;
    const active = new ActivePart(this.path, part, tracker, estimator, scope);
    const ended = scope.beginRestriction(active);
    this.#observer.onOutput = (timestampMs) => {
      estimator?.observeTimestamp?.(timestampMs);
      scope.sourceEmitted(timestampMs);
    };
    const end = () => {
      this.#observer.onOutput = undefined;
      active.end();
      ended();
    };
    const finish = (continuation: ProcessContinuation | undefined) => {
      try {
        active.finish(continuation);
      } catch (error) {
        throw this.fail("process", error);
      } finally {
        end();
      }
    };
    const failed = (error: unknown): never => {
      end();
      throw this.fail("process", error);
    };
    let result: ProcessContinuation | undefined | Promise<ProcessContinuation | undefined>;
    try {
      result = this.#call(part.element, tracker, estimator);
    } catch (error) {
      return failed(error);
    }
    return isPromise(result) ? result.then(finish, failed) : finish(result);
  }

  #call(
    element: Element,
    tracker: RestrictionTracker<unknown, unknown>,
    estimator: WatermarkEstimator | undefined,
  ): ProcessContinuation | undefined | Promise<ProcessContinuation | undefined> {
    const { context } = this;
    context.timestampMs = element.timestampMs;
    context.windows = element.windows;
    context.pane = element.pane;
    context.estimator = estimator;
    this.leave(context); // what still runs of this call must not see the next one's element
    return this.doFn.process(element.value, tracker, context) as ReturnType<typeof this.doFn.process> &
      (ProcessContinuation | undefined);
  }

  #named<T>(method: string, call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw error instanceof StepFailedError ? error : this.fail(method, error);
    }
  }
}
