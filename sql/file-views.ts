/** The files of a pipeline as a list that is read page by page: how far each was read, and what became of its records. */
import type { RecordCounts } from "./ledger.js";

import type { SqlQueries } from "./sql-session.js";

/** Times are ms since 1970. */
export interface FileRow extends RecordCounts {
  readonly fileId: number;
  readonly path: string;
  readonly generation: number;
  readonly state: string;
  readonly byteOffset: number;
  readonly sizeBytes: number;
  readonly firstSeenAtMs: number;
  readonly updatedAtMs: number;
}

export interface FileRowsQuery {
  /** Files with a smaller id. */
  readonly before: number | undefined;
  readonly limit: number;
  readonly search: string | undefined;
  readonly state: string | undefined;
}

/** The newest first. */
export async function readFileRows(
  queries: SqlQueries,
  pipeline: string,
  { before, limit, search, state }: FileRowsQuery,
): Promise<FileRow[]> {
  const like = search === undefined ? null : likePattern(search);
  return queries.query<FileRow>(FILES, [pipeline, before ?? null, like, state ?? null, limit]);
}

const FILES = `
select
  file_id as "fileId", path, generation, state, byte_offset as "byteOffset", size as "sizeBytes",
  (extract(epoch from first_seen_at) * 1000)::bigint as "firstSeenAtMs",
  (extract(epoch from updated_at) * 1000)::bigint as "updatedAtMs",
  coalesce(records_read, 0) as "recordsRead", coalesce(events_written, 0) as "eventsWritten",
  coalesce(duplicates, 0) as duplicates, coalesce(conflicts, 0) as conflicts,
  coalesce(dead_letters, '{}') as "deadLetters"
from source_files
left join ledger using (pipeline, file_id)
where pipeline = $1
  and ($2::bigint is null or file_id < $2)
  and ($3::text is null or path ilike $3)
  and ($4::text is null or state = $4)
order by file_id desc
limit $5`;

/** A pattern for `like` that finds the text as it is, anywhere. */
function likePattern(text: string): string {
  return `%${text.replace(/[\\%_]/g, "\\$&")}%`;
}
