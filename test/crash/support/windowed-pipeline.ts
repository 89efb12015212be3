/** A pipeline that keeps much between its epochs: windows with early panes, sessions, state and timers, into one table. */
import { impulse, P, type PCollection, type Root, withName } from "../../../transforms/primitives/beam.js";
import type {
  DoFn,
  ElementContext,
  FinishBundleContext,
  ProcessContext,
  ProcessContinuation,
  RestrictionTracker,
  SetupContext,
  SplittableDoFn,
  SplittableProcessContext,
} from "../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { groupByKey } from "../../../transforms/primitives/group-by-key.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { splittableParDo } from "../../../transforms/primitives/splittable-par-do.js";
import { bagState, combiningState, mapState, valueState } from "../../../transforms/primitives/state-spec.js";
import {
  eventTimeTimer,
  type FiredTimer,
  processingTimeTimer,
} from "../../../transforms/primitives/timer-spec.js";
import { afterCount, afterWatermark } from "../../../transforms/primitives/triggers.js";
import {
  type ManualWatermarkEstimator,
  manualWatermarkEstimator,
} from "../../../transforms/primitives/watermark-estimator.js";
import type { KV } from "../../../transforms/primitives/window.js";
import { fixedWindows, sessions } from "../../../transforms/primitives/window-fns.js";
import { type WindowingOptions, windowInto } from "../../../transforms/primitives/window-into.js";
import { PositionTracker } from "../../support/position-tracker.js";

export const PIPELINE = "windowed";
export const RECORDS = 1_200;

export const CREATE_TABLES = `
  create table positions (pipeline text primary key, position int not null);
  create table panes (
    kind text not null, key text not null, window_id text not null, index int not null,
    timing text not null, content text not null, primary key (kind, key, window_id, index)
  )`;

const RECORDS_AT_ONCE = 10;
/** So that a kill at a random moment finds it at work. */
const READ_MS = 4;
const KEYS = 7;
/** Event times go forward by 10 ms a record, some being up to this behind. */
const DISORDER_MS = 40;

export type Pair = KV<string, number>;

/** Record after record, and nothing that comes later is earlier than the watermark. */
export const pairAt = (at: number): Pair => ({ key: `k${(at * 5 + Math.floor(at / 40)) % KEYS}`, value: at });
export const timestampOf = (at: number): number => at * 10 - ((at * 7) % (DISORDER_MS + 1));
export const watermarkAt = (at: number): number => at * 10 - DISORDER_MS;

export /** Its position is in the database, with the rows. */
class RecordsFn implements SplittableDoFn<Uint8Array, number, number, number> {
  readonly restoresPosition = true;
  #stored = 0;
  #read = 0;

  async setup({ database }: SetupContext): Promise<void> {
    const query = "select position from positions where pipeline = $1";
    const [row] = await database.query<{ position: number }>(query, [PIPELINE]);
    this.#stored = row?.position ?? 0;
    this.#read = this.#stored;
  }

  initialRestriction(): number {
    return this.#stored;
  }

  createTracker(from: number): PositionTracker {
    return new PositionTracker(from);
  }

  initialWatermarkState(_element: Uint8Array, from: number): number {
    return watermarkAt(from);
  }

  createWatermarkEstimator(state: number): ManualWatermarkEstimator {
    return manualWatermarkEstimator(state);
  }

