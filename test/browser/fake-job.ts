/** A job as a monitor would tell of it: figures that look recorded, the same for the same moment. */
import type {
  Batch,
  BatchDetail,
  Checkpoint,
  Checkpoints,
  Environment,
  FileView,
  GraphFigures,
  Histogram,
  JobAction,
  JobGraph,
  JobOverview,
  Page,
  Series,
} from "../../runners/job/job-view.js";

const epochMs = 2_000;
/** One in 97 records is no event, one in 31 came before. */
const letterShare = 1 / 97;
const duplicateShare = 1 / 31;

export class FakeJob {
  readonly startedAtMs = Math.floor((Date.now() - 5 * 3_600_000 - 1_234_567) / epochMs) * epochMs;
  isPaused = false;
  state: JobOverview["state"] = "RUNNING";
  /** The verdict and the graph of a job that does not keep up. */
  isSlow = false;

  overview(nowMs: number): JobOverview {
    const batch = this.batch(this.epochAt(nowMs));
    const records = Math.round(((nowMs - this.startedAtMs) / 1_000) * 4_180);
    return {
      pipeline: "user-events",
      runner: "direct",
      runId: "run-7f3a9c",
      version: "0.1.0",
      state: this.state,
      isPaused: this.isPaused,
      failure: null,
      startedAtMs: this.startedAtMs,
      nowMs,
      verdict: this.isSlow
        ? {
            level: "warning",
            sentence:
              "Falling behind: the backlog grew for 4 minutes because PostgreSQL takes 91 % of each batch's time. Look at its disk and locks, or give the job more sessions.",
          }
        : {
            level: "ok",
            sentence: "All is well: the job reads as fast as files land, and commits every 2 s.",
          },
      retries: 1,
      inPerSecond: rateAt(nowMs),
      outPerSecond: rateAt(nowMs - 700) * (1 - duplicateShare - letterShare),
      latencyMs: batch.latencyMs,
      backlogFiles: batch.backlogFiles,
      backlogBytes: batch.backlogBytes,
      watermarkMs: nowMs - lagAt(nowMs),
      watermarkLagMs: lagAt(nowMs),
      epoch: batch.epoch,
      lastCommitAtMs: batch.committedAtMs,
      totals: countsOf(records),
      actions: this.actions(),
      process: {
        pid: 48_213,
        host: "ingest-1",
        cpuShare: 0.42 + 0.1 * wave(nowMs, 30_000),
        rssBytes: 241_172_480,
      },
    };
  }

  batch(epoch: number): Batch {
    const committedAtMs = this.startedAtMs + epoch * epochMs;
    const perSecond = rateAt(committedAtMs);
    const durationMs = 310 + 240 * wave(committedAtMs, 47_000) + 160 * noise(epoch);
    const p50 = 640 + 260 * wave(committedAtMs, 90_000) + 120 * noise(epoch + 1);
    return {
      epoch,
      runId: "run-7f3a9c",
      startedAtMs: committedAtMs - Math.round(durationMs),
      committedAtMs,
      durationMs: {
        read: Math.round(durationMs * 0.22),
        wait: Math.round(durationMs * 0.08),
        sink: Math.round(durationMs * 0.52),
        commit: Math.round(durationMs * 0.18),
      },
      counts: countsOf(Math.round((perSecond * epochMs) / 1_000)),
      inPerSecond: perSecond,
      processedPerSecond: (perSecond * epochMs) / durationMs,
      latencyMs: { p50, p95: p50 * 1.7, p99: p50 * 2.2, max: p50 * 2.9 },
      watermarkMs: committedAtMs - lagAt(committedAtMs),
      eventTime: { minMs: committedAtMs - 5_300, maxMs: committedAtMs - 900 },
      backlogFiles: Math.round(backlogAt(committedAtMs) / 420_000),
      backlogBytes: backlogAt(committedAtMs),
    };
  }

  batches(nowMs: number, limit: number, before: string | null): Page<Batch> {
    const newest = before === null ? this.epochAt(nowMs) : Number(before) - 1;
    const items = Array.from({ length: limit }, (_, index) => newest - index)
      .filter((epoch) => epoch > 0)
      .map((epoch) => this.batch(epoch));
    const last = items.at(-1)?.epoch ?? 1;
    return { items, next: last > 1 ? String(last) : null };
  }

  batchDetail(epoch: number): BatchDetail {
    const path = (number: number) => `data/raw/events-${String(number).padStart(6, "0")}.csv`;
    return {
      ...this.batch(epoch),
      sources: [
        {
          description: "ReadEvents/ReadFiles: data/raw",
          files: [
            { path: path(epoch), startOffset: 412_288, endOffset: 524_288 },
            { path: path(epoch + 1), startOffset: 0, endOffset: 524_288 },
            { path: path(epoch + 2), startOffset: 0, endOffset: 188_416 },
          ],
        },
      ],
    };
  }

