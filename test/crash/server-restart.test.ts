/** PostgreSQL goes away and comes back: a stream goes on by itself, `--once` waits a while. */

import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { expectExact } from "../support/oracle.js";
import { createWorkspace, PipelineProcess, runOnce, type Workspace } from "../support/pipeline-process.js";
import { ownServer, type PrivateServer } from "../support/postgres.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";
import { ShopInput } from "../support/shop-input.js";

const RESTARTS = 2;
const RETRY_TIMEOUT_MS = 1_000;
const RETRY_TIMEOUT_FLAG = `--retry-timeout=${RETRY_TIMEOUT_MS}ms`;

describe("crash: PostgreSQL stopped with -m immediate", function () {
  this.timeout(120_000);
  const seed = chooseSeed();
  const choice = new Choice(seed);
  let server: PrivateServer;
  let workspace: Workspace;
  let input: ShopInput;

  before(async () => {
    server = await ownServer();
  });

  after(() => server.remove());

  beforeEach(async () => {
    workspace = await createWorkspace(server);
    input = new ShopInput({ choice, directory: workspace.inputDir, recordsPerFile: 1_000 });
  });

  afterEach(() => workspace.remove());

  async function restart(): Promise<void> {
    await server.stop("immediate");
    await sleep(choice.between(0, 500));
    await server.start();
  }

  async function expectAllRead(stream: PipelineProcess): Promise<void> {
    const all = input.files.reduce((sum, { records }) => sum + records.length, 0);
    await stream.until("all to be read", () => stream.lastCommit?.totals.records_read === all);
    stream.signal("SIGTERM");
    expect((await stream.exited).code, stream.log).equal(0);
    expect(stream.errors, stream.log).deep.equal([]);
    await expectExact(workspace, input.files);
  }

  it(`a backlog of --once goes on by itself, exact (MILLRACE_SEED=${seed})`, async () => {
    await input.writeBacklog(30);
    const runner = new PipelineProcess(workspace, { flags: ["--once"] });
    for (let n = 1; n <= RESTARTS; n++) {
      const before = runner.commits.length;
      await runner.until("another commit", () => runner.commits.length > before);
      await sleep(choice.between(0, 100));
      if (runner.hasExited) break;
      await restart();
    }
    expect((await runner.exited).code, runner.log).equal(0);
    expect(runner.errors, runner.log).deep.equal([]);
    await expectExact(workspace, input.files);
  });

  it(`a live stream goes on by itself, exact (MILLRACE_SEED=${seed})`, async () => {
    await input.writeBacklog(3);
    const stream = new PipelineProcess(workspace);
    for (let n = 1; n <= RESTARTS; n++) {
      const before = stream.commits.length;
      await stream.until("another commit", () => stream.commits.length > before);
      const isIdle = n === 1;
      if (isIdle) await sleep(500);
      else await input.writeNow();
      await restart();
      await input.writeNow();
    }
    await expectAllRead(stream);
  });

  it("away at the start: a stream waits for it", async () => {
    await input.writeBacklog(3);
    await server.stop("immediate");
    const stream = new PipelineProcess(workspace);
    await stream.until("word of the absence", () => /trying again in/.test(stream.log));
    await sleep(1_000);
    expect(stream.hasExited, stream.log).equal(false);
    await server.start();
    await expectAllRead(stream);
  });

  it("away at the start: a stream that waits stops at SIGTERM with exit 0", async () => {
    await input.writeBacklog(1);
    await server.stop("immediate");
    try {
      const stream = new PipelineProcess(workspace);
      await stream.until("word of the absence", () => /the database is away/.test(stream.log));
      stream.signal("SIGTERM");
      expect((await stream.exited).code, stream.log).equal(0);
    } finally {
      await server.start();
    }
  });

  it("away at the start: --once exits 1 after --retry-timeout with one message", async () => {
    await input.writeBacklog(1);
    await server.stop("immediate");
    try {
      const startedAtMs = Date.now();
      const flags = ["--once", RETRY_TIMEOUT_FLAG];
      const runner = new PipelineProcess(workspace, { flags });
      expect((await runner.exited).code, runner.log).equal(1);
      expect(Date.now() - startedAtMs).at.least(RETRY_TIMEOUT_MS);
      expect(runner.errors, runner.log).lengthOf(1);
      expect(runner.errors[0]).match(/ECONNREFUSED/);
    } finally {
      await server.start();
    }
    await runOnce(workspace);
    await expectExact(workspace, input.files);
  });

  it("away in the middle: --once exits 1 after --retry-timeout, and the next run goes on", async () => {
    await input.writeBacklog(30);
    const runner = new PipelineProcess(workspace, {
      flags: ["--once", RETRY_TIMEOUT_FLAG],
    });
    await runner.until("a commit", () => runner.commits.length > 0);
    await server.stop("immediate");
    try {
      expect((await runner.exited).code, runner.log).equal(1);
      expect(runner.errors, runner.log).lengthOf(1);
    } finally {
      await server.start();
    }
    await runOnce(workspace);
    await expectExact(workspace, input.files);
  });
});
