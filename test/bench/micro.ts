/** CPU of each step for one record, in this process and without a database. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import "../../pipelines/user-event-schema.js";
import { DeduplicateFn } from "../../transforms/deduplicate-fn.js";
import { InputRecord } from "../../transforms/input-record.js";
import { decodeElements } from "../../transforms/primitives/coders/encode.js";
import type { Coder } from "../../transforms/primitives/coders/sdk.js";
import type {
  BundleContext,
  DoFn,
  Ledger,
  ProcessContext,
  SetupContext,
} from "../../transforms/primitives/do-fn.js";
import { encodeElements } from "../../transforms/primitives/graph-coders.js";
import {
  GLOBAL_WINDOW,
  IN_GLOBAL_WINDOW,
  NO_FIRING,
  type WindowedValue,
} from "../../transforms/primitives/window.js";
import { InputRecordCoder, SourcedCoder } from "../../transforms/record-coders.js";
import { createRecordFormat } from "../../transforms/record-format.js";
import { ValidateFn } from "../../transforms/validate.js";
import { WriteToPostgresFn } from "../../transforms/write-to-postgres-fn.js";
import { type BenchData, COLUMNS, CSV } from "./bench-data.js";
import { median, printTable } from "./report.js";

const CHUNK_BYTES = 64 * 1024;
const ROUNDS = 7;
const HORIZON_RECORDS = 65_536;

export interface MicroResult {
  readonly step: string;
  /** Median and best of the rounds. */
  readonly microsPerRecord: number;
  readonly bestMicrosPerRecord: number;
}

/** Steps the files through, as bundles of one file; every round does the same again. */
export async function measureMicro(data: BenchData): Promise<MicroResult[]> {
  const files: Buffer[] = [];
  for (const { name } of data.files) files.push(await readFile(join(data.rawDir, name)));
  const rounds: Map<string, number>[] = [];
  for (let round = 0; round <= ROUNDS; round++) rounds.push(runRound(files, data.rows));
  rounds.shift(); // the first one compiles
  return [...rounds[0]!.keys()].map((step) => {
    const values = rounds.map((times) => times.get(step)!);
    return { step, microsPerRecord: median(values), bestMicrosPerRecord: Math.min(...values) };
  });
}

export function printMicro(results: readonly MicroResult[]): void {
  printTable(
    "CPU of each step, µs a record",
    ["step", "median", "best"],
    results.map((result) => [
      result.step,
      result.microsPerRecord.toFixed(2),
      result.bestMicrosPerRecord.toFixed(2),
    ]),
  );
}

/** CPU µs a record of each step. */
function runRound(files: readonly Buffer[], rows: number): Map<string, number> {
  const micros = new Map<string, number>();
  const steps = new Steps();
  const timed = <T>(name: string, work: () => T): T => {
    const before = process.cpuUsage();
    const result = work();
    const { user, system } = process.cpuUsage(before);
    micros.set(name, (micros.get(name) ?? 0) + (user + system) / rows);
    return result;
  };
  for (const [index, bytes] of files.entries()) {
    const records = timed("read", () => readRecords(bytes, index));
    crossBorder(timed, "a record", new InputRecordCoder(), records);
    const checked = timed("validate", () => steps.pass(steps.validate, records));
    const valid = checked.flatMap((one) =>
      "valid" in (one as object) ? [(one as { valid: unknown }).valid] : [],
    );
    crossBorder(timed, "a value", new SourcedCoder(), valid);
    const fresh = timed("deduplicate", () => steps.pass(steps.deduplicate, valid));
    timed("encode", () => steps.pass(steps.write, fresh));
    timed("remember committed keys", () => steps.commit());
  }
  return micros;
}

/** What it costs more where the elements go to another process: encoded, and decoded there. */
function crossBorder<T>(
  timed: <R>(name: string, work: () => R) => R,
  what: string,
  coder: Coder<T>,
  elements: readonly unknown[],
): void {
  const bytes = timed(`encode ${what}`, () => encodeElements(coder as Coder<unknown>, elements));
  const decoded = timed(`decode ${what}`, () => [...decodeElements(coder, bytes)]);
  if (decoded.length !== elements.length)
    throw new Error(`${elements.length} elements became ${decoded.length}`);
}

function readRecords(bytes: Buffer, fileId: number): unknown[] {
  const file = { fileId, generation: 0, path: `${fileId}.csv` };
  const reader = createRecordFormat(CSV).createReader(null);
  const records: unknown[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    reader.push(Buffer.from(bytes.subarray(at, at + CHUNK_BYTES)));
    for (let record = reader.next(); record !== undefined; record = reader.next()) {
      records.push(new InputRecord(file, record));
    }
  }
  return records;
}

/** The DoFns of user-events, each with what it emits kept for the next. */
class Steps {
  readonly validate = new ValidateFn({ schema: "user-event" });
  readonly deduplicate = new DeduplicateFn({ key: "event_id", horizon: { records: HORIZON_RECORDS } });
  readonly write = new WriteToPostgresFn({
    table: "user_events",
    columns: COLUMNS,
    conflictKey: ["event_id"],
  });
  readonly #context = new CollectingContext();

  constructor() {
    const setup = { step: "bench", shared: <T>(_: string, create: () => T) => create() } as SetupContext;
    this.deduplicate.setup(setup);
    this.write.setup(setup);
  }

  /** A bundle through one step. */
  pass(fn: DoFn<never>, elements: readonly unknown[]): unknown[] {
    const context = this.#context;
    context.outputs = [];
    (fn as DoFn).startBundle?.(context as BundleContext);
    for (const element of elements) (fn as DoFn).process(element, context);
    return context.outputs;
  }

  commit(): void {
    for (const callback of this.#context.callbacks.splice(0)) void callback();
  }
}

/** What the steps of user-events ask for; whatever else they came to ask for would not be measured. */
class CollectingContext implements ProcessContext {
  outputs: unknown[] = [];
  readonly callbacks: (() => void | Promise<void>)[] = [];
  readonly timestampMs = 0;
  readonly window = GLOBAL_WINDOW;
  readonly windows = IN_GLOBAL_WINDOW;
  readonly pane = NO_FIRING;
  readonly ledger: Ledger = { add: () => undefined, addDeadLetter: () => undefined };

  get metrics(): never {
    throw notMeasured("metrics");
  }
  get key(): never {
    throw notMeasured("the key");
  }
  state(): never {
    throw notMeasured("state");
  }
  timer(): never {
    throw notMeasured("timers");
  }
  sideInput(): never {
    throw notMeasured("side inputs");
  }
  room(): undefined {}
  isRead(): true {
    return true;
  }
  transaction(): never {
    throw notMeasured("a transaction in the midst of a bundle");
  }

  output(value: unknown): void {
    this.outputs.push(value);
  }
  outputTo(_tag: string, value: unknown): void {
    this.outputs.push(value);
  }
  outputWindowed(_tag: string, { value }: WindowedValue): void {
    this.outputs.push(value);
  }
  afterCommit(callback: () => void | Promise<void>): void {
    this.callbacks.push(callback);
  }
}

function notMeasured(what: string): Error {
  return new Error(`a step asks for ${what}, which this measurement does not give it`);
}
