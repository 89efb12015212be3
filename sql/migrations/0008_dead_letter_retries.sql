-- Dead letters that are tried again: what is asked for, and what came of it.

alter table dead_letters
  -- a retry is pending for as long as this is not null; only a run's commit ends it
  add column retry_requested_at timestamptz,
  add column retry_requested_by text,
  -- the record as it was edited, of the latest request; null: as it stands
  add column retry_raw bytea,
  -- of the latest retry that is committed
  add column retried_at timestamptz,
  add column retried_by text,
  add column retried_epoch bigint,
  add column retry_outcome text
    check (retry_outcome in ('written', 'duplicate', 'conflict', 'rejected')),
  add column retry_reason text,
  add column retry_messages jsonb,
  add column retry_attempts integer not null default 0;

-- what is pending is looked for once a second
create index dead_letters_pending_retry_idx on dead_letters (pipeline, id) where retry_requested_at is not null;
-- lists, counts and retries by reason
create index dead_letters_pipeline_reason_id_idx on dead_letters (pipeline, reason, id);
