/** The views on user_events, on fixtures small enough to count by hand. */
import { expect } from "chai";
import type { SqlSession } from "../../sql/sql-session.js";
import { type MigratedDatabase, migratedDatabase } from "../support/migrated-database.js";

/** user, type, product, price, minute or time of 2025-01-01 UTC */
type Event = [string, "view" | "add_to_cart" | "purchase", string, string, string];

let database: MigratedDatabase;
let session: SqlSession;

async function insert(events: readonly Event[]): Promise<void> {
  await session.query("truncate user_events restart identity");
  for (const [at, [user, type, product, price, time]] of events.entries()) {
    await session.query(
      `insert into user_events (event_id, user_id, event_type, product_id, price, event_timestamp)
      values ($1, $2, $3, $4, $5, $6)`,
      [`e${at + 1}`, user, type, product, price, `2025-01-01 ${time}+00`],
    );
  }
}

/** A history a user, e.g. `v1 c2 p3`: view at minute 1, cart at 2, purchase at 3. */
async function insertHistories(...histories: string[]): Promise<void> {
  const types = { v: "view", c: "add_to_cart", p: "purchase" } as const;
  await insert(
    histories.flatMap((history, user) =>
      history.split(" ").map((step): Event => {
        const time = `00:${step.slice(1).padStart(2, "0")}`;
        return [`u${user}`, types[step[0] as keyof typeof types], "p", "1.00", time];
      }),
    ),
  );
}

const SHOP: Event[] = [
  ["ann", "view", "p1", "10.00", "00:00"],
  ["ann", "view", "p2", "20.50", "00:30"],
  ["ann", "add_to_cart", "p2", "20.50", "00:59:59.999999"],
  ["ann", "purchase", "p2", "20.50", "01:00"],
  ["bob", "view", "p1", "10.00", "01:10"],
  ["bob", "purchase", "p1", "10.00", "01:20"],
  ["bob", "purchase", "p1", "0.01", "02:00"],
  ["cid", "purchase", "p2", "99999999.99", "23:59:59.999999"],
];

function useDatabase(): void {
  before(async () => {
    database = await migratedDatabase();
    session = database.session;
  });
  after(() => database.close());
  beforeEach(() => session.query("set time zone 'UTC'"));
}

describe("v_event_summary", () => {
  useDatabase();

  it("counts events, users and products of each type, and takes revenue from purchases only", async () => {
    await insert(SHOP);
    expect(await session.query("select * from v_event_summary")).deep.equal([
      {
        event_type: "add_to_cart",
        event_count: 1,
        unique_users: 1,
        unique_products: 1,
        revenue: "0",
        first_event: "2025-01-01 00:59:59.999999+00",
        last_event: "2025-01-01 00:59:59.999999+00",
      },
      {
        event_type: "purchase",
        event_count: 4,
        unique_users: 3,
        unique_products: 2,
        revenue: "100000030.50",
        first_event: "2025-01-01 01:00:00+00",
        last_event: "2025-01-01 23:59:59.999999+00",
      },
      {
        event_type: "view",
        event_count: 3,
        unique_users: 2,
        unique_products: 2,
        revenue: "0",
        first_event: "2025-01-01 00:00:00+00",
        last_event: "2025-01-01 01:10:00+00",
      },
    ]);
  });

  it("has no row without events", async () => {
    await insert([]);
    expect(await session.query("select * from v_event_summary")).deep.equal([]);
  });
});

describe("v_hourly_events", () => {
  useDatabase();

  const hours = [
    ["2025-01-01 00:00:00", "add_to_cart", 1, 1, "0"],
    ["2025-01-01 00:00:00", "view", 2, 1, "0"],
    ["2025-01-01 01:00:00", "purchase", 2, 2, "30.50"],
    ["2025-01-01 01:00:00", "view", 1, 1, "0"],
    ["2025-01-01 02:00:00", "purchase", 1, 1, "0.01"],
    ["2025-01-01 23:00:00", "purchase", 1, 1, "99999999.99"],
  ].map(([hour, event_type, event_count, unique_users, revenue]) => {
    return { hour, event_type, event_count, unique_users, revenue };
  });

  for (const zone of ["UTC", "Asia/Kolkata", "America/St_Johns", "Pacific/Auckland"]) {
    it(`gives the hours of UTC to a session in ${zone}`, async () => {
      await insert(SHOP);
      await session.query(`set time zone '${zone}'`);
      expect(await session.query("select * from v_hourly_events")).deep.equal(hours);
    });
  }

  it("puts the last microsecond of an hour into that hour, the next into the next", async () => {
    await insert([
      ["ann", "view", "p", "1", "00:59:59.999999"],
      ["ann", "view", "p", "1", "01:00:00"],
    ]);
    const rows = await session.query("select hour, event_count from v_hourly_events");
    expect(rows).deep.equal([
      { hour: "2025-01-01 00:00:00", event_count: 1 },
      { hour: "2025-01-01 01:00:00", event_count: 1 },
    ]);
  });
});

