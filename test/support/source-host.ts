/** A host in memory that runs a directory source: bundles in flight, committed in order or thrown away. */
import type { SqlTransaction } from "../../sql/sql-session.js";
import type { InputRecord } from "../../transforms/input-record.js";
import type { Clock, Log, ProcessContinuation, SetupContext } from "../../transforms/primitives/do-fn.js";
import { type FileSystem, realFileSystem } from "../../transforms/read-from-directory/file-system.js";
import type { ReadFromDirectoryConfig } from "../../transforms/read-from-directory/read-from-directory-config.js";
import { ReadFromDirectoryFn } from "../../transforms/read-from-directory/read-from-directory-fn.js";
import type { RecordRange } from "../../transforms/read-from-directory/record-range.js";
import type { SourcePositions, StoredFile } from "../../transforms/read-from-directory/source-positions.js";

/** A record as tests compare it. */
export interface SeenRecord {
  readonly path: string;
  readonly fileId: number;
  readonly generation: number;
  readonly line: number;
  readonly byteStart: number;
  readonly byteEnd: number;
  readonly text: string;
  readonly reason: string | undefined;
  readonly messages: readonly string[];
  readonly timestampMs: number | undefined;
}

/** Moved by hand; its wall clock starts at the real time, because files have real times. */
export class ManualClock implements Clock {
  readonly #start = Date.now();
  #elapsedMs = 0;
  now(): number {
    return this.#start + this.#elapsedMs;
  }
  monotonicMs(): number {
    return this.#elapsedMs;
  }
  async sleep(ms: number): Promise<void> {
    this.advance(ms);
  }
  advance(ms: number): void {
    this.#elapsedMs += ms;
  }
}

/** What is committed: rows of source_files by id, kept as the real table does. */
export class MemoryPositions implements SourcePositions {
  readonly files = new Map<number, StoredFile>();
  nextId = 1;
  queries = 0;
  failure: Error | undefined;

  async load(): Promise<StoredFile[]> {
    return this.#select((file) => file.state === "reading" || file.state === "ended");
  }
  async findByPath(paths: readonly string[]): Promise<StoredFile[]> {
    const wanted = new Set(paths);
    return this.#select((file) => wanted.has(file.path)).reverse();
  }
  async findByInode(inodes: readonly string[]): Promise<StoredFile[]> {
    const wanted = new Set(inodes);
    return this.#select((file) => wanted.has(file.inode)).reverse();
  }
  async findById(fileIds: readonly number[]): Promise<StoredFile[]> {
    const wanted = new Set(fileIds);
    return this.#select((file) => wanted.has(file.fileId));
  }
  async reserveFileIds(count: number): Promise<number[]> {
    return Array.from({ length: count }, () => this.nextId++);
  }
  async save(transaction: SqlTransaction, files: readonly StoredFile[]): Promise<void> {
    (transaction as unknown as { writes: StoredFile[] }).writes.push(...files);
  }
  commit(writes: readonly StoredFile[]): void | Promise<void> {
    for (const file of writes) this.files.set(file.fileId, file);
  }
  byPath(path: string): StoredFile | undefined {
    return [...this.files.values()].reverse().find((file) => file.path === path);
  }
  #select(isWanted: (file: StoredFile) => boolean): StoredFile[] {
    this.queries++;
    if (this.failure !== undefined) throw this.failure;
    const gone = new Set(["archived", "deleted", "replaced"]);
    return [...this.files.values()].filter((file) => !gone.has(file.state) && isWanted(file));
  }
}

/** One bundle that was processed and is neither committed nor discarded. */
export interface FlyingBundle {
  readonly fn: ReadFromDirectoryFn;
  readonly records: SeenRecord[];
  readonly read: Map<number, number>;
  readonly continuation: ProcessContinuation;
  /** Of the source's estimator when `process` ended. */
  readonly watermarkMs: number;
}

export interface SourceHostOptions {
  readonly config: ReadFromDirectoryConfig;
  readonly mode?: "stream" | "available-now";
  readonly fileSystem?: FileSystem;
  readonly positions?: MemoryPositions;
  readonly clock?: ManualClock;
  /** Checkpoints after so many records of a bundle, as a host that wants to commit does. */
  readonly checkpointAfter?: () => number;
  readonly onRecord?: (record: InputRecord) => void;
  readonly restoredWatermarkMs?: number;
}

export class SourceHost {
  readonly positions: MemoryPositions;
  readonly clock: ManualClock;
  /** Records of committed bundles, in order, and `records_read` by file id. */
  readonly committed: SeenRecord[] = [];
  readonly ledger = new Map<number, number>();
  readonly logs: { level: string; message: string; facts: Record<string, unknown> }[] = [];
  #shared = new Map<string, unknown>();
  #fns: ReadFromDirectoryFn[] = [];
  #idle: ReadFromDirectoryFn[] = [];
  #range: RecordRange = { start: 0, end: null };
  #abort = new AbortController();

  constructor(readonly options: SourceHostOptions) {
    this.positions = options.positions ?? new MemoryPositions();
    this.clock = options.clock ?? new ManualClock();
  }

  /** Texts of the committed records. */
  get texts(): string[] {
    return this.committed.map((record) => record.text);
  }

  warnings(): string[] {
    return this.logs.filter(({ level }) => level === "warn").map(({ message }) => message);
  }

