-- The engine's state: a snapshot now and then, and what each epoch since has changed, in the epoch's own transaction.

create table state_snapshots (
  pipeline text not null,
  shard integer not null,
  epoch bigint not null,
  chunk integer not null,
  run_id uuid not null,
  bytes bytea not null,
  primary key (pipeline, shard, epoch, chunk)
);

create table state_deltas (
  pipeline text not null,
  shard integer not null,
  epoch bigint not null,
  chunk integer not null,
  run_id uuid not null,
  bytes bytea not null,
  primary key (pipeline, shard, epoch, chunk)
);

-- the bytes are compressed already
alter table state_snapshots alter column bytes set storage external;
alter table state_deltas alter column bytes set storage external;
