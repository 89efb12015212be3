-- What many workers of a job server leave in the database beside one another, any of it perhaps twice.

-- Records whose key was taken by a row with another payload: each once, however often it comes.
create table conflicts (
  pipeline text not null,
  file_id bigint not null,
  generation integer not null,
  line bigint not null,
  byte_start bigint not null,
  byte_end bigint not null,
  epoch bigint not null,
  created_at timestamptz not null default now(),
  primary key (pipeline, file_id, generation, byte_start)
);

-- A run's client reads an epoch's dead letters when it closes it, about once a second.
create index dead_letters_pipeline_epoch_idx on dead_letters (pipeline, epoch);
