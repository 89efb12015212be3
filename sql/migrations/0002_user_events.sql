-- The shop's events, each once.

-- The checks say what the validation before them lets through, and cost about 1 % of a load
-- (docs/indexes.md): a row that comes in by any other way is held to the same rules.
create table user_events (
  id bigint generated always as identity primary key,
  -- unchecked, an id too long for the index would stop the pipeline instead of being one rejected row
  event_id text not null unique check (char_length(event_id) between 1 and 64),
  user_id text not null check (char_length(user_id) between 1 and 64),
  event_type text not null check (event_type in ('view', 'add_to_cart', 'purchase')),
  product_id text not null check (char_length(product_id) between 1 and 64),
  -- an upper bound, because numeric's NaN is greater than every number
  price numeric(10,2) not null check (price between 0 and 99999999.99),
  event_timestamp timestamptz not null check (isfinite(event_timestamp)),
  created_at timestamptz not null default now()
);

-- for v_recent_activity and for ranges of time; what an index gains and costs: docs/indexes.md
create index user_events_event_timestamp_id_idx on user_events (event_timestamp, id);
