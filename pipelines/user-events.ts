/** The pipeline of shop events: from a watched directory of CSV files into PostgreSQL, each event once. */

import { deduplicate } from "../transforms/deduplicate.js";
import { P, Pipeline, Root, withName } from "../transforms/primitives/beam.js";
import { type ReadFromDirectoryOptions, readFromDirectory } from "../transforms/read-from-directory.js";
import { validate } from "../transforms/validate-records.js";
import { writeDeadLetters } from "../transforms/write-dead-letters.js";
import { writeToPostgres } from "../transforms/write-to-postgres.js";

export interface UserEventsOptions {
  /** Directory to read. */
  readonly input: string;
  /** Directory for the files of dead letters. */
  readonly errorDir: string;
  /** `stream` (default) goes on until stopped, `available-now` ends with what is there. */
  readonly mode?: "stream" | "available-now";
  /** More for the reader, e.g. `quietMs`. */
  readonly read?: Omit<ReadFromDirectoryOptions, "directory" | "format">;
}

const columns = ["event_id", "user_id", "event_type", "product_id", "price", "event_timestamp"];
const csv = { format: "csv", options: { columns, timestampColumn: "event_timestamp" } };
const table = { table: "user_events", columns, conflictKey: ["event_id"] };
const memory = { key: "event_id", horizon: { records: 1_000_000 } };

/** Builds the graph. */
export function buildUserEvents({ input, errorDir, mode, read }: UserEventsOptions): Pipeline {
  const pipeline = new Pipeline();
  const source = readFromDirectory({ ...read, directory: input, format: csv }, mode);

  const records = new Root(pipeline).apply(withName("ReadEvents", source));
  const { valid, invalid } = P(records).apply(withName("ValidateEvents", validate("user-events/event")));
  const fresh = P(valid).apply(withName("DropDuplicates", deduplicate(memory)));
  const { rejected } = P(fresh).apply(withName("WriteEvents", writeToPostgres(table)));
  P([invalid, rejected]).apply(withName("WriteDeadLetters", writeDeadLetters({ errorDir })));

  return pipeline;
}
