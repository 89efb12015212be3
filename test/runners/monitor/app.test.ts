/** The monitor's application without a run: live events, panels, dead letters and files, on parts that a test moves. */
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { type DeadLetterActions, DeadLetterError } from "../../../runners/job/dead-letter-actions.js";
import type { InspectionEvent, JobInspection } from "../../../runners/job/job-inspection.js";
import type { JobOverview, PanelData } from "../../../runners/job/job-view.js";
import { createApp } from "../../../runners/monitor/app.js";
import { Guard } from "../../../runners/monitor/guard.js";
import { CLIENTS_MAX, LiveEvents } from "../../../runners/monitor/live-events.js";
import { isLoopback, LOOPBACK_NAMES } from "../../../runners/monitor/loopback.js";
import { startMonitor } from "../../../runners/monitor/monitor-server.js";
import type { Panel } from "../../../runners/monitor/monitored.js";
import { PanelCache } from "../../../runners/monitor/panel-cache.js";
import { PrometheusMetrics } from "../../../runners/monitor/prometheus.js";
import { StaticPages } from "../../../runners/monitor/static-pages.js";
import {
  ensureToken,
  readAddress,
  readToken,
  removeAddress,
  writeAddress,
} from "../../../runners/monitor/token-file.js";

const TOKEN = "t".repeat(43);
const counts = {
  recordsRead: 5,
  eventsWritten: 4,
  duplicates: 0,
  conflicts: 0,
  deadLetters: { field_count: 1 },
};

function overview(more: Partial<JobOverview> = {}): JobOverview {
  return {
    ...{ pipeline: "p", runner: "direct", runId: null, version: "1.2.3", state: "RUNNING", isPaused: false },
    ...{ failure: null, startedAtMs: 0, nowMs: 1_000, retries: 0, inPerSecond: 0, outPerSecond: 0 },
    ...{ latencyMs: null, backlogFiles: 2, backlogBytes: 30, watermarkMs: null, watermarkLagMs: null },
    ...{ epoch: 1, lastCommitAtMs: 500, totals: counts, actions: [] },
    verdict: { level: "ok", sentence: "well" },
    process: { pid: 1, host: "h", cpuShare: 0, rssBytes: 9 },
    ...more,
  };
}

