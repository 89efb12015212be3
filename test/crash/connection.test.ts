/** Connections that break while PostgreSQL is still at work: the runner goes on by itself, and is exact. */
import { expect } from "chai";
import { expectExact } from "../support/oracle.js";
import {
  createWorkspace,
  migrateWorkspace,
  PipelineProcess,
  runOnce,
  type StartOptions,
  type Workspace,
} from "../support/pipeline-process.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";
import { ShopInput } from "../support/shop-input.js";
import { slowDownInserts } from "../support/slow-inserts.js";
import { type ClientMessage, type Fault, TcpProxy } from "../support/tcp-proxy.js";

/** A runner's connections are cut so often in one backlog. */
const FAULTS = 4;
const EVERY_WAY = ["cut-before", "cut-within", "cut-after", "drop-reply"] as const;
/** Until an orphaned backend commits what its client no longer waits for. */
const LATE_MS = 400;

describe("crash: a broken connection", function () {
  this.timeout(60_000);
  const seed = chooseSeed();
  const choice = new Choice(seed);
  let workspace: Workspace;
  let input: ShopInput;
  let proxy: TcpProxy;

  beforeEach(async () => {
    workspace = await createWorkspace();
    await migrateWorkspace(workspace);
    input = new ShopInput({ choice, directory: workspace.inputDir, recordsPerFile: 1_000 });
    await input.writeBacklog(10);
    proxy = await TcpProxy.listen(workspace.connection);
  });

  afterEach(async () => {
    await workspace.remove();
    await proxy.close();
  });

  /** At every one or two of the messages that match, until there were enough. */
  function breakAt(isPlace: (message: ClientMessage) => boolean, fault: () => Fault): void {
    let hasPassed = false;
    proxy.chooseFault = (message) => {
      if (proxy.faults >= FAULTS || !isPlace(message)) return "pass";
      hasPassed = !hasPassed && choice.isHit(0.5);
      return hasPassed ? "pass" : fault();
    };
  }

  async function expectSurvived(options: StartOptions = {}): Promise<void> {
    const runner = await runOnce(workspace, { port: proxy.port, ...options });
    expect(proxy.faults, "connections cut").equal(FAULTS);
    expect(runner.errors, runner.log).deep.equal([]);
    await expectExact(workspace, input.files);
  }

  const isCommit = ({ sql }: ClientMessage) => sql === "commit";
  const isInsert = ({ sql }: ClientMessage) => /insert into "?user_events/.test(sql);
  const isCopyData = ({ type }: ClientMessage) => type === "d";
  const isAdvance = ({ sql }: ClientMessage) => sql.startsWith("update pipelines");

  const PLACES: readonly (readonly [string, (message: ClientMessage) => boolean, readonly Fault[]])[] = [
    ["BEGIN", ({ sql }) => sql === "begin", EVERY_WAY],
    ["COPY", isCopyData, ["cut-before", "cut-within", "cut-after"]], // nothing answers a piece of data
    ["INSERT", isInsert, EVERY_WAY],
    ["the move of the epoch", isAdvance, EVERY_WAY],
    ["COMMIT", isCommit, EVERY_WAY],
  ];
  for (const [place, isPlace, faults] of PLACES) {
    it(`cut at ${place} in every way: exact, by itself (MILLRACE_SEED=${seed})`, async () => {
      const inTurn = choice.shuffled(faults);
      breakAt(isPlace, () => inTurn[proxy.faults % inTurn.length] as Fault);
      await expectSurvived();
    });
  }

  it(`COMMIT that arrives after its client has reconnected: exact (MILLRACE_SEED=${seed})`, async () => {
    breakAt(isCommit, () => choice.between(0, LATE_MS));
    await expectSurvived();
  });

  it(`cut while the INSERT is still running: exact (MILLRACE_SEED=${seed})`, async () => {
    await slowDownInserts(workspace, 0.05);
    breakAt(isInsert, () => "cut-after");
    await expectSurvived();
  });

  it(`all connections cut at random moments of a stream: exact (MILLRACE_SEED=${seed})`, async () => {
    const stream = new PipelineProcess(workspace, { port: proxy.port });
    for (let n = 0; n < FAULTS; n++) {
      const before = stream.commits.length;
      await stream.until("another commit", () => stream.commits.length > before);
      await new Promise((resolve) => setTimeout(resolve, choice.between(0, 50)));
      proxy.cutAll();
      await input.writeNow();
    }
    const all = input.files.reduce((sum, { records }) => sum + records.length, 0);
    await stream.until("all to be read", () => stream.lastCommit?.totals.records_read === all);
    stream.signal("SIGTERM");
    expect((await stream.exited).code, stream.log).equal(0);
    await expectExact(workspace, input.files);
  });
});
