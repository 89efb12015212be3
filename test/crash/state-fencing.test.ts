/** A stopped runner of a pipeline with state is taken over: nothing of it comes after, and all tables are the batch's. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { SqlSession } from "../../sql/sql-session.js";
import { expectCountsOfUserEvents, expectTablesOfBatch } from "../live-metrics/expect-batch.js";
import {
  askUntil,
  createWorkspace,
  type PipelineProcess,
  type Workspace,
} from "../support/pipeline-process.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";
import {
  drainLiveMetrics,
  expectStateOfCommits,
  prepareLiveMetrics,
  startLiveMetrics,
} from "./support/live-scene.js";

/** Runners that are stopped one after the other at random moments. */
const TAKEOVERS = 3;
/** Where in its transaction a runner waits: with its rows, with its state, and with both written. */
const TABLES = ["live_minutes", "state_deltas", "commits"] as const;

const STANDS_STILL = (where: string) => `select from pg_stat_activity
  where datname = current_database() and application_name = 'millrace/pipeline' and ${where}`;

describe("crash: fencing with state", function () {
  this.timeout(120_000);
  const seed = chooseSeed();
  const choice = new Choice(seed);
  let workspace: Workspace;
  let session: SqlSession;

  beforeEach(async () => {
    workspace = await createWorkspace();
    await prepareLiveMetrics(workspace, seed);
    session = await SqlSession.connect({ connection: workspace.connection, applicationName: "test" });
  });
  afterEach(async () => {
    await session.close();
    await workspace.remove();
  });

  /** Stops it with its transaction open, in the statement that writes this table. */
  async function stopWithin(table: string, runner: PipelineProcess): Promise<void> {
    const lock = await SqlSession.connect({ connection: workspace.connection, applicationName: "test" });
    await lock.begin();
    await lock.query(`lock table ${table} in share mode`);
    await askUntil(workspace, STANDS_STILL("wait_event_type = 'Lock'"));
    runner.signal("SIGSTOP");
    await lock.commit();
    await lock.close();
    await askUntil(workspace, STANDS_STILL("state = 'idle in transaction'"));
  }

  async function untilCommits(runner: PipelineProcess, count: number): Promise<void> {
    await runner.until(`${count} commits`, () => runner.commits.length >= count);
  }

  async function expectFenced(old: PipelineProcess): Promise<void> {
    old.signal("SIGCONT");
    expect((await old.exited).code, old.log).to.equal(1);
    expect(old.errors, old.log).to.have.length(1);
    expect(old.errors[0]).to.match(/^pipeline "live-metrics" was taken over/);
  }

  /** Each run's epochs are behind those of the run before it. */
  async function expectRunsInOrder(runIds: readonly string[]): Promise<void> {
    const commits = await session.query<{ run_id: string }>(
      "select run_id from commits where pipeline = 'live-metrics' order by epoch",
    );
    const inOrder = commits.map(({ run_id }) => run_id).filter((id, at, all) => id !== all[at - 1]);
    expect(inOrder.slice(0, runIds.length), "runs by epoch").to.deep.equal(runIds);
    expect(new Set(inOrder).size, "runs that came once").to.equal(inOrder.length);
    await expectStateOfCommits(session);
  }

  async function expectExactInTheEnd(): Promise<void> {
    await drainLiveMetrics(workspace);
    await expectTablesOfBatch(session, seed);
    await expectCountsOfUserEvents(session, seed);
  }

  const runIdOf = ({ lastCommit }: PipelineProcess) => lastCommit!.run_id;

  for (const table of TABLES) {
    it(`stopped while it writes ${table}: nothing of that transaction is ever there (MILLRACE_SEED=${seed})`, async () => {
      const old = startLiveMetrics(workspace);
      await untilCommits(old, choice.between(2, 8));
      await stopWithin(table, old);
      const next = startLiveMetrics(workspace, ["--takeover", "--once"]);
      expect((await next.exited).code, next.log).to.equal(0);
      const runs = [runIdOf(old), runIdOf(next)];
      await expectRunsInOrder(runs);
      const before = await session.query("select * from pipelines order by pipeline");
      await expectFenced(old);
      await expectRunsInOrder(runs);
      expect(await session.query("select * from pipelines order by pipeline")).to.deep.equal(before);
      await expectExactInTheEnd();
    });
  }

  it(`stopped at ${TAKEOVERS} random moments, each by the next: all but the last exit 1 (MILLRACE_SEED=${seed})`, async () => {
    const runIds: string[] = [];
    let runner = startLiveMetrics(workspace);
    for (let n = 0; n < TAKEOVERS; n++) {
      await untilCommits(runner, choice.between(1, 6));
      await sleep(choice.between(0, 60));
      runner.signal("SIGSTOP");
      runIds.push(runIdOf(runner));
      const next = startLiveMetrics(workspace, ["--takeover"]);
      await untilCommits(next, 1);
      await expectFenced(runner);
      runner = next;
    }
    runner.signal("SIGTERM");
    expect((await runner.exited).code, runner.log).to.equal(0);
    await expectRunsInOrder([...runIds, runIdOf(runner)]);
    await expectExactInTheEnd();
  });
});
