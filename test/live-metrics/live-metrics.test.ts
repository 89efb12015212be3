/** live-metrics by the command line: its tables are those of a batch over the same events, whatever is killed. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { SqlSession } from "../../sql/sql-session.js";
import { type FreshDatabase, freshDatabase } from "../support/postgres.js";
import { Product } from "../support/product.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";
import { batchRows, liveRows } from "./batch-recomputation.js";
import { expectCountsOfUserEvents, expectTablesOfBatch } from "./expect-batch.js";
import { writeLateInput } from "./late-input.js";

const MINUTE_MS = 60_000;
/** How many events: 12,000, or as the environment says. */
const EVENTS = Number(process.env["MILLRACE_LIVE_EVENTS"] ?? 12_000);
const KILL_EVERY_MS = 3_000;
/** How often, at the most; without an end it would never come to one on a slow machine. */
const KILLS = Number(process.env["MILLRACE_LIVE_KILLS"] ?? 8);
/** So many that sessions come to their end. */
const USERS = Math.max(1_500, Math.round(EVENTS / 200));
const INPUT = {
  ...{ events: EVENTS, rowsPerFile: Math.ceil(Math.min(EVENTS / 12, 10_000)), stepMs: 900, users: USERS },
  ...{ disorderMs: 10 * MINUTE_MS, lateMs: 20 * MINUTE_MS },
};

describe("live-metrics", function () {
  this.timeout(300_000 + EVENTS);
  const seed = chooseSeed();
  let database: FreshDatabase;
  let session: SqlSession;
  let product: Product;

  beforeEach(async () => {
    database = await freshDatabase();
    product = await Product.create(database.url);
    session = await SqlSession.connect({ connection: database.connection, applicationName: "test" });
    await writeLateInput(join(product.dir, "data", "raw"), INPUT, new Choice(seed));
    await product.succeed(["pipeline", "--once", "--quiet-ms=50", "--log-level=warn"]);
  });
  afterEach(async () => {
    await session.close();
    await product.clear();
    await database.drop();
  });

  const flags = (latenessMs: number) => [
    ...["pipeline", "--pipeline=live-metrics", "--quiet-ms=50", "--log-level=warn", "--monitor-port=0"],
    ...[`--out-of-orderness-ms=${MINUTE_MS}`, `--allowed-lateness-ms=${latenessMs}`, "--idle-ms=1h"],
    // several epochs a file, so that kills fall between
    `--epoch-records-max=${Math.ceil(Math.min(EVENTS / 40, 2_000))}`,
  ];
  const lateCount = async () => (await session.query("select from live_late_events")).length;
  const expectTables = () => expectTablesOfBatch(session, seed);
  const expectCounts = () => expectCountsOfUserEvents(session, seed);
  /** Kills it every three seconds, or at random moments, until it ends by itself. */
  const runKilled = async (argv: readonly string[], kills: number) => {
    const choice = new Choice(seed + 1);
    for (let left = kills; ; left--) {
      const run = product.start(argv);
      const killed =
        left > 0 &&
        (await Promise.race([
          run.ended.then(() => false),
          sleep(choice.between(400, KILL_EVERY_MS)).then(() => true),
        ]));
      if (killed) run.kill("SIGKILL");
      const { code, signal, stdout, stderr } = await run.ended;
      if (signal === "SIGKILL") continue;
      expect(code, `${stdout}${stderr}`).to.equal(0);
      return kills - left;
    }
  };

  it(`with enough lateness drops nothing, and every table is the batch's, killed again and again (MILLRACE_SEED=${seed})`, async () => {
    const killed = await runKilled([...flags(60 * MINUTE_MS), "--once", "--drain"], KILLS);
    expect(killed, "kills").to.be.greaterThan(0);
    expect(await lateCount()).to.equal(0);
    await expectTables();
    await expectCounts();
  });

  it(`with less lateness the tables and what was late are the batch's (MILLRACE_SEED=${seed})`, async () => {
    await runKilled([...flags(5 * MINUTE_MS), "--once", "--drain"], 3);
    expect(await lateCount()).to.be.greaterThan(10);
    await expectTables();
    await expectCounts();
  });

  it("as a stream is stopped and goes on where it was, until it is drained", async () => {
    const argv = flags(60 * MINUTE_MS);
    for (const waitMs of [1_200, 2_500]) {
      const run = product.start(argv);
      await sleep(waitMs);
      run.kill("SIGTERM");
      const { code, stderr } = await run.ended;
      expect(code, stderr).to.equal(0);
    }
    expect((await liveRows(session, "live_sessions")).length, "sessions are open still").to.be.lessThan(
      (await batchRows(session, "live_sessions")).length,
    );
    await product.succeed([...argv, "--once", "--drain"]);
    await expectTables();
    const again = await product.run(argv);
    expect(again.code).to.equal(1);
    expect(again.stderr).to.include("was drained");
  });

  it("is refused by name on other runners", async () => {
    const { code, stderr } = await product.run([...flags(0), "--once", "--runner=prism"]);
    expect(code).to.equal(2);
    expect(stderr).to.include('pipeline "live-metrics" is for --runner=direct');
  });
});
