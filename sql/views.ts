/** The reporting views, as somebody who looks at them wants them. */
import type { SqlQueries } from "./sql-session.js";

export type Row = Readonly<Record<string, unknown>>;

/** In the order in which they tell a story. */
export const viewNames = [
  "v_event_summary",
  "v_hourly_events",
  "v_purchase_funnel",
  "v_top_products",
  "v_recent_activity",
] as const;

/** The first rows of a view, in the view's own order. */
export async function readView(
  queries: SqlQueries,
  view: (typeof viewNames)[number],
  rowsMax: number,
): Promise<Row[]> {
  return queries.query<Row>(`select * from ${view} limit $1`, [rowsMax]);
}
