/** The last commit of a pipeline, as far as a monitor needs it. */
import type { SqlQueries } from "../../sql/sql-session.js";

export interface LastCommit {
  readonly runId: string;
  readonly epoch: number;
  readonly atMs: number | null;
  readonly watermarkMs: number | null;
  /** The epoch from which this run started; undefined for the first one. */
  readonly restored: number | undefined;
}

/** Of the run that has the pipeline now; undefined before the first run. */
export async function readLastCommit(queries: SqlQueries, pipeline: string): Promise<LastCommit | undefined> {
  const [row] = await queries.query<{
    run_id: string;
    epoch: number;
    at_ms: number | null;
    watermark_ms: number | null;
    restored: number | null;
  }>(
    `select run_id, epoch, (extract(epoch from last_commit_at) * 1000)::bigint as at_ms,
       (extract(epoch from watermark) * 1000)::bigint as watermark_ms,
       (select max(epoch) from commits where commits.pipeline = $1 and commits.run_id <> pipelines.run_id) as restored
     from pipelines where pipeline = $1 and shard = 0`,
    [pipeline],
  );
  if (row === undefined) return undefined;
  const { run_id: runId, epoch, at_ms: atMs, watermark_ms: watermarkMs, restored } = row;
  return { runId, epoch, atMs, watermarkMs, restored: restored ?? undefined };
}
