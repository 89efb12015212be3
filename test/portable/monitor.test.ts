/** The page of a run on real job servers: what it knows there, what it does not, and what it refuses. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import type { RecordCounts } from "../../runners/job/job.js";
import type {
  Batch,
  DeadLetterReasons,
  DeadLetterSummary,
  FileView,
  GraphFigures,
  JobGraph,
  JobOverview,
  Page,
} from "../../runners/job/job-view.js";
import { writeParityInput } from "../parity/parity-input.js";
import { type FreshDatabase, freshDatabase } from "../support/postgres.js";
import { Product, type RunningCommand } from "../support/product.js";

const EVENTS = 5_000;
const SEED = 20_261_201;
const LINK = /watch it at (http:\/\/127\.0\.0\.1:\d+)\/#token=([\w-]+)/;
const WAIT_MS_MAX = 120_000;

/** One run, asked over HTTP. */
class Watched {
  constructor(
    private readonly command: RunningCommand,
    private readonly url: string,
    private readonly token: string,
  ) {}

  static async of(command: RunningCommand): Promise<Watched> {
    const link = await eventually(() => {
      if (!command.isRunning) throw new Error(`it has ended:\n${command.stderr}`);
      return LINK.exec(command.stderr);
    }, "the link");
    return new Watched(command, link[1]!, link[2]!);
  }

  ask(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, { ...init, headers: { authorization: `Bearer ${this.token}` } });
  }

  async get<Body>(path: string): Promise<Body> {
    const response = await this.ask(path);
    expect(response.status, path).to.equal(200);
    return (await response.json()) as Body;
  }

  async refusal(path: string, body: object): Promise<unknown[]> {
    const response = await this.ask(path, { method: "POST", body: JSON.stringify(body) });
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    return [response.status, error.code, error.message];
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    this.command.kill(signal);
    const { code, stderr } = await this.command.ended;
    expect(code, stderr).to.equal(0);
  }
}

async function eventually<T>(look: () => T | Promise<T>, what: string): Promise<NonNullable<T>> {
  for (const deadline = Date.now() + WAIT_MS_MAX; Date.now() < deadline; await sleep(100)) {
    const found = await look();
    if (found) return found;
  }
  throw new Error(`not within ${WAIT_MS_MAX} ms: ${what}`);
}

function addUp(all: readonly { readonly counts: RecordCounts }[]): RecordCounts {
  const sum = (of: (counts: RecordCounts) => number) =>
    all.reduce((total, { counts }) => total + of(counts), 0);
  const reasons = new Set(all.flatMap(({ counts }) => Object.keys(counts.deadLetters)));
  return {
    recordsRead: sum((counts) => counts.recordsRead),
    eventsWritten: sum((counts) => counts.eventsWritten),
    duplicates: sum((counts) => counts.duplicates),
    conflicts: sum((counts) => counts.conflicts),
    deadLetters: Object.fromEntries(
      [...reasons].map((name) => [name, sum((one) => one.deadLetters[name] ?? 0)]),
    ),
  };
}

function isBalanced({
  recordsRead,
  eventsWritten,
  duplicates,
  conflicts,
  deadLetters,
}: RecordCounts): boolean {
  const letters = Object.values(deadLetters).reduce((sum, count) => sum + count, 0);
  return recordsRead === eventsWritten + duplicates + conflicts + letters;
}