  epochAt(nowMs: number): number {
    return Math.floor((nowMs - this.startedAtMs) / epochMs);
  }

  private actions(): JobAction[] {
    if (this.state !== "RUNNING") return ["cancel"];
    return [this.isPaused ? "resume" : "pause", "drain", "cancel", "savepoint", "retry-dead-letters"];
  }

  series(fromMs: number, toMs: number, points: number): Series {
    const steps = Math.max(2, Math.min(points, 1_000));
    const atMs = Array.from({ length: steps }, (_, at) => fromMs + (at * (toMs - fromMs)) / (steps - 1));
    const of = (value: (batch: Batch, at: number) => number | null) =>
      atMs.map((at) => (at < this.startedAtMs || at > toMs ? null : value(this.batch(this.epochAt(at)), at)));
    const values: Record<string, (number | null)[]> = {
      inPerSecond: of((batch) => batch.inPerSecond),
      outPerSecond: of((batch) => batch.counts.eventsWritten / (epochMs / 1_000)),
      processedPerSecond: of((batch) => batch.processedPerSecond),
      batchDurationMs: of((batch) => batch.committedAtMs - batch.startedAtMs),
      recordsPerBatch: of((batch) => batch.counts.recordsRead),
      latencyP50Ms: of((batch) => batch.latencyMs?.p50 ?? null),
      latencyP99Ms: of((batch) => batch.latencyMs?.p99 ?? null),
      watermarkLagMs: of((_batch, at) => lagAt(at)),
      backlogBytes: of((batch) => batch.backlogBytes),
      backlogFiles: of((batch) => batch.backlogFiles),
      deadLettersPerSecond: of((batch) => batch.inPerSecond * letterShare),
      duplicatesPerSecond: of((batch) => batch.inPerSecond * duplicateShare),
      rssBytes: of(() => 241_172_480),
      cpuShare: of((_batch, at) => 0.42 + 0.1 * wave(at, 30_000)),
    };
    const histograms = Object.fromEntries(
      Object.entries(values).map(([name, line]) => [name, histogramOf(line)]),
    );
    return { fromMs, toMs, atMs, values, histograms };
  }

  graphFigures(nowMs: number): GraphFigures {
    const perSecond = rateAt(nowMs);
    const seconds = (nowMs - this.startedAtMs) / 1_000;
    const valid = 1 - letterShare;
    const fresh = valid - duplicateShare;
    const slow = this.isSlow;
    const step = (
      id: string,
      into: number,
      out: number,
      busyShare: number,
      queueFill: number,
      blockedShare = 0,
    ) => ({
      id,
      elementsIn: Math.round(into * 4_180 * seconds),
      elementsOut: Math.round(out * 4_180 * seconds),
      inPerSecond: into * perSecond,
      outPerSecond: out * perSecond,
      busyShare: Math.min(1, busyShare * (0.92 + 0.16 * wave(nowMs, 9_000))),
      blockedShare,
      queueFill,
      watermarkMs: nowMs - lagAt(nowMs),
      stateBytes: id.startsWith("DropDuplicates") ? 6_291_456 : null,
      timers: id.startsWith("DropDuplicates") ? 1_024 : null,
      counters: (id.endsWith("Check")
        ? { valid: Math.round(valid * 4_180 * seconds), invalid_price: 41_210, invalid_event_type: 20_934 }
        : {}) as Record<string, number>,
    });
    return {
      atMs: nowMs,
      steps: [
        { ...step("ReadEvents/Impulse", 0, 0, 0, 0), elementsOut: 1 },
        step("ReadEvents/ReadFiles", 0, 1, 0.31, 0, slow ? 0.63 : 0.02),
        step("ValidateEvents/Check", 1, 1, 0.44, 0.12, slow ? 0.41 : 0),
        step("ValidateEvents/Split", 1, 1, 0.06, 0.1),
        step("DropDuplicates", valid, fresh, 0.22, slow ? 0.71 : 0.17),
        step("WriteEvents", fresh, 0.0004, slow ? 0.99 : 0.58, slow ? 0.93 : 0.24),
        step("WriteDeadLetters/Flatten", letterShare, letterShare, 0.01, 0.02),
        step("WriteDeadLetters/Write", letterShare, 0, 0.03, 0.04),
      ],
    };
  }

