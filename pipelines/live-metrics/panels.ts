/** What the page shows of live-metrics: its tables, the newest first. */
import type { SqlPanel } from "../sql-panels.js";

/** As the charts read times. */
const utc = (column: string) =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as ${column}`;

export const liveMetricsPanels: readonly SqlPanel[] = [
  {
    name: "live_minutes",
    title: "Events by minute (UTC)",
    chart: "lines",
    x: "minute",
    y: ["events"],
    by: "event_type",
    // three hours of three types
    statement: `select ${utc("minute")}, event_type, events, revenue
      from (select * from live_minutes order by minute desc, event_type limit 540) as latest order by minute, event_type`,
    types: { minute: "time", events: "number", revenue: "number" },
  },
  {
    name: "live_top_products",
    title: "Top products of the latest ten minutes",
    chart: "bars",
    x: "product_id",
    y: ["revenue", "purchases"],
    statement: `select product_id, revenue, purchases, ${utc("window_start")} from live_top_products
      where window_start = (select max(window_start) from live_top_products) order by rank`,
    types: { revenue: "number", purchases: "number", window_start: "time" },
  },
  {
    name: "live_sessions",
    title: "How far sessions came",
    chart: "funnel",
    y: ["sessions", "with_a_view", "with_a_cart", "with_a_purchase"],
    statement: `select count(*) as sessions, count(*) filter (where reached <> 'nothing') as with_a_view,
        count(*) filter (where reached in ('cart', 'purchase')) as with_a_cart,
        count(*) filter (where reached = 'purchase') as with_a_purchase
      from live_sessions`,
    types: { sessions: "number", with_a_view: "number", with_a_cart: "number", with_a_purchase: "number" },
  },
  {
    name: "live_abandoned_carts",
    title: "Latest abandoned carts",
    chart: "table",
    statement: `select user_id, started_at, last_added_at, items, amount from live_abandoned_carts
      order by last_added_at desc, user_id limit 50`,
    types: { started_at: "time", last_added_at: "time", items: "number", amount: "number" },
  },
  {
    name: "live_late_events",
    title: "Latest events that came too late",
    chart: "table",
    statement: `select event_id, user_id, event_type, product_id, price, event_timestamp, late_by::text
      from live_late_events order by event_timestamp desc, event_id limit 50`,
    types: { price: "number", event_timestamp: "time" },
  },
];
