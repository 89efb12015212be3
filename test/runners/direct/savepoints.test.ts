/** Savepoints of a pipeline with state over a directory: state and positions go back together. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { DirectRunner } from "../../../runners/direct/direct-runner.js";
import { Savepoints } from "../../../runners/direct/savepoints.js";
import type { SqlSession } from "../../../sql/sql-session.js";
import type { InputRecord } from "../../../transforms/input-record.js";
import "../../../transforms/all-do-fns.js";
import { P, Pipeline, Root, withName } from "../../../transforms/primitives/beam.js";
import type { DoFn, FinishBundleContext, ProcessContext } from "../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { groupByKey } from "../../../transforms/primitives/group-by-key.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { combiningState } from "../../../transforms/primitives/state-spec.js";
import { systemClock } from "../../../transforms/primitives/system-clock.js";
import type { KV } from "../../../transforms/primitives/window.js";
import { fixedWindows } from "../../../transforms/primitives/window-fns.js";
import { windowInto } from "../../../transforms/primitives/window-into.js";
import { readFromDirectory } from "../../../transforms/read-from-directory.js";
import { type MigratedDatabase, migratedDatabase } from "../../support/migrated-database.js";

const PIPELINE = "counts";
const silent = { debug() {}, info() {}, warn() {}, error() {} };

const KEY = registerDoFn("key@savepoints", () => ({
  process: ({ fields }: InputRecord, context: ProcessContext) =>
    context.output({ key: (fields as { user: string }).user, value: 1 }),
}));

/** Emits how many of a key have come, of all windows. */
class RunningCountFn implements DoFn<KV<string, number>> {
  readonly count = combiningState<number, number, number>({
    createAccumulator: () => 0,
    addInput: (a, b) => a + b,
    mergeAccumulators: (sums) => [...sums].reduce((a, b) => a + b, 0),
    extractOutput: (sum) => sum,
  });

  process({ key, value }: KV<string, number>, context: ProcessContext): void {
    context.state(this.count).add(value);
    context.output({ key, value: [context.state(this.count).read()] });
  }
}
const RUNNING_COUNT = registerDoFn("running_count@savepoints", () => new RunningCountFn());

/** Keeps the largest count of each key and window. */
class WriteCountsFn implements DoFn<KV<string, Iterable<number>>> {
  readonly observesWindows = true;
  #rows: [kind: string, key: string, window: string, count: number][] = [];

  constructor(readonly kind: string) {}

  process({ key, value }: KV<string, Iterable<number>>, { window }: ProcessContext): void {
    this.#rows.push([this.kind, key, window.id, [...value].reduce((sum, one) => sum + one, 0)]);
  }
  async finishBundle(context: FinishBundleContext): Promise<void> {
    const transaction = await context.transaction();
    for (const row of this.#rows.splice(0)) {
      await transaction.execute(
        `insert into counts values ($1, $2, $3, $4)
         on conflict (kind, key, window_id) do update set count = greatest(counts.count, excluded.count)`,
        row,
      );
    }
  }
}
const WRITE = registerDoFn("write_counts@savepoints", (kind: string) => new WriteCountsFn(kind));

function graph(directory: string, windowMs = 60_000): Pipeline {
  const pipeline = new Pipeline();
  const format = { format: "csv", options: { columns: ["user", "at"], timestampColumn: "at" } };
  const read = readFromDirectory({ directory, format, quietMs: 20 }, "stream");
  const records = new Root(pipeline).apply(withName("Read", read));
  const keyed = P(records).apply(
    withName("Key", registeredParDo<InputRecord, KV<string, number>>(KEY, null)),
  );
  const running = P(keyed).apply(
    withName("Running", registeredParDo<KV<string, number>, KV<string, number[]>>(RUNNING_COUNT, null)),
  );
  P(running).apply(withName("Write running", registeredParDo(WRITE, "running")));
  const windowed = P(keyed).apply(
    withName("Windows", windowInto<KV<string, number>>(fixedWindows(windowMs))),
  );
  const groups = P(windowed).apply(withName("Group", groupByKey<string, number>()));
  P(groups).apply(withName("Write windows", registeredParDo(WRITE, "window")));
  return pipeline;
}

