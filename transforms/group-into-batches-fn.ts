/** The DoFn of `groupIntoBatches`: a bag of values by key and window, and the timers that empty it. */
import type { Coder } from "./primitives/beam.js";
import { describe } from "./primitives/coders/coder-error.js";
import { encodeToBytes } from "./primitives/coders/encode.js";
import type { DoFn, ElementContext, ProcessContext } from "./primitives/do-fn.js";
import { type JsonValue, registerDoFn } from "./primitives/fn-registry.js";
import { type CoderJson, coderFromJson } from "./primitives/graph-coders.js";
import { NamedFactories } from "./primitives/named-factories.js";
import { bagState, valueState } from "./primitives/state-spec.js";
import {
  eventTimeTimer,
  type FiredTimer,
  processingTimeTimer,
  type TimerSpec,
} from "./primitives/timer-spec.js";
import type { KV } from "./primitives/window.js";

/** Gives the size of a value in bytes, or in any other unit in which `batchBytes` is given. */
// biome-ignore lint/suspicious/noExplicitAny: a size function takes values of its own type
type SizeFn = (value: any) => number;

const sizeFns = new NamedFactories<SizeFn>("size function");

/** Registers a size function under a versioned name. Returns the name. @throws when the name is taken. */
export function registerSizeFn<Config>(name: string, factory: (config: Config) => SizeFn): string {
  return sizeFns.register(name, factory);
}

export type GroupIntoBatchesConfig = {
  readonly batchSize?: number;
  readonly batchBytes?: number;
  readonly maxBufferingDurationMs?: number;
  readonly sizeFn?: { readonly fn: string; readonly config: JsonValue };
  /** Of the values: what they are kept by, and how large they are where there is no size function. */
  readonly coder: CoderJson;
};

/** What is in the bag. */
interface Buffered {
  readonly count: number;
  readonly bytes: number;
  /** The earliest event time: that of the batch, and the hold of the output watermark. */
  readonly minTimestampMs: number;
}

const NOTHING: Buffered = { count: 0, bytes: 0, minTimestampMs: Number.POSITIVE_INFINITY };

/**
 * The algorithm is that of Beam's GroupIntoBatches, but for its end: `endOfWindow` fires at the end of the window
 * instead of at its expiration, which two job servers never call, and so allowed lateness holds no watermark. That
 * timer alone has the hold, at the earliest event time of the bag; `endOfBuffering` only wakes.
 */
export class GroupIntoBatchesFn implements DoFn<KV<unknown, unknown>> {
  readonly batch;
  readonly buffered = valueState<Buffered>();
  readonly endOfWindow = eventTimeTimer();
  /** Only where it is needed: Beam's Flink never ends a bounded stream in which such a timer is set. */
  readonly endOfBuffering: TimerSpec | undefined;
  readonly #batchSize: number;
  readonly #batchBytes: number;
  readonly #maxBufferingDurationMs: number | undefined;
  readonly #sizeOf: SizeFn;

  constructor(config: GroupIntoBatchesConfig) {
    const coder = coderFromJson(config.coder) as Coder<unknown>;
    this.batch = bagState<unknown>(coder);
    this.#batchSize = config.batchSize ?? Number.POSITIVE_INFINITY;
    this.#batchBytes = config.batchBytes ?? Number.POSITIVE_INFINITY;
    this.#maxBufferingDurationMs = config.maxBufferingDurationMs;
    if (config.maxBufferingDurationMs !== undefined) this.endOfBuffering = processingTimeTimer();
    this.#sizeOf = config.batchBytes === undefined ? () => 0 : sizeFnOf(config, coder);
  }

  process({ value }: KV<unknown, unknown>, context: ProcessContext): void {
    const size = this.#sizeOf(value);
    const stored = context.state(this.buffered).read() ?? NOTHING;
    const isTooMuch = stored.count > 0 && stored.bytes + size > this.#batchBytes;
    if (isTooMuch) this.#emit(stored, context);
    const before = isTooMuch ? NOTHING : stored;

    const { timestampMs } = context;
    const after: Buffered = {
      count: before.count + 1,
      bytes: before.bytes + size,
      minTimestampMs: Math.min(before.minTimestampMs, timestampMs),
    };
    context.state(this.batch).add(value);
    const isFull = after.count >= this.#batchSize || after.bytes >= this.#batchBytes;
    // Given a time behind its window, it cannot wait for the window's end: nothing could hold the watermark for it.
    if (isFull || timestampMs > context.window.maxTimestampMs) {
      this.#emit(after, context);
      return;
    }
    context.state(this.buffered).write(after);
    this.#setTimers(before, context);
  }

  onTimer(_timer: FiredTimer, context: ElementContext): void {
    const buffered = context.state(this.buffered).read();
    if (buffered !== undefined) this.#emit(buffered, context);
  }

  /** The hold moves only where the element is earlier than all before it: it must never be before the element's time. */
  #setTimers({ count, minTimestampMs }: Buffered, context: ProcessContext): void {
    const { timestampMs, window } = context;
    if (timestampMs < minTimestampMs) {
      context.timer(this.endOfWindow).set(window.maxTimestampMs, { outputTimestampMs: timestampMs });
    }
    if (count === 0 && this.endOfBuffering !== undefined) {
      context.timer(this.endOfBuffering).setRelative(this.#maxBufferingDurationMs!);
    }
  }

  #emit({ minTimestampMs }: Buffered, context: ElementContext): void {
    const batch = context.state(this.batch);
    context.output({ key: context.key, value: [...batch.read()] }, minTimestampMs);
    batch.clear();
    context.state(this.buffered).clear();
    context.timer(this.endOfWindow).clear();
    if (this.endOfBuffering !== undefined) context.timer(this.endOfBuffering).clear();
  }
}

function sizeFnOf({ sizeFn }: GroupIntoBatchesConfig, coder: Coder<unknown>): SizeFn {
  if (sizeFn === undefined) return (value) => encodeToBytes(coder, value).length;
  const sizeOf = sizeFns.create(sizeFn.fn, sizeFn.config);
  return (value) => {
    const size: unknown = sizeOf(value);
    if (typeof size === "number" && size >= 0) return size;
    throw new TypeError(
      `size function "${sizeFn.fn}" must give a number of at least 0, got ${describe(size)}`,
    );
  };
}

export const GROUP_INTO_BATCHES_FN = registerDoFn(
  "group-into-batches@1",
  (config: GroupIntoBatchesConfig) => new GroupIntoBatchesFn(config),
);
