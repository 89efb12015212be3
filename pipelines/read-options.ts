/** What the configuration says of reading a directory. */
import type { ReadFromDirectoryOptions } from "../transforms/read-from-directory.js";
import type { Config } from "./config.js";

export function readOptions(config: Config): Omit<ReadFromDirectoryOptions, "directory" | "format"> {
  return {
    globs: [...config.glob],
    isRecursive: config.recursive,
    order: config.newestFirst ? "newest-first" : "oldest-first",
    quietMs: config.quietMs,
    doneAfterMs: config.doneAfterMs,
    whenDone: config.whenDone,
    archiveDirectory: config.archiveDir,
    outOfOrdernessMs: config.outOfOrdernessMs,
    idleMs: config.idleMs,
    recordsPerBundleMax: config.epochRecordsMax,
    bytesPerBundleMax: config.epochBytesMax,
  };
}
