-- What the pipeline live-metrics keeps up to date from the same events: written by key and version.

create table live_minutes (
  minute timestamptz not null,
  event_type text not null,
  events bigint not null,
  revenue numeric(14,2) not null,
  -- rises with each firing of the minute
  version bigint not null,
  primary key (minute, event_type)
);

-- Events of a user with less than 30 minutes from one to the next; written once, when nothing can join it any more.
create table live_sessions (
  user_id text not null,
  started_at timestamptz not null,
  ended_at timestamptz not null,
  events bigint not null,
  views bigint not null,
  carts bigint not null,
  purchases bigint not null,
  revenue numeric(14,2) not null,
  -- how far the user came: view, then cart, then purchase
  reached text not null check (reached in ('nothing', 'view', 'cart', 'purchase')),
  version bigint not null,
  primary key (user_id, started_at)
);

-- Things put into a cart, and for 30 minutes nothing more put in or bought.
create table live_abandoned_carts (
  user_id text not null,
  started_at timestamptz not null,
  last_added_at timestamptz not null,
  items bigint not null,
  amount numeric(14,2) not null,
  version bigint not null,
  primary key (user_id, started_at)
);

-- By revenue within ten minutes, every minute.
create table live_top_products (
  window_start timestamptz not null,
  rank integer not null,
  product_id text not null,
  purchases bigint not null,
  revenue numeric(14,2) not null,
  version bigint not null,
  primary key (window_start, rank)
);

-- Events that came too late to count in any of these.
create table live_late_events (
  event_id text primary key,
  user_id text not null,
  event_type text not null,
  product_id text not null,
  price numeric(10,2) not null,
  event_timestamp timestamptz not null,
  late_by interval not null
);
