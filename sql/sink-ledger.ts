/** The tables `millrace_sink` and `millrace_sink_refused` of another database: what is replayed there, and what it refused. */
import { OPERATION_CODES } from "./change-statements.js";
import type { CopyRows } from "./copy-text.js";
import type { Rejection } from "./halved-rows.js";
import type { PipelineKey } from "./pipelines.js";
import type { EpochMark, OutboxEntry } from "./sink-outbox.js";
import type { SqlQueries, SqlSession, SqlTransaction } from "./sql-session.js";
import { sqlStateOf } from "./sql-state.js";

/** The last epoch of a step that is there. */
export interface LedgerRow {
  readonly chain: string;
  /** Undefined: none. */
  readonly mark: EpochMark | undefined;
}

const TABLES = `create table if not exists millrace_sink (
  pipeline text not null,
  shard integer not null,
  step text not null,
  -- whose epochs these are: there may be pipelines of one name in several coordinating databases
  chain uuid not null,
  epoch bigint,
  run_id uuid,
  applied_at timestamptz,
  primary key (pipeline, shard, step)
);
create table if not exists millrace_sink_refused (
  pipeline text not null,
  shard integer not null,
  step text not null,
  epoch bigint not null,
  run_id uuid not null,
  batch integer not null,
  row integer not null,
  operation text not null,
  table_name text not null,
  columns text[] not null,
  sqlstate text not null,
  message text not null,
  -- the columns as COPY text
  bytes bytea not null,
  refused_at timestamptz not null default now(),
  primary key (pipeline, shard, step, epoch, run_id, batch, row)
)`;

/** Creates what is missing of the tables; needs the right to only then. */
export async function createSinkTables(session: SqlSession): Promise<void> {
  const [known] = await session.query<{ all: boolean }>(
    `select to_regclass('millrace_sink') is not null and to_regclass('millrace_sink_refused') is not null as all`,
  );
  if (known?.all) return;
  await session.begin();
  // two that create a table at once may both fail
  await session.query("select pg_advisory_xact_lock(hashtextextended('millrace:sink', 0))");
  await session.query(TABLES);
  await session.commit();
}

/** A session as the server knows it: a process id alone may be another's later. */
export interface SessionIdentity {
  readonly pid: number;
  readonly start: string;
}

export async function identifySession(queries: SqlQueries): Promise<SessionIdentity> {
  const [own] = await queries.query<SessionIdentity>(
    `select pid, extract(epoch from backend_start)::text as start from pg_stat_activity where pid = pg_backend_pid()`,
  );
  if (own === undefined) throw new Error("the database does not show a session to itself");
  return own;
}

/**
 * Ends sessions of this process whose connection broke: to the server they may be merely silent, and hold the ledger.
 * What they had committed stays.
 */
export async function endBroken(queries: SqlQueries, sessions: readonly SessionIdentity[]): Promise<void> {
  if (sessions.length === 0) return;
  await queries.query(
    `select pg_terminate_backend(a.pid) from pg_stat_activity a
     join unnest($1::integer[], $2::text[]) as broken (pid, start)
       on broken.pid = a.pid and broken.start = extract(epoch from a.backend_start)::text`,
    [sessions.map(({ pid }) => pid), sessions.map(({ start }) => start)],
  );
}

/** Ends all other sessions that call themselves so: of runs that are fenced, and may stand still with the ledger in hand. */
export async function endNamesakes(queries: SqlQueries, applicationName: string): Promise<void> {
  await queries.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where application_name = $1 and datname = current_database() and usename = current_user and pid <> pg_backend_pid()`,
    [applicationName],
  );
}

/** Keeps the step's row of the ledger until the end of the transaction; makes one where there is none. */
export async function lockLedger(
  transaction: SqlTransaction,
  { pipeline, shard }: PipelineKey,
  { step, chain }: Pick<OutboxEntry, "step" | "chain">,
): Promise<LedgerRow> {
  await transaction.execute(
    `insert into millrace_sink (pipeline, shard, step, chain) values ($1, $2, $3, $4)
     on conflict (pipeline, shard, step) do nothing`,
    [pipeline, shard, step, chain],
  );
  // a statement of its own, so that it sees what was committed while the row was waited for
  const [row] = await transaction.query<{ chain: string; epoch: number | null; run_id: string | null }>(
    `select chain, epoch, run_id from millrace_sink where pipeline = $1 and shard = $2 and step = $3 for update`,
    [pipeline, shard, step],
  );
  if (row === undefined) throw new Error(`the ledger's row of step "${step}" was removed while it was taken`);
  const mark =
    row.epoch === null || row.run_id === null ? undefined : { epoch: row.epoch, runId: row.run_id };
  return { chain: row.chain, mark };
}

/** The entry is there from now on, and all before it. */
export async function advanceLedger(
  transaction: SqlTransaction,
  { pipeline, shard }: PipelineKey,
  { step, epoch, runId }: OutboxEntry,
): Promise<void> {
  await transaction.execute(
    `update millrace_sink set epoch = $4, run_id = $5, applied_at = clock_timestamp()
     where pipeline = $1 and shard = $2 and step = $3`,
    [pipeline, shard, step, epoch, runId],
  );
}

/** What an operator may run there to have a ledger taken as standing before this entry. */
export function acceptStatement(
  { pipeline, shard }: PipelineKey,
  { step, chain, after }: OutboxEntry,
): string {
  const [name, path] = [pipeline, step].map(quoteText);
  if (after === undefined) {
    return `delete from millrace_sink where pipeline = ${name} and shard = ${shard} and step = ${path}`;
  }
  return (
    "insert into millrace_sink (pipeline, shard, step, chain, epoch, run_id) " +
    `values (${name}, ${shard}, ${path}, '${chain}', ${after.epoch}, '${after.runId}') ` +
    "on conflict (pipeline, shard, step) do update " +
    "set chain = excluded.chain, epoch = excluded.epoch, run_id = excluded.run_id"
  );
}

/** Keeps rows that the database refuses, in the transaction of those that it takes. */
export async function keepRefused(
  transaction: SqlTransaction,
  { pipeline, shard }: PipelineKey,
  { step, epoch, runId, target }: OutboxEntry,
  batch: number,
  rows: CopyRows,
  rejections: readonly Rejection[],
): Promise<void> {
  for (const { index, error } of rejections) {
    const operation = OPERATIONS_BY_CODE[rows.fieldsOf(index, 1)[0] as number] ?? "";
    await transaction.execute(
      `insert into millrace_sink_refused (pipeline, shard, step, epoch, run_id, batch, row, operation, table_name,
         columns, sqlstate, message, bytes)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text[], $11, $12, $13)`,
      [
        ...[pipeline, shard, step, epoch, runId, batch, index, operation, target.table, target.columns],
        ...[sqlStateOf(error) ?? "", error.message, rows.fieldsOf(index, 2)],
      ],
    );
  }
}

/** See `OPERATION_CODES`. */
const OPERATIONS_BY_CODE: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(OPERATION_CODES).map(([operation, code]) => [code.charCodeAt(0), operation]),
);

function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
