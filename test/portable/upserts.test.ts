/** Rows upserted by workers of job servers: those of the direct runner, and the same when all of it comes again. */
import { expect } from "chai";
import { directRunner } from "millrace/runners";
import type { RunClient } from "../../runners/job/run-client.js";
import type { JobServerName, RunningJobServer } from "../../runners/portable/job-servers/start-job-server.js";
import { JobServerRunner } from "../../runners/portable/run/job-server-runner.js";
import { SqlSession } from "../../sql/sql-session.js";
import { P, type PCollection, Pipeline, Root, withName } from "../../transforms/primitives/beam.js";
import { create } from "../../transforms/primitives/create.js";
import { registeredParDo } from "../../transforms/primitives/par-do.js";
import { reshuffle } from "../../transforms/primitives/reshuffle.js";
import { systemClock } from "../../transforms/primitives/system-clock.js";
import type { KV } from "../../transforms/primitives/window.js";
import type { RejectedChange } from "../../transforms/row-change.js";
import { type FreshDatabase, freshDatabase } from "../support/postgres.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";
import { MINUTE_MS, REFUSAL_TEXT, SHOP_TOTALS_SQL, writeShopTotals } from "../support/shop-totals.js";
import { KeptLog, Output, startServer, torturedModule } from "./targets.js";
import { COLLECT } from "./torture-fns.js";

const SERVERS: readonly JobServerName[] = ["prism", "flink", "spark"];
const SALES = 2_000;
const REFUSED = 2_000_000;
const module = new URL("../support/shop-totals.js", import.meta.url);

/** Of a pipeline that reads nothing from outside its graph. */
const noInput: RunClient = {
  prepare: async () => true,
  settle: async () => [],
  publish: async () => undefined,
  drain: async () => undefined,
  isSettled: async () => true,
  progress: async () => [],
};

for (const name of SERVERS) {
  describe(`upserts on ${name}`, () => {
    const seed = chooseSeed();
    let server: RunningJobServer;
    const databases: FreshDatabase[] = [];
    before(async () => {
      server = await startServer(name);
    });
    afterEach(async () => {
      for (const database of databases.splice(0)) await database.drop();
    });
    after(() => server.stop());

    async function newDatabase(): Promise<FreshDatabase> {
      const database = await freshDatabase();
      databases.push(database);
      await withSession(database, (session) => session.query(SHOP_TOTALS_SQL));
      return database;
    }

    /** To its end. Gives its log, or throws what it failed with. */
    async function runOnServer(database: FreshDatabase, build: (root: Root) => void): Promise<string[]> {
      const pipeline = new Pipeline();
      build(new Root(pipeline));
      const log = new KeptLog();
      const runner = new JobServerRunner({
        portable: { modules: [module, torturedModule] },
        connect: async () => ({ endpoint: server.endpoint, stop: async () => undefined }),
      });
      const job = await runner.run(pipeline, {
        ...{ pipeline: "totals", connection: database.connection, once: true, takeover: false },
        ...{ retryTimeoutMs: 10_000, clock: systemClock, log, client: noInput },
        workerEnvironment: { MILLRACE_DATABASE_URL: database.url },
      });
      const state = await job.waitUntilFinish();
      if (state !== "DONE") throw job.failure ?? new Error(`the job ended ${state}`);
      return log.lines;
    }

    it(`leaves the rows of the direct runner, once and when all of it comes again (MILLRACE_SEED=${seed})`, async () => {
      const choice = new Choice(seed);
      const values = Array.from({ length: SALES }, () => ({
        key: `shop-${choice.between(1, 20)}`,
        value: choice.between(1, 100),
      }));
      const timestampMs = values.map(() => choice.between(0, 10 * MINUTE_MS - 1));
      const build = (root: Root) =>
        void writeShopTotals(
          root.apply(withName("Sales", create(values, { timestampMs }))) as PCollection<KV<string, number>>,
          "sales",
          false,
        );
      const [expected, database] = [await newDatabase(), await newDatabase()];
      await directRunner({ connection: expected.connection, pipelineName: "totals" }).run(build);
      const rows = await rowsOf(expected);
      expect(rows.reduce((sum, { sales }) => sum + sales, 0)).to.equal(SALES);
      for (let run = 0; run < 2; run++) {
        const lines = await runOnServer(database, build);
        expect(lines[0]).to.equal("sink WriteTotals into shop_totals: idempotent by key");
        expect(await rowsOf(database)).to.deep.equal(rows);
      }
    });

    it("fails, naming table, key and constraint, where nothing reads what PostgreSQL refuses", async () => {
      const database = await newDatabase();
      const build = (root: Root) =>
        void writeShopTotals(
          root.apply(withName("Sales", create([{ key: "a", value: REFUSED }], { timestampMs: [0] }))),
          "sales",
          false,
        );
      const failure = await runOnServer(database, build).then(
        () => undefined,
        (error: Error) => error,
      );
      expect(failure?.message).to.contain(
        'table "shop_totals" refuses the upsert of key (shop, minute) = (a, 1970-01-01T00:00:00.000Z): ' +
          "SQLSTATE 23514, constraint shop_totals_amount_check",
      );
      expect(await rowsOf(database)).to.deep.equal([]);
    });

    it("hands on what PostgreSQL refuses to a step of another stage, and writes the rest", async () => {
      const [database, output] = [await newDatabase(), new Output()];
      try {
        const values = [
          { key: "a", value: REFUSED },
          { key: "b", value: 1 },
        ];
        await runOnServer(database, (root) => {
          const sales = root.apply(withName("Sales", create(values, { timestampMs: [0, 0] })));
          const rejected = writeShopTotals(sales as PCollection<KV<string, number>>, "sales", false);
          P(rejected)
            .apply(withName("Spread", reshuffle<RejectedChange>()))
            .apply(withName("Text", registeredParDo<RejectedChange, string>(REFUSAL_TEXT, null)))
            .apply(withName("Collect", registeredParDo<string, unknown>(COLLECT, output.file)));
        });
        expect(output.lines()).to.deep.equal([`upsert a ${REFUSED}: rejected_by_database`]);
        expect((await rowsOf(database)).map(({ shop }) => shop)).to.deep.equal(["b"]);
      } finally {
        output.remove();
      }
    });
  });
}

interface TotalRow {
  readonly shop: string;
  readonly minute: string;
  readonly amount: number;
  readonly sales: number;
}

const rowsOf = (database: FreshDatabase) =>
  withSession(database, (session) =>
    session.query<TotalRow>("select shop, minute, amount, sales from shop_totals order by shop, minute"),
  );

async function withSession<T>(
  { connection }: FreshDatabase,
  use: (session: SqlSession) => Promise<T>,
): Promise<T> {
  const session = await SqlSession.connect({ connection, applicationName: "test" });
  try {
    return await use(session);
  } finally {
    await session.close();
  }
}
