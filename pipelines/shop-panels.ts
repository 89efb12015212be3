/** What the page shows of the shop: the five reporting views, as charts and tables. */
import type { SqlPanel } from "./sql-panels.js";

export const shopPanels: readonly SqlPanel[] = [
  {
    name: "v_purchase_funnel",
    title: "Purchase funnel",
    chart: "funnel",
    y: ["views", "carts", "purchases"],
    statement: "select * from v_purchase_funnel",
    types: {
      views: "number",
      carts: "number",
      purchases: "number",
      view_to_cart_pct: "number",
      cart_to_purchase_pct: "number",
    },
  },
  {
    name: "v_hourly_events",
    title: "Events by hour (UTC)",
    chart: "lines",
    x: "hour",
    y: ["event_count"],
    by: "event_type",
    // a week of three types, in the view's order
    statement: `select to_char(hour, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as hour, event_type, event_count, unique_users, revenue
      from (select * from v_hourly_events order by hour desc, event_type limit 504) as latest order by hour, event_type`,
    types: { hour: "time", event_count: "number", unique_users: "number", revenue: "number" },
  },
  {
    name: "v_top_products",
    title: "Top products by revenue",
    chart: "bars",
    x: "product_id",
    y: ["revenue"],
    statement: "select * from v_top_products limit 50",
    types: { purchases: "number", revenue: "number", unique_buyers: "number" },
  },
  {
    name: "v_event_summary",
    title: "Events by type",
    chart: "table",
    statement: "select * from v_event_summary",
    types: {
      event_count: "number",
      unique_users: "number",
      unique_products: "number",
      revenue: "number",
      first_event: "time",
      last_event: "time",
    },
  },
  {
    name: "v_recent_activity",
    title: "Latest events",
    chart: "table",
    statement: "select * from v_recent_activity",
    types: { id: "number", price: "number", event_timestamp: "time", created_at: "time" },
  },
];
