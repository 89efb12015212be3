/** DoFns of the torture suite: imported by the test and by each worker. */
import { appendFileSync, existsSync } from "node:fs";
import type {
  DoFn,
  ElementContext,
  ProcessContext,
  ProcessContinuation,
  SplittableDoFn,
  SplittableProcessContext,
} from "../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../transforms/primitives/fn-registry.js";
import { type OffsetRange, OffsetRangeTracker } from "../../transforms/primitives/offset-range-tracker.js";
import { iterableSideInput, multimapSideInput } from "../../transforms/primitives/side-input-spec.js";
import { bagState, mapState, valueState } from "../../transforms/primitives/state-spec.js";
import { eventTimeTimer, type FiredTimer } from "../../transforms/primitives/timer-spec.js";
import type { KV } from "../../transforms/primitives/window.js";
import { registerTimestampFn } from "../../transforms/primitives/with-timestamps.js";

/** Emits `count` elements, each a text of `bytes` characters that begins with its number. */
export const FAN_OUT = registerDoFn(
  "torture/fan-out@1",
  ({ count, bytes }: { readonly count: number; readonly bytes: number }) => ({
    *process() {
      for (let i = 0; i < count; i++) yield `${i}:`.padEnd(bytes, "x");
    },
  }),
);

/** A promise for each element, which takes a moment. */
export const SLOW = registerDoFn("torture/slow@1", (ms: number) => ({
  async process(element: unknown, context: ProcessContext) {
    context.metrics.counter("slow").inc();
    context.metrics.distribution("length").update(String(element).length);
    await new Promise((resolve) => setTimeout(resolve, ms));
    return [element];
  },
}));

/** A key from the number that the text begins with. */
export const KEYED = registerDoFn("torture/keyed@1", (keys: number) => ({
  process: (text: string) => [{ key: `k${Number.parseInt(text, 10) % keys}`, value: text.slice(0, 20) }],
}));

/** `key=number of values, number of distinct ones`. */
export const SIZES = registerDoFn("torture/sizes@1", () => ({
  process({ key, value }: KV<string, Iterable<string>>) {
    const values = [...value];
    return [`${key}=${values.length},${new Set(values).size}`];
  },
}));

/** Writes a line for each element. */
export const COLLECT = registerDoFn("torture/collect@1", (file: string) => ({
  process(element: unknown) {
    const text = typeof element === "string" ? element : JSON.stringify(element);
    appendFileSync(file, `${text.length > 60 ? `${text.slice(0, 10)} (${text.length})` : text}\n`);
  },
}));

class Joining implements DoFn<string> {
  readonly all = iterableSideInput<string>();
  readonly byKey = multimapSideInput<string, string>();

  async process(text: string, context: ProcessContext): Promise<unknown[]> {
    const all = [...context.sideInput(this.all)];
    const values = [...(await context.sideInput(this.byKey).get("k1"))];
    return [`${Number.parseInt(text, 10)}: ${all.length} ${new Set(all).size} ${values.length}`];
  }
}
export const JOIN = registerDoFn("torture/join@1", () => new Joining());

class Stateful implements DoFn<KV<string, string>> {
  readonly count = valueState<number>();
  readonly all = bagState<string>();
  readonly lengths = mapState<string, number>();
  readonly end = eventTimeTimer();

  async process({ value }: KV<string, string>, context: ProcessContext): Promise<void> {
    const count = context.state(this.count);
    count.write((count.read() ?? 0) + 1);
    context.state(this.all).add(value.slice(0, 8));
    const lengths = context.state(this.lengths);
    const name = `l${value.length}`;
    lengths.put(name, ((await lengths.get(name)) ?? 0) + 1);
    context.timer(this.end).set(context.window.maxTimestampMs);
  }

  async onTimer(_: FiredTimer, context: ElementContext): Promise<unknown[]> {
    const all = [...context.state(this.all).read()];
    const lengths = [...(await context.state(this.lengths).entries())].map(([, n]) => n);
    const sum = lengths.reduce((a, b) => a + b, 0);
    return [`${context.key}: ${context.state(this.count).read()} ${all.length} ${new Set(all).size} ${sum}`];
  }
}
export const STATEFUL = registerDoFn("torture/stateful@1", () => new Stateful());

export const FAIL = registerDoFn("torture/fail@1", () => ({
  process(element: string) {
    if (element.startsWith("3:")) throw new RangeError("the third is not to be had");
  },
}));

/** Puts ten numbers in a row into each session of a gap of one second. */
export const IN_SESSIONS = registerTimestampFn(
  "torture/in-sessions@1",
  () =>
    ({ value }: KV<string, string>) => {
      const n = Number.parseInt(value, 10);
      return Math.floor(n / 10) * 10_000 + (n % 10) * 100;
    },
);

/** Emits the numbers below `end`, and checkpoints itself after each `perCall`. */
class Counting implements SplittableDoFn<unknown, OffsetRange, number> {
  readonly end: number;
  readonly perCall: number;
  readonly delayMs: number;

  constructor({ end, perCall, delayMs }: CountingConfig) {
    this.end = end;
    this.perCall = perCall;
    this.delayMs = delayMs;
  }

  initialRestriction(): OffsetRange {
    return { start: 0, end: this.end };
  }

  createTracker(range: OffsetRange): OffsetRangeTracker {
    return new OffsetRangeTracker(range);
  }

  process(_: unknown, tracker: OffsetRangeTracker, context: SplittableProcessContext): ProcessContinuation {
    let claimed = 0;
    for (let i = tracker.currentRestriction().start; tracker.tryClaim(i); i++) {
      context.output(`${i}:`);
      claimed += 1;
      if (claimed === this.perCall) return { resume: true, delayMs: this.delayMs };
    }
    return { resume: false };
  }
}

interface CountingConfig {
  readonly end: number;
  readonly perCall: number;
  readonly delayMs: number;
}
export const COUNTING = registerDoFn("torture/counting@1", (config: CountingConfig) => new Counting(config));

/** Tells its process id and, the first time, never ends: as a promise, or in a loop that lets nobody in. */
export const STUCK_ONCE = registerDoFn(
  "torture/stuck-once@1",
  ({ file, isLoop }: { readonly file: string; readonly isLoop: boolean }) => ({
    async process(element: unknown) {
      const isFirst = !existsSync(file);
      appendFileSync(file, `${process.pid}\n`);
      while (isFirst && isLoop) Math.random();
      if (isFirst) await new Promise((resolve) => setTimeout(resolve, 3_600_000));
      return [element];
    },
  }),
);
