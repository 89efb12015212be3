/** Pipelines with state against a real PostgreSQL: each run goes on where the one before it ended. */
import { expect } from "chai";
import { DirectRunner } from "../../../runners/direct/direct-runner.js";
import type { Job } from "../../../runners/job/job.js";
import { SqlSession } from "../../../sql/sql-session.js";
import type { InputRecord } from "../../../transforms/input-record.js";
import { impulse, P, Pipeline, Root, withName } from "../../../transforms/primitives/beam.js";
import type { DoFn, ProcessContext } from "../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { groupByKey } from "../../../transforms/primitives/group-by-key.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { splittableParDo } from "../../../transforms/primitives/splittable-par-do.js";
import { combiningState } from "../../../transforms/primitives/state-spec.js";
import { systemClock } from "../../../transforms/primitives/system-clock.js";
import type { KV } from "../../../transforms/primitives/window.js";
import { ARRAY_SOURCE } from "../../support/array-source.js";
import { COLLECT, takeValues } from "../../support/collected.js";
import { type FreshDatabase, freshDatabase } from "../../support/postgres.js";

const KEYED = registerDoFn("keyed@restarts", () => ({
  process: ({ fields }: InputRecord, context: ProcessContext) => {
    const { id, n } = fields as Record<string, string>;
    context.output({ key: id, value: Number(n) });
  },
}));

/** Emits the sum so far with each value. */
class SumsFn implements DoFn<KV<string, number>> {
  readonly sum = combiningState<number, number, number>({
    createAccumulator: () => 0,
    addInput: (a, b) => a + b,
    mergeAccumulators: (sums) => [...sums].reduce((a, b) => a + b, 0),
    extractOutput: (sum) => sum,
  });

  process({ key, value }: KV<string, number>, context: ProcessContext): void {
    context.state(this.sum).add(value);
    context.output(`${key} ${context.state(this.sum).read()}`);
  }
}
const SUMS = registerDoFn("sums@restarts", () => new SumsFn());
const TEXT = registerDoFn("text@restarts", () => ({
  process: ({ key, value }: KV<string, Iterable<number>>, context: ProcessContext) =>
    context.output(`${key} all ${[...value].sort().join(",")}`),
}));

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

  /** Sums by state, and all values of a key when the source has come to its end. */
  function graph(values: readonly { id: string; n: string }[]): Pipeline {
    const pipeline = new Pipeline();
    const config = { values, ends: false, atOnce: 2 };
    const once = new Root(pipeline).apply(withName("Impulse", impulse()));
    const records = P(once).apply(
      withName("Read", splittableParDo<Uint8Array, InputRecord>(ARRAY_SOURCE, config, { bounded: false })),
    );
    const keyed = P(records).apply(
      withName("Key", registeredParDo<InputRecord, KV<string, number>>(KEYED, null)),
    );
    const sums = P(keyed).apply(withName("Sum", registeredParDo(SUMS, null)));
    P(sums).apply(withName("Collect sums", registeredParDo(COLLECT, NAME)));
    const groups = P(keyed).apply(withName("Group", groupByKey<string, number>()));
    const texts = P(groups).apply(withName("Text", registeredParDo(TEXT, null)));
    P(texts).apply(withName("Collect groups", registeredParDo(COLLECT, NAME)));
    return pipeline;
  }

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
    const one = await start(graph(first), true);
    expect(await one.waitUntilFinish(), String(one.failure)).to.equal("DONE");
    expect(takeValues(NAME)).to.have.members(["a 1", "b 10", "a 3"]);
    const two = await start(graph(more), true);
    expect(await two.waitUntilFinish(), String(two.failure)).to.equal("DONE");
    expect(takeValues(NAME)).to.have.members(["a 6", "b 30"]);
    const three = await start(graph(more), false);
    await new Promise<void>((resolve) => {
      three.subscribe((event) => event.type === "state" && event.state === "RUNNING" && resolve());
    });
    expect(await three.drain(), String(three.failure)).to.equal("DRAINED");
    expect(takeValues(NAME)).to.have.members(["a all 1,2,3", "b all 10,20"]);
  });

  it("does not go on behind a drain: its windows are closed", async () => {
    const one = await start(graph(first), false);
    await new Promise<void>((resolve) => {
      one.subscribe((event) => event.type === "commit" && resolve());
    });
    expect(await one.drain(), String(one.failure)).to.equal("DRAINED");
    const two = await start(graph(more), true);
    expect(await two.waitUntilFinish()).to.equal("FAILED");
    expect(two.failure).to.have.property("code", "MILLRACE_PIPELINE_DRAINED");
    expect(two.failure?.message).to.match(/^pipeline "sums" was drained: its windows are closed/);
  });

  it("does not go on without the steps whose state was kept, naming one", async () => {
    const one = await start(graph(first), true);
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
    const one = await start(graph(first), true);
    await one.waitUntilFinish();
    takeValues(NAME);
    await session.query("create sequence tries");
    await session.query(`create function flaky() returns trigger language plpgsql as $$
      begin if nextval('tries') <= 2 then raise exception 'try again' using errcode = '40001'; end if; return new; end $$`);
    await session.query(
      "create trigger flaky before insert on state_deltas for each row execute function flaky()",
    );
    const two = await start(graph(more), true);
    const retries: (string | null)[] = [];
    two.subscribe((event) => event.type === "retry" && retries.push(event.code));
    expect(await two.waitUntilFinish(), String(two.failure)).to.equal("DONE");
    expect(retries).to.deep.equal(["40001", "40001"]);
    // Each attempt begins with the same sums.
    expect(takeValues(NAME).slice(-2)).to.have.members(["a 6", "b 30"]);
  });

  it("commits nothing more while nothing comes", async () => {
    const one = await start(graph(first), false);
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
