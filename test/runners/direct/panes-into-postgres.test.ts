/** Early, on-time and late panes of a combined value become one row a key and window, the last of each. */
import { expect } from "chai";
import { directRunner, StepFailedError } from "millrace/runners";
import { SqlSession } from "../../../sql/sql-session.js";
import { P, type Root, withName } from "../../../transforms/primitives/beam.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { testStream } from "../../../transforms/primitives/test-stream.js";
import type { KV } from "../../../transforms/primitives/window.js";
import type { RejectedChange } from "../../../transforms/row-change.js";
import { COLLECT, takeCollected } from "../../support/collected.js";
import { type FreshDatabase, freshDatabase } from "../../support/postgres.js";
import { MINUTE_MS, SHOP_TOTALS_SQL, writeShopTotals } from "../../support/shop-totals.js";

const NAME = "rejected@panes";
const REFUSED = 2_000_000;

/** A sale at a time, in seconds. */
const sale = (second: number, key: string, value: number) => ({
  value: { key, value },
  timestampMs: second * 1_000,
});

const sales = testStream<KV<string, number>>()
  .addElements(sale(1, "a", 1), sale(2, "b", 10))
  .addElements(sale(3, "a", 2), sale(61, "a", 100))
  .addElements(sale(59, "b", REFUSED))
  .advanceWatermarkTo(MINUTE_MS)
  .addElements(sale(4, "a", 4)) // late
  .addElements(sale(62, "b", 1_000))
  .advanceWatermarkToInfinity();

describe("upserts of panes on the direct runner", () => {
  let database: FreshDatabase;
  let session: SqlSession;
  beforeEach(async () => {
    takeCollected(NAME);
    database = await freshDatabase();
    session = await SqlSession.connect({ connection: database.connection, applicationName: "test" });
    await session.query(SHOP_TOTALS_SQL);
  });
  afterEach(async () => {
    await session.close();
    await database.drop();
  });

  const runner = () => directRunner({ connection: database.connection, pipelineName: "panes" });
  const totals = async () =>
    (
      await session.query<{ shop: string; minute: string; amount: number; sales: number }>(
        "select shop, extract(epoch from minute)::int / 60 as minute, amount, sales from shop_totals order by 2, 1",
      )
    ).map(({ shop, minute, amount, sales }) => [shop, minute, amount, sales]);

  it("leaves the last pane that the table takes, and hands on those that it refuses, in their windows", async () => {
    const result = await runner().run((root: Root) => {
      const rejected = writeShopTotals(root.apply(withName("Sales", sales)), "pane", true);
      P(rejected).apply(withName("Collect", registeredParDo(COLLECT, NAME)));
    });
    expect(await totals()).to.deep.equal([
      ["a", 0, 7, 3],
      ["b", 0, 10, 1],
      ["a", 1, 100, 1],
      ["b", 1, 1_000, 1],
    ]);
    const refused = takeCollected(NAME).map(({ value, window }) => {
      const { operation, row, problem } = value as RejectedChange;
      return [operation, row["shop"], row["amount"], problem.reason, window.id];
    });
    // an early pane, and the one at the window's end
    const one = ["upsert", "b", REFUSED + 10, "rejected_by_database", "0/60000"];
    expect(refused).to.deep.equal([one, one]);
    const { counters } = result.metrics({ step: "WriteTotals" });
    const counts = Object.fromEntries(counters.map(({ name, committed }) => [name, committed]));
    expect(counts).to.include({ inserted: 4, deleted: 0, rejected: 2 });
  });

  it("ends with the first refusal where nothing reads it, and what is committed before it stands", async () => {
    const failure = await runner()
      .run((root: Root) => void writeShopTotals(root.apply(withName("Sales", sales)), "pane", true))
      .then(
        () => undefined,
        (error: Error) => error,
      );
    expect(failure).to.be.instanceOf(StepFailedError);
    expect(failure!.message).to.match(
      /^step "WriteTotals" failed in finishBundle: table "shop_totals" refuses the upsert of key \(shop, minute\) = \(b, 1970-01-01T00:00:00.000Z\): SQLSTATE 23514, constraint shop_totals_amount_check/,
    );
    expect(await totals()).to.deep.equal([
      ["a", 0, 3, 2],
      ["b", 0, 10, 1],
      ["a", 1, 100, 1],
    ]);
  });
});
