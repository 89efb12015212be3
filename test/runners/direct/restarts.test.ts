/** Pipelines with state against a real PostgreSQL: each run goes on where the one before it ended. */
import { expect } from "chai";
import { DirectRunner } from "../../../runners/direct/direct-runner.js";
import type { Job } from "../../../runners/job/job.js";
import { SqlSession } from "../../../sql/sql-session.js";
import { impulse, P, Pipeline, Root, withName } from "../../../transforms/primitives/beam.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { systemClock } from "../../../transforms/primitives/system-clock.js";
import { COLLECT, takeValues } from "../../support/collected.js";
import { type FreshDatabase, freshDatabase } from "../../support/postgres.js";
import { sumsGraph } from "../../support/sums-graph.js";

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const NAME = "restarts";

describe("DirectRunner with state", () => {
  let database: FreshDatabase;
  let session: SqlSession;
  beforeEach(async () => {
    takeValues(NAME);
    database = await freshDatabase();
    session = await SqlSession.connect({ connection: database.connection, applicationName: "test" });
  });
  afterEach(async () => {
    await session.close();
    await database.drop();
  });

  function start(pipeline: Pipeline, once: boolean): Promise<Job> {
    return new DirectRunner().run(pipeline, {
      ...{ pipeline: "sums", connection: database.connection, once },
      ...{ takeover: false, retryTimeoutMs: 2_000, clock: systemClock, log: silent },
    });
  }

  const first = [
    { id: "a", n: "1" },
    { id: "b", n: "10" },
    { id: "a", n: "2" },
  ];
  const more = [...first, { id: "a", n: "3" }, { id: "b", n: "20" }];

  it("goes on with sums and groups in the next run, once and once again, and ends with a drain", async () => {
    const one = await start(sumsGraph(NAME, first), true);
    expect(await one.waitUntilFinish(), String(one.failure)).to.equal("DONE");
    expect(takeValues(NAME)).to.have.members(["a 1", "b 10", "a 3"]);
    const two = await start(sumsGraph(NAME, more), true);
    expect(await two.waitUntilFinish(), String(two.failure)).to.equal("DONE");
    expect(takeValues(NAME)).to.have.members(["a 6", "b 30"]);
    const three = await start(sumsGraph(NAME, more), false);
    await new Promise<void>((resolve) => {
      three.subscribe((event) => event.type === "state" && event.state === "RUNNING" && resolve());
    });
    expect(await three.drain(), String(three.failure)).to.equal("DRAINED");
    expect(takeValues(NAME)).to.have.members(["a all 1,2,3", "b all 10,20"]);
  });

  it("does not go on behind a drain: its windows are closed", async () => {
    const one = await start(sumsGraph(NAME, first), false);
    await new Promise<void>((resolve) => {
      one.subscribe((event) => event.type === "commit" && resolve());
    });
    expect(await one.drain(), String(one.failure)).to.equal("DRAINED");
    const two = await start(sumsGraph(NAME, more), true);
    expect(await two.waitUntilFinish()).to.equal("FAILED");
    expect(two.failure).to.have.property("code", "MILLRACE_PIPELINE_DRAINED");
    expect(two.failure?.message).to.match(/^pipeline "sums" was drained: its windows are closed/);
  });

  it("does not go on without the steps whose state was kept, naming one", async () => {
    const one = await start(sumsGraph(NAME, first), true);
    await one.waitUntilFinish();
    const pipeline = new Pipeline();
    const once = new Root(pipeline).apply(withName("Impulse", impulse()));
    P(once).apply(withName("Collect", registeredParDo(COLLECT, NAME)));
    const two = await start(pipeline, true);
    expect(await two.waitUntilFinish()).to.equal("FAILED");
    expect(two.failure).to.have.property("code", "MILLRACE_STATE_OF_OTHERS");
    expect(two.failure?.message).to.match(
      /^state was kept of ".+" \([a-z-]+\), which the graph does not have/,
    );
  });

  it("goes on with the state of the last commit when the database takes an epoch back", async () => {
    const one = await start(sumsGraph(NAME, first), true);
    await one.waitUntilFinish();
    takeValues(NAME);
    await session.query("create sequence tries");
    await session.query(`create function flaky() returns trigger language plpgsql as $$
      begin if nextval('tries') <= 2 then raise exception 'try again' using errcode = '40001'; end if; return new; end $$`);
    await session.query(
      "create trigger flaky before insert on state_deltas for each row execute function flaky()",
    );
    const two = await start(sumsGraph(NAME, more), true);
    const retries: (string | null)[] = [];
    two.subscribe((event) => event.type === "retry" && retries.push(event.code));
    expect(await two.waitUntilFinish(), String(two.failure)).to.equal("DONE");
    expect(retries).to.deep.equal(["40001", "40001"]);
    // Each attempt begins with the same sums.
    expect(takeValues(NAME).slice(-2)).to.have.members(["a 6", "b 30"]);
  });

  it("commits nothing more while nothing comes", async () => {
    const one = await start(sumsGraph(NAME, first), false);
    await new Promise<void>((resolve) => {
      one.subscribe((event) => event.type === "commit" && one.totals.recordsRead === 3 && resolve());
    });
    const epochs = async () =>
      (await session.query<{ epoch: number }>("select epoch from pipelines"))[0]?.epoch;
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = await epochs();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await epochs()).to.equal(before);
    await one.cancel();
  });
});
