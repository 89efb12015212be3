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

/** What one epoch has stored. */
export interface StoredEpochState {
  readonly epoch: number;
  readonly bytes: Uint8Array;
}

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

/** The last snapshot, if there is one, and the deltas behind it in order. */
export async function readState(
  queries: SqlQueries,
  { pipeline, shard }: PipelineKey,
): Promise<{
  readonly snapshot: StoredEpochState | undefined;
  readonly deltas: readonly StoredEpochState[];
}> {
  const snapshots = await queries.query<ChunkRow>(
    "select epoch, bytes from state_snapshots where pipeline = $1 and shard = $2 order by epoch, chunk",
    [pipeline, shard],
  );
  const snapshot = joinedChunks(snapshots).at(-1);
  const deltas = await queries.query<ChunkRow>(
    `select epoch, bytes from state_deltas where pipeline = $1 and shard = $2 and epoch > $3
     order by epoch, chunk`,
    [pipeline, shard, snapshot?.epoch ?? 0],
  );
  return { snapshot, deltas: joinedChunks(deltas) };
}

interface ChunkRow {
  readonly epoch: number;
  readonly bytes: Buffer;
}

/** Rows by epoch and number. */
export function joinedChunks(rows: readonly ChunkRow[]): StoredEpochState[] {
  const chunks = new Map<number, Buffer[]>();
  for (const { epoch, bytes } of rows) {
    const known = chunks.get(epoch);
    if (known === undefined) chunks.set(epoch, [bytes]);
    else known.push(bytes);
  }
  return Array.from(chunks, ([epoch, parts]) => ({ epoch, bytes: Buffer.concat(parts) }));
}

async function insertChunks(
  transaction: SqlTransaction,
  table: "state_deltas" | "state_snapshots",
  { key: { pipeline, shard }, epoch, runId, bytes }: StoredStateParts,
): Promise<void> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let chunk = 0, start = 0; start < buffer.length; chunk++, start += CHUNK_BYTES_MAX) {
    await transaction.execute(
      `insert into ${table} (pipeline, shard, epoch, run_id, chunk, bytes) values ($1, $2, $3, $4, $5, $6)`,
      [pipeline, shard, epoch, runId, chunk, buffer.subarray(start, start + CHUNK_BYTES_MAX)],
    );
  }
}
