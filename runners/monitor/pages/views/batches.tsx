/** Every commit: seven charts with their histograms, the table, and one commit in detail. */
import { useCallback, useState } from "preact/hooks";
import type { Batch, Page, Series } from "../../../job/job-view.js";
import { Histogram } from "../charts/histogram.js";
import type { ChartData } from "../charts/rolling-window.js";
import { TimeChart } from "../charts/time-chart.js";
import { bytes, duration, rate, short, words } from "../format.js";
import { type LiveState, useLive } from "../live/live.js";
import { Loaded } from "../parts/notice.js";
import { Panel } from "../parts/panel.js";
import { useEvery, useResource } from "../use-resource.js";
import { BatchDetailPage } from "./batch-detail.js";
import { BatchTable } from "./batch-table.js";

interface ChartOf {
  readonly title: string;
  readonly series: readonly { readonly name: string; readonly label: string }[];
  readonly format: (value: number | null) => string;
}

const charts: readonly ChartOf[] = [
  { title: "Input rate", series: [{ name: "inPerSecond", label: "read" }], format: rate },
  { title: "Process rate", series: [{ name: "processedPerSecond", label: "committed" }], format: rate },
  { title: "Input rows", series: [{ name: "recordsPerBatch", label: "a batch" }], format: short },
  { title: "Batch duration", series: [{ name: "batchDurationMs", label: "a batch" }], format: duration },
  {
    title: "Latency",
    series: [
      { name: "latencyP99Ms", label: "p99" },
      { name: "latencyP50Ms", label: "p50" },
    ],
    format: duration,
  },
  {
    title: "Watermark gap",
    series: [{ name: "watermarkLagMs", label: "behind the clock" }],
    format: duration,
  },
  { title: "Backlog", series: [{ name: "backlogBytes", label: "not yet read" }], format: bytes },
  {
    title: "Thrown away",
    series: [
      { name: "deadLettersPerSecond", label: "dead letters" },
      { name: "duplicatesPerSecond", label: "duplicates" },
    ],
    format: rate,
  },
];

const spans = [
  { title: "15 min", ms: 15 * 60_000 },
  { title: "1 h", ms: 3_600_000 },
  { title: "6 h", ms: 6 * 3_600_000 },
  { title: "24 h", ms: 24 * 3_600_000 },
];
const refreshMs = 5_000;
const points = 300;
const batchesOf = (live: LiveState) => live.batches;

export function Batches({ id }: { readonly id: string | null }) {
  return id === null ? <AllBatches /> : <BatchDetailPage epoch={id} />;
}

function AllBatches() {
  const [spanMs, setSpanMs] = useState(spans[0]?.ms ?? 0);
  const toMs = useClock(refreshMs);
  const series = useResource<Series>("/api/series", { fromMs: toMs - spanMs, toMs, points });
  return (
    <>
      <fieldset class="switch">
        <legend>Time shown</legend>
        {spans.map(({ title, ms }) => (
          <label key={ms}>
            <input type="radio" name="span" checked={ms === spanMs} onChange={() => setSpanMs(ms)} />
            <span class="switch-face">{title}</span>
          </label>
        ))}
      </fieldset>
      <Loaded resource={series}>{(data) => <Charts series={data} />}</Loaded>
      <BatchList />
    </>
  );
}

function Charts({ series }: { readonly series: Series }) {
  const data: ChartData = { atSeconds: series.atMs.map((at) => at / 1_000), values: series.values };
  return (
    <div class="charts">
      {charts.map((chart) => (
        <div class="chart-pair" key={chart.title}>
          <TimeChart {...chart} data={data} group="batches" />
          <Histogram
            title={chart.title}
            data={series.histograms[chart.series[0]?.name ?? ""]}
            format={chart.format}
          />
        </div>
      ))}
    </div>
  );
}

function BatchList() {
  const [before, setBefore] = useState<string | null>(null);
  const live = useLive(batchesOf);
  const page = useResource<Page<Batch>>("/api/batches", { limit: 50, before });
  return (
    <Loaded resource={page}>
      {({ items, next }) => {
        const known = new Set(items.map(({ epoch }) => epoch));
        const newest = items[0]?.epoch ?? 0;
        // live ones stand above the first page only
        const fresh = before === null ? live.filter(({ epoch }) => !known.has(epoch) && epoch > newest) : [];
        const rows = [...fresh, ...items];
        return (
          <>
            <Panel title="Operation duration" note="of the batches below, by phase">
              <Phases rows={rows} />
            </Panel>
            <Panel
              title="Commits"
              tools={
                <>
                  <button type="button" disabled={before === null} onClick={() => setBefore(null)}>
                    Newest
                  </button>
                  <button type="button" disabled={next === null} onClick={() => setBefore(next)}>
                    Older
                  </button>
                </>
              }
            >
              <BatchTable rows={rows} />
            </Panel>
          </>
        );
      }}
    </Loaded>
  );
}

function Phases({ rows }: { readonly rows: readonly Batch[] }) {
  const inTime = [...rows].reverse();
  const phases = [...new Set(inTime.flatMap(({ durationMs }) => Object.keys(durationMs)))];
  const data: ChartData = {
    atSeconds: inTime.map(({ committedAtMs }) => committedAtMs / 1_000),
    values: Object.fromEntries(
      phases.map((phase) => [phase, inTime.map(({ durationMs }) => durationMs[phase] ?? null)]),
    ),
  };
  return (
    <TimeChart
      title="Phases"
      kind="stacked areas"
      series={phases.map((name) => ({ name, label: words(name) }))}
      data={data}
      format={duration}
      height={160}
    />
  );
}

/** Now, again and again; it stands still while nobody looks or answers. */
function useClock(everyMs: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEvery(
    everyMs,
    useCallback(() => setNow(Date.now()), []),
  );
  return now;
}
