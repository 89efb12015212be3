/** readFromDirectory: the records of the files in a watched directory. */
import type { InputRecord } from "./input-record.js";
import { impulse, P, type PCollection, type Root, withName } from "./primitives/beam.js";
import { composite } from "./primitives/composite.js";
import type { JsonValue } from "./primitives/fn-registry.js";
import type { StepOf } from "./primitives/par-do.js";
import { splittableParDo } from "./primitives/splittable-par-do.js";
import type { ReadFromDirectoryConfig } from "./read-from-directory/read-from-directory-fn.js";
import { InputRecordCoder } from "./record-coders.js";

export const READ_FROM_DIRECTORY_URN = "millrace:transform:read_from_directory:v1";

/** What to read and how; an option left out has the reader's default. Plain JSON, part of the graph. */
export type ReadFromDirectoryOptions = ReadFromDirectoryConfig;

/**
 * Reads every record of the directory once, in order within its file, with its position and with its
 * event time as the element's timestamp. Unbounded in mode `stream`; in mode `available-now` it ends
 * with what is there at the start, and is bounded.
 */
export function readFromDirectory(
  options: ReadFromDirectoryOptions,
  mode: "stream" | "available-now" = "stream",
): StepOf<Root, PCollection<InputRecord>> {
  // Options left out must not stand in the JSON as undefined.
  const config = JSON.parse(JSON.stringify(options)) as JsonValue & object;
  return composite(READ_FROM_DIRECTORY_URN, config, (root) => {
    const read = splittableParDo<Uint8Array, InputRecord>("read_from_directory@1", config, {
      bounded: mode === "available-now",
      coders: { main: new InputRecordCoder() },
      requestsFinalization: true, // a file is archived only after the commit of its last record
    });
    return P(root.apply(withName("Impulse", impulse()))).apply(withName("ReadFiles", read));
  });
}
