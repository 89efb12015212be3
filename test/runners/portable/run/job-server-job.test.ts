/** JobServerJob in rounds, on a real database and a job server that the test plays. */
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { DescribedStep } from "../../../../runners/graph/graph-differences.js";
import type { Job, JobEvent } from "../../../../runners/job/job.js";
import { NO_METRICS } from "../../../../runners/job/metrics.js";
import type { ClientContext, RunClient } from "../../../../runners/job/run-client.js";
import { JobFailedError } from "../../../../runners/portable/job-failure.js";
import { JobServerError } from "../../../../runners/portable/job-service.js";
import {
  JobServerJob,
  type JobServerJobOptions,
  type SubmittedRun,
} from "../../../../runners/portable/run/job-server-job.js";
import { NOTE, readSavepointNote, SavepointError } from "../../../../runners/portable/run/savepoint-note.js";
import { migrate } from "../../../../sql/migrate.js";
import { SqlSession } from "../../../../sql/sql-session.js";
import { JobState_Enum, Pipeline } from "../../../../transforms/primitives/beam.js";
import { systemClock } from "../../../../transforms/primitives/system-clock.js";
import { listLog } from "../../../pipelines/fake-job.js";
import { type FreshDatabase, freshDatabase } from "../../../support/postgres.js";
import { TcpProxy } from "../../../support/tcp-proxy.js";

const PIPELINE = "rounds";

/** What a job on the server comes to. */
type Play = "done" | "fails" | "held" | "refused" | "nobody answers";

/** Input, client and server of a job in rounds. */
class Bench implements RunClient {
  readonly log: string[] = [];
  /** Run of each job that was submitted. */
  readonly runs: string[] = [];
  /** The run before each of them, of which something may be left on the server. */
  readonly earlierRuns: (string | undefined)[] = [];
  readonly prepared: string[] = [];
  /** Pieces of input that nobody has read. */
  waiting = 0;
  read = 0;
  plays: Play[] = [];
  released = 0;
  readonly events: JobEvent[] = [];
  letGo: (state: JobState_Enum) => void = () => undefined;
  #planned = 0;

  constructor(readonly database: FreshDatabase) {}

  start(more: Partial<JobServerJobOptions> = { intervalMs: 20 }): Job {
    const job = new JobServerJob(
      new Pipeline(),
      {
        ...{ pipeline: PIPELINE, connection: this.database.connection, client: this },
        ...{
          once: false,
          takeover: false,
          retryTimeoutMs: 1_000,
          clock: systemClock,
          log: listLog(this.log),
        },
        ...more,
      },
      {
        submit: (_graph, { run, earlierRunId }) => {
          this.earlierRuns.push(earlierRunId);
          return this.#submit(run.runId);
        },
        release: async () => void this.released++,
      },
    );
    job.subscribe((event) => this.events.push(event));
    return job;
  }

  async #submit(runId: string): Promise<SubmittedRun> {
    this.runs.push(runId);
    const play = this.plays.shift() ?? "done";
    if (play === "nobody answers") throw new JobServerError("here:1", "UNAVAILABLE", "nobody answers");
    if (play === "refused") throw new Error("the graph is refused");
    const whenEnded = new Promise<JobState_Enum>((resolve) => {
      this.letGo = resolve;
    });
    if (play === "done") this.letGo(JobState_Enum.DONE);
    if (play === "fails") this.letGo(JobState_Enum.FAILED);
    return {
      jobId: `job-${this.runs.length}`,
      failure: play === "fails" ? new JobFailedError("job", "a DoFn is wrong", "") : undefined,
      waitUntilFinish: () => whenEnded,
      cancel: async () => {
        this.letGo(JobState_Enum.CANCELLED);
        return whenEnded;
      },
      metrics: async () => NO_METRICS,
      savepoint: async (directory) => {
        const url = new URL(`${directory}/savepoint-1`);
        await mkdir(url);
        return url.href;
      },
    };
  }

  async prepare({ runId }: ClientContext): Promise<boolean> {
    this.prepared.push(runId);
    this.#planned = this.waiting;
    return this.#planned > 0;
  }
  async settle(_transaction: unknown, isEnd: boolean): Promise<number[]> {
    if (!isEnd) return [];
    this.read += this.#planned;
    this.waiting -= this.#planned;
    return [];
  }
  async publish(): Promise<void> {}
  async drain(): Promise<void> {}
  async isSettled(): Promise<boolean> {
    return true;
  }
  async progress(): Promise<[]> {
    return [];
  }

  async until(what: () => boolean): Promise<void> {
    for (const deadline = Date.now() + 15_000; !what(); await systemClock.sleep(2)) {
      if (Date.now() > deadline) throw new Error(`not within 15 s; log:\n${this.log.join("\n")}`);
    }
  }
}

