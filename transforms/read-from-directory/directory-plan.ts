/** The plan of a run: what its commit makes of the files' positions, and of the files that are done with it. */

import { resolve } from "node:path";
import type { PlannedFileRow } from "../../sql/planned-files.js";
import { type ReadRangeRow, selectRanges } from "../../sql/read-ranges.js";
import type { SqlTransaction } from "../../sql/sql-session.js";
import type { Clock, Log } from "../primitives/do-fn.js";
import { FileFinisher } from "./file-finisher.js";
import type { RangeEnd } from "./file-range.js";
import { codeOf, type InputDirectory } from "./input-directory.js";
import { KnownFiles } from "./known-files.js";
import type { DirectoryConfig } from "./read-from-directory-config.js";
import { Changes, SourceFile } from "./source-file.js";
import type { SourcePositions, StoredFile } from "./source-positions.js";
import { fromRow } from "./stored-positions.js";

const FILES_PER_QUERY = 1_000;

export interface DirectoryPlanParts {
  readonly files: readonly PlannedFileRow[];
  /** At their end already. */
  readonly finished: readonly StoredFile[];
  readonly config: DirectoryConfig;
  readonly directory: InputDirectory;
  readonly positions: SourcePositions;
  readonly pipeline: string;
  readonly clock: Clock;
  readonly log: Log;
}

export class DirectoryPlan {
  readonly #parts: DirectoryPlanParts;
  /** Files whose end is committed. */
  #done: StoredFile[];

  constructor(parts: DirectoryPlanParts) {
    this.#parts = parts;
    this.#done = [...parts.finished];
  }

  /** In the order in which they are read. */
  get files(): readonly PlannedFileRow[] {
    return this.#parts.files;
  }

  /** Nothing is to be read: the run need not be submitted. */
  get isEmpty(): boolean {
    return this.files.length === 0;
  }

  /** Bytes to be read, as they are stored. */
  get bytes(): number {
    return this.files.reduce((sum, { byte_end: end, raw_offset: start }) => sum + end - start, 0);
  }

  /**
   * Moves the positions of the files to where reading them ended, once all workers have committed.
   * @throws when a part of a planned file was not read, naming file and bytes
   */
  async commit(transaction: SqlTransaction): Promise<void> {
    const { positions, pipeline } = this.#parts;
    const done: StoredFile[] = [];
    for (let i = 0; i < this.files.length; i += FILES_PER_QUERY) {
      const files = this.files.slice(i, i + FILES_PER_QUERY);
      const ids = files.map((file) => file.file_id);
      const ranges = new Map<number, ReadRangeRow[]>(ids.map((id) => [id, []]));
      for (const range of await selectRanges(transaction, pipeline, ids)) {
        ranges.get(range.file_id)!.push(range);
      }
      const ended = files.map((file) => afterRanges(file, ranges.get(file.file_id)!));
      const moved = ended.filter((file, at) => hasMoved(files[at]!, file));
      await positions.save(transaction, moved);
      done.push(...ended.filter(({ state }) => state === "done" || state === "corrupt"));
    }
    this.#done = [...this.#parts.finished, ...done];
  }

  /**
   * After the commit: files that are done are archived or deleted, where that is configured. One that has grown
   * meanwhile stays; trouble with a file is logged, and the next run tries again.
   * @param transact does the work in a transaction and commits it
   */
  async finish(
    transact: (work: (transaction: SqlTransaction) => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const { config, directory, positions, log, clock } = this.#parts;
    const { whenDone } = config;
    if (whenDone === "leave") return;
    const changes = new Changes();
    const archiveDirectory = resolve(config.archiveDirectory);
    const nowMs = () => clock.monotonicMs();
    const known = new KnownFiles();
    const finisher = new FileFinisher({
      ...{ directory, known, positions, changes, log, whenDone, archiveDirectory, nowMs },
    });
    for (const stored of this.#done) {
      await finishFile(finisher, SourceFile.fromStored(stored, nowMs(), changes));
    }
    const left = [...changes.urgent].filter((file) => file.hasLeft).map((file) => file.toStored());
    if (left.length > 0) await transact((transaction) => positions.save(transaction, left));
  }
}

/** The two steps of the finisher, and a look in between at whether something was appended. */
async function finishFile(finisher: FileFinisher, file: SourceFile): Promise<void> {
  const { directory, log } = finisher.options;
  file.visitedTo = file.size;
  try {
    await finisher.finish(file);
    const { asidePath } = file;
    if (asidePath === undefined) return;
    const status = await directory.look(asidePath);
    if (status?.size === file.visitedTo) await finisher.finish(file);
    else await finisher.restore(asidePath, file.fileId, file);
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    log.warn("finished file cannot be moved: the next run tries again", { path: file.path, code });
  }
}

/**
 * The file as it is stored when all that was planned of it is read.
 * @throws when the ranges do not follow one another from where reading began to where the plan ends
 */
function afterRanges(file: PlannedFileRow, ranges: readonly ReadRangeRow[]): StoredFile {
  const stored = fromRow(file);
  const own = ranges.filter((range) => range.generation === file.generation);
  let at = file.byte_offset;
  let end: RangeEnd | undefined;
  for (const range of own) {
    if (range.byte_start !== at || end?.isLast === true) break;
    at = range.byte_end;
    end = JSON.parse(range.end_position) as RangeEnd;
  }
  if (end?.isLast !== true) {
    const planned = file.path.endsWith(".gz") ? "" : ` of ${file.byte_offset}-${file.byte_end}`;
    throw new Error(
      `file "${file.path}" (id ${file.file_id}) was planned and not read: no range begins at byte ${at}${planned}`,
    );
  }
  const { isLast: _, ...position } = end;
  const isDone = file.is_tail_complete && position.state !== "corrupt";
  return { ...stored, ...position, state: isDone ? "done" : position.state };
}

/** Whether the stored row is out of date: where nothing came of reading, it stays as it is. */
function hasMoved(before: PlannedFileRow, after: StoredFile): boolean {
  if (after.state === "done" || after.state !== before.state) return true;
  const isSamePlace = after.byteOffset === before.byte_offset && after.line === before.line;
  const isSameEnd = after.endedAtByte === before.ended_at_byte && after.endedAtLine === before.ended_at_line;
  return !isSamePlace || !isSameEnd || (after.header === null) !== (before.header === null);
}
