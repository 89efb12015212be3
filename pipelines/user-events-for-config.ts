/** `user-events` built from the configuration of the command line. */
import { StoredDeadLetters } from "../runners/job/stored-dead-letters.js";
import "../transforms/all-do-fns.js";
import { csvFieldsReader } from "./dead-letter-fields.js";
import { directoryRunClient } from "./directory-run-client.js";
import { readOptions } from "./read-options.js";
import type { BuildPipeline, BuiltPipeline } from "./registry.js";
import { buildUserEvents, userEventsFormat } from "./user-events.js";

export const userEventsForConfig: BuildPipeline = (config) => {
  const { input, errorDir, once, interval, delimiter, horizonRecords, pipeline, runner } = config;
  const read = readOptions(config);
  const distributed = runner !== "direct";
  const isBounded = once || interval !== undefined;
  const mode = isBounded ? "available-now" : "stream";
  const graph = buildUserEvents({ input, errorDir, mode, delimiter, horizonRecords, read, distributed });
  const deadLetters: NonNullable<BuiltPipeline["deadLetters"]> = (queries) =>
    new StoredDeadLetters({
      ...{ queries, pipeline, readFields: csvFieldsReader(delimiter) },
      heldWithoutRetries: distributed ? `runner ${runner}` : undefined,
    });
  if (!distributed) return { graph, panels, deadLetters, takesRetries: true };
  return {
    graph,
    panels,
    deadLetters,
    client: directoryRunClient(
      { pipeline, errorDir, read: { ...read, directory: input, format: userEventsFormat(delimiter) } },
      isBounded,
    ),
    modules: MODULES,
  };
};

const panels: NonNullable<BuiltPipeline["panels"]> = async (connection) => {
  const [{ sqlPanels }, { shopPanels }] = await Promise.all([
    import("./sql-panels.js"),
    import("./shop-panels.js"),
  ]);
  return sqlPanels(connection, shopPanels);
};

/** What registers the names in the graph. */
const MODULES = ["../transforms/all-do-fns.js", "./user-events.js"].map(
  (module) => new URL(module, import.meta.url),
);
