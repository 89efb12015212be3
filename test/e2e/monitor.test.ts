/** The page of a run over HTTP, on a real pipeline with real PostgreSQL: what it shows, who may ask, what survives. */

import { stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { createServer } from "node:net";
import { expect } from "chai";
import type {
  Batch,
  Checkpoints,
  JobGraph,
  JobOverview,
  Page,
  StepSamples,
} from "../../runners/job/job-view.js";
import { routes } from "../../runners/monitor/routes.js";
import { type FreshDatabase, freshDatabase } from "../support/postgres.js";
import { Product, type RunningCommand, until } from "../support/product.js";

interface BatchDetail {
  readonly sources: readonly {
    readonly files: readonly {
      readonly path: string;
      readonly startOffset: number;
      readonly endOffset: number;
    }[];
  }[];
}

const HEADER = "event_id,user_id,event_type,product_id,price,event_timestamp";
const line = (n: number) =>
  `${String(n).padStart(12, "e")},u${n % 7},view,p${n % 5},1.50,2026-11-28T10:00:00Z`;
const LINK = /watch it at (http:\/\/127\.0\.0\.1:\d+)\/#token=([\w-]+)/;

interface Watched {
  readonly command: RunningCommand;
  readonly url: string;
  readonly token: string;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** With headers that fetch does not let anybody set. */
function ask(url: string, headers: Record<string, string> = {}, method = "GET", body = ""): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
        if (response.headers["content-type"]?.startsWith("text/event-stream")) done();
      });
      const done = () => {
        resolve({ status: response.statusCode!, body: text, headers: response.headers });
        response.destroy();
      };
      response.on("end", done);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

