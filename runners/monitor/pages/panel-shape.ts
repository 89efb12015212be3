/** What a panel's rows become on its chart. */
import type { PanelData, PanelDescription } from "../../job/job-view.js";

export interface FunnelStep {
  readonly name: string;
  readonly value: number;
  /** Of the first step, and of the one before; null for the first and behind nobody. */
  readonly ofFirst: number | null;
  readonly ofPrevious: number | null;
}

export interface Bars {
  readonly columns: readonly string[];
  readonly rows: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
}

export interface Lines {
  readonly atSeconds: readonly number[];
  readonly series: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
}

type Cell = string | number | null;

const seriesMax = 8;

/** Each row is a step where the panel names `x`; else the `y` columns of the first row are the steps. */
export function funnelOf(panel: PanelDescription, data: PanelData): FunnelStep[] {
  const names = yColumns(panel, data);
  const steps =
    panel.x === undefined
      ? names.map((name) => ({ name, value: toNumber(data.rows[0]?.[columnOf(data, name)]) ?? 0 }))
      : data.rows.map((row) => ({
          name: String(row[columnOf(data, panel.x ?? "")] ?? ""),
          value: toNumber(row[columnOf(data, names[0] ?? "")]) ?? 0,
        }));
  return steps.map((step, index) => ({
    ...step,
    ofFirst: index === 0 ? null : quotient(step.value, steps[0]?.value),
    ofPrevious: index === 0 ? null : quotient(step.value, steps[index - 1]?.value),
  }));
}

export function barsOf(panel: PanelDescription, data: PanelData, rowsMax = 20): Bars {
  const columns = yColumns(panel, data);
  const x = columnOf(data, panel.x ?? data.columns[0]?.name ?? "");
  return {
    columns,
    rows: data.rows.slice(0, rowsMax).map((row) => ({
      name: String(row[x] ?? ""),
      values: columns.map((name) => toNumber(row[columnOf(data, name)])),
    })),
  };
}

/** One line for each value of `by` (the first y column), or for each y column. Points are in the order of time. */
export function linesOf(panel: PanelDescription, data: PanelData): Lines {
  const x = columnOf(data, panel.x ?? data.columns[0]?.name ?? "");
  const columns = yColumns(panel, data);
  const by = panel.by === undefined ? -1 : columnOf(data, panel.by);
  const times = [...new Set(data.rows.map((row) => toSeconds(row[x])).filter((at) => at !== null))].sort(
    (a, b) => a - b,
  );
  const index = new Map(times.map((at, position) => [at, position]));
  const series = new Map<string, (number | null)[]>();
  for (const row of data.rows) {
    const position = index.get(toSeconds(row[x]) ?? Number.NaN);
    if (position === undefined) continue;
    const drawn = by === -1 ? columns : columns.slice(0, 1);
    for (const column of drawn) {
      const name = by === -1 ? column : String(row[by] ?? "");
      const values = series.get(name) ?? new Array<number | null>(times.length).fill(null);
      values[position] = toNumber(row[columnOf(data, column)]);
      series.set(name, values);
    }
  }
  return {
    atSeconds: times,
    series: [...series].slice(0, seriesMax).map(([name, values]) => ({ name, values })),
  };
}

/** A text that is a number counts as one: what may not fit a double is sent as text. */
export function toNumber(cell: Cell | undefined): number | null {
  if (typeof cell === "number") return Number.isFinite(cell) ? cell : null;
  if (typeof cell !== "string" || cell.trim() === "") return null;
  const value = Number(cell);
  return Number.isFinite(value) ? value : null;
}

/** Times are ms since 1970 or text; a text without a time zone is UTC, as the views have it. */
export function toMs(cell: Cell | undefined): number | null {
  if (typeof cell === "number") return cell;
  if (typeof cell !== "string") return null;
  // PostgreSQL writes +02, which no parser of ISO 8601 has to take
  const iso = cell
    .trim()
    .replace(" ", "T")
    .replace(/([+-]\d\d)$/, "$1:00");
  const ms = Date.parse(/(Z|[+-]\d\d:?\d\d)$/i.test(iso) || !iso.includes("T") ? iso : `${iso}Z`);
  return Number.isNaN(ms) ? null : ms;
}

function toSeconds(cell: Cell | undefined): number | null {
  const ms = toMs(cell);
  return ms === null ? null : ms / 1_000;
}

function yColumns(panel: PanelDescription, data: PanelData): readonly string[] {
  if (panel.y !== undefined) return panel.y;
  return data.columns
    .filter(({ name, type }) => type === "number" && name !== panel.x && name !== panel.by)
    .map(({ name }) => name);
}

function columnOf(data: PanelData, name: string): number {
  return data.columns.findIndex((column) => column.name === name);
}

function quotient(part: number, whole: number | undefined): number | null {
  return whole === undefined || whole === 0 ? null : part / whole;
}
