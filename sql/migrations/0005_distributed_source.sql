-- Reading a directory by many workers: what a run is to read, and which ranges of it were read.

-- The plan of a pipeline's latest run: for each file with something to read, from where and how far.
create table planned_files (
  pipeline text not null,
  run_id uuid not null,
  file_order integer not null,
  file_id bigint not null,
  path text not null,
  generation integer not null,
  inode text not null,
  size bigint not null,
  mtime_ns numeric(20) not null,
  -- where reading begins, as source_files has it; the header is JSON in text, as it may hold NUL
  byte_offset bigint not null,
  line bigint not null,
  header text,
  raw_offset bigint not null,
  head_hash text not null,
  tail_hash text not null,
  state text not null,
  ended_at_byte bigint,
  ended_at_line bigint,
  -- the first byte that is left for the next run, in the file as stored; and the fingerprint of what is before it
  byte_end bigint not null,
  planned_head_hash text not null,
  planned_tail_hash text not null,
  -- whether what stands behind the last line end is a record: the file was quiet when it was planned
  is_tail_complete boolean not null,
  primary key (pipeline, file_id)
);
create index planned_files_pipeline_run_id_file_order_idx on planned_files (pipeline, run_id, file_order);

-- Ranges of files whose records were handed on, each counted once; those of one file never overlap.
create table read_ranges (
  pipeline text not null,
  file_id bigint not null,
  generation integer not null,
  -- offsets count inflated bytes for .gz
  byte_start bigint not null,
  byte_end bigint not null,
  -- of the attempt at the whole input that the range belongs to: what overlaps a later one's does not count
  lineage bigint not null,
  records bigint not null,
  -- where reading goes on behind it, JSON in text
  end_position text not null,
  settled boolean not null default false,
  primary key (pipeline, file_id, generation, byte_start)
);

create sequence read_lineage;

-- The run that is asked to read nothing more.
alter table pipelines add column draining_run_id uuid;