describe("the page of a run", () => {
  let database: FreshDatabase;
  let product: Product;
  beforeEach(async () => {
    database = await freshDatabase();
    product = await Product.create(database.url);
  });
  afterEach(async () => {
    await product.clear();
    await database.drop();
  });

  async function watched(flags: readonly string[] = []): Promise<Watched> {
    const command = product.start(["pipeline", "--quiet-ms=50", ...flags]);
    await command.says(LINK);
    const [, url, token] = LINK.exec(command.stderr)!;
    return { command, url: url!, token: token! };
  }

  async function get<Body>({ url, token }: Watched, path: string): Promise<Body> {
    const { status, body } = await ask(`${url}${path}`, { authorization: `Bearer ${token}` });
    expect(status, `${path}: ${body}`).to.equal(200);
    return JSON.parse(body) as Body;
  }

  async function writeEvents(
    name: string,
    from: number,
    count: number,
    more: readonly string[] = [],
  ): Promise<void> {
    const lines = Array.from({ length: count }, (_, at) => line(from + at));
    await writeFile(product.input(name), `${[HEADER, ...lines, ...more].join("\n")}\n`);
  }

  const read = async (run: Watched, count: number) =>
    until(async () => {
      const { totals } = await get<JobOverview>(run, "/api/overview");
      return totals.recordsRead >= count;
    }, `${count} records read`);

  it("shows the numbers that status shows, batches, files, the graph and the shop", async () => {
    await writeEvents("a.csv", 1, 500, [line(1), "bad,line"]);
    const run = await watched(["--epoch-records-max=100"]);
    await read(run, 502);
    let [status] = await product.status();
    let overview = await get<JobOverview>(run, "/api/overview");
    // that a file has ended is a commit of its own, which may come between the two
    await until(async () => {
      [status] = await product.status();
      overview = await get<JobOverview>(run, "/api/overview");
      return overview.epoch === status!.epoch;
    }, "status and overview of one epoch");
    expect(overview.totals).to.deep.equal({
      recordsRead: status!.records_read,
      eventsWritten: status!.events_written,
      duplicates: status!.duplicates,
      conflicts: status!.conflicts,
      deadLetters: status!.dead_letters,
    });
    expect(overview.totals).to.deep.include({ recordsRead: 502, eventsWritten: 500, duplicates: 1 });
    expect(overview).to.include({
      state: "RUNNING",
      runner: "direct",
      epoch: status!.epoch,
      isPaused: false,
    });
    expect(overview.verdict.level).to.equal("ok");
    expect(overview.latencyMs!.max).to.be.greaterThan(0);

    const batches = await get<Page<Batch>>(run, "/api/batches?limit=3");
    expect(batches.items[0]!.epoch).to.equal(status!.epoch);
    expect(batches.items).to.have.length(3);
    const rest = await get<Page<Batch>>(run, `/api/batches?before=${batches.next}`);
    const all = [...batches.items, ...rest.items];
    expect(all.map(({ epoch }) => epoch)).to.deep.equal(all.map((_, at) => status!.epoch - at));
    expect(all.reduce((sum, { counts }) => sum + counts.recordsRead, 0)).to.equal(502);
    for (const { sentBytes } of all) expect(sentBytes).to.be.greaterThan(0);
    const { history, summary } = await get<Checkpoints>(run, "/api/checkpoints");
    expect(history.map(({ sizeBytes }) => sizeBytes)).to.deep.equal(all.map(({ sentBytes }) => sentBytes));
    expect(summary.sizeBytes!.max).to.equal(Math.max(...all.map(({ sentBytes }) => sentBytes!)));
    // where one epoch ends and the next begins depends on the machine; together they are the file
    const parts = [];
    for (const { epoch, counts } of all.toReversed()) {
      if (counts.recordsRead === 0) continue;
      const detail = await get<BatchDetail>(run, `/api/batches/${epoch}`);
      parts.push(...detail.sources.flatMap((source) => source.files));
    }
    const ends = parts.map(({ endOffset }) => endOffset);
    expect(parts.map(({ path }) => path)).to.deep.equal(parts.map(() => "a.csv"));
    expect(parts.map(({ startOffset }) => startOffset)).to.deep.equal([0, ...ends.slice(0, -1)]);
    expect(ends.at(-1)).to.equal((await stat(product.input("a.csv"))).size);

    const files = await get<Page<{ path: string; counts: unknown }>>(run, "/api/files?search=a.c");
    expect(files.items).to.have.length(1);
    expect(files.items[0]).to.deep.include({ path: "a.csv", counts: overview.totals });
    expect((await get<Page<unknown>>(run, "/api/files?search=a_c")).items).to.have.length(0);

    const graph = await get<JobGraph>(run, "/api/graph");
    const figures = await get<{ steps: { id: string; elementsIn: number; elementsOut: number }[] }>(
      run,
      "/api/graph/figures",
    );
    const step = (name: string) => figures.steps.find(({ id }) => id.includes(name))!;
    expect(figures.steps.map(({ id }) => id)).to.deep.equal(graph.steps.map(({ id }) => id));
    expect(step("ReadEvents/ReadFiles").elementsOut).to.equal(502);
    expect(step("WriteEvents").elementsIn).to.equal(overview.totals.eventsWritten);

    const funnel = await get<{ rows: unknown[][]; staleReason: null }>(run, "/api/panels/v_purchase_funnel");
    expect(funnel.rows).to.deep.equal([[7, 0, 0, "0.00", null]]);
    const names = await get<{ name: string }[]>(run, "/api/panels");
    for (const { name } of names)
      expect((await get<{ staleReason: null }>(run, `/api/panels/${name}`)).staleReason).to.equal(null);

    const { body: metrics } = await ask(`${run.url}/metrics`);
    expect(metrics).to.match(/^ingest_records_read_total\{pipeline="user-events"\} 502$/m);
    const commits = /^ingest_batch_duration_seconds_count\{.*op="commit".*\} (\d+)$/m.exec(metrics);
    expect(Number(commits?.[1]), "the first commit as well").to.equal(status!.epoch);
    expect(metrics).to.match(/^ingest_records_quarantined_total\{.*reason="field_count".*\} 1$/m);
    const { settings, facts } = await get<{
      settings: { name: string; value: string; origin: string }[];
      facts: { name: string; value: string }[];
    }>(run, "/api/environment");
    expect(settings.find(({ name }) => name === "epochRecordsMax")).to.deep.equal({
      name: "epochRecordsMax",
      value: "100",
      origin: "--epoch-records-max",
    });
    expect(settings.find(({ name }) => name === "databaseUrl")).to.deep.equal({
      name: "databaseUrl",
      value: "***",
      origin: "DATABASE_URL",
    });
    expect(facts).to.deep.include({ name: "sink WriteEvents", value: "exactly once, into user_events" });
    expect(facts.map(({ name }) => name)).to.include.members([
      "Millrace",
      "Node",
      "PostgreSQL",
      "Apache Beam SDK",
    ]);
  });

  it("lets nobody without the token see records or change anything, and no strange page or name in", async () => {
    const run = await watched();
    for (const { method, path, access } of routes) {
      if (path.includes("savepoint")) continue;
      const url = `${run.url}${path.replace(":epoch", "1").replace(":id", "1").replace(":name", "v_top_products")}`;
      const { status } = await ask(url, {}, method);
      if (access === "token") expect(status, `${method} ${path}`).to.equal(401);
      else expect(status, `${method} ${path}`).to.not.be.oneOf([401, 403]);
      const wrong = await ask(url, { authorization: "Bearer wrong" }, method);
      if (access === "token") expect(wrong.status, `${method} ${path}`).to.equal(401);
      const host = await ask(url, { host: "evil.example", authorization: `Bearer ${run.token}` }, method);
      expect(host.status, `${method} ${path}`).to.equal(403);
      if (method === "GET") continue;
      const headers = { origin: "https://evil.example", authorization: `Bearer ${run.token}` };
      expect((await ask(url, headers, method)).status, `${method} ${path}`).to.equal(403);
    }
    expect((await ask(`${run.url}/api/events?topics=panel:v_top_products`)).status).to.equal(401);
    expect((await ask(`${run.url}/api/overview`, { host: "evil.example:4040" })).body).to.include(
      "host_not_allowed",
    );
    const { headers } = await ask(`${run.url}/api/overview`);
    expect(headers["content-security-policy"]).to.match(
      /default-src 'none'; script-src 'self'; style-src 'self';/,
    );
    const overview = await get<JobOverview>(run, "/api/overview");
    expect(overview.state).to.equal("RUNNING");
    const mode = (await stat(product.path(".millrace", "monitor-token"))).mode & 0o777;
    expect(mode).to.equal(0o600);
  });

  it("refuses what is too large, no number, or unknown, and says why", async () => {
    const run = await watched();
    const authorization = `Bearer ${run.token}`;
    const code = async (path: string, method = "GET", body = "") => {
      const { status, body: text } = await ask(`${run.url}${path}`, { authorization }, method, body);
      return [status, (JSON.parse(text) as { error: { code: string } }).error.code];
    };
    expect(await code("/api/batches?limit=201")).to.deep.equal([400, "bad_query"]);
    expect(await code("/api/batches?before=x")).to.deep.equal([400, "bad_query"]);
    expect(await code("/api/series?fromMs=5&toMs=5")).to.deep.equal([400, "bad_query"]);
    expect(await code("/api/batches/99")).to.deep.equal([404, "not_found"]);
    expect(await code("/api/nothing")).to.deep.equal([404, "not_found"]);
    expect(await code("/api/panels/pg_shadow")).to.deep.equal([404, "not_found"]);
    expect(await code("/api/events?topics=secrets")).to.deep.equal([400, "bad_topics"]);
    expect(await code("/../package.json")).to.deep.equal([404, "not_found"]);
    expect(await code("/api/job/savepoint", "POST")).to.deep.equal([409, "action_refused"]);
    expect(await code("/api/dead-letters/retry", "POST", "{")).to.deep.equal([400, "bad_body"]);
    expect(await code("/api/dead-letters/retry", "POST", "x".repeat(2_200_000))).to.deep.equal([
      413,
      "body_too_large",
    ]);
    const document = await get<{ paths: Record<string, object> }>(run, "/api/openapi.json");
    const expected = [...routes.map(({ path }) => path.replace(/:(\w+)/g, "{$1}")), "/api/openapi.json"];
    expect(Object.keys(document.paths)).to.have.members([...new Set(expected)]);
  });

  it("shows the last elements of a step where it was told to keep them, and to nobody without the token", async () => {
    await writeEvents("a.csv", 1, 20);
    const run = await watched(["--monitor-samples=3"]);
    await read(run, 20);
    const { steps } = await get<JobGraph>(run, "/api/graph");
    const idOf = (end: string) => encodeURIComponent(steps.find(({ id }) => id.endsWith(end))!.id);
    const path = `/api/graph/samples?step=${idOf("ReadEvents/ReadFiles")}`;
    const samples = await get<StepSamples>(run, path);
    expect(samples.reason).to.equal(null);
    expect(samples.elements).to.have.length(3);
    expect(samples.elements.at(-1)!.text).to.include(line(20).split(",")[0]);
    expect(samples.elements.at(-1)!.eventTimeMs).to.equal(Date.UTC(2026, 10, 28, 10));
    expect((await ask(`${run.url}${path}`)).status).to.equal(401);
    const authorization = `Bearer ${run.token}`;
    expect((await ask(`${run.url}/api/graph/samples?step=x`, { authorization })).status).to.equal(404);
    const refused = await product.run(["pipeline", "--once", "--runner=prism", "--monitor-samples=1"]);
    expect(refused.code).to.equal(2);
    expect(refused.stderr).to.include("--monitor-samples is for --runner=direct");
  });

  it("takes the next free port and says so; 0 is no page", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as { port: number };
    const run = await watched([`--monitor-port=${port}`]);
    expect(run.url).to.not.equal(`http://127.0.0.1:${port}`);
    await run.command.says(new RegExp(`\\(port ${port} was taken\\)`));
    taken.close();
    const none = await product.run(["pipeline", "--once", "--monitor-port=0", "--takeover"]);
    expect(none.stderr).to.not.include("watch it at");
  });

  it("keeps its history and its token over a kill -9", async () => {
    await writeEvents("a.csv", 1, 300);
    const run = await watched(["--epoch-records-max=100"]);
    await read(run, 300);
    const before = await get<Page<Batch>>(run, "/api/batches");
    await writeEvents("b.csv", 1_000, 50, ["bad,line"]);
    await read(run, 351);
    run.command.kill("SIGKILL");
    await run.command.ended;
    const again = await watched();
    expect(again.token).to.equal(run.token);
    await writeEvents("c.csv", 2_000, 10);
    await read(again, 361);
    const after = await get<Page<Batch>>(again, "/api/batches");
    const epochs = after.items.map(({ epoch }) => epoch);
    expect(epochs).to.deep.equal(epochs.map((_, at) => epochs[0]! - at));
    expect(epochs.at(-1)).to.equal(1);
    expect(after.items.slice(-before.items.length)).to.deep.equal(before.items);
    expect(after.items.reduce((sum, { counts }) => sum + counts.recordsRead, 0)).to.equal(361);
    const letters = after.items.flatMap(({ counts }) => Object.entries(counts.deadLetters));
    expect(letters, "also of an epoch that was filled up").to.deep.equal([["field_count", 1]]);
    const checkpoints = await get<{ latest: { restored: { id: string } } }>(again, "/api/checkpoints");
    expect(checkpoints.latest.restored.id).to.equal(String(epochs[1]));
  });

  it("sends what is live, only on change", async () => {
    const run = await watched();
    const events: string[] = [];
    const sent = request(`${run.url}/api/events?topics=overview,batch`, { agent: false }, (response) => {
      response.setEncoding("utf8").on("data", (text: string) => void events.push(text));
      response.on("error", () => undefined); // the run ends before the stream does
    });
    sent.on("error", () => undefined).end();
    await until(() => events.join("").includes("event: overview"), "the overview");
    await writeEvents("a.csv", 1, 20);
    await until(() => events.join("").includes("event: batch"), "the batch");
    const batch = /event: batch\ndata: (.*)\n\n/.exec(events.join(""))![1]!;
    expect((JSON.parse(batch) as Batch).counts.recordsRead).to.equal(20);
    const overviews = events.join("").split("event: overview").length - 1;
    expect(overviews).to.be.below(12);
    sent.destroy();
  });

  it("is paused, resumed and drained from another command, and seen by attach and status --watch", async () => {
    const run = await watched();
    const act = (...argv: string[]) => product.run(["pipeline", ...argv]);
    expect((await act("pause")).code).to.equal(0);
    await writeEvents("a.csv", 1, 20);
    const attached = product.start(["pipeline", "attach"]);
    await attached.says(/PAUSED: epoch 0, 0 read/);
    const { isPaused, verdict, totals, state } = await get<JobOverview>(run, "/api/overview");
    expect({ isPaused, state, read: totals.recordsRead }).to.deep.equal({
      isPaused: true,
      state: "RUNNING",
      read: 0,
    });
    expect(verdict.sentence).to.match(/^It is paused/);
    expect((await act("resume")).code).to.equal(0);
    await attached.says(/RUNNING: epoch 1, 20 read, 20 written/);
    const watch = product.start(["status", "--watch"]);
    await until(() => watch.stdout.split("user-events  ").length > 2, "two looks");
    watch.kill("SIGINT");
    expect((await watch.ended).code).to.equal(0);
    expect((await act("drain")).code).to.equal(0);
    expect((await run.command.ended).code).to.equal(0);
    expect((await attached.ended).code).to.equal(0);
    const gone = await act("drain");
    expect(gone.code).to.equal(2);
    expect(gone.stderr).to.include('no run of pipeline "user-events" can be reached');
    expect((await act("stop")).stderr).to.include("one of attach, drain, cancel, pause, resume");
  });
});
