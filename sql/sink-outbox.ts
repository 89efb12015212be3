/** The tables `sink_outbox` and `sink_heads`: rows for other databases, committed here and still to be replayed there. */
import { promisify } from "node:util";
import { deflateRaw, inflateRaw } from "node:zlib";
import type { ChangedTable, Operation } from "./changed-table.js";
import { CopyRows } from "./copy-text.js";
import type { PipelineKey } from "./pipelines.js";
import type { SqlQueries, SqlTransaction } from "./sql-session.js";

/** The bytes of a row of the log: far below what a value may hold, and little to have in memory twice. */
const PART_BYTES_MAX = 4 * 1024 * 1024;
/** A better level saves less of PostgreSQL's time than it takes of ours. */
const COMPRESSION_LEVEL = 1;

/** A table in another database, and what a step may do to it. Logged with the rows. */
export interface SinkTarget extends ChangedTable {
  readonly operations: readonly Operation[];
}

/** A commit of a pipeline: never its epoch alone, which another run may have committed as well. */
export interface EpochMark {
  readonly epoch: number;
  readonly runId: string;
}

/** What a step has logged in one epoch. */
export interface OutboxEntry extends EpochMark {
  readonly step: string;
  readonly chain: string;
  /** What the step logged before it; undefined: nothing. */
  readonly after: EpochMark | undefined;
  readonly target: SinkTarget;
  readonly batches: number;
}

/** What is written to the other database at once. */
export interface OutboxBatch {
  readonly rows: CopyRows;
  readonly operations: ReadonlySet<Operation>;
}

/** How much an epoch has logged for a database, in bytes. */
export interface LoggedBytes {
  readonly database: string;
  readonly epoch: number;
  readonly bytes: number;
}

/** An epoch's transaction. */
type MarkedTransaction = SqlTransaction & EpochMark;

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** Where a step's rows are logged, one epoch after the other. */
export class SinkLog {
  readonly #place: {
    readonly key: PipelineKey;
    readonly step: string;
    readonly database: string;
    readonly target: SinkTarget;
  };
  #transaction: MarkedTransaction | undefined;
  #batches = 0;
  #head: HeadRow | undefined;

  constructor(place: {
    readonly key: PipelineKey;
    readonly step: string;
    readonly database: string;
    readonly target: SinkTarget;
  }) {
    this.#place = place;
  }

  /** Logs a batch in the epoch's transaction, as the bytes that COPY would be given. */
  async write(
    transaction: MarkedTransaction,
    rows: CopyRows,
    operations: ReadonlySet<Operation>,
  ): Promise<void> {
    const { key, step, database, target } = this.#place;
    const bytes = await deflate(rows.all(), { level: COMPRESSION_LEVEL });
    if (this.#transaction !== transaction) {
      this.#head = await this.#moveHead(transaction);
      this.#batches = 0;
      this.#transaction = transaction;
    }
    const { chain, after_epoch, after_run_id } = this.#head as HeadRow;
    const batch = this.#batches++;
    for (let part = 0, start = 0; part === 0 || start < bytes.length; part++, start += PART_BYTES_MAX) {
      await transaction.execute(INSERT_PART, [
        ...[key.pipeline, key.shard, transaction.epoch, step, batch, part, transaction.runId, database],
        ...[chain, after_epoch, after_run_id, JSON.stringify(target), [...operations]],
        bytes.subarray(start, start + PART_BYTES_MAX),
      ]);
    }
  }

  async #moveHead(transaction: MarkedTransaction): Promise<HeadRow> {
    const { key, step, database } = this.#place;
    const [head] = await transaction.query<HeadRow>(MOVE_HEAD, [
      ...[key.pipeline, key.shard, step, database, transaction.epoch, transaction.runId],
    ]);
    return head as HeadRow;
  }
}

interface HeadRow {
  readonly chain: string;
  readonly after_epoch: number | null;
  readonly after_run_id: string | null;
}

const MOVE_HEAD = `insert into sink_heads as head (pipeline, shard, step, database, epoch, run_id)
  values ($1, $2, $3, $4, $5, $6)
  on conflict (pipeline, shard, step, database) do update
    set after_epoch = head.epoch, after_run_id = head.run_id, epoch = excluded.epoch, run_id = excluded.run_id
  returning chain, after_epoch, after_run_id`;

