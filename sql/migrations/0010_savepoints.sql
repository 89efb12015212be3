-- Where a pipeline was: copies of its state and positions, kept until they are deleted.

-- how the state is written: what of the graph must stay for it to be gone on from
alter table pipelines add column state_shape jsonb;

create table savepoints (
  pipeline text not null,
  name text not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
  shard integer not null,
  -- the commit after which it was
  run_id uuid not null,
  epoch bigint not null,
  records_read bigint not null,
  events_written bigint not null,
  duplicates bigint not null,
  conflicts bigint not null,
  dead_letters jsonb not null,
  watermark timestamptz,
  state_shape jsonb,
  created_at timestamptz not null default now(),
  created_by text not null,
  primary key (pipeline, name)
);

-- rows of source_files, as they were
create table savepoint_files (
  pipeline text not null,
  name text not null,
  file_id bigint not null,
  position jsonb not null,
  primary key (pipeline, name, file_id),
  foreign key (pipeline, name) references savepoints on delete cascade
);

-- rows of state_snapshots and of state_deltas, a snapshot's epoch before those of the deltas
create table savepoint_chunks (
  pipeline text not null,
  name text not null,
  is_snapshot boolean not null,
  epoch bigint not null,
  chunk integer not null,
  bytes bytea not null,
  primary key (pipeline, name, is_snapshot, epoch, chunk),
  foreign key (pipeline, name) references savepoints on delete cascade
);
alter table savepoint_chunks alter column bytes set storage external;