describe("Savepoints of a pipeline with state", () => {
  let database: MigratedDatabase;
  let session: SqlSession;
  let directory: string;
  beforeEach(async () => {
    database = await migratedDatabase();
    session = database.session;
    await session.query(
      "create table counts (kind text, key text, window_id text, count int, primary key (kind, key, window_id))",
    );
    directory = await mkdtemp(join(tmpdir(), "millrace-savepoints-"));
  });
  afterEach(async () => {
    await database.close();
    await rm(directory, { recursive: true, force: true });
  });

  const start = (windowMs?: number, once = true) =>
    new DirectRunner().run(graph(directory, windowMs), {
      ...{ pipeline: PIPELINE, connection: database.connection, once, takeover: false, retryTimeoutMs: 0 },
      ...{ clock: systemClock, log: silent },
    });
  const runOnce = async (windowMs?: number) => {
    const job = await start(windowMs);
    await job.waitUntilFinish();
    return job;
  };
  const drain = async () => {
    const job = await start(undefined, false);
    expect(await job.drain(), String(job.failure)).to.equal("DRAINED");
  };
  const drop = (name: string, minute: number, users: readonly string[]) =>
    writeFile(
      join(directory, name),
      ["user,at", ...users.map((user) => `${user},2026-01-31T12:0${minute}:00Z`), ""].join("\n"),
    );
  const counts = () => session.query("select * from counts order by kind, key, window_id");
  const restore = async (name: string) => {
    const holding = await database.connect();
    const savepoints = new Savepoints({ session: holding, pipeline: PIPELINE });
    const { signal } = new AbortController();
    await savepoints.restore(await savepoints.find(name), {
      ...{ takeover: false, clock: systemClock, log: silent, signal },
    });
    await holding.close();
  };
  const take = async (name: string) => {
    const savepoints = new Savepoints({ session: await database.connect(), pipeline: PIPELINE });
    return savepoints.take(name, "test");
  };

  it("give back open windows, counts by key and positions: the same comes of the same input", async () => {
    await drop("1.csv", 0, ["a", "b", "a"]);
    await runOnce();
    const taken = await take("first");
    expect(taken.state_bytes).to.be.greaterThan(0);
    await drop("2.csv", 0, ["a", "c"]);
    await drop("3.csv", 3, ["b"]);
    await runOnce();
    await drain();
    const expected = await counts();
    expect(
      expected.filter(({ kind }) => kind === "window").map(({ key, count }) => `${key} ${count}`),
    ).deep.equal(["a 3", "b 1", "b 1", "c 1"]);

    for (const again of [1, 2]) {
      await restore("first");
      await session.query("truncate counts");
      await runOnce();
      await drain();
      // what was read before the savepoint is in the state alone
      const found = await counts();
      const windows = found.filter(({ kind }) => kind === "window");
      expect(windows, `restore ${again}`).to.deep.equal(expected.filter(({ kind }) => kind === "window"));
      expect(found.find(({ kind, key }) => kind === "running" && key === "a")).to.include({ count: 3 });
    }
  });

  it("name what of the graph does not fit, and a start with another graph is refused by the same words", async () => {
    await drop("1.csv", 0, ["a"]);
    await runOnce();
    const savepoint = await take("minutes");
    const savepoints = new Savepoints({ session, pipeline: PIPELINE });
    expect(savepoints.differences(savepoint, graph(directory))).to.deep.equal([]);
    const differences = savepoints.differences(savepoint, graph(directory, 300_000));
    expect(differences.map((text) => text.replaceAll(/#\w{8}/g, ""))).to.deep.equal([
      'windows of "Group/GroupByKey.main": was fixed_windows, is fixed_windows',
      'windows of "Group/GroupByKey": was fixed_windows, trigger default, discarding panes, is fixed_windows, trigger default, discarding panes',
    ]);
    const job = await runOnce(300_000);
    expect(job.state).to.equal("FAILED");
    expect(job.failure?.message).to.include(
      `the state of pipeline "counts" does not fit its graph: ${differences.join("; ")}`,
    );
    expect((await runOnce()).state, "as it was").to.equal("DONE");
  });
});
