/** What a step is seen to do while bundles run: elements are counted, and one call in many is timed. */
import type { ExecutableStage, FusedStep } from "../graph/translate.js";
import type { Receive } from "./receive.js";

/** A power of two: of so many calls one is timed, for itself and all of its stage that is behind it. */
export const TIMED_EVERY = 1_024;

/** Public fields, because the step's own loop writes them for each element. */
export class StepMeter {
  elementsIn = 0;
  /** Of the calls that were timed; includes the steps behind. */
  timedMs = 0;
  /** Of calls that are timed each: whole bundles, and their ends. */
  wholeMs = 0;
  /** At the end of bundles, without anything behind it. */
  finishMs = 0;
  /** At the end of bundles, for earlier epochs. */
  waitedMs = 0;
  /** Of an asynchronous step: calls that have not come to their end, of so many at once. */
  inFlight = 0;
  inFlightMax = 0;

  /** With the steps behind it, without the ends of bundles. */
  get inclusiveMs(): number {
    return this.wholeMs + this.timedMs * TIMED_EVERY;
  }

  /** Times a part of a bundle to its end. */
  whole(work: () => void | Promise<void>): void | Promise<void> {
    const startMs = performance.now();
    const done = work();
    if (done === undefined) {
      this.wholeMs += performance.now() - startMs;
      return undefined;
    }
    return done.finally(() => {
      this.wholeMs += performance.now() - startMs;
    });
  }

  /** For a step without a DoFn. */
  counting(receive: Receive): Receive {
    return (value, timestampMs, windows, pane) => {
      this.elementsIn++;
      receive(value, timestampMs, windows, pane);
    };
  }
}

/** What a step of a stage has done since its processor was made. */
export interface StepWork {
  readonly elementsIn: number;
  /** Elements emitted by PCollection. */
  readonly outputs: ReadonlyMap<string, number>;
  readonly busyMs: number;
  readonly waitedMs: number;
  /** 0 to 1 of the calls that an asynchronous step has under way at once; null for others. */
  readonly queueFill: number | null;
}

/**
 * The work of each step by path. What a step emits is what its consumer takes; `counters` has the PCollections
 * that no step here takes alone.
 */
export function stageWork(
  stage: ExecutableStage,
  meters: ReadonlyMap<FusedStep, StepMeter>,
  counters: ReadonlyMap<string, StepMeter>,
): Map<string, StepWork> {
  const countOf = (collection: string): number => {
    const counter = counters.get(collection);
    if (counter !== undefined) return counter.elementsIn;
    return meters.get(stage.consumers.get(collection)![0]!.step)!.elementsIn;
  };
  const behindMs = (step: FusedStep): number =>
    outputsOf(step).reduce((sum, collection) => {
      const consumers = stage.consumers.get(collection) ?? [];
      const count = countOf(collection);
      return sum + consumers.reduce((all, consumer) => all + shareMs(consumer.step, count), 0);
    }, 0);
  // a step that takes several PCollections worked for each of them in proportion
  const shareMs = (step: FusedStep, count: number): number => {
    const { elementsIn, inclusiveMs } = meters.get(step)!;
    if (elementsIn === 0) return 0;
    const totalMs = step.kind === "flatten" ? behindMs(step) : inclusiveMs;
    return (totalMs * Math.min(count, elementsIn)) / elementsIn;
  };
  return new Map(
    stage.steps.map((step) => {
      const { elementsIn, inclusiveMs, finishMs, waitedMs, inFlight, inFlightMax } = meters.get(step)!;
      const queueFill = inFlightMax === 0 ? null : Math.min(1, inFlight / inFlightMax);
      const outputs = new Map(outputsOf(step).map((collection) => [collection, countOf(collection)]));
      const ownMs = step.kind === "flatten" ? 0 : Math.max(0, inclusiveMs - behindMs(step));
      return [step.path, { elementsIn, outputs, busyMs: ownMs + finishMs, waitedMs, queueFill }];
    }),
  );
}

function outputsOf(step: FusedStep): string[] {
  return step.kind === "flatten" ? [step.output] : [...step.outputs.values()];
}

/** Whether the one consumer's count is the PCollection's. */
export function isCountedByConsumer(stage: ExecutableStage, collection: string): boolean {
  const first = stage.consumers.get(collection)?.[0]?.step;
  return first !== undefined && first.kind !== "flatten";
}
