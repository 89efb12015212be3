/** A watched directory as one attempt sees it: what it handed out, over what is committed as read. */
import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import type { SqlQueries } from "../../sql/sql-session.js";
import type { ProcessContinuation, SetupContext } from "../primitives/do-fn.js";
import { MIN_TIMESTAMP_MS } from "../primitives/timestamp-bounds.js";
import { createRecordFormat } from "../record-format.js";
import { DirectorySource } from "./directory-source.js";
import { DirectoryWatermark } from "./directory-watermark.js";
import type { FileRange } from "./file-range.js";
import { realFileSystem } from "./file-system.js";
import { HandOutVisitor, type RangeTarget } from "./hand-out-visitor.js";
import { type DirectoryConfig, inputDirectory } from "./read-from-directory-config.js";
import type { SourcePositions, StoredFile } from "./source-positions.js";
import { fromRow, storedPositions, toRow } from "./stored-positions.js";
import type { WatchState } from "./watch-state.js";

/** Ranges handed out in one step. */
const RANGES_MAX = 1_000;
/** Files kept in the restriction: at so many nothing more is handed out until some of them are committed. */
const FILES_MAX = 50_000;
/** How often it is asked which files are committed to their end. */
const TRIM_MS = 10_000;

/** What a step has found. */
export interface HandedOut {
  readonly ranges: readonly { readonly range: FileRange; readonly largestMs: number }[];
  /** Files that are new, or not what they were. */
  readonly identities: readonly StoredFile[];
  readonly continuation: ProcessContinuation;
}

/** Lives in memory as long as its steps follow one another; else it is made again from the restriction. */
export class DirectoryWatcher {
  readonly id = randomUUID();
  step: number;
  readonly watermark: DirectoryWatermark;
  readonly #database: SqlQueries;
  readonly #context: SetupContext;
  readonly #handedOut: Map<number, StoredFile>;
  #source!: DirectorySource<RangeTarget>;
  #trimmedAtMs: number;
  #isWarned = false;
  lineage = 0;

  private constructor(
    state: WatchState,
    watermarkMs: number,
    config: DirectoryConfig,
    context: SetupContext,
  ) {
    const { clock } = context;
    this.step = state.step;
    this.#database = context.database;
    this.#context = context;
    this.#handedOut = new Map(state.files.map((row) => [row.file_id, fromRow(row)]));
    this.#trimmedAtMs = clock.monotonicMs();
    const { outOfOrdernessMs, idleMs } = config;
    this.watermark = new DirectoryWatermark({ outOfOrdernessMs, idleMs, clock }, watermarkMs);
  }

