/** The generator: shop events into a directory of CSV files, at a rate or as fast as the machine can. */
import { join } from "node:path";
import type { Clock } from "../../transforms/primitives/do-fn.js";
import { claimOutput, eventFileName, writeWhole } from "./event-file.js";
import { EventRecords, eventHeader } from "./event-records.js";
import { eventsMax, type GeneratorOptions } from "./generator-options.js";
import { type GeneratorRun, planRun } from "./generator-run.js";
import { type Manifest, manifestOf } from "./manifest.js";
import { recordBytesMax } from "./recent-records.js";
import { type Batch, Schedule } from "./schedule.js";
import { addTally, emptyTally, type Tally } from "./tally.js";

/** What the generator needs from its surroundings. */
export interface GenerateContext {
  readonly clock: Clock;
  /** An unsigned 32-bit integer; asked only when the options name no seed. */
  readonly randomSeed: () => number;
  /** Ends the run early: records whose time has come are written, then the manifest. */
  readonly signal?: AbortSignal;
  /** Takes one record a file, for logs/generator_metrics.log. Must not throw. */
  readonly metrics?: { append(record: object): void };
  /** Called once, before the first record. */
  readonly onStart?: (run: GeneratorRun) => void;
  /** Called after every file, and at least once a second while the next one is not due. */
  readonly onProgress?: (progress: GenerateProgress) => void;
}

/** How far a run has come. */
export interface GenerateProgress {
  readonly run: GeneratorRun;
  readonly rows: number;
  readonly files: number;
  /** Since the first record was due. */
  readonly elapsedMs: number;
  /** How much later than due the last file appeared; 0 when nothing is paced. */
  readonly lagMs: number;
}

/** Text handed to the disk at a time, so that no file has to fit into memory. */
const chunkRowsMax = 10_000;
const progressIntervalMs = 1000;

/**
 * Writes events until the planned number is reached or `signal` fires, then the manifest, and returns
 * it. Equal seed, start, rates and limits give equal files: cuts follow the schedule of the events, not
 * the clock. A file appears whole, by renaming, and never before the last of its records is due.
 * @throws GeneratorError `invalid_options`, `output_exists` (a run with this seed and start has files
 * there), `write_failed` (files that have appeared stay, no manifest is written)
 */
export async function generateEvents(options: GeneratorOptions, context: GenerateContext): Promise<Manifest> {
  // Together with the default start, so that event times agree with the clock from the first record on.
  const startedMs = context.clock.monotonicMs();
  const run = planRun(options, context);
  await claimOutput(options.output, run.name);
  context.onStart?.(run);
  const state = new RunState(run, context, startedMs);
  while (state.rows < run.rowsPlanned && !context.signal?.aborted) await state.writeNextFile();
  const manifest = manifestOf(run, state.tally, state.files);
  await writeWhole(run.manifestPath, [Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)]);
  return manifest;
}

/** One run under way. */
class RunState {
  readonly tally = emptyTally();
  readonly files = { count: 0, bytes: 0, first: "", last: "" };
  readonly #run: GeneratorRun;
  readonly #context: GenerateContext;
  readonly #schedule: Schedule;
  readonly #records: EventRecords;
  readonly #startedMs: number;
  readonly #chunk = new Uint8Array(chunkRowsMax * recordBytesMax);
  #lastFileMs = 0;
  #lagMs = 0;

  constructor(run: GeneratorRun, context: GenerateContext, startedMs: number) {
    this.#run = run;
    this.#context = context;
    this.#schedule = new Schedule({ ...run.options, rowsPlanned: run.rowsPlanned, isPaced: run.isPaced });
    this.#records = new EventRecords({ ...run.options, seed: run.seed, startMs: run.startMs });
    this.#startedMs = startedMs;
  }

  get rows(): number {
    return this.tally.rows;
  }

  /** Waits for the next file's time and writes it; when stopped while waiting, what is due of it. */
  async writeNextFile(): Promise<void> {
    const batch = this.#schedule.batchFrom(this.rows);
    await this.#waitUntil(batch.dueMs);
    const to = this.#run.isPaced ? Math.min(batch.to, this.#schedule.rowsDueAt(this.#elapsedMs())) : batch.to;
    if (to === batch.from) return;
    const name = eventFileName(this.#run.name, this.files.count + 1, eventsMax);
    const part = emptyTally();
    const path = join(this.#run.options.output, name);
    const bytes = await writeWhole(path, this.#text({ ...batch, to }, part));
    this.#account(name, bytes, part, batch.dueMs);
  }

  async #waitUntil(dueMs: number): Promise<void> {
    const { clock, signal } = this.#context;
    while (!signal?.aborted) {
      const waitMs = dueMs - this.#elapsedMs();
      if (waitMs <= 0) return;
      await clock.sleep(Math.min(waitMs, progressIntervalMs), signal);
      this.#report();
    }
  }

  /** The text of a file, made while it is written; a chunk is valid until the next one is asked for. */
  *#text({ from, to }: Batch, part: Tally): Generator<Uint8Array> {
    yield Buffer.from(eventHeader);
    for (let chunkFrom = from; chunkFrom < to; chunkFrom += chunkRowsMax) {
      const chunkTo = Math.min(chunkFrom + chunkRowsMax, to);
      let end = 0;
      for (let row = chunkFrom; row < chunkTo; row++) {
        end = this.#records.write(this.#chunk, end, this.#schedule.offsetMicros(row), part);
      }
      yield this.#chunk.subarray(0, end);
    }
  }

  #account(file: string, bytes: number, part: Tally, dueMs: number): void {
    const elapsedMs = this.#elapsedMs();
    const batchDuration = elapsedMs - this.#lastFileMs;
    this.#lastFileMs = elapsedMs;
    this.#lagMs = this.#run.isPaced ? Math.max(0, elapsedMs - dueMs) : 0;
    addTally(this.tally, part);
    this.files.first ||= file;
    this.files.last = file;
    this.files.count += 1;
    this.files.bytes += bytes;
    // Names as in Spark's StreamingQueryProgress where it has one, then ours.
    this.#context.metrics?.append({
      name: "generator",
      runId: this.#run.name,
      timestamp: new Date(this.#context.clock.now()).toISOString(),
      batchId: this.files.count - 1,
      batchDuration: Math.round(batchDuration),
      numInputRows: part.rows,
      inputRowsPerSecond: this.#run.isPaced ? this.#run.options.eventsPerSecond : null,
      processedRowsPerSecond: batchDuration > 0 ? Math.round((part.rows / batchDuration) * 1e5) / 100 : null,
      file,
      unique: part.unique,
      duplicate: part.duplicate,
      malformed: part.malformed,
      malformedByReason: part.malformedByReason,
      bytes,
      lagMs: Math.round(this.#lagMs),
      totalRows: this.rows,
    });
    this.#report();
  }

  #report(): void {
    const { rows } = this;
    const elapsedMs = this.#elapsedMs();
    this.#context.onProgress?.({
      run: this.#run,
      rows,
      files: this.files.count,
      elapsedMs,
      lagMs: this.#lagMs,
    });
  }

  #elapsedMs(): number {
    return this.#context.clock.monotonicMs() - this.#startedMs;
  }
}