class FakeInspection {
  shown = overview();
  readonly listeners = new Set<(event: InspectionEvent) => void>();
  readonly graph = { steps: [], edges: [] };
  overview = () => this.shown;
  figures = () => ({ atMs: 0, steps: [] });
  readiness = () => ({ ready: false, reasons: ["the job is STARTING"] });
  subscribe(listener: (event: InspectionEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

/** What was asked, and one letter with the id 7. */
function fakeLetters(asked: unknown[]): DeadLetterActions {
  return {
    list: async (query: unknown) => {
      asked.push(query);
      return { items: [], next: null };
    },
    retryReason: async (reason: string) => {
      if (reason === "elsewhere") throw new DeadLetterError("not_taken", "runner flink takes no retries");
      return { requested: 3, atMs: reason.length };
    },
    show: async (id: string) => {
      throw new DeadLetterError("not_found", `there is no dead letter ${id}`);
    },
    retryOne: async (id: string, request: { by: string; raw?: Buffer }) => {
      asked.push([id, request.by, request.raw?.toString()]);
      return { status: "requested", by: request.by, atMs: 1, epoch: null, messages: [] };
    },
    export: async function* () {
      yield '{"a":1}\n';
      yield '{"a":2}\n';
    },
  } as unknown as DeadLetterActions;
}

describe("the monitor's application", () => {
  let folder: string;
  const inspection = new FakeInspection();
  const asked: unknown[] = [];
  let panelRows: () => Promise<Pick<PanelData, "columns" | "rows">>;
  let queries = 0;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "millrace-monitor-"));
    queries = 0;
    asked.length = 0;
    inspection.listeners.clear();
    inspection.shown = overview();
    panelRows = async () => ({ columns: [{ name: "n", type: "number" }], rows: [[1]] });
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function app(isOpenToOthers = false) {
    const panel: Panel = {
      description: { name: "v", title: "V", chart: "table" },
      read: () => {
        queries++;
        return panelRows();
      },
    };
    const guard = new Guard({ token: TOKEN, isOpenToOthers, hostNames: new Set(LOOPBACK_NAMES) });
    const seen = inspection as unknown as JobInspection;
    const cache = new PanelCache([panel]);
    const live = new LiveEvents(seen, cache);
    const parts = {
      ...{ inspection: seen, deadLetters: fakeLetters(asked), panels: [panel], live, cache },
      prometheus: new PrometheusMetrics(seen),
      environment: () => ({ settings: [], facts: [] }),
      warn: () => undefined,
      mustHaveToken: (request: Request) => guard.checkToken(request, "token"),
    };
    const hono = createApp(parts, guard, await StaticPages.find(folder));
    const call = async (path: string, init: RequestInit = {}) =>
      hono.request(`http://localhost:4040${path}`, {
        ...init,
        headers: { host: "localhost:4040", authorization: `Bearer ${TOKEN}`, ...init.headers },
      });
    return { call, live };
  }

  it("gives dead letters to whoever may see them, and takes retries with bytes", async () => {
    const { call } = await app();
    await call("/api/dead-letters?reason=field_count&limit=5&before=9");
    expect(asked).to.deep.equal([{ reason: "field_count", limit: 5, before: "9" }]);
    expect((await call("/api/dead-letters/8")).status).to.equal(404);
    const rawBase64 = Buffer.from("a,b").toString("base64");
    const retry = await call("/api/dead-letters/7/retry", {
      method: "POST",
      body: JSON.stringify({ rawBase64 }),
    });
    expect(await retry.json()).to.include({ status: "requested", by: "monitor" });
    expect(asked.at(-1)).to.deep.equal(["7", "monitor", "a,b"]);
    const bad = await call("/api/dead-letters/7/retry", { method: "POST", body: '{"rawBase64": "%"}' });
    expect(bad.status).to.equal(400);
    const all = await call("/api/dead-letters/retry", { method: "POST", body: '{"reason": "field_count"}' });
    expect(await all.json()).to.deep.equal({ requested: 3, atMs: 11 });
    const none = await call("/api/dead-letters/retry", { method: "POST", body: '{"reason": "elsewhere"}' });
    expect([none.status, await none.json()]).to.deep.equal([
      409,
      { error: { code: "not_taken", message: "runner flink takes no retries" } },
    ]);
    const lines = await call("/api/dead-letters/export");
    expect(await lines.text()).to.equal('{"a":1}\n{"a":2}\n');
    expect(lines.headers.get("content-type")).to.equal("application/x-ndjson");
  });

  it("asks a panel once for all, and shows what it has as stale when the query fails", async () => {
    const { call } = await app();
    const answers = await Promise.all([call("/api/panels/v"), call("/api/panels/v")]);
    for (const answer of answers)
      expect(await answer.json()).to.deep.include({ rows: [[1]], staleReason: null });
    await call("/api/panels/v");
    expect(queries).to.equal(1);
    const cache = new PanelCache([
      {
        description: { name: "w", title: "W", chart: "table" },
        read: () => Promise.reject(new Error("too slow")),
      },
    ]);
    expect(await cache.get("w")).to.deep.include({ rows: [], staleReason: "too slow" });
  });

  it("sends an overview once while only the clock moves, the newest to a slow reader, and has room for 16", async () => {
    const { call, live } = await app();
    const reader = (await call("/api/events?topics=overview")).body!.getReader();
    const next = async () => Buffer.from((await reader.read()).value!).toString();
    expect(await next()).to.match(/^event: overview\ndata: .*"epoch":1|^: welcome/);
    inspection.shown = overview({ nowMs: 9_000, watermarkLagMs: 7 });
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    inspection.shown = overview({ epoch: 2 });
    await new Promise((resolve) => setTimeout(resolve, 600));
    inspection.shown = overview({ epoch: 3 });
    await new Promise((resolve) => setTimeout(resolve, 600));
    const text = await next();
    expect(text.match(/event: overview/g)).to.have.length(1);
    expect(text).to.include('"epoch":3');
    for (let n = 1; n < CLIENTS_MAX; n++)
      expect((await call("/api/events?topics=graph")).status).to.equal(200);
    expect((await call("/api/events?topics=graph")).status).to.equal(429);
    live.close();
    expect(inspection.listeners.size).to.equal(1); // of Prometheus
  });

  it("ends a stream with how it all ended, batches and all, also for one who is slow to read", async () => {
    const { call, live } = await app();
    const reader = (await call("/api/events?topics=overview,batch")).body!.getReader();
    const next = async () => Buffer.from((await reader.read()).value!).toString();
    expect(await next()).to.include('"state":"RUNNING"');
    const batch = { epoch: 8, durationMs: {} } as never;
    for (const listener of inspection.listeners) listener({ type: "batch", batch });
    inspection.shown = overview({ state: "DRAINED" });
    live.close();
    expect(await next()).to.match(
      /event: batch\ndata: {"epoch":8,.*\n\nevent: overview\ndata: .*"state":"DRAINED"/,
    );
    expect(await reader.read()).to.deep.equal({ done: true, value: undefined });
  });

  it("says when it is not ready, and counts for Prometheus", async () => {
    const { call } = await app();
    const ready = await call("/readyz");
    expect([ready.status, await ready.json()]).to.deep.equal([
      503,
      { ready: false, reasons: ["the job is STARTING"] },
    ]);
    for (const listener of inspection.listeners) {
      listener({ type: "retry", sqlStateClass: "08" });
      listener({ type: "batch", batch: { durationMs: { sink: 30 } } as never });
    }
    const text = await (await call("/metrics")).text();
    expect(text).to.match(/ingest_retries_total\{.*sqlstate_class="08".*\} 1/);
    expect(text).to.match(/ingest_batch_duration_seconds_sum\{.*op="sink".*\} 0\.03/);
    expect(text).to.match(/ingest_build_info\{.*version="1\.2\.3".*\} 1/);
    expect(text).to.include('ingest_checkpoint_age_seconds{pipeline="p"} 0.5');
  });

  it("serves the pages that were built, hashed names for ever, and no other file", async () => {
    await mkdir(join(folder, "assets"));
    await writeFile(join(folder, "index.html"), "<!doctype html>");
    await writeFile(join(folder, "assets", "app-1a2b.js"), "1");
    for (const name of ["api.js", "notes.html", "secret.svg"]) await writeFile(join(folder, name), "no page");
    await writeFile(join(folder, "icon.svg"), "<svg/>");
    const { call } = await app();
    const icon = await call("/icon.svg");
    expect([await icon.text(), icon.headers.get("content-type")]).to.deep.equal(["<svg/>", "image/svg+xml"]);
    const script = await call("/assets/app-1a2b.js");
    expect([await script.text(), script.headers.get("cache-control")]).to.deep.equal([
      "1",
      "public, max-age=31536000, immutable",
    ]);
    for (const path of ["/", "/index.html", "/batches", "/dead-letters/7", "/graph/Read.All%2FSplit"]) {
      const page = await call(path);
      expect([await page.text(), page.headers.get("cache-control")]).to.deep.equal([
        "<!doctype html>",
        "no-cache",
      ]);
      expect(page.headers.get("content-security-policy")).to.include("default-src 'none'");
    }
    const others = ["/api.js", "/notes.html", "/secret.svg", "/nothing.css", "/assets/nothing", "/assets/"];
    for (const path of [...others, "/assets/../../package.json", "/assets/%2e%2e/api.js"]) {
      expect((await call(path)).status, path).to.equal(404);
    }
  });

  it("needs the token for everything where others reach it", async () => {
    const { call } = await app(true);
    for (const path of ["/api/overview", "/metrics", "/livez", "/api/dead-letters/reasons"]) {
      expect((await call(path, { headers: { authorization: "" } })).status, path).to.equal(401);
    }
    expect((await call("/api/overview")).status).to.equal(200);
  });

  it("does not listen for others without TLS or leave", async () => {
    const options = { host: "0.0.0.0", tls: undefined, isInsecureAllowed: false } as never;
    const error = await startMonitor(options).then(
      () => undefined,
      (refused: Error) => refused,
    );
    expect(error?.message).to.include("must have TLS on 0.0.0.0");
    expect(["127.0.0.1", "127.9.9.9", "::1", "localhost"].every(isLoopback)).to.equal(true);
    expect(["0.0.0.0", "10.0.0.1", "127.evil.example", "::"].some(isLoopback)).to.equal(false);
  });
});

describe("ensureToken()", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "millrace-token-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("keeps the token, for its owner alone, and replaces one that others could read", async () => {
    const token = await ensureToken(folder);
    expect(token).to.have.length(43);
    expect(await ensureToken(folder)).to.equal(token);
    expect((await stat(join(folder, "monitor-token"))).mode & 0o777).to.equal(0o600);
    await chmod(join(folder, "monitor-token"), 0o644);
    const next = await ensureToken(folder);
    expect(next).to.not.equal(token);
    expect(await readToken(folder)).to.equal(next);
  });

  it("names the run of a pipeline as long as its process lives", async () => {
    expect(await readAddress(folder, "a/b")).to.equal(undefined);
    await writeAddress(folder, "a/b", { url: "http://127.0.0.1:1", pid: process.pid });
    expect(await readAddress(folder, "a/b")).to.deep.equal({ url: "http://127.0.0.1:1", pid: process.pid });
    await removeAddress(folder, "a/b");
    expect(await readAddress(folder, "a/b")).to.equal(undefined);
    await writeAddress(folder, "a/b", { url: "http://127.0.0.1:1", pid: 2 ** 22 + 1 });
    expect(await readAddress(folder, "a/b")).to.equal(undefined);
  });
});
