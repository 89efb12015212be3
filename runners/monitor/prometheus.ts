/** `/metrics`: the job's figures under Prometheus' names and in its base units. */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { JobInspection } from "../job/job-inspection.js";
import type { JobOverview } from "../job/job-view.js";

const BUCKETS_S = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export class PrometheusMetrics {
  readonly #registry = new Registry();
  readonly #inspection: JobInspection;
  readonly #unsubscribe: () => void;
  readonly #update: (overview: JobOverview) => void;

  constructor(inspection: JobInspection) {
    this.#inspection = inspection;
    const registers = [this.#registry];
    const { pipeline, runner, version } = inspection.overview();
    this.#registry.setDefaultLabels({ pipeline });
    const retries = new Counter({
      name: "ingest_retries_total",
      help: "Epochs of this run that were begun again, by class of SQLSTATE.",
      labelNames: ["sqlstate_class"],
      registers,
    });
    const durations = new Histogram({
      name: "ingest_batch_duration_seconds",
      help: "How long the phases of an epoch took.",
      labelNames: ["op"],
      buckets: BUCKETS_S,
      registers,
    });
    new Gauge({
      name: "ingest_build_info",
      help: "Always 1; the labels say what runs.",
      labelNames: ["version", "runner"],
      registers,
    }).set({ version, runner }, 1);
    this.#update = createFigures(registers);
    this.#unsubscribe = inspection.subscribe((event) => {
      if (event.type === "retry") retries.inc({ sqlstate_class: event.sqlStateClass });
      else
        for (const [op, ms] of Object.entries(event.batch.durationMs)) durations.observe({ op }, ms / 1_000);
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    this.#update(this.#inspection.overview());
    return this.#registry.metrics();
  }

  close(): void {
    this.#unsubscribe();
  }
}

/** Counters go on from what the pipeline has committed before this run. */
function createFigures(registers: Registry[]): (overview: JobOverview) => void {
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const read = counter("ingest_records_read_total", "Records read.");
  const written = counter("ingest_records_written_total", "Records that became rows.");
  const duplicates = counter("ingest_records_duplicate_total", "Records that were there already.");
  const conflicts = counter(
    "ingest_records_conflict_total",
    "Records whose key was taken by a row with another payload.",
  );
  const quarantined = new Counter({
    name: "ingest_records_quarantined_total",
    help: "Dead letters by reason.",
    labelNames: ["reason"],
    registers,
  });
  const backlogFiles = gauge("ingest_backlog_files", "Files with something left to read.");
  const backlogBytes = gauge("ingest_backlog_bytes", "Bytes left to read.");
  const lag = gauge("ingest_watermark_lag_seconds", "Wall clock less watermark.");
  const lastCommit = gauge("ingest_last_commit_timestamp_seconds", "When something was committed last.");
  const age = gauge("ingest_checkpoint_age_seconds", "How long that is ago.");
  const paused = gauge("ingest_paused", "1 while sources stand still.");
  const memory = gauge("process_resident_memory_bytes", "Resident memory of the process.");
  return (overview) => {
    const { totals, nowMs, lastCommitAtMs, watermarkLagMs } = overview;
    for (const [metric, value] of [
      [read, totals.recordsRead],
      [written, totals.eventsWritten],
      [duplicates, totals.duplicates],
      [conflicts, totals.conflicts],
    ] as const) {
      metric.reset();
      metric.inc(value);
    }
    quarantined.reset();
    for (const [reason, count] of Object.entries(totals.deadLetters)) quarantined.inc({ reason }, count);
    backlogFiles.set(overview.backlogFiles);
    backlogBytes.set(overview.backlogBytes);
    lag.set(watermarkLagMs === null ? Number.NaN : watermarkLagMs / 1_000);
    lastCommit.set((lastCommitAtMs ?? 0) / 1_000);
    age.set(lastCommitAtMs === null ? Number.NaN : (nowMs - lastCommitAtMs) / 1_000);
    paused.set(overview.isPaused ? 1 : 0);
    memory.set(overview.process.rssBytes);
  };
}