describe("JobServerJob with intervalMs", () => {
  let database: FreshDatabase;
  let session: SqlSession;
  let bench: Bench;
  let job: Job | undefined;

  before(async () => {
    database = await freshDatabase();
    session = await SqlSession.connect({ connection: database.connection, applicationName: "test" });
    await migrate(session, { info: () => undefined });
  });
  after(async () => {
    await session.close();
    await database.drop();
  });
  beforeEach(() => {
    bench = new Bench(database);
    job = undefined;
  });
  afterEach(async () => {
    await job?.cancel();
  });

  const holders = async () => {
    const rows = await session.query(
      "select from pg_locks where locktype = 'advisory' and mode = 'ExclusiveLock' and database = (select oid from pg_database where datname = current_database())",
    );
    return rows.length;
  };
  const retries = () => bench.events.flatMap((event) => (event.type === "retry" ? event.reason : []));

  it("submits when something new has come, each time as a run of its own, and holds the pipeline in between", async () => {
    job = bench.start();
    await bench.until(() => bench.prepared.length > 3);
    expect(bench.runs, "nothing has come").to.deep.equal([]);
    expect(new Set(bench.prepared).size, "a run that submitted nothing goes on").to.equal(1);
    expect(job.state).to.equal("RUNNING");
    for (const round of [1, 2, 3]) {
      bench.waiting = 1;
      await bench.until(() => bench.read === round);
    }
    await bench.until(() => new Set(bench.prepared).size === 4);
    expect(await holders()).to.be.greaterThan(0);
    expect(bench.runs).to.have.length(3);
    expect(new Set(bench.runs).size).to.equal(3);
    expect(bench.released, "the server stays").to.equal(0);
    expect(await job.drain()).to.equal("DRAINED");
    expect(bench.released).to.equal(1);
    expect(await holders()).to.equal(0);
  });

  it("lets the round under way come to its end when it is drained", async () => {
    bench.plays = ["held"];
    bench.waiting = 1;
    job = bench.start();
    await bench.until(() => bench.runs.length === 1);
    const ended = job.drain();
    bench.waiting = 2;
    await systemClock.sleep(100);
    expect(job.state).to.equal("DRAINING");
    bench.letGo(JobState_Enum.DONE);
    expect(await ended).to.equal("DRAINED");
    expect({ read: bench.read, waiting: bench.waiting, jobs: bench.runs.length }).to.deep.equal({
      ...{ read: 1, waiting: 1, jobs: 1 },
    });
  });

  it("tries a failed round again in a new run and on a server found anew, and says so", async () => {
    bench.plays = ["fails", "done"];
    bench.waiting = 1;
    job = bench.start();
    await bench.until(() => bench.read === 1);
    expect(retries()).to.deep.equal(["a round of rounds failed: a DoFn is wrong"]);
    expect(bench.released).to.equal(1);
    expect(new Set(bench.runs).size).to.equal(2);
    expect(await job.drain()).to.equal("DRAINED");
  });

  it("waits for a server that nobody answers for", async () => {
    bench.plays = ["nobody answers", "done"];
    bench.waiting = 1;
    job = bench.start();
    await bench.until(() => bench.read === 1);
    expect(retries()).to.deep.equal(["a round of rounds failed: job server here:1: nobody answers"]);
  });

  it("ends with what the graph is refused for", async () => {
    bench.plays = ["refused"];
    bench.waiting = 1;
    job = bench.start();
    expect(await job.waitUntilFinish()).to.equal("FAILED");
    expect(job.failure?.message).to.equal("the graph is refused");
    expect(bench.runs).to.have.length(1);
  });

  it("ends when another run has taken the pipeline", async () => {
    job = bench.start();
    await bench.until(() => bench.prepared.length > 0);
    await session.query("update pipelines set run_id = gen_random_uuid() where pipeline = $1", [PIPELINE]);
    bench.waiting = 1;
    expect(await job.waitUntilFinish()).to.equal("FAILED");
    expect(job.failure?.name).to.equal("FencedError");
  });

  it("is CANCELLED when its job is cancelled at the server", async () => {
    bench.plays = ["held"];
    bench.waiting = 1;
    job = bench.start();
    await bench.until(() => bench.runs.length === 1);
    bench.letGo(JobState_Enum.CANCELLED);
    expect(await job.waitUntilFinish()).to.equal("CANCELLED");
    expect(bench.read).to.equal(0);
  });

  it("is CANCELLED at once between two rounds", async () => {
    job = bench.start({ intervalMs: 600_000 });
    await bench.until(() => job!.state === "RUNNING");
    expect(await job.cancel()).to.equal("CANCELLED");
    expect(await holders()).to.equal(0);
  });

  it("goes on in a new run when its connection is lost between two rounds", async () => {
    bench.waiting = 1;
    job = bench.start({ intervalMs: 300 });
    await bench.until(() => bench.events.some(({ type }) => type === "commit"));
    await session.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'millrace/job-server-client' and datname = current_database()",
    );
    bench.waiting = 1;
    await bench.until(() => bench.read === 2);
    expect(new Set(bench.runs).size).to.equal(2);
    expect(await job.drain()).to.equal("DRAINED");
  });

  it("tells of each run which one was before it, also of the first, which takes over", async () => {
    const lastRun = async () => {
      const rows = await session.query<{ run_id: string }>("select run_id from pipelines");
      return rows[0]?.run_id;
    };
    const before = await lastRun();
    bench.waiting = 1;
    job = bench.start();
    await bench.until(() => bench.read === 1);
    bench.waiting = 1;
    await bench.until(() => bench.read === 2);
    expect(bench.earlierRuns).to.deep.equal([before, bench.runs[0]]);
    expect(await lastRun()).to.equal(bench.runs[1]);
  });

  for (const fault of ["cut-before", "drop-reply"] as const) {
    it(`takes its next run once when the connection is lost at that (${fault})`, async () => {
      const proxy = await TcpProxy.listen({ host: "127.0.0.1", port: database.connection.port! });
      let taken = 0;
      proxy.chooseFault = ({ sql }) => {
        if (sql.startsWith("insert into pipelines as p")) taken++;
        if (taken !== 2 || !/^commit$/i.test(sql)) return "pass";
        taken++; // once
        return fault;
      };
      try {
        bench.waiting = 1;
        job = bench.start({
          intervalMs: 20,
          connection: { ...database.connection, host: "127.0.0.1", port: proxy.port },
        });
        await bench.until(() => bench.read === 1);
        bench.waiting = 1;
        await bench.until(() => bench.read === 2);
        expect(proxy.faults).to.equal(1);
        expect(new Set(bench.runs).size).to.equal(2);
        expect(bench.earlierRuns[1]).to.equal(bench.runs[0]);
        expect(await job.drain()).to.equal("DRAINED");
      } finally {
        await proxy.close();
      }
    });
  }
});