  /** Goes on from what was handed out and, for other files, from what is committed. */
  static async open(
    state: WatchState,
    watermarkMs: number,
    config: DirectoryConfig,
    context: SetupContext,
  ): Promise<DirectoryWatcher> {
    const watcher = new DirectoryWatcher(state, watermarkMs, config, context);
    await watcher.#dropCommitted(({ byteOffset }, committed) => committed.byteOffset > byteOffset);
    const { clock, log, signal } = context;
    const directory = inputDirectory(config, realFileSystem);
    const positions = watcher.#positions(storedPositions(context.database, context.pipeline));
    const { order, quietMs, doneAfterMs, isWatching, rangeBytesMax } = config;
    const archiveDirectory = resolve(config.archiveDirectory);
    const format = createRecordFormat(config.format);
    const visitor = new HandOutVisitor({
      ...{ directory, format, clock, signal, quietMs, rangeBytesMax },
      lineage: () => watcher.lineage,
    });
    watcher.#source = await DirectorySource.open(
      {
        ...{
          directory,
          positions,
          clock,
          log,
          signal,
          order,
          quietMs,
          doneAfterMs,
          isWatching,
          archiveDirectory,
        },
        mode: "stream",
        whenDone: "leave", // a worker does not know when what others read is committed
      },
      visitor,
    );
    return watcher;
  }

  /** Looks once. What it finds counts as handed out by this watcher, which is done with if it cannot be emitted. */
  async next(lineage: number): Promise<HandedOut> {
    this.lineage = lineage;
    const target = new StepTarget(this.#isTooFull());
    const continuation = await this.#source.read(target);
    const snapshot = this.#source.snapshot();
    const identities: StoredFile[] = [];
    for (const file of snapshot?.files ?? []) {
      if (isOther(this.#handedOut.get(file.fileId), file)) identities.push(file);
      this.#handedOut.set(file.fileId, file);
    }
    snapshot?.committed();
    await this.#trim();
    for (const { range, largestMs } of target.ranges) this.watermark.emitted(range.file.file_id, largestMs);
    this.watermark.advance(this.#source.unfinished, this.#source.isIdle);
    return { ranges: target.ranges, identities, continuation };
  }

  /** The restriction after the step that was made last. */
  state(): WatchState {
    const files = [...this.#handedOut.values()].map(toRow);
    return { watcher: this.id, step: this.step, files, isClosed: false };
  }

  close(): void {
    this.#source.close();
  }

  /** Files that are done and committed as read to their end are found in the database again. */
  async #trim(): Promise<void> {
    const nowMs = this.#context.clock.monotonicMs();
    if (nowMs - this.#trimmedAtMs < TRIM_MS) return;
    this.#trimmedAtMs = nowMs;
    await this.#dropCommitted((own, committed) => {
      const isAtRest = own.state !== "reading" && own.state !== "ended";
      return isAtRest && own.byteOffset === committed.byteOffset && own.path === committed.path;
    });
  }

  async #dropCommitted(isKnown: (own: StoredFile, committed: StoredFile) => boolean): Promise<void> {
    const positions = storedPositions(this.#database, this.#context.pipeline);
    for (const committed of await positions.findById([...this.#handedOut.keys()])) {
      const own = this.#handedOut.get(committed.fileId)!;
      if (own.generation === committed.generation && isKnown(own, committed)) {
        this.#handedOut.delete(committed.fileId);
      }
    }
  }

  #isTooFull(): boolean {
    const isTooFull = this.#handedOut.size >= FILES_MAX;
    if (isTooFull && !this.#isWarned) {
      const facts = { files: this.#handedOut.size, filesMax: FILES_MAX };
      this.#context.log.warn("files handed out are not committed: waiting before more are", facts);
    }
    this.#isWarned = isTooFull;
    return isTooFull;
  }

  /** What is committed, where nothing was handed out since. */
  #positions(stored: SourcePositions): SourcePositions {
    const own = this.#handedOut;
    const over = async (rows: Promise<StoredFile[]>, isWanted: (file: StoredFile) => boolean) => {
      const others = (await rows).filter(({ fileId }) => !own.has(fileId));
      return [
        ...[...own.values()].reverse().filter((file) => isInDirectory(file) && isWanted(file)),
        ...others,
      ];
    };
    return {
      load: () => over(stored.load(), ({ state }) => state === "reading" || state === "ended"),
      findByPath: (paths) => over(stored.findByPath(paths), ({ path }) => paths.includes(path)),
      findByInode: (inodes) => over(stored.findByInode(inodes), ({ inode }) => inodes.includes(inode)),
      findById: (ids) => over(stored.findById(ids), ({ fileId }) => ids.includes(fileId)),
      reserveFileIds: (count) => stored.reserveFileIds(count),
      save: (transaction, files) => stored.save(transaction, files),
    };
  }
}

class StepTarget implements RangeTarget {
  readonly ranges: { range: FileRange; largestMs: number }[] = [];
  constructor(private readonly isTooFull: boolean) {}

  get isFull(): boolean {
    return this.isTooFull || this.ranges.length >= RANGES_MAX;
  }

  add(range: FileRange, largestMs = MIN_TIMESTAMP_MS): void {
    this.ranges.push({ range, largestMs });
  }
}

function isInDirectory({ state }: StoredFile): boolean {
  return state !== "archived" && state !== "deleted" && state !== "replaced";
}

/** Whether the row must say so: another name, inode or generation, or at rest. */
function isOther(before: StoredFile | undefined, { path, inode, generation, state }: StoredFile): boolean {
  if (before === undefined || path !== before.path || inode !== before.inode) return true;
  return generation !== before.generation || (state !== before.state && state !== "reading");
}
