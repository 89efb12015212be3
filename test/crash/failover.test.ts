/** A standby that lost the last transactions takes over: the run notices, goes back to what is there, and is exact. */
import { copyFile, mkdir, readdir, readFile, rename } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { SqlSession } from "../../sql/sql-session.js";
import { expectCountsOfUserEvents, expectTablesOfBatch } from "../live-metrics/expect-batch.js";
import { expectExact } from "../support/oracle.js";
import {
  ask,
  createWorkspace,
  PipelineProcess,
  runOnce,
  type Workspace,
} from "../support/pipeline-process.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";
import { ShopInput } from "../support/shop-input.js";
import { LaggingStandby } from "./support/lagging-standby.js";
import {
  drainLiveMetrics,
  expectStateOfCommits,
  prepareLiveMetrics,
  startLiveMetrics,
} from "./support/live-scene.js";

/** What the standby has: it was left behind while the run was at work, or before it was started. */
const BEHIND = ["by some of a run", "by all of a run"] as const;
type Behind = (typeof BEHIND)[number];

interface Scene {
  readonly pipeline: string;
  readonly start: () => PipelineProcess;
  /** More input comes, which the standby knows nothing of. */
  readonly writeMore?: () => Promise<void>;
}

describe("crash: failover to a standby that lost the last transactions", function () {
  this.timeout(120_000);
  const seed = chooseSeed();
  const choice = new Choice(seed);
  let workspace: Workspace;
  let standby: LaggingStandby | undefined;

  beforeEach(async () => {
    workspace = await createWorkspace();
  });
  afterEach(async () => {
    await workspace.remove();
    await standby?.remove();
    standby = undefined;
  });

  async function untilMoreCommits(runner: PipelineProcess, count: number): Promise<void> {
    const before = runner.commits.length;
    await runner.until(`${count} more commits`, () => runner.commits.length >= before + count);
    await sleep(choice.between(0, 60));
  }

  /** @returns the runner that goes on, and the last epoch that is not lost */
  async function failOver({ pipeline, start, writeMore }: Scene, behind: Behind) {
    let runner = start();
    await untilMoreCommits(runner, choice.between(2, 6));
    if (behind === "by all of a run") await runner.kill();
    standby = await LaggingStandby.copy(workspace, runner);
    if (behind === "by all of a run") runner = start();
    await writeMore?.();
    await untilMoreCommits(runner, choice.between(3, 6));
    const told = runner.lastCommit!.epoch;
    const kept = await standby.epochOf(pipeline);
    await standby.promote(runner);
    await runner.until("word of what is lost", () => runner.warnings.some((text) => text.includes(" lost ")));
    const [text = ""] = runner.warnings.filter((one) => one.includes(" lost "));
    const committed = Number(/had committed (\d+)/.exec(text)?.[1]);
    expect(committed, text).to.be.at.least(told);
    expect(text).to.equal(
      `pipeline "${pipeline}": the database is at epoch ${kept}, this run had committed ${committed}: ` +
        `${kept + 1} to ${committed} are lost and read again`,
    );
    return { runner, kept };
  }

  async function stopWhenRead(runner: PipelineProcess, records: number): Promise<void> {
    await runner.until(`${records} records read`, () => runner.lastCommit?.totals.records_read === records);
    runner.signal("SIGTERM");
    expect((await runner.exited).code, runner.log).to.equal(0);
    expect(runner.errors, runner.log).to.deep.equal([]);
  }

  /** The history that the page shows has no epoch that was lost. */
  async function expectHistoryOfCommits(): Promise<void> {
    const rows = await ask<{ epoch: number; run_id: string; committed_by: string | null }>(
      workspace,
      `select b.epoch, b.run_id, c.run_id as committed_by
       from batch_history b left join commits c using (pipeline, epoch)`,
    );
    expect(rows.length, "epochs in the history").to.be.greaterThan(0);
    expect(rows.filter(({ run_id, committed_by }) => run_id !== committed_by)).to.deep.equal([]);
  }

  async function lettersFiles(): Promise<ReadonlyMap<string, string>> {
    const names = (await readdir(workspace.errorDir)).filter((name) => name.endsWith(".ndjson"));
    const read = async (name: string) =>
      [name, await readFile(path.join(workspace.errorDir, name), "utf8")] as const;
    return new Map(await Promise.all(names.map(read)));
  }

  /** A folder with the files of the epochs that are there alone: where a lost one has a name, theirs has the run_id. */
  async function filesOfCommits(pipeline: string): Promise<string> {
    const folder = path.join(path.dirname(workspace.errorDir), "of-commits");
    await mkdir(folder);
    const names = await readdir(workspace.errorDir);
    const commits = await ask<{ epoch: number; run_id: string }>(
      workspace,
      `select epoch, run_id from commits where pipeline = '${pipeline}' and dead_letters > 0`,
    );
    for (const { epoch, run_id } of commits) {
      const plain = `${pipeline}-${epoch}.ndjson`;
      const own = `${pipeline}-${epoch}-${run_id}.ndjson`;
      await copyFile(
        path.join(workspace.errorDir, names.includes(own) ? own : plain),
        path.join(folder, plain),
      );
    }
    return folder;
  }

  for (const behind of BEHIND) {
    it(`user-events, ${behind}: exact, each letter once in the table (MILLRACE_SEED=${seed})`, async () => {
      const { inputDir: directory } = workspace;
      const input = new ShopInput({ choice, directory, recordsPerFile: 1_000, malformedRate: 0.02 });
      await input.writeBacklog(12);
      const start = () => new PipelineProcess(workspace);
      const scene = { pipeline: "user-events", start, writeMore: () => input.writeNow() };
      const { runner, kept } = await failOver(scene, behind);
      const lost = await lettersFiles();
      await input.writeNow();
      await stopWhenRead(
        runner,
        input.files.reduce((sum, { records }) => sum + records.length, 0),
      );
      await runOnce(workspace);
      const files = await lettersFiles();
      for (const [name, text] of lost) expect(files.get(name), `${name} as it was`).to.equal(text);
      const taken = [...files.keys()].filter((name) => !/^user-events-\d+\.ndjson$/.test(name));
      expect(taken.length, "epochs whose name was taken").to.be.greaterThan(0);
      for (const name of taken)
        expect(Number(/^user-events-(\d+)-/.exec(name)?.[1]), name).to.be.greaterThan(kept);
      await expectExact({ ...workspace, errorDir: await filesOfCommits("user-events") }, input.files);
      await expectHistoryOfCommits();
    });

    it(`live-metrics, ${behind}: its state as well, and every table is the batch's (MILLRACE_SEED=${seed})`, async () => {
      const records = await prepareLiveMetrics(workspace, seed);
      const scene = { pipeline: "live-metrics", start: () => startLiveMetrics(workspace) };
      const { runner } = await failOver(scene, behind);
      await stopWhenRead(runner, records);
      await drainLiveMetrics(workspace);
      const session = await SqlSession.connect({ connection: workspace.connection, applicationName: "test" });
      try {
        await expectStateOfCommits(session);
        await expectTablesOfBatch(session, seed);
        await expectCountsOfUserEvents(session, seed);
      } finally {
        await session.close();
      }
    });
  }

  it(`files that were archived since are read again once they are put back (MILLRACE_SEED=${seed})`, async () => {
    const { inputDir: directory } = workspace;
    const input = new ShopInput({ choice, directory, recordsPerFile: 1_000 });
    await input.writeBacklog(12);
    const before = new PipelineProcess(workspace);
    await untilMoreCommits(before, choice.between(2, 6));
    await before.kill();
    standby = await LaggingStandby.copy(workspace);
    const archive = path.join(path.dirname(directory), "archive");
    await runOnce(workspace, { flags: ["--when-done=archive", `--archive-dir=${archive}`] });
    const archived = await readdir(archive);
    expect(archived.length).to.equal(input.files.length);
    await standby.promote(before);
    await runOnce(workspace);
    for (const name of archived) await rename(path.join(archive, name), path.join(directory, name));
    await runOnce(workspace);
    await expectExact({ ...workspace, errorDir: await filesOfCommits("user-events") }, input.files);
  });
});