  async process(
    _element: Uint8Array,
    tracker: RestrictionTracker<number, number>,
    context: SplittableProcessContext<number>,
  ): Promise<ProcessContinuation> {
    await new Promise((resolve) => setTimeout(resolve, READ_MS));
    const from = tracker.currentRestriction();
    for (let at = from; at < Math.min(RECORDS, from + RECORDS_AT_ONCE); at++) {
      if (!tracker.tryClaim(at)) break;
      context.output(pairAt(at), timestampOf(at));
      this.#read = at + 1;
    }
    (context.watermarkEstimator as ManualWatermarkEstimator).setWatermark(watermarkAt(this.#read));
    return { resume: this.#read < RECORDS, delayMs: 0 };
  }

  async finishBundle(context: FinishBundleContext): Promise<void> {
    const transaction = await context.transaction();
    await transaction.execute(
      `insert into positions values ($1, $2) on conflict (pipeline) do update set position = excluded.position`,
      [PIPELINE, this.#read],
    );
  }
}

/** Emits the sum and the values of each key and window at its end, and a tick by the clock once. */
class PerKeyFn implements DoFn<Pair> {
  readonly sum = combiningState<number, number, number>({
    createAccumulator: () => 0,
    addInput: (a, b) => a + b,
    mergeAccumulators: (sums) => [...sums].reduce((a, b) => a + b, 0),
    extractOutput: (sum) => sum,
  });
  readonly values = bagState<number>();
  readonly counts = mapState<string, number>();
  readonly hasTicked = valueState<boolean>();
  readonly end = eventTimeTimer();
  readonly tick = processingTimeTimer();

  async process({ value }: Pair, context: ProcessContext): Promise<void> {
    context.state(this.sum).add(value);
    context.state(this.values).add(value);
    const counts = context.state(this.counts);
    const parity = value % 2 === 0 ? "even" : "odd";
    counts.put(parity, ((await counts.get(parity)) ?? 0) + 1);
    context.timer(this.end).set(context.window.maxTimestampMs);
    if (context.state(this.hasTicked).read()) return;
    context.state(this.hasTicked).write(true);
    context.timer(this.tick).setRelative(30, { outputTimestampMs: context.timestampMs });
  }

  async onTimer({ family }: FiredTimer, context: ElementContext): Promise<void> {
    if (family === "tick") {
      context.output({ key: context.key, value: "tick" });
      return;
    }
    const values = [...context.state(this.values).read()].sort((a, b) => a - b);
    const counts = [...(await context.state(this.counts).entries())].map(
      ([parity, count]) => `${parity} ${count}`,
    );
    const value = `${context.state(this.sum).read()}: ${values.join(",")}; ${counts.sort().join(", ")}`;
    context.output({ key: context.key, value });
  }
}

interface Row {
  readonly kind: string;
  readonly key: string;
  readonly window: string;
  readonly index: number;
  readonly timing: string;
  readonly content: string;
}

/** A row that is there already fails the pipeline. */
class WriteFn implements DoFn<KV<string, unknown>> {
  readonly observesWindows = true;
  #rows: Row[] = [];

  constructor(readonly kind: string) {}

  process({ key, value }: KV<string, unknown>, { window, pane }: ProcessContext): void {
    const isGroup = typeof value !== "string";
    const content = isGroup ? [...(value as Iterable<number>)].sort((a, b) => a - b).join(",") : value;
    const kind = value === "tick" ? `${this.kind} tick` : this.kind;
    this.#rows.push({ kind, key, window: window.id, index: pane.index, timing: pane.timing, content });
  }

  async finishBundle(context: FinishBundleContext): Promise<void> {
    const transaction = await context.transaction();
    for (const { kind, key, window, index, timing, content } of this.#rows.splice(0)) {
      const values = [kind, key, window, index, timing, content];
      await transaction.execute("insert into panes values ($1, $2, $3, $4, $5, $6)", values);
    }
  }
}

const RECORDS_FN = registerDoFn("test/crash-records@1", () => new RecordsFn());
const PER_KEY_FN = registerDoFn("test/crash-per-key@1", () => new PerKeyFn());
const WRITE_FN = registerDoFn("test/crash-write@1", (kind: string) => new WriteFn(kind));

export function build(root: Root): void {
  const start = root.apply(withName("Impulse", impulse()));
  const records = P(start).apply(
    withName("Records", splittableParDo<Uint8Array, Pair>(RECORDS_FN, null, { bounded: true })),
  ) as PCollection<Pair>;
  keepMuch(records, (kind, results) => {
    P(results).apply(withName(`Write ${kind}`, registeredParDo(WRITE_FN, kind)));
  });
}

/** Windows with early panes, sessions, state and timers; `write` applies what takes each kind of results. */
export function keepMuch(
  records: PCollection<Pair>,
  write: (kind: string, results: PCollection<unknown>) => void,
): void {
  const into = (name: string, fn: Parameters<typeof windowInto>[0], options: WindowingOptions = {}) =>
    records.apply(withName(name, windowInto<Pair>(fn, options)));
  const early = afterWatermark({ early: afterCount(3) });
  const fixed = into("Fixed", fixedWindows(300), { trigger: early, accumulation: "accumulating" });
  write("fixed", fixed.apply(withName("Group fixed", groupByKey<string, number>())));
  const sessioned = into("Sessions", sessions(60));
  write("sessions", sessioned.apply(withName("Group sessions", groupByKey<string, number>())));
  // So late that no window expires before the clock has come to its tick.
  const perKey = into("Per key windows", fixedWindows(500), { allowedLatenessMs: 1e9 });
  write(
    "per key",
    perKey.apply(withName("Per key", registeredParDo<Pair, KV<string, string>>(PER_KEY_FN, null))),
  );
}
