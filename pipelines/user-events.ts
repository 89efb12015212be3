/** The pipeline of shop events: from a watched directory of CSV files into PostgreSQL, each event once. */

import { deduplicate } from "../transforms/deduplicate.js";
import type { InputRecord } from "../transforms/input-record.js";
import { P, Pipeline, Root, withName } from "../transforms/primitives/beam.js";
import { flattenAll } from "../transforms/primitives/flatten-all.js";
import { readDeadLetterRetries } from "../transforms/read-dead-letter-retries.js";
import { type ReadFromDirectoryOptions, readFromDirectory } from "../transforms/read-from-directory.js";
import { validate } from "../transforms/validate-records.js";
import { writeDeadLetters } from "../transforms/write-dead-letters.js";
import { writeToPostgres } from "../transforms/write-to-postgres.js";
import { type UserEvent, userEventSchema } from "./user-event-schema.js";

export interface UserEventsOptions {
  /** Directory to read. */
  readonly input: string;
  /** Directory for the files of dead letters. */
  readonly errorDir: string;
  /** `stream` (default) goes on until stopped, `available-now` ends with what is there. */
  readonly mode?: "stream" | "available-now";
  /** Between a record's fields; a comma by default. */
  readonly delimiter?: string;
  /** How many accepted ids are remembered in front of the table's unique key. */
  readonly horizonRecords?: number;
  /** For many workers of a job server instead of the direct runner. */
  readonly distributed?: boolean;
  /** More for the reader, e.g. `quietMs`. */
  readonly read?: Omit<ReadFromDirectoryOptions, "directory" | "format">;
}

const columns = ["event_id", "user_id", "event_type", "product_id", "price", "event_timestamp"];
/** The record format of the files. */
export const userEventsFormat = (delimiter: string) => ({
  format: "csv",
  options: { columns, delimiter, timestampColumn: "event_timestamp" },
});
const table = { table: "user_events", columns, conflictKey: ["event_id"] };

/** Builds the graph. */
export function buildUserEvents(options: UserEventsOptions): Pipeline {
  const {
    input,
    errorDir,
    mode,
    read,
    delimiter = ",",
    horizonRecords = 65_536,
    distributed = false,
  } = options;
  const pipeline = new Pipeline();
  const format = userEventsFormat(delimiter);
  const source = readFromDirectory({ ...read, directory: input, format }, mode, { distributed });
  const memory = { key: "event_id", horizon: { records: horizonRecords } };

  const root = new Root(pipeline);
  const events = root.apply(withName("ReadEvents", source));
  // where bundles repeat, retries stay pending: the direct runner has them
  const retries = distributed
    ? undefined
    : root.apply(withName("ReadRetries", readDeadLetterRetries({ format, columns }, mode)));
  const records =
    retries === undefined
      ? events
      : P([events, retries.records]).apply(withName("EventsAndRetries", flattenAll<InputRecord>()));
  const { valid, invalid } = P(records).apply(
    withName("ValidateEvents", validate<UserEvent>(userEventSchema.name)),
  );
  const fresh = P(valid).apply(
    withName("DropDuplicates", deduplicate(memory, { distributed, lastWord: "table", shards: 1_024 })),
  );
  const { rejected } = P(fresh).apply(withName("WriteEvents", writeToPostgres(table)));
  const letters = retries === undefined ? [invalid, rejected] : [invalid, rejected, retries.letters];
  P(letters).apply(withName("WriteDeadLetters", writeDeadLetters({ errorDir })));

  return pipeline;
}