  checkpoints(nowMs: number): Checkpoints {
    const newest = this.epochAt(nowMs);
    const history = Array.from({ length: 30 }, (_, index) => this.checkpoint(newest - index));
    const failed: Checkpoint = {
      ...this.checkpoint(newest - 1_204),
      status: "failed",
      message: "57P01: terminating connection due to administrator command; the epoch was run again",
    };
    const savepoint: Checkpoint = {
      ...this.checkpoint(newest - 3_000),
      id: "before-upgrade",
      kind: "savepoint",
    };
    const restored: Checkpoint = {
      ...this.checkpoint(0),
      id: "118204",
      status: "restored",
      triggeredAtMs: this.startedAtMs,
    };
    return {
      overview: { triggered: newest + 1, inProgress: 1, completed: newest - 1, failed: 1, restored: 1 },
      latest: { completed: this.checkpoint(newest), failed, savepoint, restored },
      history: [...history.slice(0, 6), failed, savepoint, ...history.slice(6)],
      summary: {
        durationMs: { min: 118, mean: 402, max: 1_980 },
        sizeBytes: { min: 88_120, mean: 312_400, max: 901_120 },
      },
      configuration: [
        { name: "Mode", value: "exactly once" },
        { name: "Interval", value: "2 s" },
        { name: "Kept in", value: "PostgreSQL, in the rows' own transaction" },
        { name: "Retained", value: "the last epoch, savepoints until deleted" },
      ],
    };
  }

  private checkpoint(epoch: number): Checkpoint {
    const { startedAtMs, committedAtMs } = this.batch(Math.max(1, epoch));
    return {
      id: String(118_204 + epoch),
      kind: "epoch",
      status: "completed",
      triggeredAtMs: startedAtMs,
      durationMs: committedAtMs - startedAtMs,
      sizeBytes: Math.round(88_000 + 500_000 * noise(epoch)),
      message: null,
    };
  }

  files(nowMs: number, search: string, state: string, limit: number, before: string | null): Page<FileView> {
    const newest = this.epochAt(nowMs);
    const all = Array.from({ length: 240 }, (_, index) => fileOf(newest - index, index, nowMs));
    const wanted = all.filter((file) => file.path.includes(search) && (state === "" || file.state === state));
    const from = before === null ? 0 : Number(before);
    const items = wanted.slice(from, from + limit);
    return { items, next: from + limit < wanted.length ? String(from + limit) : null };
  }
}

export const graph: JobGraph = {
  steps: [
    stepOf("ReadEvents/Impulse", "impulse", "beam:transform:impulse:v1", "stage-1", null),
    stepOf("ReadEvents/ReadFiles", "source", "beam:transform:pardo:v1", "stage-1", "read_from_directory@1"),
    stepOf("ValidateEvents/Check", "parDo", "beam:transform:pardo:v1", "stage-1", "validate@1"),
    stepOf("ValidateEvents/Split", "parDo", "beam:transform:pardo:v1", "stage-1", "split@1"),
    {
      ...stepOf("DropDuplicates", "parDo", "beam:transform:pardo:v1", "stage-1", "deduplicate@1"),
      hasState: true,
      hasTimers: true,
    },
    stepOf("WriteEvents", "parDo", "beam:transform:pardo:v1", "stage-1", "write_to_postgres@1"),
    stepOf("WriteDeadLetters/Flatten", "flatten", "beam:transform:flatten:v1", "stage-1", null),
    stepOf("WriteDeadLetters/Write", "parDo", "beam:transform:pardo:v1", "stage-1", "write_dead_letters@1"),
  ],
  edges: [
    { from: "ReadEvents/Impulse", to: "ReadEvents/ReadFiles", collection: "impulse" },
    { from: "ReadEvents/ReadFiles", to: "ValidateEvents/Check", collection: "records" },
    { from: "ValidateEvents/Check", to: "ValidateEvents/Split", collection: "checked" },
    { from: "ValidateEvents/Split", to: "DropDuplicates", collection: "valid" },
    { from: "DropDuplicates", to: "WriteEvents", collection: "fresh" },
    { from: "ValidateEvents/Split", to: "WriteDeadLetters/Flatten", collection: "invalid" },
    { from: "WriteEvents", to: "WriteDeadLetters/Flatten", collection: "rejected" },
    { from: "WriteDeadLetters/Flatten", to: "WriteDeadLetters/Write", collection: "letters" },
  ],
};

