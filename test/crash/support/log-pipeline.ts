/** The windowed pipeline without a database: its results are files, which its own state makes sure to publish once. */
import { randomUUID } from "node:crypto";
import { existsSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { impulse, P, type PCollection, type Root, withName } from "../../../transforms/primitives/beam.js";
import type {
  DoFn,
  ElementContext,
  ProcessContext,
  ProcessContinuation,
  RestrictionTracker,
  SplittableDoFn,
  SplittableProcessContext,
} from "../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { splittableParDo } from "../../../transforms/primitives/splittable-par-do.js";
import { bagState } from "../../../transforms/primitives/state-spec.js";
import { processingTimeTimer } from "../../../transforms/primitives/timer-spec.js";
import {
  type ManualWatermarkEstimator,
  manualWatermarkEstimator,
} from "../../../transforms/primitives/watermark-estimator.js";
import type { KV } from "../../../transforms/primitives/window.js";
import { globalWindows } from "../../../transforms/primitives/window-fns.js";
import { windowInto } from "../../../transforms/primitives/window-into.js";
import { PositionTracker } from "../../support/position-tracker.js";
import { keepMuch, type Pair, pairAt, timestampOf, watermarkAt } from "./windowed-pipeline.js";

export const PIPELINE = "windowed-files";
export const PENDING = "pending";
export const DONE = "done";

const RECORDS = 1_500;
const RECORDS_AT_ONCE = 5;
/** So that a kill at a random moment finds it at work. */
const READ_MS = 8;
const LOOK_MS = 20;
/** At its end the source is asked so rarely that it can be seen that nothing else commits. */
const REST_MS = 1_500;
/** Behind all windows, and before any of them may be forgotten. */
const END_MS = 1e8;

let atEnd = false;

/** Whether the source of this process has given all that it has. */
export function isSourceAtEnd(): boolean {
  return atEnd;
}

/** Its position is nowhere but in what the runner keeps. It never ends: more could come. */
class RecordsFn implements SplittableDoFn<Uint8Array, number, number, number> {
  initialRestriction(): number {
    return 0;
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
    const from = tracker.currentRestriction();
    const end = Math.min(RECORDS, from + RECORDS_AT_ONCE);
    await new Promise((resolve) => setTimeout(resolve, READ_MS));
    let read = from;
    for (; read < end && tracker.tryClaim(read); read++) context.output(pairAt(read), timestampOf(read));
    atEnd = read === RECORDS;
    const watermarkMs = atEnd ? END_MS : watermarkAt(read);
    (context.watermarkEstimator as ManualWatermarkEstimator).setWatermark(watermarkMs);
    return { resume: true, delayMs: atEnd ? REST_MS : 0 };
  }
}

/** A line for each result, under its kind. */
class LineFn implements DoFn<KV<string, unknown>> {
  readonly observesWindows = true;

  constructor(readonly kind: string) {}

  process({ key, value }: KV<string, unknown>, context: ProcessContext): void {
    const isGroup = typeof value !== "string";
    const content = isGroup ? [...(value as Iterable<number>)].sort((a, b) => a - b).join(",") : value;
    const { window, pane } = context;
    const line = { kind: this.kind, key, window: window.id, index: pane.index, timing: pane.timing, content };
    context.output({ key: this.kind, value: JSON.stringify(line) });
  }
}

/**
 * Writes each line into a file beside those that are published, and publishes it when that is committed. Callbacks are
 * lost with the process, so the names are state: what a commit has left there is published behind the next one.
 */
class FilesFn implements DoFn<KV<string, string>> {
  readonly names = bagState<string>();
  readonly look = processingTimeTimer();

  constructor(readonly dir: string) {}

  process({ value }: KV<string, string>, context: ProcessContext): void {
    const name = `${randomUUID()}.ndjson`;
    writeFileSync(path.join(this.dir, PENDING, name), `${value}\n`);
    const names = context.state(this.names);
    if ([...names.read()].length === 0) context.timer(this.look).setRelative(LOOK_MS);
    names.add(name);
    context.afterCommit(() => this.#publish(name));
  }

  onTimer(_timer: unknown, context: ElementContext): void {
    const names = context.state(this.names);
    const left = [...names.read()].filter((name) => !existsSync(path.join(this.dir, DONE, name)));
    names.clear();
    if (left.length === 0) return;
    for (const name of left) {
      names.add(name);
      context.afterCommit(() => this.#publish(name));
    }
    context.timer(this.look).setRelative(LOOK_MS);
  }

  #publish(name: string): void {
    const done = path.join(this.dir, DONE, name);
    if (!existsSync(done)) renameSync(path.join(this.dir, PENDING, name), done);
  }
}

const RECORDS_FN = registerDoFn("test/crash-log-records@1", () => new RecordsFn());
const LINE_FN = registerDoFn("test/crash-log-line@1", (kind: string) => new LineFn(kind));
const FILES_FN = registerDoFn("test/crash-log-files@1", (dir: string) => new FilesFn(dir));

export function build(root: Root, dir: string): void {
  const start = root.apply(withName("Impulse", impulse()));
  const source = splittableParDo<Uint8Array, Pair>(RECORDS_FN, null, { bounded: false });
  const records = P(start).apply(withName("Records", source)) as PCollection<Pair>;
  keepMuch(records, (kind, results) => {
    const lines = P(results).apply(
      withName(`Lines of ${kind}`, registeredParDo<unknown, KV<string, string>>(LINE_FN, kind)),
    );
    P(lines)
      .apply(withName(`All ${kind}`, windowInto<KV<string, string>>(globalWindows())))
      .apply(withName(`Files of ${kind}`, registeredParDo(FILES_FN, dir)));
  });
}
