/** `user-events` built from the configuration of the command line. */
import "../transforms/all-do-fns.js";
import type { BuildPipeline } from "./registry.js";
import { buildUserEvents } from "./user-events.js";

export const userEventsForConfig: BuildPipeline = (config) => ({
  graph: buildUserEvents({
    input: config.input,
    errorDir: config.errorDir,
    mode: config.once ? "available-now" : "stream",
    delimiter: config.delimiter,
    horizonRecords: config.horizonRecords,
    read: {
      globs: [...config.glob],
      isRecursive: config.recursive,
      order: config.newestFirst ? "newest-first" : "oldest-first",
      quietMs: config.quietMs,
      doneAfterMs: config.doneAfterMs,
      whenDone: config.whenDone,
      archiveDirectory: config.archiveDir,
      recordsPerBundleMax: config.epochRecordsMax,
      bytesPerBundleMax: config.epochBytesMax,
    },
  }),
});
