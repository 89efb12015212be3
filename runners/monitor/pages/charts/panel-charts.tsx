/** The charts that a pipeline's panel can ask for. */
import { useMemo, useRef } from "preact/hooks";
import type { PanelData, PanelDescription } from "../../../job/job-view.js";
import { dateTime, share, short, words } from "../format.js";
import { barsOf, funnelOf, linesOf, toMs, toNumber } from "../panel-shape.js";
import { Table } from "../parts/table.js";
import { recycledKeys } from "./recycled-keys.js";
import { TimeChart } from "./time-chart.js";

interface PanelProps {
  readonly panel: PanelDescription;
  readonly data: PanelData;
}

const cents = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 });

export function FunnelChart({ panel, data }: PanelProps) {
  const steps = funnelOf(panel, data);
  const most = Math.max(1, ...steps.map(({ value }) => value));
  return (
    <ol class="funnel">
      {steps.map(({ name, value, ofFirst, ofPrevious }) => (
        <li key={name}>
          <span class="funnel-head">
            <span class="funnel-name">{words(name)}</span>
            <span class="funnel-value">{grouped.format(value)}</span>
          </span>
          <span class="funnel-bar" aria-hidden="true">
            <span style={{ width: `${(100 * value) / most}%` }} />
          </span>
          <span class="muted funnel-note">
            {ofFirst === null
              ? "all who began"
              : `${share(ofPrevious)} of the step before, ${share(ofFirst)} of all`}
          </span>
        </li>
      ))}
    </ol>
  );
}

export function BarChart({ panel, data }: PanelProps) {
  const { columns, rows } = barsOf(panel, data);
  const most = Math.max(1, ...rows.map(({ values }) => values[0] ?? 0));
  // one below the other, amounts have their cents or none has
  const formats = columns.map((_, column) =>
    rows.every(({ values }) => Number.isInteger(values[column] ?? 0)) ? grouped : cents,
  );
  const figure = (column: number, values: readonly (number | null)[]) => {
    const value = values[column];
    return value == null ? "–" : (formats[column] ?? grouped).format(value);
  };
  return (
    <Table
      label={panel.title}
      rows={rows}
      keyOf={({ name }) => name}
      columns={[
        {
          title: words(panel.x ?? data.columns[0]?.name ?? ""),
          cell: ({ name }) => (
            <code class="cell bar-name" title={name}>
              {name}
            </code>
          ),
        },
        {
          title: words(columns[0] ?? ""),
          isWide: true,
          cell: ({ values }) => (
            <span class="bar-cell">
              <span class="bar" aria-hidden="true">
                <span style={{ width: `${(100 * (values[0] ?? 0)) / most}%` }} />
              </span>
              <span class="figure">{figure(0, values)}</span>
            </span>
          ),
        },
        ...columns.slice(1).map((name, index) => ({
          title: words(name),
          isNumber: true,
          cell: ({ values }: (typeof rows)[number]) => figure(index + 1, values),
        })),
      ]}
    />
  );
}

export function LineChart({ panel, data }: PanelProps) {
  const { atSeconds, series } = linesOf(panel, data);
  return (
    <TimeChart
      title={(panel.y ?? []).slice(0, 1).map(words).join(", ") || panel.title}
      series={series.map(({ name }) => ({ name, label: words(name) }))}
      data={{ atSeconds, values: Object.fromEntries(series.map(({ name, values }) => [name, values])) }}
      format={short}
      height={220}
    />
  );
}

/** Rows go by their first column, so that a new one on top leaves the others as they are; repeats are numbered. */
function named(rows: PanelData["rows"]): string[] {
  const repeats = new Map<string, number>();
  return rows.map((row) => {
    const first = String(row[0]);
    const repeat = repeats.get(first) ?? 0;
    repeats.set(first, repeat + 1);
    return `${first} ${repeat}`;
  });
}

function useKeyed(rows: PanelData["rows"]): { row: PanelData["rows"][number]; key: number }[] {
  const keys = useRef<ReadonlyMap<string, number>>(new Map());
  return useMemo(() => {
    const names = named(rows);
    const now = recycledKeys(keys.current, names);
    keys.current = now;
    return rows.map((row, at) => ({ row, key: now.get(names[at] ?? "") ?? at }));
  }, [rows]);
}

/** The rows as they are; texts stay texts, whatever they hold. */
export function RowTable({ title, data }: { readonly title: string; readonly data: PanelData }) {
  const rows = useKeyed(data.rows);
  return (
    <Table
      label={title}
      rows={rows}
      keyOf={({ key }) => key}
      columns={data.columns.map(({ name, type }, index) => ({
        title: words(name),
        isNumber: type === "number",
        cell: ({ row }: (typeof rows)[number]) => <Cell text={cellText(row[index] ?? null, type)} />,
      }))}
    />
  );
}

function Cell({ text }: { readonly text: string }) {
  if (text.length < 40) return text;
  return (
    <span class="cell" title={text}>
      {text}
    </span>
  );
}

function cellText(cell: string | number | null, type: PanelData["columns"][number]["type"]): string {
  if (cell === null) return "–";
  if (type === "time") return dateTime(toMs(cell));
  if (type === "number") {
    const value = toNumber(cell);
    // more digits than a number holds are shown as they came
    return value === null || (typeof cell === "string" && cell.length > 15)
      ? String(cell)
      : grouped.format(value);
  }
  return cell === "" ? "" : String(cell);
}
