/** The table `conflicts`: where records stand whose key was taken by a row with another payload. */
import type { SqlTransaction } from "./sql-session.js";

/** Where a record stands in its file. */
export interface ConflictPlace {
  readonly fileId: number;
  readonly generation: number;
  readonly line: number;
  readonly byteStart: number;
  readonly byteEnd: number;
}

/** How many of a file there are. */
export interface FileCount {
  readonly fileId: number;
  readonly count: number;
}

/**
 * Inserts those that are not there yet, and tells how many these were, by file. A record that is a dead letter is no
 * conflict: the database refused it when its key was free still.
 */
export async function insertNewConflicts(
  transaction: SqlTransaction,
  pipeline: string,
  epoch: number,
  places: readonly ConflictPlace[],
): Promise<FileCount[]> {
  if (places.length === 0) return [];
  const rows = await transaction.query<{ file_id: number; count: number }>(INSERT, [
    pipeline,
    epoch,
    places.map(({ fileId }) => fileId),
    places.map(({ generation }) => generation),
    places.map(({ line }) => line),
    places.map(({ byteStart }) => byteStart),
    places.map(({ byteEnd }) => byteEnd),
  ]);
  return rows.map((row) => ({ fileId: row.file_id, count: row.count }));
}

// In one order, so that two attempts at a bundle wait for each other instead of each for the other.
const INSERT = `
with inserted as (
  insert into conflicts (pipeline, epoch, file_id, generation, line, byte_start, byte_end)
  select $1, $2, file_id, generation, line, byte_start, byte_end
  from unnest($3::bigint[], $4::integer[], $5::bigint[], $6::bigint[], $7::bigint[])
    as given(file_id, generation, line, byte_start, byte_end)
  where not exists (
    select from dead_letters d
    where d.pipeline = $1 and d.file_id = given.file_id and d.generation = given.generation
      and d.byte_start = given.byte_start
  )
  order by file_id, generation, byte_start
  on conflict do nothing
  returning file_id
)
select file_id, count(*)::integer as count from inserted group by file_id order by file_id`;
