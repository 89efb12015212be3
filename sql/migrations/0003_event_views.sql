-- The reports on user_events. Revenue is what purchases bring in; other events bring in 0.
-- Distinct texts are counted in collation "C": the same count, without the cost of a language's sort order.

create view v_event_summary as
select
  event_type,
  count(*) as event_count,
  count(distinct user_id collate "C") as unique_users,
  count(distinct product_id collate "C") as unique_products,
  coalesce(sum(price) filter (where event_type = 'purchase'), 0) as revenue,
  min(event_timestamp) as first_event,
  max(event_timestamp) as last_event
from user_events
group by event_type
order by event_type;

-- hour is UTC without a time zone, so that every session sees the same hours; compare it with
-- now() at time zone 'UTC'.
create view v_hourly_events as
select
  date_trunc('hour', event_timestamp at time zone 'UTC') as hour,
  event_type,
  count(*) as event_count,
  count(distinct user_id collate "C") as unique_users,
  coalesce(sum(price) filter (where event_type = 'purchase'), 0) as revenue
from user_events
group by 1, event_type
order by 1, event_type;

-- Distinct users who came so far in the order of time: a cart counts at or after a view of the same
-- user, a purchase at or after such a cart. The first of each step decides, because whatever comes after
-- a later one comes after the first as well. A share of nobody is null.
create view v_purchase_funnel as
with viewers as (
  select user_id, min(event_timestamp) as viewed_at
  from user_events
  where event_type = 'view'
  group by user_id
), carters as (
  select user_id, min(event_timestamp) as carted_at
  from user_events
  join viewers using (user_id)
  where event_type = 'add_to_cart' and event_timestamp >= viewed_at
  group by user_id
), buyers as (
  select distinct user_id
  from user_events
  join carters using (user_id)
  where event_type = 'purchase' and event_timestamp >= carted_at
), reached as (
  select
    (select count(*) from viewers) as views,
    (select count(*) from carters) as carts,
    (select count(*) from buyers) as purchases
)
select
  views,
  carts,
  purchases,
  round(100.0 * carts / nullif(views, 0), 2) as view_to_cart_pct,
  round(100.0 * purchases / nullif(carts, 0), 2) as cart_to_purchase_pct
from reached;

create view v_top_products as
select
  product_id,
  count(*) as purchases,
  sum(price) as revenue,
  count(distinct user_id collate "C") as unique_buyers
from user_events
where event_type = 'purchase'
group by product_id
order by revenue desc, purchases desc, product_id;

create view v_recent_activity as
select id, event_id, user_id, event_type, product_id, price, event_timestamp, created_at
from user_events
order by event_timestamp desc, id desc
limit 100;
