/** A program that writes the changes in a folder of CSV files into the table `states`, epoch by epoch, to their end. */
import { DirectRunner } from "../../runners/direct/direct-runner.js";
import type { ConnectionConfig } from "../../sql/sql-session.js";
import "../../transforms/all-do-fns.js";
import type { InputRecord } from "../../transforms/input-record.js";
import { P, Pipeline, Root, withName } from "../../transforms/primitives/beam.js";
import { registerDoFn } from "../../transforms/primitives/fn-registry.js";
import { registeredParDo } from "../../transforms/primitives/par-do.js";
import { systemClock } from "../../transforms/primitives/system-clock.js";
import { readFromDirectory } from "../../transforms/read-from-directory.js";
import type { RowChange } from "../../transforms/row-change.js";
import { writeChangesToPostgres } from "../../transforms/write-changes-to-postgres.js";

export interface ChangesProgram {
  readonly directory: string;
  readonly connection: ConnectionConfig;
  readonly hasTombstones: boolean;
}

const EPOCH_RECORDS_MAX = 50;
const columns = ["operation", "key", "version"];

const CHANGE = registerDoFn("record-as-change@test", () => ({
  process({ fields }: InputRecord): object[] {
    const { operation, key, version } = fields as Record<string, string>;
    return [{ operation, row: { key, version } }];
  },
}));

const { directory, connection, hasTombstones } = JSON.parse(process.argv[2]!) as ChangesProgram;

const pipeline = new Pipeline();
const source = readFromDirectory(
  { directory, format: { format: "csv", options: { columns } } },
  "available-now",
);
const records = new Root(pipeline).apply(withName("Read", source));
const changes = P(records).apply(withName("Changes", registeredParDo<InputRecord, RowChange>(CHANGE, null)));
const table = { table: "states", columns: ["key", "version"], conflictKey: ["key"], version: "version" };
P(changes).apply(
  withName("Write", writeChangesToPostgres(hasTombstones ? { ...table, tombstone: "gone" } : table)),
);

const job = await new DirectRunner().run(pipeline, {
  ...{ pipeline: "changes", connection, once: true, takeover: false, retryTimeoutMs: 2_000 },
  ...{ bundleRecordsMax: EPOCH_RECORDS_MAX, clock: systemClock },
  log: { debug() {}, info() {}, warn() {}, error: (line) => void process.stderr.write(`${line}\n`) },
});
process.exitCode = (await job.waitUntilFinish()) === "DONE" ? 0 : 1;
