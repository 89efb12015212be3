/** The DoFn of `deduplicatePerKey`: a state that says whether a key was seen, and a timer that forgets it. */
import { BoolCoder } from "./primitives/coders/scalar-coders.js";
import type { DoFn, ElementContext, ProcessContext } from "./primitives/do-fn.js";
import { registerDoFn } from "./primitives/fn-registry.js";
import { valueState } from "./primitives/state-spec.js";
import {
  eventTimeTimer,
  type FiredTimer,
  processingTimeTimer,
  type TimeDomain,
  type TimerSpec,
} from "./primitives/timer-spec.js";
import type { KV } from "./primitives/window.js";

export type DeduplicatePerKeyOptions = {
  /** How long a key is remembered after the element of it that passed. */
  readonly horizon: {
    /** `event-time`: until the watermark is so far beyond that element's time; `processing-time`: by the clock. */
    readonly timeDomain: TimeDomain;
    readonly durationMs: number;
  };
};

/** Kept by key and window; what it remembers is a boolean, so the values may be as large as they like. */
export class DeduplicatePerKeyFn implements DoFn<KV<unknown, unknown>> {
  readonly seen = valueState(new BoolCoder());
  readonly expiry: TimerSpec;
  readonly #durationMs: number;

  constructor({ horizon }: DeduplicatePerKeyOptions) {
    checkHorizon(horizon);
    const { timeDomain, durationMs } = horizon;
    this.expiry = timeDomain === "event-time" ? eventTimeTimer() : processingTimeTimer();
    this.#durationMs = durationMs;
  }

  process(element: KV<unknown, unknown>, context: ProcessContext): void {
    const seen = context.state(this.seen);
    if (seen.read() !== undefined) {
      context.metrics.counter("duplicates").inc();
      return;
    }
    seen.write(true);
    // Forgetting emits nothing: a hold would keep every grouping behind this step waiting for the horizon.
    context.timer(this.expiry).setRelative(this.#durationMs, { outputTimestampMs: "none" });
    context.output(element);
  }

  onTimer(_timer: FiredTimer, context: ElementContext): void {
    context.state(this.seen).clear();
  }
}

/** @throws when the horizon is none, in words of the transform: Infinity, say, is no JSON, but that is beside the point. */
export function checkHorizon({ timeDomain, durationMs }: DeduplicatePerKeyOptions["horizon"]): void {
  if (timeDomain !== "event-time" && timeDomain !== "processing-time") {
    throw new Error(
      `deduplicatePerKey's horizon.timeDomain must be event-time or processing-time, got ${timeDomain}`,
    );
  }
  if (!(Number.isFinite(durationMs) && durationMs > 0)) {
    throw new Error(`deduplicatePerKey's horizon.durationMs must be a positive number, got ${durationMs}`);
  }
}

export const DEDUPLICATE_PER_KEY_FN = registerDoFn(
  "deduplicate-per-key@1",
  (config: DeduplicatePerKeyOptions) => new DeduplicatePerKeyFn(config),
);
