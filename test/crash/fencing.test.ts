/** Two runners of one pipeline: one of them goes on, whatever the other one was doing. */

import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { expectExact } from "../support/oracle.js";
import {
  ask,
  askUntil,
  createWorkspace,
  holdPipelineRow,
  PipelineProcess,
  runOnce,
  type Workspace,
} from "../support/pipeline-process.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";
import { ShopInput } from "../support/shop-input.js";
import { slowDownInserts, untilSleeping } from "../support/slow-inserts.js";
import { TcpProxy } from "../support/tcp-proxy.js";

/** How long a runner that was taken over may take to notice once it runs again. */
const PROMPT_MS = 5_000;
/** In which a COMMIT is answered. */
const ANSWER_MS = 200;

const WAITING_FOR_ROW = `select from pg_stat_activity
  where application_name = 'millrace/pipeline' and wait_event_type = 'Lock' and query like 'insert into pipelines%'`;

describe("crash: fencing", function () {
  this.timeout(120_000);
  const seed = chooseSeed();
  let workspace: Workspace;
  let input: ShopInput;
  let proxy: TcpProxy | undefined;

  beforeEach(async () => {
    workspace = await createWorkspace();
    input = new ShopInput({
      choice: new Choice(seed),
      directory: workspace.inputDir,
      recordsPerFile: 1_000,
    });
    await input.writeBacklog(10);
  });

  afterEach(async () => {
    await proxy?.close();
    proxy = undefined;
    await workspace.remove();
  });

  function recordsWritten(): number {
    return input.files.reduce((sum, { records }) => sum + records.length, 0);
  }

  async function untilAllRead(child: PipelineProcess): Promise<void> {
    const all = recordsWritten();
    await child.until(`${all} records read`, () => child.lastCommit?.totals.records_read === all);
  }

  async function expectFenced(old: PipelineProcess): Promise<void> {
    const resumedAtMs = Date.now();
    old.signal("SIGCONT");
    const { code } = await old.exited;
    expect(code, old.log).equal(1);
    expect(Date.now() - resumedAtMs, "ms until the old runner left").below(PROMPT_MS);
    expect(old.errors, old.log).lengthOf(1);
    expect(old.errors[0]).match(/^pipeline "user-events" was taken over/);
  }

  /** The new one goes on with what comes now, stops when told, and everything is there once. */
  async function expectTakenOver(next: PipelineProcess): Promise<void> {
    await input.writeNow();
    await untilAllRead(next);
    next.signal("SIGTERM");
    expect((await next.exited).code, next.log).equal(0);
    await runOnce(workspace);
    await expectExact(workspace, input.files);
  }

  it(`--takeover between transactions: the old one exits 1 (MILLRACE_SEED=${seed})`, async () => {
    const old = new PipelineProcess(workspace);
    await untilAllRead(old);
    old.signal("SIGSTOP");
    await input.writeNow();
    const next = new PipelineProcess(workspace, { flags: ["--takeover"] });
    await untilAllRead(next);
    await expectFenced(old);
    await expectTakenOver(next);
  });

  it(`--takeover in the middle of a transaction: the old one exits 1 (MILLRACE_SEED=${seed})`, async () => {
    const speedUp = await slowDownInserts(workspace);
    const old = new PipelineProcess(workspace);
    await old.until("three commits", () => old.commits.length >= 3);
    await untilSleeping(workspace);
    old.signal("SIGSTOP");
    await speedUp();
    const next = new PipelineProcess(workspace, { flags: ["--takeover"] });
    await untilAllRead(next);
    await expectFenced(old);
    await expectTakenOver(next);
  });

  it(`--takeover while the answer to COMMIT is on its way: the old one exits 1 (MILLRACE_SEED=${seed})`, async () => {
    proxy = await TcpProxy.listen(workspace.connection);
    const old = new PipelineProcess(workspace, { port: proxy.port });
    await old.until("three commits", () => old.commits.length >= 3);
    let isStopped = false;
    proxy.chooseFault = ({ sql }) => {
      if (sql === "commit" && !isStopped) {
        isStopped = true;
        old.signal("SIGSTOP");
      }
      return "pass";
    };
    await old.until("COMMIT", () => isStopped);
    await sleep(ANSWER_MS);
    const next = new PipelineProcess(workspace, { flags: ["--takeover"] });
    await untilAllRead(next);
    await expectFenced(old);
    await expectTakenOver(next);
  });

  it("without --takeover a second one waits 15 s, then exits 1 and names the first", async () => {
    const first = new PipelineProcess(workspace);
    await untilAllRead(first);
    const startedAtMs = Date.now();
    const second = new PipelineProcess(workspace);
    expect((await second.exited).code).equal(1);
    expect(Date.now() - startedAtMs)
      .at.least(15_000)
      .below(15_000 + PROMPT_MS);
    expect(second.errors, second.log).lengthOf(1);
    expect(second.errors[0]).contain(`process ${first.pid} on host ${hostname()}, started 20`);
    await expectTakenOver(first);
  });

  it("a second one goes on at once when the first one leaves", async () => {
    const first = new PipelineProcess(workspace);
    await untilAllRead(first);
    const second = new PipelineProcess(workspace);
    await second.until("the second to wait", () => second.log.includes("waiting for pipeline"));
    first.signal("SIGTERM");
    expect((await first.exited).code, first.log).equal(0);
    await expectTakenOver(second);
  });

  it("a holder whose process is dead is put out at once, though its session lives", async () => {
    proxy = await TcpProxy.listen(workspace.connection);
    proxy.isKeepingOrphans = true;
    const dead = new PipelineProcess(workspace, { port: proxy.port });
    await dead.until("three commits", () => dead.commits.length >= 3);
    await dead.kill();
    const sessions = "select from pg_stat_activity where application_name = 'millrace/pipeline'";
    expect(await ask(workspace, sessions), "orphaned sessions").not.empty;
    const startedAtMs = Date.now();
    const next = new PipelineProcess(workspace);
    await next.untilFirstCommit();
    expect(Date.now() - startedAtMs, "ms until the new runner's first commit").below(PROMPT_MS);
    await expectTakenOver(next);
  });

  it("a holder that has not introduced itself yet is not taken for the dead one before it", async () => {
    const dead = new PipelineProcess(workspace);
    await dead.until("a commit", () => dead.commits.length > 0);
    await dead.kill();
    const release = await holdPipelineRow(workspace);
    const next = new PipelineProcess(workspace);
    await askUntil(workspace, WAITING_FOR_ROW);
    const other = new PipelineProcess(workspace);
    await other.until("the other one to wait", () => other.log.includes("waiting for pipeline"));
    await release();
    await untilAllRead(next);
    expect(next.log).not.contain("trying again");
    next.signal("SIGTERM");
    expect((await next.exited).code, next.log).equal(0);
    await expectTakenOver(other);
  });

  it("starters at the same moment: one runs, the other one waits and then runs", async () => {
    const pair = [new PipelineProcess(workspace), new PipelineProcess(workspace)];
    await sleep(3_000);
    for (const child of pair) child.signal("SIGTERM");
    for (const child of pair) expect((await child.exited).code, child.log).equal(0);
    await runOnce(workspace);
    await expectExact(workspace, input.files);
  });
});
