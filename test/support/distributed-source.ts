/** Runs the distributed source by hand: its DoFns bundle by bundle on a real database, elements encoded in between. */
import { addToLedger, type LedgerDelta } from "../../sql/ledger.js";
import type { SqlSession, SqlTransaction } from "../../sql/sql-session.js";
import "../../transforms/all-do-fns.js";
import type { InputRecord } from "../../transforms/input-record.js";
import { GeneralObjectCoder } from "../../transforms/primitives/beam.js";
import { decodeFromBytes, encodeToBytes } from "../../transforms/primitives/coders/encode.js";
import type { DoFn, Log, SetupContext, SplittableDoFn } from "../../transforms/primitives/do-fn.js";
import { createDoFn, type JsonValue } from "../../transforms/primitives/fn-registry.js";
import type { DirectoryPlan } from "../../transforms/read-from-directory/directory-plan.js";
import type { FileRange } from "../../transforms/read-from-directory/file-range.js";
import { planDirectory } from "../../transforms/read-from-directory/plan-directory.js";
import type { ReadFromDirectoryConfig } from "../../transforms/read-from-directory/read-from-directory-config.js";
import type { WatchState } from "../../transforms/read-from-directory/watch-state.js";
import { ManualClock, type SeenRecord, toSeen } from "./source-host.js";

export interface DistributedSourceOptions {
  readonly session: SqlSession;
  readonly config: ReadFromDirectoryConfig;
  readonly pipeline?: string;
  readonly mode?: "stream" | "available-now";
}

export class DistributedSource {
  readonly clock = new ManualClock();
  readonly pipeline: string;
  readonly logs: string[] = [];
  runId = "00000000-0000-4000-8000-000000000000";

  readonly #finalizations: (() => void | Promise<void>)[] = [];

  constructor(readonly options: DistributedSourceOptions) {
    this.pipeline = options.pipeline ?? "p";
  }