export const environment: Environment = {
  settings: [
    { name: "pipeline", value: "user-events", origin: "default" },
    { name: "runner", value: "direct", origin: "default" },
    { name: "input", value: "data/raw", origin: "--input" },
    { name: "errorDir", value: "data/error", origin: "default" },
    { name: "batchIntervalMs", value: "2000", origin: "millrace.yaml: pipeline.batchIntervalMs" },
    { name: "database.host", value: "db.shop.example", origin: "PGHOST" },
    { name: "database.port", value: "5432", origin: "default" },
    { name: "database.user", value: "ingest", origin: "PGUSER" },
    { name: "database.password", value: "••••••", origin: "PGPASSWORD_FILE" },
    { name: "database.sslmode", value: "verify-full", origin: "millrace.yaml: database.sslmode" },
    { name: "monitorPort", value: "4040", origin: "default" },
    { name: "horizonRecords", value: "65536", origin: "default" },
    { name: "logLevel", value: "info", origin: "default" },
  ],
  facts: [
    { name: "Millrace", value: "0.1.0" },
    { name: "Node", value: "20.20.2" },
    { name: "PostgreSQL", value: "18.4" },
    { name: "Beam", value: "2.49.0" },
    { name: "Host", value: "ingest-1, Linux 6.1 x64" },
    { name: "Cores", value: "8" },
    { name: "Memory", value: "15.6 GiB" },
  ],
};

function stepOf(
  id: string,
  kind: JobGraph["steps"][number]["kind"],
  urn: string,
  stage: string,
  doFn: string | null,
): JobGraph["steps"][number] {
  const config =
    doFn === "write_to_postgres@1"
      ? { table: "user_events", conflictKey: ["event_id"] }
      : { schema: "user-event" };
  return {
    id,
    name: id,
    composites: id.includes("/") ? [id.slice(0, id.indexOf("/"))] : [],
    urn,
    kind,
    stage,
    hasState: false,
    hasTimers: false,
    doFn: doFn === null ? null : { name: doFn, config },
  };
}

function fileOf(number: number, index: number, nowMs: number): FileView {
  const sizeBytes = 524_288 + Math.round(90_000 * noise(number));
  const state =
    index === 0
      ? "reading"
      : index === 9
        ? "corrupt"
        : index === 17
          ? "replaced"
          : index < 40
            ? "done"
            : "archived";
  const byteOffset =
    state === "reading" ? Math.round(sizeBytes * 0.64) : state === "corrupt" ? 131_072 : sizeBytes;
  return {
    fileId: number,
    path: `data/raw/events-${String(number).padStart(6, "0")}.csv${index === 5 ? ".gz" : ""}`,
    generation: index === 17 ? 2 : 1,
    state,
    byteOffset,
    sizeBytes,
    isCompressed: index === 5,
    firstSeenAtMs: nowMs - index * epochMs - 2_300,
    updatedAtMs: nowMs - index * epochMs - 400,
    counts: countsOf(Math.round(byteOffset / 94)),
  };
}

function countsOf(recordsRead: number): JobOverview["totals"] {
  const letters = Math.round(recordsRead * letterShare);
  const price = Math.round(letters * 0.46);
  const type = Math.round(letters * 0.27);
  const fields = Math.round(letters * 0.18);
  const duplicates = Math.round(recordsRead * duplicateShare);
  const conflicts = Math.round(recordsRead / 9_400);
  return {
    recordsRead,
    eventsWritten: recordsRead - duplicates - conflicts - letters,
    duplicates,
    conflicts,
    deadLetters: {
      invalid_price: price,
      invalid_event_type: type,
      field_count: fields,
      invalid_event_timestamp: letters - price - type - fields,
    },
  };
}

function histogramOf(line: readonly (number | null)[]): Histogram {
  const known = line.filter((value) => value !== null);
  const most = Math.max(1, ...known);
  const counts = new Array<number>(20).fill(0);
  for (const value of known) counts[Math.min(19, Math.floor((value / most) * 20))]! += 1;
  return { upTo: counts.map((_, index) => (most * (index + 1)) / 20), counts };
}

function rateAt(atMs: number): number {
  return 4_180 + 900 * wave(atMs, 240_000) - 450 + 320 * noise(Math.floor(atMs / 1_000));
}

function lagAt(atMs: number): number {
  return 1_450 + 600 * wave(atMs, 150_000) + 300 * noise(Math.floor(atMs / 2_000));
}

function backlogAt(atMs: number): number {
  return Math.round(900_000 + 2_600_000 * wave(atMs, 310_000) ** 3);
}

/** 0 to 1 and back. */
function wave(atMs: number, periodMs: number): number {
  return 0.5 + 0.5 * Math.sin((2 * Math.PI * atMs) / periodMs);
}

/** 0 to 1, the same for the same seed. */
function noise(seed: number): number {
  const mixed = Math.imul(seed ^ (seed >>> 15), 2_246_822_507) ^ Math.imul(seed, 3_266_489_909);
  return ((mixed ^ (mixed >>> 13)) >>> 0) / 4_294_967_296;
}
