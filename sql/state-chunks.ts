/** The tables `state_snapshots` and `state_deltas`: a pipeline's state as of an epoch, and what later epochs changed. */
import type { PipelineKey } from "./pipelines.js";
import type { SqlQueries, SqlTransaction } from "./sql-session.js";

/** The bytes of a row: far below what a value may hold, and little to have in memory twice. */
const CHUNK_BYTES_MAX = 8 * 1024 * 1024;

/** What one epoch stores. */
export interface StoredStateParts {
  readonly key: PipelineKey;
  readonly epoch: number;
  readonly runId: string;
  readonly bytes: Uint8Array;
}

type StateTable = "state_snapshots" | "state_deltas";

export function insertStateDelta(transaction: SqlTransaction, parts: StoredStateParts): Promise<void> {
  return insertChunks(transaction, "state_deltas", parts);
}

export function insertStateSnapshot(transaction: SqlTransaction, parts: StoredStateParts): Promise<void> {
  return insertChunks(transaction, "state_snapshots", parts);
}

/** Removes what the snapshot of this epoch has taken the place of. */
export async function pruneState(
  transaction: SqlTransaction,
  { pipeline, shard }: PipelineKey,
  snapshotEpoch: number,
): Promise<void> {
  const values = [pipeline, shard, snapshotEpoch];
  await transaction.execute(
    "delete from state_deltas where pipeline = $1 and shard = $2 and epoch <= $3",
    values,
  );
  await transaction.execute(
    "delete from state_snapshots where pipeline = $1 and shard = $2 and epoch < $3",
    values,
  );
}

/** Removes all of it. */
export async function dropState(
  transaction: SqlTransaction,
  { pipeline, shard }: PipelineKey,
): Promise<void> {
  const values = [pipeline, shard];
  await transaction.execute("delete from state_deltas where pipeline = $1 and shard = $2", values);
  await transaction.execute("delete from state_snapshots where pipeline = $1 and shard = $2", values);
}

/** How the state is written, as the run that stored it said; null before there was any. */
export async function readStateShape(
  queries: SqlQueries,
  { pipeline, shard }: PipelineKey,
): Promise<unknown> {
  const [row] = await queries.query<{ state_shape: unknown }>(
    "select state_shape from pipelines where pipeline = $1 and shard = $2",
    [pipeline, shard],
  );
  return row?.state_shape ?? null;
}

/** It has committed state, and the database has none of it. */
export async function isStateElsewhere(
  queries: SqlQueries,
  { pipeline, shard }: PipelineKey,
): Promise<boolean> {
  const rows = await queries.query(
    `select from pipelines where pipeline = $1 and shard = $2 and epoch > 0 and state_shape is not null
       and not exists (select from state_snapshots where pipeline = $1 and shard = $2)
       and not exists (select from state_deltas where pipeline = $1 and shard = $2)`,
    [pipeline, shard],
  );
  return rows.length > 0;
}

/** In a session that holds the pipeline. */
export async function writeStateShape(
  queries: SqlQueries,
  { pipeline, shard }: PipelineKey,
  shape: unknown,
): Promise<void> {
  await queries.query("update pipelines set state_shape = $3::jsonb where pipeline = $1 and shard = $2", [
    pipeline,
    shard,
    JSON.stringify(shape),
  ]);
}

/** What is stored of one epoch, without its bytes. */
export interface StoredPart {
  readonly epoch: number;
  readonly bytes: number;
}

export interface StoredParts {
  /** The last one that is whole. */
  readonly snapshot: StoredPart | undefined;
  /** Those behind it, in order. */
  readonly deltas: readonly StoredPart[];
}

export async function listState(queries: SqlQueries, { pipeline, shard }: PipelineKey): Promise<StoredParts> {
  const select = (table: StateTable, where: string) => `
    select epoch, sum(octet_length(bytes))::bigint as bytes from ${table}
    where pipeline = $1 and shard = $2 and epoch ${where} group by epoch order by epoch`;
  const whole = "in (select epoch from state_snapshots where pipeline = $1 and shard = $2 and chunk = 0)";
  const snapshots = await queries.query<StoredPart>(select("state_snapshots", whole), [pipeline, shard]);
  const snapshot = snapshots.at(-1);
  const after = [pipeline, shard, snapshot?.epoch ?? 0];
  const deltas = await queries.query<StoredPart>(select("state_deltas", "> $3"), after);
  return { snapshot, deltas };
}

/** Its rows in their order. */
export async function readChunks(
  queries: SqlQueries,
  { pipeline, shard }: PipelineKey,
  table: StateTable,
  epoch: number,
): Promise<Buffer[]> {
  const rows = await queries.query<{ bytes: Buffer }>(
    `select bytes from ${table} where pipeline = $1 and shard = $2 and epoch = $3 order by chunk`,
    [pipeline, shard, epoch],
  );
  return rows.map(({ bytes }) => bytes);
}

/** Row by row, for what is large. */
export async function* readChunksInTurn(
  queries: SqlQueries,
  { pipeline, shard }: PipelineKey,
  table: StateTable,
  epoch: number,
): AsyncGenerator<Buffer> {
  for (let chunk = -1; ; ) {
    const [row] = await queries.query<{ chunk: number; bytes: Buffer }>(
      `select chunk, bytes from ${table} where pipeline = $1 and shard = $2 and epoch = $3 and chunk > $4
       order by chunk limit 1`,
      [pipeline, shard, epoch, chunk],
    );
    if (row === undefined) return;
    yield row.bytes;
    chunk = row.chunk;
  }
}

/** A piece of a snapshot that is written in several transactions: it is whole once it has its chunk 0. */
export function insertSnapshotPiece(
  transaction: SqlTransaction,
  parts: StoredStateParts,
  chunk: number,
): Promise<number> {
  return insertChunk(transaction, "state_snapshots", parts, chunk, parts.bytes);
}

/** Removes what a run has left of a snapshot that it did not finish. */
export async function dropUnfinishedSnapshots(
  queries: SqlQueries,
  { pipeline, shard }: PipelineKey,
): Promise<void> {
  await queries.query(
    `delete from state_snapshots where pipeline = $1 and shard = $2 and epoch not in
       (select epoch from state_snapshots where pipeline = $1 and shard = $2 and chunk = 0)`,
    [pipeline, shard],
  );
}

async function insertChunks(
  transaction: SqlTransaction,
  table: StateTable,
  parts: StoredStateParts,
): Promise<void> {
  const { bytes } = parts;
  for (let chunk = 0, start = 0; start < bytes.length; chunk++, start += CHUNK_BYTES_MAX) {
    await insertChunk(transaction, table, parts, chunk, bytes.subarray(start, start + CHUNK_BYTES_MAX));
  }
}

function insertChunk(
  transaction: SqlTransaction,
  table: StateTable,
  { key: { pipeline, shard }, epoch, runId }: StoredStateParts,
  chunk: number,
  bytes: Uint8Array,
): Promise<number> {
  return transaction.execute(
    `insert into ${table} (pipeline, shard, epoch, run_id, chunk, bytes) values ($1, $2, $3, $4, $5, $6)`,
    [pipeline, shard, epoch, runId, chunk, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)],
  );
}