  /** Plans a run of its own. */
  async plan(runNumber: number): Promise<DirectoryPlan> {
    this.runId = `00000000-0000-4000-8000-${String(runNumber).padStart(12, "0")}`;
    const { session, config } = this.options;
    const { pipeline, runId, clock } = this;
    const signal = new AbortController().signal;
    const transact = (work: (transaction: SqlTransaction) => Promise<void>) => this.transact(work);
    return planDirectory({
      ...{ config, database: session, transact, pipeline, runId, clock, log: this.#log, signal },
    });
  }

  async transact(work: (transaction: SqlTransaction) => Promise<void>): Promise<void> {
    const { session } = this.options;
    await session.begin();
    try {
      await work(session);
      await session.commit();
    } catch (error) {
      await session.query("rollback");
      throw error;
    }
  }

  /** One call of WatchDirectory from a state of its restriction, in a bundle that is committed. */
  async watch(
    fn: SplittableDoFn<unknown, WatchState, WatchState, number>,
    state: WatchState,
    watermarkMs: number,
  ): Promise<{ ranges: FileRange[]; state: WatchState; watermarkMs: number }> {
    const { session } = this.options;
    const tracker = fn.createTracker(state);
    const watermarkEstimator = fn.createWatermarkEstimator!(watermarkMs);
    const ranges: FileRange[] = [];
    const output = (range: unknown) => void ranges.push(acrossTheBorder(range) as FileRange);
    const afterCommit = (callback: () => void) => void this.#finalizations.push(callback);
    const context = { output, watermarkEstimator, afterCommit, transaction: async () => session } as never;
    await session.begin();
    fn.startBundle?.(context);
    await fn.process(null, tracker, context);
    await fn.finishBundle?.(context);
    await session.commit();
    const { residual } = tracker.trySplit(0)!;
    return {
      ranges,
      state: acrossTheBorder(residual) as WatchState,
      watermarkMs: watermarkEstimator.currentWatermarkMs(),
    };
  }

  /** An instance of WatchDirectory, as a worker that has just started makes it. */
  async watcher(): Promise<SplittableDoFn<unknown, WatchState, WatchState, number>> {
    const fn = createDoFn("watch_directory@1", this.#config) as SplittableDoFn<
      unknown,
      WatchState,
      WatchState,
      number
    >;
    await fn.setup?.(this.#setupContext("WatchDirectory"));
    return fn;
  }

  /** What ListFiles and CutFiles emit. */
  async ranges(): Promise<FileRange[]> {
    const files = await this.#run("list_planned_files@1", null, [null]);
    return (await this.#run("cut_files@1", this.#config, files)) as FileRange[];
  }

  /** Reads the ranges in one bundle, and commits it unless it is to be lost. */
  async read(ranges: readonly FileRange[], isLost = false): Promise<SeenRecord[]> {
    const seen: SeenRecord[] = [];
    await this.#run("read_ranges@1", this.#config, ranges, isLost, (value, timestampMs) => {
      seen.push(toSeen(value as InputRecord, timestampMs));
    });
    return seen;
  }

  /** The runner has made what was committed so far durable; or went back, and never will. */
  async finalize(isDurable: boolean): Promise<void> {
    for (const callback of this.#finalizations.splice(0)) if (isDurable) await callback();
  }

  /** `records_read` by file. */
  async ledger(): Promise<Record<string, number>> {
    const rows = await this.options.session.query<{ path: string; records_read: number }>(
      `select path, sum(records_read)::bigint as records_read from ledger join source_files using (pipeline, file_id)
       where pipeline = $1 group by path`,
      [this.pipeline],
    );
    return Object.fromEntries(rows.map(({ path, records_read: count }) => [path, count]));
  }

  get #config(): JsonValue {
    return JSON.parse(JSON.stringify(this.options.config)) as JsonValue;
  }

  /** One bundle of a DoFn, on a fresh instance. */
  async #run(
    fn: string,
    config: JsonValue,
    elements: readonly unknown[],
    isLost = false,
    onOutput?: (value: unknown, timestampMs?: number) => void,
  ): Promise<unknown[]> {
    const { session } = this.options;
    const doFn = createDoFn(fn, config) as DoFn;
    const { pipeline } = this;
    await doFn.setup?.(this.#setupContext(fn));
    const outputs: unknown[] = [];
    const counts = new Map<number, number>();
    const callbacks: (() => void | Promise<void>)[] = [];
    const context = {
      output: onOutput ?? ((value: unknown) => void outputs.push(acrossTheBorder(value))),
      room: () => Promise.resolve(),
      afterCommit: (callback: () => void) => void callbacks.push(callback),
      ledger: { add: (fileId: number, _: string, count: number) => void counts.set(fileId, count) },
      transaction: async () => session,
    } as never;
    await session.begin();
    await doFn.startBundle?.(context);
    for (const element of elements) await doFn.process(acrossTheBorder(element), context);
    await doFn.finishBundle?.(context);
    await addToLedger(session, pipeline, [...counts].map(countRead));
    if (isLost) await session.query("rollback");
    else await session.commit();
    if (!isLost) this.#finalizations.push(...callbacks);
    return outputs;
  }

  #setupContext(step: string): SetupContext {
    const { pipeline, runId, clock } = this;
    const { session, mode = "available-now" } = this.options;
    const signal = new AbortController().signal;
    const shared = <T>(_name: string, create: () => T) => create();
    const facts = { pipeline, runId, step, mode, bundlesMayRepeat: true };
    return { ...facts, clock, signal, log: this.#log, database: session, shared };
  }

  get #log(): Log {
    const write = (message: string) => void this.logs.push(message);
    return { debug: write, info: write, warn: write, error: write };
  }
}

/** As between two stages on workers. */
function acrossTheBorder(element: unknown): unknown {
  const coder = new GeneralObjectCoder<unknown>();
  return decodeFromBytes(coder, encodeToBytes(coder, element));
}

function countRead([fileId, recordsRead]: [number, number]): LedgerDelta {
  return { fileId, recordsRead, eventsWritten: 0, duplicates: 0, conflicts: 0, deadLetters: {} };
}

/** Records by file and offset, without the ids that differ from run to run. */
export function byPlace(records: readonly SeenRecord[]): Omit<SeenRecord, "fileId">[] {
  return records
    .map(({ fileId: _, ...record }) => record)
    .sort((a, b) =>
      a.path < b.path
        ? -1
        : a.path > b.path
          ? 1
          : a.generation - b.generation || a.byteStart - b.byteStart || a.byteEnd - b.byteEnd,
    );
}
