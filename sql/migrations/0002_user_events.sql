-- The shop's events, each once.

-- The checks hold a row that did not come through the pipeline's validation to the rules that the reports
-- rely on. What they and the indexes cost: docs/indexes.md
create table user_events (
  id bigint generated always as identity primary key,
  -- unchecked, an id too long for the index would stop the pipeline instead of being one rejected row
  event_id text not null unique check (char_length(event_id) between 1 and 64),
  user_id text not null,
  event_type text not null check (event_type in ('view', 'add_to_cart', 'purchase')),
  product_id text not null,
  -- an upper bound, because numeric's NaN is greater than every number
  price numeric(10,2) not null check (price between 0 and 99999999.99),
  event_timestamp timestamptz not null check (isfinite(event_timestamp)),
  created_at timestamptz not null default now()
);

-- for v_recent_activity
create index user_events_event_timestamp_id_idx on user_events (event_timestamp, id);
-- for v_top_products, which reads nothing else once the table is vacuumed
create index user_events_product_id_price_user_id_idx on user_events (product_id) include (price, user_id)
  where event_type = 'purchase';
