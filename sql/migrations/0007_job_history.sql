-- What a page that watches jobs shows of their past: bounded, written beside the commits and never in them.

-- The latest epochs in full. What was not written before a crash is filled up from `commits`.
create table batch_history (
  pipeline text not null,
  epoch bigint not null,
  run_id uuid not null,
  started_at timestamptz not null,
  committed_at timestamptz not null,
  records_read bigint not null,
  events_written bigint not null,
  duplicates bigint not null,
  conflicts bigint not null,
  -- by reason
  dead_letters jsonb not null,
  -- durations, latencies, event times, backlog; null where only the counts are known
  detail jsonb,
  -- which files were read from where to where, for some of them
  sources jsonb,
  primary key (pipeline, epoch)
);

-- Figures over time, in steps of two lengths: short ones for an hour, longer ones for a day.
create table job_samples (
  pipeline text not null,
  step_ms integer not null,
  at timestamptz not null,
  batches integer not null,
  records_read bigint not null,
  events_written bigint not null,
  duplicates bigint not null,
  dead_letters bigint not null,
  -- of all batches of the step together
  batch_ms double precision not null,
  latency_p50_ms double precision,
  latency_p99_ms double precision,
  watermark_lag_ms double precision,
  backlog_bytes bigint not null,
  backlog_files integer not null,
  rss_bytes bigint not null,
  cpu_share real not null,
  primary key (pipeline, step_ms, at)
);
