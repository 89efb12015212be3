/** A pipeline of several stages, committed in PostgreSQL: the sink comes behind a GroupByKey. */
import { expect } from "chai";
import { directRunner } from "millrace/runners";
import { SqlSession } from "../../../sql/sql-session.js";
import { JobState_Enum, P, type Root, withName } from "../../../transforms/primitives/beam.js";
import { create } from "../../../transforms/primitives/create.js";
import type { DoFn, FinishBundleContext, ProcessContext } from "../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { groupByKey } from "../../../transforms/primitives/group-by-key.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import type { KV } from "../../../transforms/primitives/window.js";
import { type FreshDatabase, freshDatabase } from "../../support/postgres.js";

const KEY = registerDoFn("key@grouped", () => ({
  process: (value: number, context: ProcessContext) => context.output({ key: `k${value % 3}`, value }),
}));

/** Writes a row a group in `finishBundle`, with the number of its bundle in the epoch. */
class WriteGroupsFn implements DoFn<KV<string, Iterable<number>>> {
  #rows: { key: string; sum: number }[] = [];

  process({ key, value }: KV<string, Iterable<number>>): void {
    this.#rows.push({ key, sum: [...value].reduce((sum, one) => sum + one, 0) });
  }
  async finishBundle(context: FinishBundleContext): Promise<void> {
    const transaction = await context.transaction();
    await transaction.execute("insert into bundles values ($1)", [transaction.epoch]);
    for (const { key, sum } of this.#rows.splice(0)) {
      await transaction.execute("insert into sums values ($1, $2)", [key, sum]);
    }
  }
}
const WRITE = registerDoFn("write_groups@grouped", () => new WriteGroupsFn());

describe("directRunner() with a connection", () => {
  let database: FreshDatabase;
  let session: SqlSession;
  beforeEach(async () => {
    database = await freshDatabase();
    session = await SqlSession.connect({ connection: database.connection, applicationName: "test" });
    await session.query("create table sums (key text primary key, sum int)");
    await session.query("create table bundles (epoch int primary key)");
  });
  afterEach(async () => {
    await session.close();
    await database.drop();
  });

  const build = (root: Root) => {
    const numbers = root.apply(withName("Create", create([1, 2, 3, 4, 5, 6, 7])));
    const keyed = P(numbers).apply(withName("Key", registeredParDo<number, KV<string, number>>(KEY, null)));
    const grouped = P(keyed).apply(withName("Group", groupByKey<string, number>()));
    P(grouped).apply(withName("Write", registeredParDo(WRITE, null)));
  };
  const sums = () => session.query("select key, sum from sums order by key");

  for (const bundleElementsMax of [1, 2, 1_000]) {
    it(`commits what comes out of groups, one bundle of the sink an epoch, ${bundleElementsMax} elements a bundle`, async () => {
      const runner = directRunner({
        connection: database.connection,
        pipelineName: "sums",
        bundleElementsMax,
      });
      const result = await runner.run(build);
      expect(result.state).to.equal(JobState_Enum.DONE);
      expect(await sums()).to.deep.equal([
        { key: "k0", sum: 9 },
        { key: "k1", sum: 12 },
        { key: "k2", sum: 7 },
      ]);
      const [bundles] = await session.query("select count(*)::int as n from bundles");
      const [commits] = await session.query("select count(*)::int as n from commits");
      expect(bundles).to.deep.equal(commits);
    });
  }

  it("has nothing left to do when it is run again under the same name", async () => {
    const runner = directRunner({ connection: database.connection, pipelineName: "sums" });
    await runner.run(build);
    const before = await session.query("select epoch from pipelines");
    const result = await runner.run(build);
    expect(result.state).to.equal(JobState_Enum.DONE);
    expect(await session.query("select epoch from pipelines")).to.deep.equal(before);
    expect(await sums()).to.have.length(3);
  });

  it("leaves nothing behind when a step fails behind the sink's first statements", async () => {
    await session.query("insert into sums values ('k2', 0)");
    const runner = directRunner({ connection: database.connection, pipelineName: "sums" });
    const error = await runner.run(build).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error?.message).to.match(/^step "Write" failed in finishBundle: duplicate key value/);
    expect(await sums()).to.deep.equal([{ key: "k2", sum: 0 }]);
    expect(await session.query("select epoch from pipelines")).to.deep.equal([{ epoch: 0 }]);
  });
});