const INSERT_PART = `insert into sink_outbox (pipeline, shard, epoch, step, batch, part, run_id, database, chain,
    after_epoch, after_run_id, target, operations, bytes)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::jsonb, $13::text[], $14)`;

const LOGGED = `select database, epoch, sum(octet_length(bytes))::bigint as bytes from sink_outbox
  where pipeline = $1 and shard = $2`;

/** All that is in the log, by epoch. */
export function readLogged(queries: SqlQueries, { pipeline, shard }: PipelineKey): Promise<LoggedBytes[]> {
  return queries.query(`${LOGGED} group by database, epoch order by epoch, database`, [pipeline, shard]);
}

/** What this epoch has logged, in its transaction. */
export function readLoggedIn(
  transaction: SqlTransaction,
  { pipeline, shard }: PipelineKey,
  epoch: number,
): Promise<LoggedBytes[]> {
  return transaction.query(`${LOGGED} and epoch = $3 group by database, epoch order by database`, [
    ...[pipeline, shard, epoch],
  ]);
}

/** What an epoch has logged for a database, by the names of the steps. None: it was removed, so it is there. */
export async function readEntries(
  queries: SqlQueries,
  { pipeline, shard }: PipelineKey,
  database: string,
  epoch: number,
): Promise<OutboxEntry[]> {
  const rows = await queries.query<EntryRow>(
    `select step, chain, epoch, run_id, after_epoch, after_run_id, target, count(distinct batch)::integer as batches
     from sink_outbox where pipeline = $1 and shard = $2 and database = $3 and epoch = $4
     group by step, chain, epoch, run_id, after_epoch, after_run_id, target order by step`,
    [pipeline, shard, database, epoch],
  );
  return rows.map(({ run_id: runId, after_epoch, after_run_id, ...row }) => ({
    ...{ ...row, runId },
    after:
      after_epoch === null || after_run_id === null ? undefined : { epoch: after_epoch, runId: after_run_id },
  }));
}

interface EntryRow {
  readonly step: string;
  readonly chain: string;
  readonly epoch: number;
  readonly run_id: string;
  readonly after_epoch: number | null;
  readonly after_run_id: string | null;
  readonly target: SinkTarget;
  readonly batches: number;
}

/** A batch of an entry, as it was logged; undefined: it was removed meanwhile, so it is there. */
export async function readBatch(
  queries: SqlQueries,
  { pipeline, shard }: PipelineKey,
  { epoch, step }: Pick<OutboxEntry, "epoch" | "step">,
  batch: number,
): Promise<OutboxBatch | undefined> {
  const rows = await queries.query<{ operations: Operation[]; bytes: Buffer }>(
    `select operations, bytes from sink_outbox
     where pipeline = $1 and shard = $2 and epoch = $3 and step = $4 and batch = $5 order by part`,
    [pipeline, shard, epoch, step, batch],
  );
  const [first] = rows;
  if (first === undefined) return undefined;
  const bytes = await inflate(Buffer.concat(rows.map((row) => row.bytes)));
  return { rows: CopyRows.of(bytes), operations: new Set(first.operations) };
}

/** Whether the log has what this commit logged for the step. */
export async function isLogged(
  queries: SqlQueries,
  { pipeline, shard }: PipelineKey,
  step: string,
  { epoch, runId }: EpochMark,
): Promise<boolean> {
  const rows = await queries.query(
    `select from sink_outbox where pipeline = $1 and shard = $2 and step = $3 and epoch = $4 and run_id = $5 limit 1`,
    [pipeline, shard, step, epoch, runId],
  );
  return rows.length > 0;
}

/** Removes what the database has confirmed: all up to this epoch. */
export async function removeConfirmed(
  transaction: SqlTransaction,
  { pipeline, shard }: PipelineKey,
  database: string,
  epoch: number,
): Promise<void> {
  await transaction.execute(
    "delete from sink_outbox where pipeline = $1 and shard = $2 and database = $3 and epoch <= $4",
    [pipeline, shard, database, epoch],
  );
}
