/** readFromDirectory: the records of the files in a watched directory. */
import type { PlannedFileRow } from "../sql/planned-files.js";
import type { InputRecord } from "./input-record.js";
import { impulse, P, type PCollection, type Root, withName } from "./primitives/beam.js";
import { composite } from "./primitives/composite.js";
import type { JsonValue } from "./primitives/fn-registry.js";
import { registeredParDo, type StepOf } from "./primitives/par-do.js";
import { reshuffle } from "./primitives/reshuffle.js";
import { splittableParDo } from "./primitives/splittable-par-do.js";
import type { FileRange } from "./read-from-directory/file-range.js";
import type { ReadFromDirectoryConfig } from "./read-from-directory/read-from-directory-config.js";
import { InputRecordCoder } from "./record-coders.js";

export const READ_FROM_DIRECTORY_URN = "millrace:transform:read_from_directory:v1";

/** What to read and how; an option left out has the reader's default. Plain JSON, part of the graph. */
export type ReadFromDirectoryOptions = ReadFromDirectoryConfig;

/** Where and by whom a directory is read. */
export interface ReadFromDirectoryPlacement {
  /**
   * Files are cut into ranges that many workers read beside each other, in any order, each with the directory and
   * the pipeline's database at hand. In mode `available-now` they read what `planDirectory` planned for the run; in
   * mode `stream` one of them watches the directory and hands out what the others read.
   */
  readonly distributed?: boolean;
}

/**
 * Reads every record of the directory once, in order within its file, with its position and with its
 * event time as the element's timestamp. Unbounded in mode `stream`; in mode `available-now` it ends
 * with what is there at the start, and is bounded.
 */
export function readFromDirectory(
  options: ReadFromDirectoryOptions,
  mode: "stream" | "available-now" = "stream",
  placement: ReadFromDirectoryPlacement = {},
): StepOf<Root, PCollection<InputRecord>> {
  // Options left out must not stand in the JSON as undefined.
  const config = JSON.parse(JSON.stringify(options)) as JsonValue & object;
  return composite(READ_FROM_DIRECTORY_URN, config, (root) => {
    const start = root.apply(withName("Impulse", impulse()));
    if (placement.distributed) {
      return mode === "stream" ? readWatchedFiles(start, config) : readPlannedFiles(start, config);
    }
    const read = splittableParDo<Uint8Array, InputRecord>("read_from_directory@1", config, {
      bounded: mode === "available-now",
      coders: { main: new InputRecordCoder() },
      requestsFinalization: true, // a file is archived only after the commit of its last record
    });
    return P(start).apply(withName("ReadFiles", read));
  });
}

/** Reads what is planned once `start` has an element: finding it and reading it apart, so that workers share all ranges. */
export function readPlannedFiles(start: PCollection<unknown>, config: JsonValue): PCollection<InputRecord> {
  const files = P(start).apply(
    withName("ListFiles", registeredParDo<unknown, PlannedFileRow>("list_planned_files@1", null)),
  );
  const ranges = P(files).apply(
    withName("CutFiles", registeredParDo<PlannedFileRow, FileRange>("cut_files@1", config)),
  );
  return readRanges(ranges, config);
}

/** Hands out ranges as files come and grow, and reads them apart from that. */
function readWatchedFiles(start: PCollection<Uint8Array>, config: JsonValue): PCollection<InputRecord> {
  const watch = splittableParDo<Uint8Array, FileRange>("watch_directory@1", config, {
    bounded: false,
    requestsFinalization: true, // by which it counts the runner's checkpoints
  });
  return readRanges(P(start).apply(withName("WatchDirectory", watch)), config);
}

/** Behind a reshuffle: what reads is spread over workers, and does not run again what found the ranges. */
function readRanges(ranges: PCollection<FileRange>, config: JsonValue): PCollection<InputRecord> {
  const spread = P(ranges).apply(withName("Reshuffle", reshuffle<FileRange>()));
  const read = registeredParDo<FileRange, InputRecord>("read_ranges@1", config, {
    coders: { main: new InputRecordCoder() },
  });
  return P(spread).apply(withName("ReadRanges", read));
}