describe("the page of a run on a job server", () => {
  let folder: string;
  let database: FreshDatabase;
  let product: Product;

  before(async function () {
    this.timeout(60_000);
    folder = await mkdtemp(join(tmpdir(), "millrace-monitor-input-"));
    await writeParityInput(folder, EVENTS, SEED);
  });
  after(() => rm(folder, { recursive: true, force: true }));
  beforeEach(async () => {
    database = await freshDatabase();
    product = await Product.create(database.url);
  });
  afterEach(async () => {
    await product.clear();
    await database.drop();
  });

  function start(...flags: string[]): RunningCommand {
    // where job servers are installed, and the Java that runs them
    const { XDG_CACHE_HOME = join(homedir(), ".cache"), JAVA_HOME } = process.env;
    const env = { XDG_CACHE_HOME, ...(JAVA_HOME && { JAVA_HOME }) };
    return product.start(["pipeline", "--quiet-ms=50", `--input=${join(folder, "raw")}`, ...flags], env);
  }

  /** As `status` has them. */
  async function counted(): Promise<RecordCounts> {
    const [status] = await product.status();
    return {
      recordsRead: status!.records_read,
      eventsWritten: status!.events_written,
      duplicates: status!.duplicates,
      conflicts: status!.conflicts,
      deadLetters: status!.dead_letters,
    };
  }

  async function expectTruth(run: Watched, runner: string): Promise<void> {
    const overview = await run.get<JobOverview>("/api/overview");
    const counts = await counted();
    expect(overview).to.deep.include({ runner, state: "RUNNING", totals: counts, isPaused: false });
    expect(overview.actions).to.deep.equal(["drain", "cancel"]);
    const { items: batches } = await run.get<Page<Batch>>("/api/batches?limit=200");
    expect(addUp(batches)).to.deep.equal(counts);
    const { items: files } = await run.get<Page<FileView>>("/api/files?limit=200");
    expect(files.map(({ path }) => path)).to.have.members(await readdir(join(folder, "raw")));
    expect(addUp(files)).to.deep.equal(counts);
    const reasons = await run.get<DeadLetterReasons>("/api/dead-letters/reasons");
    expect(reasons.byReason).to.deep.equal(counts.deadLetters);
  }

  /** The runner's graph, without a source of retries; of its steps nothing is known before the job's end. */
  async function expectGraph(run: Watched): Promise<void> {
    const graph = await run.get<JobGraph>("/api/graph");
    const names = graph.steps.map(({ id }) => id).join("\n");
    expect(names).to.include("WriteEvents").and.not.include("ReadRetries");
    const { steps } = await run.get<GraphFigures>("/api/graph/figures");
    expect(steps.map(({ id }) => id)).to.deep.equal(graph.steps.map(({ id }) => id));
    for (const { id, counters: _, ...figures } of steps) {
      const known = Object.entries(figures).filter(([, value]) => value !== null);
      expect(known, id).to.deep.equal([]);
    }
  }

  async function expectRefusals(run: Watched, runner: string): Promise<void> {
    const { items } = await run.get<Page<DeadLetterSummary>>("/api/dead-letters?limit=1");
    const [{ id, reason }] = items as [DeadLetterSummary];
    const refused = [
      ...[409, "not_taken"],
      `runner ${runner} takes no retries of dead letters: run pipeline "user-events" with --runner=direct for them`,
    ];
    expect(await run.refusal(`/api/dead-letters/${id}/retry`, {})).to.deep.equal(refused);
    expect(await run.refusal("/api/dead-letters/retry", { reason })).to.deep.equal(refused);
    expect((await run.refusal("/api/job/pause", {})).slice(0, 2)).to.deep.equal([409, "action_refused"]);
    const command = await product.run(["dead-letters", "retry", id]);
    expect(command.code).to.equal(2);
    expect(command.stderr).to.include("its run on a job server takes no retries of dead letters");
    const asked = await run.get<{ retry: unknown }>(`/api/dead-letters/${id}`);
    expect(asked.retry).to.equal(null);
  }

  for (const [runner, flags] of [
    ["prism", ["--interval=2"]],
    ["flink", []],
  ] as const) {
    it(`${runner}: true counts of all, no figures of steps, and no retry that nobody would read`, async () => {
      const run = await Watched.of(start(`--runner=${runner}`, ...flags));
      await expectGraph(run);
      await eventually(async () => {
        const { totals, backlogFiles } = await run.get<JobOverview>("/api/overview");
        return backlogFiles === 0 && totals.recordsRead >= EVENTS && isBalanced(totals);
      }, "every record read, and something become of each");
      await expectTruth(run, runner);
      await expectRefusals(run, runner);
      await run.end("SIGINT");
    });
  }

  it("prism --once: answers while it runs, and leaves a history that adds up", async () => {
    const command = start("--runner=prism", "--once");
    const run = await Watched.of(command);
    const { state, runner } = await run.get<JobOverview>("/api/overview");
    expect(runner).to.equal("prism");
    expect(state).to.be.oneOf(["STARTING", "RUNNING"]);
    await expectGraph(run);
    const { code, stderr } = await command.ended;
    expect(code, stderr).to.equal(0);
    const later = await Watched.of(start());
    const { items } = await later.get<Page<Batch>>("/api/batches?limit=200");
    expect(addUp(items)).to.deep.equal(await counted());
    expect((await later.get<JobOverview>("/api/overview")).actions).to.include("retry-dead-letters");
    await later.end("SIGINT");
  });
});