  /** Runs `process` of the next bundle. */
  async process(): Promise<FlyingBundle> {
    const fn = this.#idle.pop() ?? (await this.#create());
    const records: SeenRecord[] = [];
    const read = new Map<number, number>();
    const ledger = {
      add: (fileId: number, _counter: string, count = 1) =>
        void read.set(fileId, (read.get(fileId) ?? 0) + count),
      addDeadLetter: () => undefined,
    };
    const tracker = fn.createTracker(this.#range);
    const checkpointAfter = this.options.checkpointAfter?.() ?? Number.POSITIVE_INFINITY;
    let split: ReturnType<typeof tracker.trySplit>;
    const output = (value: unknown, timestampMs?: number) => {
      const record = value as InputRecord;
      this.options.onRecord?.(record);
      records.push(toSeen(record, timestampMs));
      if (records.length >= checkpointAfter) split ??= tracker.trySplit(0);
    };
    const context = { epoch: 0, runId: "r", ledger, afterCommit: () => undefined, timestampMs: 0, output };
    fn.startBundle();
    const continuation = await fn.process(null, tracker, { ...context, outputTo: () => undefined } as never);
    split ??= tracker.trySplit(0);
    this.#range = split?.residual ?? this.#range;
    const watermarkMs = fn.createWatermarkEstimator(fn.initialWatermarkState()).currentWatermarkMs();
    return { fn, records, read, continuation, watermarkMs };
  }

  /** `finishBundle`, the commit, and what comes after it. Returns what was committed. */
  async commit(bundle: FlyingBundle): Promise<SeenRecord[]> {
    const writes: StoredFile[] = [];
    const callbacks: (() => void | Promise<void>)[] = [];
    await bundle.fn.finishBundle({
      transaction: async () => ({ writes }) as never,
      afterCommit: (callback: () => void) => void callbacks.push(callback),
    } as never);
    await this.positions.commit(writes);
    this.committed.push(...bundle.records);
    for (const [fileId, count] of bundle.read)
      this.ledger.set(fileId, (this.ledger.get(fileId) ?? 0) + count);
    for (const callback of callbacks) await callback();
    this.#idle.push(bundle.fn);
    return bundle.records;
  }

  /** Processes and commits one bundle. */
  async bundle(): Promise<SeenRecord[]> {
    return await this.commit(await this.process());
  }

  /** Bundles, with time passing as the source asks for, until it has nothing to do for `idleMs`. */
  async settle(idleMs = 0): Promise<string[]> {
    const before = this.committed.length;
    for (let waitedMs = 0; ; ) {
      const bundle = await this.process();
      await this.commit(bundle);
      if (!bundle.continuation.resume) break;
      const { delayMs } = bundle.continuation;
      if (bundle.records.length > 0) waitedMs = 0;
      if (delayMs > 0 && waitedMs >= idleMs) break;
      const stepMs = Math.min(delayMs, Math.max(0, idleMs - waitedMs));
      this.clock.advance(stepMs);
      waitedMs += stepMs;
    }
    return this.texts.slice(before);
  }

  /** Runs to the end of available-now mode. */
  async runToEnd(bundlesMax = 1000): Promise<string[]> {
    for (let i = 0; i < bundlesMax; i++) {
      const bundle = await this.process();
      await this.commit(bundle);
      if (!bundle.continuation.resume) return this.texts;
      this.clock.advance(bundle.continuation.delayMs);
    }
    throw new Error(`not at its end after ${bundlesMax} bundles`);
  }

  /** Throws everything in flight away and starts again from what is committed. */
  async restart(): Promise<void> {
    this.#abort.abort();
    this.#abort = new AbortController();
    for (const fn of this.#fns) fn.teardown();
    this.#fns = [];
    this.#idle = [];
    this.#shared = new Map();
  }

  async #create(): Promise<ReadFromDirectoryFn> {
    const parts = { fileSystem: this.options.fileSystem ?? realFileSystem, positions: () => this.positions };
    const { restoredWatermarkMs } = this.options;
    const fn = new ReadFromDirectoryFn({ isWatching: false, ...this.options.config }, parts);
    const shared = this.#shared;
    await fn.setup({
      pipeline: "test",
      step: "Read",
      bundlesMayRepeat: false,
      mode: this.options.mode ?? "stream",
      ...(restoredWatermarkMs === undefined ? {} : { restoredWatermarkMs }),
      signal: this.#abort.signal,
      clock: this.clock,
      log: this.#log(),
      database: undefined as never,
      shared: <T>(name: string, create: () => T) => {
        if (!shared.has(name)) shared.set(name, create());
        return shared.get(name) as T;
      },
    } satisfies SetupContext);
    this.#fns.push(fn);
    return fn;
  }

  #log(): Log {
    const write =
      (level: string) =>
      (message: string, facts: Record<string, unknown> = {}) =>
        void this.logs.push({ level, message, facts });
    return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  }
}

/** The record as tests compare it. */
export function toSeen(record: InputRecord, timestampMs: number | undefined): SeenRecord {
  const { problem, origin } = record;
  const { line, byteStart, byteEnd, file } = origin;
  return {
    ...file,
    ...{ line, byteStart, byteEnd, timestampMs },
    text: record.fields?.["text"] ?? origin.raw.toString(),
    reason: problem?.reason,
    messages: problem?.messages ?? [],
  };
}
