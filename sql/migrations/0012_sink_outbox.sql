-- Sinks in other databases: rows that are committed here and still to be replayed there, as the bytes they are.

-- The last epoch that each has logged. Every entry of the log names the one before it, so that none can be left out.
create table sink_heads (
  pipeline text not null,
  shard integer not null,
  step text not null,
  -- the name of the connection
  database text not null,
  -- tells these epochs from those of a pipeline of the same name in another coordinating database
  chain uuid not null default gen_random_uuid(),
  epoch bigint not null,
  run_id uuid not null,
  -- null: it is the first
  after_epoch bigint,
  after_run_id uuid,
  primary key (pipeline, shard, step, database)
);

create table sink_outbox (
  pipeline text not null,
  shard integer not null,
  epoch bigint not null,
  step text not null,
  -- what the step writes at once, in order; its compressed bytes are cut into parts
  batch integer not null,
  part integer not null,
  run_id uuid not null,
  database text not null,
  chain uuid not null,
  after_epoch bigint,
  after_run_id uuid,
  -- table, columns, key, version, tombstone: rows are replayed as they were meant when they were logged
  target jsonb not null,
  operations text[] not null,
  bytes bytea not null,
  primary key (pipeline, shard, epoch, step, batch, part)
);
alter table sink_outbox alter column bytes set storage external;
