/** Is it alive, is it keeping up, where did the records go: the first page. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Batch, JobOverview, Page, Series } from "../../../job/job-view.js";
import { getJson } from "../api.js";
import { type ChartData, RollingWindow } from "../charts/rolling-window.js";
import { TimeChart } from "../charts/time-chart.js";
import { ago, bytes, clock, count, dateTime, duration, rate, share } from "../format.js";
import { type LiveState, useLive } from "../live/live.js";
import { useOverview } from "../parts/header.js";
import { Ledger } from "../parts/ledger.js";
import { Facts, Panel, Tile } from "../parts/panel.js";
import { useResource } from "../use-resource.js";
import { BatchTable } from "./batch-table.js";

const spanMs = 10 * 60_000;
const pointsMax = 600;
const names = [
  "inPerSecond",
  "outPerSecond",
  "latencyP50Ms",
  "latencyP99Ms",
  "backlogBytes",
  "watermarkLagMs",
];
const batchesOf = (live: LiveState) => live.batches;
const wholeOf = (overview: JobOverview) => overview;
const returnsOf = (live: LiveState) => live.returns;

export function Overview() {
  const overview = useOverview(wholeOf);
  const data = useRecent(overview);
  const charts = useMemo(() => <Charts data={data} />, [data]);
  const totals = overview?.totals;
  const ledger = useMemo(() => totals !== undefined && <Ledger counts={totals} />, [totals]);
  const commits = useMemo(() => <LastCommits />, []);
  if (overview === null) return <p class="empty">Loading…</p>;
  return (
    <>
      <Tiles overview={overview} />
      {charts}
      <div class="columns">
        <Panel title="Where the records went" note="since the pipeline's first commit">
          {ledger}
        </Panel>
        <Panel title="Process">
          <Facts
            facts={[
              ["Run", overview.runId ?? "–"],
              ["Version", overview.version],
              ["Host", overview.process.host],
              ["Process id", String(overview.process.pid)],
              ["CPU", `${share(overview.process.cpuShare)} of a core`],
              ["Memory", bytes(overview.process.rssBytes)],
              ["Started", dateTime(overview.startedAtMs)],
              ["Failure", overview.failure ?? "none"],
            ]}
          />
        </Panel>
      </div>
      {commits}
    </>
  );
}

function Charts({ data }: { readonly data: ChartData }) {
  return (
    <div class="charts">
      <TimeChart
        title="Records a second"
        series={[
          { name: "inPerSecond", label: "in" },
          { name: "outPerSecond", label: "out" },
        ]}
        data={data}
        format={rate}
        group="overview"
      />
      <TimeChart
        title="Latency, file to commit"
        series={[
          { name: "latencyP99Ms", label: "p99" },
          { name: "latencyP50Ms", label: "p50" },
        ]}
        data={data}
        format={duration}
        group="overview"
      />
      <TimeChart
        title="Backlog"
        series={[{ name: "backlogBytes", label: "not yet read" }]}
        data={data}
        format={bytes}
        group="overview"
      />
      <TimeChart
        title="Watermark lag"
        series={[{ name: "watermarkLagMs", label: "behind the clock" }]}
        data={data}
        format={duration}
        group="overview"
      />
    </div>
  );
}

function Tiles({ overview }: { readonly overview: JobOverview }) {
  const { latencyMs, nowMs } = overview;
  return (
    <dl class="tiles of-eight">
      <Tile label="In" value={rate(overview.inPerSecond)} note="records read" />
      <Tile label="Out" value={rate(overview.outPerSecond)} note="records committed" />
      <Tile
        label="Latency p99"
        value={duration(latencyMs?.p99)}
        note={latencyMs === null ? "no commits in the last minute" : `p50 ${duration(latencyMs.p50)}`}
      />
      <Tile
        label="Backlog"
        value={bytes(overview.backlogBytes)}
        note={`${count(overview.backlogFiles)} files`}
      />
      <Tile
        label="Watermark lag"
        value={duration(overview.watermarkLagMs)}
        note={`at ${clock(overview.watermarkMs)}`}
      />
      <Tile
        label="Last commit"
        value={ago(overview.lastCommitAtMs, nowMs)}
        note={`epoch ${count(overview.epoch)}`}
      />
      <Tile
        label="Uptime"
        value={duration(nowMs - overview.startedAtMs)}
        note={`since ${clock(overview.startedAtMs)}`}
      />
      <Tile
        label="Retries"
        value={count(overview.retries)}
        note="in this run"
        level={overview.retries > 0 ? "warning" : "neutral"}
      />
    </dl>
  );
}

/** The last ten minutes: what the server kept, then what comes live. */
function useRecent(overview: JobOverview | null): ChartData {
  const window = useRef<RollingWindow | null>(null);
  const drawnAtMs = useRef(0);
  window.current ??= new RollingWindow(names, spanMs, pointsMax);
  const [data, setData] = useState(() => window.current?.data() ?? { atSeconds: [], values: {} });
  const returns = useLive(returnsOf);
  useEffect(() => {
    const controller = new AbortController();
    // after a time without the server there is a gap, which the server knows how to fill
    if (returns > 0) window.current = new RollingWindow(names, spanMs, pointsMax);
    const now = Date.now();
    getJson<Series>(
      "/api/series",
      { fromMs: now - spanMs, toMs: now, points: pointsMax / 2 },
      controller.signal,
    ).then(
      (series) => {
        window.current?.seed(series.atMs, series.values);
        setData(window.current?.data() ?? { atSeconds: [], values: {} });
      },
      // the charts begin with what comes live; the frame says when nothing comes
      () => undefined,
    );
    return () => controller.abort();
  }, [returns]);
  useEffect(() => {
    if (overview === null || window.current === null) return;
    window.current.add(overview.nowMs, {
      inPerSecond: overview.inPerSecond,
      outPerSecond: overview.outPerSecond,
      latencyP50Ms: overview.latencyMs?.p50 ?? null,
      latencyP99Ms: overview.latencyMs?.p99 ?? null,
      backlogBytes: overview.backlogBytes,
      watermarkLagMs: overview.watermarkLagMs,
    });
    // figures change twice a second, charts once: a pixel is more than a second wide
    if (overview.nowMs - drawnAtMs.current < 1_000) return;
    drawnAtMs.current = overview.nowMs;
    setData(window.current.data());
  }, [overview]);
  return data;
}

function LastCommits() {
  const live = useLive(batchesOf);
  const stored = useResource<Page<Batch>>("/api/batches", { limit: 8 });
  // what came live may be older than what was read: of a run before, or of before another page was looked at
  const byEpoch = new Map([...(stored.data?.items ?? []), ...live].map((batch) => [batch.epoch, batch]));
  const rows = [...byEpoch.values()].sort((a, b) => b.epoch - a.epoch).slice(0, 8);
  return (
    <Panel title="Last commits" tools={<a href="/batches">All batches</a>}>
      <BatchTable rows={rows} />
    </Panel>
  );
}
