/** The table `job_samples`: figures of a job over time, in steps. */
import type { SqlQueries, SqlTransaction } from "./sql-session.js";

/** One step of so many ms from `atMs` on, ms since 1970. */
export interface JobSample {
  readonly stepMs: number;
  readonly atMs: number;
  readonly batches: number;
  readonly recordsRead: number;
  readonly eventsWritten: number;
  readonly duplicates: number;
  readonly deadLetters: number;
  /** Of all batches together. */
  readonly batchMs: number;
  readonly latencyP50Ms: number | null;
  readonly latencyP99Ms: number | null;
  readonly watermarkLagMs: number | null;
  readonly backlogBytes: number;
  readonly backlogFiles: number;
  readonly rssBytes: number;
  readonly cpuShare: number;
}

/** Inserts them; a step that is there already stays as it is. */
export async function insertSamples(
  queries: SqlTransaction,
  pipeline: string,
  samples: readonly JobSample[],
): Promise<void> {
  if (samples.length > 0) await queries.execute(INSERT, [pipeline, JSON.stringify(samples)]);
}

const INSERT = `
insert into job_samples (
  pipeline, step_ms, at, batches, records_read, events_written, duplicates, dead_letters, batch_ms, latency_p50_ms,
  latency_p99_ms, watermark_lag_ms, backlog_bytes, backlog_files, rss_bytes, cpu_share
)
select $1, "stepMs", to_timestamp("atMs" / 1000), batches, "recordsRead", "eventsWritten", duplicates, "deadLetters", "batchMs",
  "latencyP50Ms", "latencyP99Ms", "watermarkLagMs", "backlogBytes", "backlogFiles", "rssBytes", "cpuShare"
from jsonb_to_recordset($2::jsonb) as given(
  "stepMs" integer, "atMs" double precision, batches integer, "recordsRead" bigint, "eventsWritten" bigint, duplicates bigint,
  "deadLetters" bigint, "batchMs" double precision, "latencyP50Ms" double precision, "latencyP99Ms" double precision,
  "watermarkLagMs" double precision, "backlogBytes" bigint, "backlogFiles" integer, "rssBytes" bigint, "cpuShare" real
)
on conflict do nothing`;

/** Removes the steps of this length that began before a time. */
export async function pruneSamples(
  queries: SqlTransaction,
  pipeline: string,
  stepMs: number,
  beforeMs: number,
): Promise<number> {
  return queries.execute(
    "delete from job_samples where pipeline = $1 and step_ms = $2 and at < to_timestamp($3::double precision / 1000)",
    [pipeline, stepMs, beforeMs],
  );
}

/** Steps of a span of time put together, from `atMs` on; what was in none of them is null. */
export interface SampleSpan extends Omit<JobSample, "stepMs"> {
  /** How long the steps in it are, together. */
  readonly coveredMs: number;
}

/** Of the spans `spanMs` long from `fromMs` on, those with anything in them, in order. */
export async function readSampleSpans(
  queries: SqlQueries,
  pipeline: string,
  range: { readonly stepMs: number; readonly fromMs: number; readonly toMs: number; readonly spanMs: number },
): Promise<SampleSpan[]> {
  const { stepMs, fromMs, toMs, spanMs } = range;
  const rows = await queries.query<Record<keyof SampleSpan, string | number | null>>(SPANS, [
    pipeline,
    stepMs,
    fromMs,
    toMs,
    spanMs,
  ]);
  return rows.map(
    (row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => [name, value === null ? null : Number(value)]),
      ) as unknown as SampleSpan,
  );
}

const SPANS = `
select
  $3::double precision + place * $5::double precision as "atMs",
  count(*) * $2::integer as "coveredMs",
  sum(batches) as batches,
  sum(records_read) as "recordsRead",
  sum(events_written) as "eventsWritten",
  sum(duplicates) as duplicates,
  sum(dead_letters) as "deadLetters",
  sum(batch_ms) as "batchMs",
  avg(latency_p50_ms) as "latencyP50Ms",
  max(latency_p99_ms) as "latencyP99Ms",
  avg(watermark_lag_ms) as "watermarkLagMs",
  max(backlog_bytes) as "backlogBytes",
  max(backlog_files) as "backlogFiles",
  max(rss_bytes) as "rssBytes",
  avg(cpu_share) as "cpuShare"
from (
  select *, floor((extract(epoch from at)::double precision * 1000 - $3) / $5) as place
  from job_samples
  where pipeline = $1 and step_ms = $2
    and at >= to_timestamp($3::double precision / 1000) and at < to_timestamp($4::double precision / 1000)
) as placed
group by place
order by place`;
