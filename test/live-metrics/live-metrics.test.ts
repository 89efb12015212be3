/** live-metrics by the command line: its tables are those of a batch over the same events, whatever is killed. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { SqlSession } from "../../sql/sql-session.js";
import { type FreshDatabase, freshDatabase } from "../support/postgres.js";
import { Product, type RunningCommand } from "../support/product.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";
import { batchRows, liveRows } from "./batch-recomputation.js";
import { expectCountsOfUserEvents, expectTablesOfBatch } from "./expect-batch.js";
import { writeLateInput } from "./late-input.js";
import { RunsMeter } from "./runs-meter.js";

const MINUTE_MS = 60_000;
const EVENTS_DEFAULT = 12_000;
/** How many events: 12,000, or as the environment says. */
const EVENTS = Number(process.env["MILLRACE_LIVE_EVENTS"] ?? EVENTS_DEFAULT);
const KILL_EVERY_MS = 3_000;
/** How often, at the most; `Infinity` kills until the end. */
const KILLS = process.env["MILLRACE_LIVE_KILLS"];
/** So much is left to others: a few events take no longer than this, and many as long as they need. */
const TIMEOUT_MS = EVENTS > EVENTS_DEFAULT ? 0 : 300_000;
/** So many that sessions come to their end. */
const USERS = Math.max(1_500, Math.round(EVENTS / 200));
const INPUT = {
  ...{ events: EVENTS, rowsPerFile: Math.ceil(Math.min(EVENTS / 12, 10_000)), stepMs: 900, users: USERS },
  ...{ disorderMs: 10 * MINUTE_MS, lateMs: 20 * MINUTE_MS },
};

describe("live-metrics", function () {
  this.timeout(TIMEOUT_MS);
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
    `--epoch-records-max=${Math.ceil(Math.min(EVENTS / 40, 5_000))}`,
  ];
  const lateCount = async () => (await session.query("select from live_late_events")).length;
  const expectTables = () => expectTablesOfBatch(session, seed);
  const expectCounts = () => expectCountsOfUserEvents(session, seed);
  const epoch = async () =>
    (await session.query<{ epoch: number }>("select epoch from pipelines where pipeline = 'live-metrics'"))[0]
      ?.epoch;
  /** Until it has committed something: a slow machine may need longer than any kill would wait to start it. */
  const atWork = async (run: RunningCommand, before: number | undefined) => {
    while (run.isRunning && (await epoch()) === before) await sleep(50);
  };
  /**
   * Kills it at random moments, or where the environment says how often, three seconds after it was at work.
   */
  const runKilled = async (argv: readonly string[], defaultKills: number) => {
    const choice = new Choice(seed + 1);
    const kills = Number(KILLS ?? defaultKills);
    const meter = new RunsMeter();
    for (let left = kills, killed = 0; ; left--, killed++) {
      const before = await epoch();
      const run = product.start(argv);
      meter.follow(run.pid);
      const killTime = async () => {
        if (KILLS !== undefined) await atWork(run, before);
        await sleep(KILLS === undefined ? choice.between(400, KILL_EVERY_MS) : KILL_EVERY_MS);
        return false;
      };
      const isOver = await Promise.race([run.ended.then(() => true), ...(left > 0 ? [killTime()] : [])]);
      if (!isOver) run.kill("SIGKILL");
      const { code, signal, stdout, stderr } = await run.ended;
      if (signal === "SIGKILL") continue;
      // The one before was killed behind the commit that drained it, and before it could say so.
      const isDrained = killed > 0 && stderr.includes("was drained");
      if (!isDrained) expect(code, `${stdout}${stderr}`).to.equal(0);
      if (EVENTS > EVENTS_DEFAULT) console.log(`      ${meter.report(EVENTS)}, ${killed} kills`);
      return killed;
    }
  };

  it(`with enough lateness drops nothing, and every table is the batch's, killed again and again (MILLRACE_SEED=${seed})`, async () => {
    const killed = await runKilled([...flags(60 * MINUTE_MS), "--once", "--drain"], 8);
    expect(killed, "kills").to.be.greaterThan(0);
    expect(await lateCount()).to.equal(0);
    await expectTables();
    await expectCounts();
  });

  it(`with less lateness the tables and what was late are the batch's (MILLRACE_SEED=${seed})`, async () => {
    await runKilled([...flags(5 * MINUTE_MS), "--once", "--drain"], 3);
    const late = await lateCount();
    expect(late).to.be.greaterThan(10);
    await expectTables();
    await expectCounts();
    const [events] = await session.query<{ written: number; counted: number }>(
      `select (select events_written::int from pipelines where pipeline = 'live-metrics') as written,
        (select sum(events)::int from live_minutes) as counted`,
    );
    expect(events!.written - events!.counted, "events that count in no minute").to.equal(late);
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
