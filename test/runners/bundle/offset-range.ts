/** A splittable DoFn over whole numbers, for tests: counts from one number to another. */
import type {
  ProcessContinuation,
  RestrictionTracker,
  SplittableDoFn,
  SplittableProcessContext,
} from "../../../transforms/primitives/do-fn.js";

export type Range = readonly [from: number, to: number];

export class RangeTracker implements RestrictionTracker<Range, number> {
  #next: number;
  constructor(private range: Range) {
    this.#next = range[0];
  }
  tryClaim(position: number): boolean {
    if (position >= this.range[1]) return false;
    this.#next = position + 1;
    return true;
  }
  trySplit(fraction: number): { primary: Range; residual: Range } | undefined {
    const [from, to] = this.range;
    const at = Math.ceil(this.#next + (to - this.#next) * fraction);
    if (at >= to) return undefined;
    this.range = [from, at];
    return { primary: this.range, residual: [at, to] };
  }
  currentRestriction(): Range {
    return this.range;
  }
  checkDone(): void {
    if (this.#next < this.range[1]) throw new Error(`${this.#next} to ${this.range[1]} was not claimed`);
  }
  progress(): { completed: number; remaining: number } {
    return { completed: this.#next - this.range[0], remaining: this.range[1] - this.#next };
  }
}

export interface CountingOptions {
  /** After so many it asks to be resumed, `delayMs` later. */
  readonly atOnce?: number;
  readonly delayMs?: number;
  readonly wake?: Promise<void>;
  /** Called after each output. */
  readonly afterOutput?: (context: SplittableProcessContext<unknown>, position: number) => void;
  readonly isAsync?: boolean;
}

/** Emits `element:number` at the event time of the number. */
export class Counting implements SplittableDoFn<string, Range, number, number> {
  readonly calls: string[] = [];
  constructor(
    readonly options: CountingOptions = {},
    more: Partial<SplittableDoFn<string, Range, number, number>> = {},
  ) {
    Object.assign(this, more);
  }
  initialRestriction(element: string): Range {
    return [0, element.length];
  }
  createTracker(range: Range): RangeTracker {
    this.calls.push(`track ${range.join("-")}`);
    return new RangeTracker(range);
  }
  process(
    element: string,
    tracker: RangeTracker,
    context: SplittableProcessContext<number>,
  ): ReturnType<SplittableDoFn["process"]> {
    if (!this.options.isAsync) return this.#count(element, tracker, context);
    return Promise.resolve().then(() => this.#count(element, tracker, context));
  }
  #count(
    element: string,
    tracker: RangeTracker,
    context: SplittableProcessContext<number>,
  ): ProcessContinuation | undefined {
    const { atOnce = Number.POSITIVE_INFINITY, delayMs = 0, wake, afterOutput } = this.options;
    let [position] = tracker.currentRestriction();
    for (let count = 0; tracker.tryClaim(position); position++) {
      context.output(`${element}:${position}`, position);
      afterOutput?.(context, position);
      if (++count >= atOnce) return { resume: true, delayMs, ...(wake === undefined ? {} : { wake }) };
    }
    return undefined;
  }
}
