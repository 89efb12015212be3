/** A pipeline whose sinks are in another database, and the two databases: changes of CSV files into `states` and `journal`. */
import { DirectRunner } from "../../runners/direct/direct-runner.js";
import type { Job } from "../../runners/job/job.js";
import type { RunnerOptions } from "../../runners/job/runner.js";
import type { SinkDatabase } from "../../sql/sink-databases.js";
import { type ConnectionConfig, SqlSession } from "../../sql/sql-session.js";
import "../../transforms/all-do-fns.js";
import type { InputRecord } from "../../transforms/input-record.js";
import { P, Pipeline, Root, withName } from "../../transforms/primitives/beam.js";
import { registerDoFn } from "../../transforms/primitives/fn-registry.js";
import { registeredParDo } from "../../transforms/primitives/par-do.js";
import { systemClock } from "../../transforms/primitives/system-clock.js";
import { readFromDirectory } from "../../transforms/read-from-directory.js";
import type { RowChange } from "../../transforms/row-change.js";
import { writeChangesToPostgres, writeRowsToPostgres } from "../../transforms/write-changes-to-postgres.js";
import type { Choice } from "./seeded-choice.js";

export const CHANGES_PIPELINE = "changes";
export const REPORTS = "reports";
/** Where changes of a name that the tables refuse begin so. */
export const BAD = "bad";

/** Tables of both kinds: what comes again would show in `journal`, which has no key. */
export const OTHER_TABLES_SQL = `
  create table states (key text primary key check (key not like '${BAD}%'), version bigint not null,
    note text, gone boolean not null default false);
  create table journal (operation text, key text check (key not like '${BAD}%'), version bigint, note text)`;

export interface Change {
  readonly operation: "upsert" | "delete";
  readonly key: string;
  readonly version: number;
  readonly note: string;
}

const columns = ["operation", "key", "version", "note"];

const CHANGE = registerDoFn("record-as-change@other", () => ({
  process({ fields }: InputRecord): object[] {
    const { operation, key, version, note } = fields as Record<string, string>;
    return [{ operation, row: { key, version, note } }];
  },
}));

const ROW = registerDoFn("record-as-row@other", () => ({
  process: ({ fields }: InputRecord): object[] => [fields as object],
}));

export interface ChangesOptions {
  /** Name of the connection; empty: the coordinating database. */
  readonly database?: string | undefined;
  /** Where `journal` is, if not there too. */
  readonly journalDatabase?: string;
  /** Whether `journal`, where nothing may come again, is written too. */
  readonly hasJournal?: boolean;
  readonly mode?: "available-now" | "stream";
}

export function changesPipeline(
  directory: string,
  {
    database = REPORTS,
    journalDatabase = database,
    hasJournal = true,
    mode = "available-now",
  }: ChangesOptions = {},
): Pipeline {
  const pipeline = new Pipeline();
  const read = { directory, format: { format: "csv", options: { columns } }, quietMs: 20 };
  const records = new Root(pipeline).apply(withName("Read", readFromDirectory(read, mode)));
  const named = (name: string) => (name === "" ? {} : { database: name });
  const changes = P(records).apply(
    withName("Changes", registeredParDo<InputRecord, RowChange>(CHANGE, null)),
  );
  const states = { table: "states", columns: ["key", "version", "note"], conflictKey: ["key"] };
  P(changes).apply(
    withName(
      "WriteStates",
      writeChangesToPostgres({ ...states, version: "version", tombstone: "gone", ...named(database) }),
    ),
  );
  if (!hasJournal) return pipeline;
  const rows = P(records).apply(withName("Rows", registeredParDo<InputRecord, object>(ROW, null)));
  P(rows).apply(
    withName(
      "WriteJournal",
      writeRowsToPostgres({ table: "journal", columns, operation: "insert-once", ...named(journalDatabase) }),
    ),
  );
  return pipeline;
}

export interface RunOptions extends ChangesOptions {
  readonly directory: string;
  readonly connection: ConnectionConfig;
  readonly other: ConnectionConfig | SinkDatabase;
  readonly run?: Partial<RunnerOptions>;
}

/** Epochs of 50 records. */
export function startChanges({ directory, connection, other, run, ...options }: RunOptions): Promise<Job> {
  const connect: SinkDatabase = typeof other === "function" ? other : () => other;
  return new DirectRunner().run(changesPipeline(directory, options), {
    ...{ pipeline: CHANGES_PIPELINE, connection, once: true, takeover: false, retryTimeoutMs: 5_000 },
    ...{ bundleRecordsMax: EPOCH_RECORDS, clock: systemClock },
    sinkDatabases: new Map([[REPORTS, connect]]),
    log: { debug() {}, info() {}, warn() {}, error() {} },
    ...run,
  });
}

export const EPOCH_RECORDS = 50;

/** Some of each key, one version one state, in any order; some are refused. */
export function randomChanges(choice: Choice, count: number, badShare = 0): Change[] {
  const changes = Array.from({ length: count }, (_, version): Change => {
    const operation = choice.isHit(0.3) ? "delete" : "upsert";
    const isBad = choice.isHit(badShare);
    const key = `${isBad ? BAD : "k"}${choice.between(1, 40)}`;
    return {
      operation,
      key,
      version,
      note: choice.of(["", "a\\b", "tab\tand é", "\u{1F600}", "x".repeat(300)]),
    };
  });
  return choice.shuffled(changes);
}

export function changesAsCsv(changes: readonly Change[]): string {
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const lines = changes.map((change) =>
    [change.operation, change.key, String(change.version), quoted(change.note)].join(","),
  );
  return [columns.join(","), ...lines, ""].join("\n");
}

/** Every row of both tables as PostgreSQL writes it, in an order of its own. */
export async function dumpOther(connection: ConnectionConfig): Promise<string[]> {
  const session = await SqlSession.connect({ connection, applicationName: "test" });
  try {
    const rows = await session.query<{ row: string }>(
      `select 'states ' || s::text as row from states s union all select 'journal ' || j::text from journal j order by 1`,
    );
    return rows.map(({ row }) => row);
  } finally {
    await session.close();
  }
}

/** What the tables must be: of each key the greatest version, and every row of the journal once. */
export function expectedOther(changes: readonly Change[], hasJournal = true): string[] {
  const good = changes.filter(({ key }) => !key.startsWith(BAD));
  const last = new Map<string, Change>();
  for (const change of good) {
    if ((last.get(change.key)?.version ?? -1) < change.version) last.set(change.key, change);
  }
  return [
    ...[...last.values()].map(
      ({ key, version, operation }) => `states ${key} ${version} ${operation === "delete"}`,
    ),
    ...(hasJournal
      ? good.map(({ operation, key, version, note }) => `journal ${operation} ${key} ${version} ${note}`)
      : []),
  ].sort();
}

/** The same of the tables that are there. */
export async function readOther(connection: ConnectionConfig): Promise<string[]> {
  const session = await SqlSession.connect({ connection, applicationName: "test" });
  try {
    const rows = await session.query<{ row: string }>(
      `select format('states %s %s %s', key, version, case when gone then 'true' else 'false' end) as row from states
       union all select format('journal %s %s %s %s', operation, key, version, note) from journal`,
    );
    return rows.map(({ row }) => row).sort();
  } finally {
    await session.close();
  }
}
