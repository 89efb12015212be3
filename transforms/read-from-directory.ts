/** readFromDirectory: the records of the files in a watched directory. */
import type { InputRecord } from "./input-record.js";
import { impulse, P, type PCollection, type Root, withName } from "./primitives/beam.js";
import { composite } from "./primitives/composite.js";
import type { StepOf } from "./primitives/par-do.js";
import { splittableParDo } from "./primitives/splittable-par-do.js";
import type { RecordFormatSpec } from "./record-format.js";

export const READ_FROM_DIRECTORY_URN = "millrace:transform:read_from_directory:v1";

/** What to read and how; an option left out has the reader's default. Plain JSON, part of the graph. */
export type ReadFromDirectoryOptions = {
  readonly directory: string;
  /** How bytes become records, and where a record's event time stands. */
  readonly format: RecordFormatSpec;
  /** Names of the files to read, e.g. `*.csv`. */
  readonly glob?: readonly string[];
  /** Whether folders below are read too. */
  readonly recursive?: boolean;
  /** Reads the newest file first instead of in the order of discovery. */
  readonly newestFirst?: boolean;
  /** A last record without line end counts as complete after this long without growth. */
  readonly quietMs?: number;
  /** A file is done when nothing came for this long after its end. */
  readonly doneAfterMs?: number;
  /** What becomes of a file that is done. */
  readonly whenDone?: "leave" | "archive" | "delete";
  readonly archiveDirectory?: string;
  /** The most that one epoch takes from the source. */
  readonly epochBytesMax?: number;
  readonly epochRecordsMax?: number;
  /** How far event times may lag behind the largest one seen in their file. */
  readonly outOfOrdernessMs?: number;
  /** A directory without news for this long no longer holds the watermark back. */
  readonly idleMs?: number;
};

/**
 * Reads every record of the directory once, in order within its file, with its position and with its
 * event time as the element's timestamp. Unbounded in mode `stream`; in mode `available-now` it ends
 * with what is there at the start, and is bounded.
 */
export function readFromDirectory(
  options: ReadFromDirectoryOptions,
  mode: "stream" | "available-now" = "stream",
): StepOf<Root, PCollection<InputRecord>> {
  const config = { ...options, format: { ...options.format } };
  return composite(READ_FROM_DIRECTORY_URN, config, (root) => {
    const read = splittableParDo<Uint8Array, InputRecord>("read_from_directory@1", config, {
      bounded: mode === "available-now",
      requestsFinalization: true, // a file is archived only after the commit of its last record
    });
    return P(root.apply(withName("Impulse", impulse()))).apply(withName("ReadFiles", read));
  });
}