describe("v_purchase_funnel", () => {
  useDatabase();

  const cases: [criterion: string, histories: string[], expected: (number | string | null)[]][] = [
    ["counts a user who goes all the way", ["v1 c2 p3"], [1, 1, 1, "100.00", "100.00"]],
    ["counts steps at the same moment", ["v1 c1 p1"], [1, 1, 1, "100.00", "100.00"]],
    [
      "counts a user once, however often he comes",
      ["v1 v2 c3 c4 p5 v6 c7 p8"],
      [1, 1, 1, "100.00", "100.00"],
    ],
    ["passes over a cart before the first view", ["c1 v2"], [1, 0, 0, "0.00", null]],
    ["takes a later cart after an early one", ["c1 v2 c3"], [1, 1, 0, "100.00", "0.00"]],
    ["passes over a purchase before the cart", ["v1 p2 c3"], [1, 1, 0, "100.00", "0.00"]],
    ["passes over a purchase after a cart that no view precedes", ["c1 p2 v3"], [1, 0, 0, "0.00", null]],
    ["takes the purchase after the cart that counts", ["c1 p2 v3 c4 p5"], [1, 1, 1, "100.00", "100.00"]],
    [
      "passes over a purchase between a cart too early and one that counts",
      ["c1 v2 p3 c4"],
      [1, 1, 0, "100.00", "0.00"],
    ],
    ["passes over a purchase without a cart", ["v1 p2"], [1, 0, 0, "0.00", null]],
    ["passes over users who never viewed", ["c1 p2", "p1", "v1"], [1, 0, 0, "0.00", null]],
    ["does not mix users", ["v1", "c2", "p3"], [1, 0, 0, "0.00", null]],
    [
      "rounds shares to two digits",
      ["v1 c2 p3", "v1 c2", "v1 c2", "v1", "v1", "v1", "v1"],
      [7, 3, 1, "42.86", "33.33"],
    ],
  ];
  for (const [criterion, histories, [views, carts, purchases, toCart, toPurchase]] of cases) {
    it(criterion, async () => {
      await insertHistories(...histories);
      expect(await session.query("select * from v_purchase_funnel")).deep.equal([
        { views, carts, purchases, view_to_cart_pct: toCart, cart_to_purchase_pct: toPurchase },
      ]);
    });
  }

  it("is one row of zeros without events, its shares null", async () => {
    await insert([]);
    expect(await session.query("select * from v_purchase_funnel")).deep.equal([
      { views: 0, carts: 0, purchases: 0, view_to_cart_pct: null, cart_to_purchase_pct: null },
    ]);
  });
});

describe("v_top_products", () => {
  useDatabase();

  it("ranks what was bought by revenue, then purchases, then id", async () => {
    await insert([
      ["ann", "purchase", "cheap", "1.00", "00:01"],
      ["bob", "purchase", "cheap", "1.00", "00:02"],
      ["ann", "purchase", "twice", "5.00", "00:03"],
      ["ann", "purchase", "twice", "5.00", "00:04"],
      ["cid", "purchase", "once", "10.00", "00:05"],
      ["cid", "purchase", "also", "10.00", "00:05"],
      ["cid", "view", "seen", "100.00", "00:06"],
      ["cid", "add_to_cart", "kept", "100.00", "00:06"],
    ]);
    expect(await session.query("select * from v_top_products")).deep.equal([
      { product_id: "twice", purchases: 2, revenue: "10.00", unique_buyers: 1 },
      { product_id: "also", purchases: 1, revenue: "10.00", unique_buyers: 1 },
      { product_id: "once", purchases: 1, revenue: "10.00", unique_buyers: 1 },
      { product_id: "cheap", purchases: 2, revenue: "2.00", unique_buyers: 2 },
    ]);
  });
});

describe("v_recent_activity", () => {
  useDatabase();

  it("is the latest 100 by event time, the later id first among equals", async () => {
    await session.query("truncate user_events restart identity");
    await session.query(
      `insert into user_events (event_id, user_id, event_type, product_id, price, event_timestamp)
      select 'e' || n, 'u', 'view', 'p', 1, timestamptz '2025-01-01 00:00+00' + (n / 2) * interval '1 second'
      from generate_series(1, 150) as n`,
    );
    const rows = await session.query<{ id: number }>("select * from v_recent_activity");
    expect(rows.map(({ id }) => id)).deep.equal(Array.from({ length: 100 }, (_, at) => 150 - at));
    expect(Object.keys(rows[0]!)).deep.equal(
      "id event_id user_id event_type product_id price event_timestamp created_at".split(" "),
    );
  });
});

describe("user_events", () => {
  useDatabase();

  const good = ["e", "u", "view", "p", "1.00", "2025-01-01 00:00+00"];
  const rejected: [criterion: string, column: number, value: string | null, sqlState: string][] = [
    ["an unknown event_type", 2, "clicked", "23514"],
    ["a negative price", 4, "-0.01", "23514"],
    ["a price that is not a number", 4, "NaN", "23514"],
    ["a price of more than 8 digits before the point", 4, "100000000", "22003"],
    ["an empty event_id", 0, "", "23514"],
    ["an event_id too long for the index", 0, "é".repeat(5_000), "23514"],
    ["an endless event_timestamp", 5, "infinity", "23514"],
    ...[0, 1, 2, 3, 4, 5].map((column): [string, number, null, string] => [
      `a null in column ${column + 2}`,
      column,
      null,
      "23502",
    ]),
  ];
  for (const [criterion, column, value, sqlState] of rejected) {
    it(`rejects ${criterion}`, async () => {
      const error = await session
        .query(
          `insert into user_events (event_id, user_id, event_type, product_id, price, event_timestamp)
          values ($1, $2, $3, $4, $5, $6)`,
          good.map((one, at) => (at === column ? value : one)),
        )
        .catch((thrown: unknown) => thrown);
      expect(error).property("code", sqlState);
    });
  }

  it("takes 64 characters of four bytes and the largest price", async () => {
    const id = "😀".repeat(64);
    await session.query(
      `insert into user_events (event_id, user_id, event_type, product_id, price, event_timestamp)
      values ($1, $1, 'view', $1, 99999999.99, '9999-12-31 23:59:59.999999+00')`,
      [id],
    );
    const [row] = await session.query(
      "select event_id, price, event_timestamp from user_events where user_id = $1",
      [id],
    );
    expect(row).deep.equal({
      event_id: id,
      price: "99999999.99",
      event_timestamp: "9999-12-31 23:59:59.999999+00",
    });
  });
});
