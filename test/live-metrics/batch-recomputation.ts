/** The tables of live-metrics computed in one go from `user_events`, without what was too late for them. */
import type { SqlQueries } from "../../sql/sql-session.js";

/** The events that count, with times as the pipeline sees them. */
const EVENTS = `with events as (
  select event_id, user_id, event_type, product_id, price, date_trunc('milliseconds', event_timestamp) as at
  from user_events where not exists (select from live_late_events late where late.event_id = user_events.event_id))`;
const PATIENCE = "interval '30 minutes'";
const REVENUE = "coalesce(sum(price) filter (where event_type = 'purchase'), 0)::numeric(14,2)";

const BATCH: Readonly<Record<string, string>> = {
  live_minutes: `${EVENTS}
    select date_trunc('minute', at) as minute, event_type, count(*) as events, ${REVENUE} as revenue
    from events group by 1, 2 order by 1, 2`,
  live_sessions: `${EVENTS},
    begun as (
      select *, at - lag(at) over (partition by user_id order by at) >= ${PATIENCE} as begins from events),
    numbered as (
      select *, count(*) filter (where begins) over (partition by user_id order by at) as session from begun),
    viewed as (
      select *, min(at) filter (where event_type = 'view') over (partition by user_id, session) as view_at
      from numbered),
    carted as (
      select *, min(at) filter (where event_type = 'add_to_cart' and at >= view_at)
        over (partition by user_id, session) as cart_at
      from viewed)
    select user_id, min(at) as started_at, max(at) as ended_at, count(*) as events,
      count(*) filter (where event_type = 'view') as views,
      count(*) filter (where event_type = 'add_to_cart') as carts,
      count(*) filter (where event_type = 'purchase') as purchases, ${REVENUE} as revenue,
      case when min(view_at) is null then 'nothing' when min(cart_at) is null then 'view'
        when bool_or(event_type = 'purchase' and at >= cart_at) then 'purchase' else 'cart' end as reached
    from carted group by user_id, session order by 1, 2`,
  live_abandoned_carts: `${EVENTS},
    ordered as (
      select *, lag(event_type) over w as before_type, lag(at) over w as before_at, lead(at) over w as next_at
      from events where event_type <> 'view'
      window w as (partition by user_id order by at, event_type = 'purchase', event_id)),
    numbered as (
      select *, count(*) filter (where event_type = 'add_to_cart' and
          (before_type is null or before_type = 'purchase' or at - before_at >= ${PATIENCE}))
        over (partition by user_id order by at, event_type = 'purchase', event_id) as cart
      from ordered)
    select user_id, min(at) as started_at, max(at) as last_added_at, count(*) as items,
      sum(price)::numeric(14,2) as amount
    from numbered where event_type = 'add_to_cart' group by user_id, cart
    having bool_or(next_at is null or next_at - at >= ${PATIENCE}) order by 1, 2`,
  live_top_products: `${EVENTS},
    spread as (
      select date_trunc('minute', at) - n * interval '1 minute' as window_start, product_id, price
      from events cross join generate_series(0, 9) as n where event_type = 'purchase'),
    sums as (
      select window_start, product_id, count(*) as purchases, sum(price)::numeric(14,2) as revenue
      from spread group by 1, 2),
    ranked as (
      select *, row_number() over (partition by window_start
        order by revenue desc, purchases desc, product_id collate "C")::integer as rank from sums)
    select window_start, rank, product_id, purchases, revenue from ranked where rank <= 10 order by 1, 2`,
};

export const LIVE_TABLES = Object.keys(BATCH);

/** Rows as text, one a line, in the order of the key. */
export async function batchRows(queries: SqlQueries, table: string): Promise<string[]> {
  return texts(await queries.query(BATCH[table]!));
}

/** The same of the table as it is. */
export async function liveRows(queries: SqlQueries, table: string): Promise<string[]> {
  const [first] = await queries.query<{ columns: string[] }>(
    `select array_agg(column_name::text order by ordinal_position) filter (where column_name <> 'version') as columns
     from information_schema.columns where table_name = $1`,
    [table],
  );
  return texts(await queries.query(`select ${first!.columns.join(", ")} from ${table} order by 1, 2`));
}

function texts(rows: readonly Record<string, unknown>[]): string[] {
  return rows.map((row) => JSON.stringify(row));
}
