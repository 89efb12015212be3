/** `live-metrics` built from the configuration of the command line. */
import "../transforms/all-do-fns.js";
import { StoredDeadLetters } from "../runners/job/stored-dead-letters.js";
import { csvFieldsReader } from "./dead-letter-fields.js";
import { buildLiveMetrics } from "./live-metrics.js";
import { readOptions } from "./read-options.js";
import type { BuildPipeline } from "./registry.js";
import { UsageError } from "./usage-error.js";

/** Its tables need the watermark and state of one runner from start to end. */
const RUNNER = "direct";

export const liveMetricsForConfig: BuildPipeline = (config) => {
  const { input, errorDir, delimiter, pipeline, runner, allowedLatenessMs } = config;
  if (runner !== RUNNER) {
    throw new UsageError([
      `pipeline "live-metrics" is for --runner=${RUNNER}: runner "${runner}" does not tell a step how far event time ` +
        "has come, by which late events are parted.",
    ]);
  }
  return {
    graph: buildLiveMetrics({ input, errorDir, delimiter, allowedLatenessMs, read: readOptions(config) }),
    panels: async (connection) => {
      const [{ sqlPanels }, { liveMetricsPanels }] = await Promise.all([
        import("./sql-panels.js"),
        import("./live-metrics/panels.js"),
      ]);
      return sqlPanels(connection, liveMetricsPanels);
    },
    deadLetters: (queries) =>
      new StoredDeadLetters({
        ...{ queries, pipeline, readFields: csvFieldsReader(delimiter) },
        heldWithoutRetries: 'pipeline "live-metrics"',
      }),
  };
};
