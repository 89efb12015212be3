/** A worker as sinks see it: bundles with a real transaction each, that may come twice or beside one another. */

import { BundleLedger } from "../../runners/bundle/bundle-ledger.js";
import { BundleProcessor } from "../../runners/bundle/bundle-processor.js";
import type { BundleHost } from "../../runners/bundle/host.js";
import type { Element } from "../../runners/engine/element.js";
import { addToLedger } from "../../sql/ledger.js";
import type { SqlSession } from "../../sql/sql-session.js";
import { type FileRef, RecordOrigin, type Sourced } from "../../transforms/input-record.js";
import type { DoFn, EpochTransaction, SetupContext } from "../../transforms/primitives/do-fn.js";
import { systemClock } from "../../transforms/primitives/system-clock.js";
import { type WriteChangesConfig, WriteChangesFn } from "../../transforms/write-changes-fn.js";
import { WriteDeadLettersFn } from "../../transforms/write-dead-letters-fn.js";
import { type WriteToPostgresConfig, WriteToPostgresFn } from "../../transforms/write-to-postgres-fn.js";
import { element, parDo, stageOf } from "../runners/bundle/stages.js";
import { TestScope } from "../runners/bundle/test-scope.js";

export const PIPELINE = "sinks";
export const RUN_ID = "11111111-1111-4111-8111-111111111111";

/** One bundle: what it does in its transaction, and what it counts, becomes true with `commit`. */
export class SinkBundle extends TestScope {
  override readonly ledger = new BundleLedger();
  /** `begin`, and the first words of each statement. */
  readonly statements: string[] = [];
  #transaction: Promise<EpochTransaction> | undefined;

  constructor(
    readonly session: SqlSession,
    readonly epoch: number,
  ) {
    super((value) => value);
  }

  override transaction(): Promise<EpochTransaction> {
    this.#transaction ??= this.#begin();
    return this.#transaction;
  }

  /** With the counts, as a harness does it. */
  async commit(): Promise<void> {
    const transaction = await this.transaction();
    await addToLedger(transaction, PIPELINE, this.ledger.files);
    await this.session.commit();
    for (const callback of this.callbacks) await callback();
  }

  async rollback(): Promise<void> {
    if (this.#transaction !== undefined) await this.session.query("rollback");
  }

  async #begin(): Promise<EpochTransaction> {
    const { session, statements, epoch } = this;
    const noted = <T>(text: string, answer: T): T => {
      statements.push(text.trim().split(/\s+/).slice(0, 2).join(" "));
      return answer;
    };
    noted("begin", await session.begin());
    return {
      epoch,
      runId: RUN_ID,
      query: (text, values) => noted(text, session.query(text, values)),
      execute: (text, values) => noted(text, session.execute(text, values)),
      copy: (text, chunks) => noted(text, session.copy(text, chunks)),
    };
  }
}

export interface SinkWorkerOptions {
  readonly session: SqlSession;
  readonly bundlesMayRepeat?: boolean;
  readonly errorDir?: string;
  /** Epoch of its transactions. */
  readonly epoch?: number;
}

/** A processor of the steps, and the bundles it runs on one session. */
export class SinkWorker {
  private constructor(
    readonly processor: BundleProcessor,
    readonly options: SinkWorkerOptions,
  ) {}

  /** `writeToPostgres`, with the letters of what is rejected written beside. */
  static rows(table: WriteToPostgresConfig, options: SinkWorkerOptions): Promise<SinkWorker> {
    const write = parDo("Write", new WriteToPostgresFn(table), { outputs: { rejected: "rejected" } });
    const errorDir = options.errorDir ?? "/nowhere";
    const letters = parDo("Letters", new WriteDeadLettersFn({ errorDir }), {
      input: "rejected",
      outputs: {},
    });
    return SinkWorker.#of([write, letters], options, ["rejected"]);
  }

  /** `writeToPostgres` alone, as where the letters are another stage's: what is rejected can be read as `rejected`. */
  static rowsAlone(table: WriteToPostgresConfig, options: SinkWorkerOptions): Promise<SinkWorker> {
    const write = parDo("Write", new WriteToPostgresFn(table), { outputs: { rejected: "rejected" } });
    return SinkWorker.#of([write], options, ["rejected"]);
  }

  /** `writeChangesToPostgres`; what is rejected can be read as `rejected`, unless nobody reads it. */
  static changes(table: WriteChangesConfig, options: SinkWorkerOptions, isRead = true): Promise<SinkWorker> {
    const write = parDo("Write", new WriteChangesFn(table), { outputs: { rejected: "rejected" } });
    return SinkWorker.#of([write], options, isRead ? ["rejected"] : []);
  }

  /** `writeDeadLetters` alone. */
  static letters(options: SinkWorkerOptions): Promise<SinkWorker> {
    const doFn = new WriteDeadLettersFn({ errorDir: options.errorDir ?? "/nowhere" });
    return SinkWorker.#of([parDo("Letters", doFn, { outputs: {} })], options, []);
  }

  /** Runs any DoFn instead. */
  static of(doFn: DoFn, options: SinkWorkerOptions): Promise<SinkWorker> {
    return SinkWorker.#of([parDo("Step", doFn)], options, ["Step"]);
  }

  static async #of(
    steps: Parameters<typeof stageOf>[0],
    options: SinkWorkerOptions,
    read: readonly string[],
  ): Promise<SinkWorker> {
    const host: BundleHost = { setupContext: (step) => setupContext(step, options) };
    return new SinkWorker(await BundleProcessor.create(stageOf(steps, read), host), options);
  }

  /** Runs a bundle up to its end, and does not commit it. */
  async run(elements: readonly Element[]): Promise<SinkBundle> {
    const bundle = new SinkBundle(this.options.session, this.options.epoch ?? 1);
    await this.processor.startBundle(bundle);
    try {
      await this.processor.process({ kind: "elements", root: "in", elements });
      await this.processor.finishBundle();
    } catch (error) {
      await bundle.rollback();
      throw error;
    }
    return bundle;
  }

  async commit(elements: readonly Element[]): Promise<SinkBundle> {
    const bundle = await this.run(elements);
    await bundle.commit();
    return bundle;
  }
}

function setupContext(step: string, { session, bundlesMayRepeat = true }: SinkWorkerOptions): SetupContext {
  const shared = new Map<string, unknown>();
  return {
    pipeline: PIPELINE,
    step,
    mode: "available-now",
    runId: RUN_ID,
    bundlesMayRepeat,
    signal: new AbortController().signal,
    clock: systemClock,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    database: session,
    shared: <T>(name: string, create: () => T) => {
      if (!shared.has(name)) shared.set(name, create());
      return shared.get(name) as T;
    },
  };
}

/** The file of most tests. */
export const FILE: FileRef = { fileId: 1, generation: 0, path: "events.csv" };

/** A record of 10 bytes, at `10 * at`; it says where it is. */
export function originAt(
  at: number,
  file: FileRef = FILE,
  raw = Buffer.from(`${at}`.padEnd(10)),
): RecordOrigin {
  const byteStart = at * 10;
  return new RecordOrigin(file, {
    ...{ line: at + 2, byteStart, byteEnd: byteStart + raw.length, chunk: raw, chunkStart: 0 },
  });
}

/** A value of a record, with an event time of `at`. */
export function valueAt<T>(
  at: number,
  value: T,
  file: FileRef = FILE,
): Element & { readonly value: Sourced<T> } {
  const sourced = { record: originAt(at, file), value };
  return { ...element(sourced, { timestampMs: at }), value: sourced };
}
