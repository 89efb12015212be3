/** Moves the positions of files over what workers have read of them for good, while their job goes on. */
import { forgetPassedRanges, selectSettledRanges } from "../../sql/read-ranges.js";
import type { SqlTransaction } from "../../sql/sql-session.js";
import type { RangeEnd } from "./file-range.js";
import type { StoredFile } from "./source-positions.js";
import { storedPositions } from "./stored-positions.js";

const RANGES_PER_QUERY = 10_000;

/**
 * Moves each file's position over the settled ranges that follow it without a gap, and forgets those ranges.
 * @returns the ids of the files whose position moved; call it again where there are any
 */
export async function advancePositions(transaction: SqlTransaction, pipeline: string): Promise<number[]> {
  const ranges = await selectSettledRanges(transaction, pipeline, RANGES_PER_QUERY);
  const positions = storedPositions(transaction, pipeline);
  const ids = [...new Set(ranges.map(({ file_id: id }) => id))];
  const files = new Map((await positions.findById(ids)).map((file) => [file.fileId, file]));
  const moved = new Map<number, StoredFile>();
  for (const range of ranges) {
    const file = moved.get(range.file_id) ?? files.get(range.file_id);
    if (file === undefined || file.generation !== range.generation) continue;
    if (file.byteOffset !== range.byte_start) continue;
    const { isLast: _, ...end } = JSON.parse(range.end_position) as RangeEnd;
    moved.set(range.file_id, { ...file, ...end });
  }
  await positions.save(transaction, [...moved.values()]);
  await forgetPassedRanges(transaction, pipeline, [...moved.keys()]);
  return [...moved.keys()];
}