describe("JobServerJob with savepoints", () => {
  const graph: DescribedStep[] = [
    { path: "A", does: "a@1", config: { x: 1 }, inputs: {}, outputs: { main: "A.main" }, digest: "d" },
  ];
  let database: FreshDatabase;
  let session: SqlSession;
  let folder: string;
  let bench: Bench;

  beforeEach(async () => {
    database = await freshDatabase();
    session = await SqlSession.connect({ connection: database.connection, applicationName: "test" });
    await migrate(session, { info: () => undefined });
    folder = await mkdtemp(join(tmpdir(), "millrace-savepoint-"));
    bench = new Bench(database);
  });
  afterEach(async () => {
    await session.close();
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  });

  async function drained(): Promise<string> {
    bench.plays = ["held"];
    bench.waiting = 1;
    const job = bench.start({ savepoints: { folder, graph } });
    await bench.until(() => job.state === "RUNNING");
    expect(await job.drain()).to.equal("DRAINED");
    return join(folder, "savepoint-1");
  }

  it("leaves one when a stream is drained, with its graph and the pipeline's last commit, and goes on from it", async () => {
    const savepoint = await drained();
    expect(JSON.parse(await readFile(join(savepoint, NOTE), "utf8"))).to.deep.equal({
      ...{ pipeline: PIPELINE, epoch: 0, runId: null, graph },
    });
    expect(bench.log).to.include(
      `info savepoint of rounds: go on from it with --from-savepoint=${savepoint}`,
    );
    const after = await readSavepointNote(savepoint, graph);
    bench.plays = ["held"];
    const job = bench.start({ after });
    await bench.until(() => job.state === "RUNNING");
    expect(await job.cancel()).to.equal("CANCELLED");
  });

  it("refuses one once the pipeline has gone on without it", async () => {
    const after = await readSavepointNote(await drained(), graph);
    const runId = "11111111-2222-4333-8444-555555555555";
    await session.query(
      `insert into commits (pipeline, shard, epoch, run_id, records_read, events_written, duplicates, conflicts, dead_letters)
       values ($1, 0, 1, $2, 0, 0, 0, 0, 0)`,
      [PIPELINE, runId],
    );
    await session.query("update pipelines set epoch = 1 where pipeline = $1", [PIPELINE]);
    const submitted = bench.runs.length;
    const job = bench.start({ after });
    expect(await job.waitUntilFinish()).to.equal("FAILED");
    expect(job.failure?.message).to.equal(
      `the savepoint is of pipeline "rounds" at epoch 0, the database has pipeline "rounds" at epoch 1 of run ${runId}: ` +
        "what was read in between it does not know. Start without --from-savepoint, from the positions in the database",
    );
    expect(bench.runs).to.have.length(submitted);
  });

  it("refuses one of another graph, naming each difference, and a folder that is none", async () => {
    const savepoint = await drained();
    const changed = [
      { ...graph[0]!, config: { x: 2 } },
      { ...graph[0]!, path: "B" },
    ];
    const refused = await readSavepointNote(savepoint, changed).catch((error: Error) => error);
    expect(refused).to.be.instanceOf(SavepointError);
    expect((refused as Error).message).to.equal(
      `savepoint ${savepoint} is of another graph, and what it holds fits that graph alone: ` +
        "step A: its x is 2, was 1; step B is new. " +
        "Start without --from-savepoint: the positions in the database fit any graph",
    );
    const none = await readSavepointNote(folder, graph).catch((error: Error) => error);
    expect((none as Error).message).to.match(
      /must be a savepoint that a drain has written \(--savepoint-dir\), got: ENOENT/,
    );
  });
});
