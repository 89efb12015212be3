/** writeChangesToPostgres() and writeRowsToPostgres(): what comes of each operation, and of what cannot be written. */
import { expect } from "chai";
import { StepFailedError } from "../../runners/bundle/step-failed-error.js";
import type { Element } from "../../runners/engine/element.js";
import type { SqlSession } from "../../sql/sql-session.js";
import { IntervalWindow } from "../../transforms/primitives/window.js";
import { type RejectedChange, RowRefusedError } from "../../transforms/row-change.js";
import { WAITING_ROWS_MAX } from "../../transforms/waiting-batches.js";
import type { WriteChangesConfig } from "../../transforms/write-changes-fn.js";
import { element, failureOf } from "../runners/bundle/stages.js";
import { type MigratedDatabase, migratedDatabase } from "../support/migrated-database.js";
import { type SinkBundle, SinkWorker } from "../support/sink-worker.js";

const TOTALS = {
  table: "totals",
  columns: ["shop", "day", "events", "version"],
  conflictKey: ["shop", "day"],
  version: "version",
};
const WITH_TOMBSTONE = { ...TOTALS, tombstone: "deleted" };
const DAY = "2026-01-01";

const upsert = (shop: string, version: number | bigint | null, events = Number(version) * 10): Element =>
  element({ operation: "upsert", row: { shop, day: DAY, events, version } });
const remove = (shop: string, version: number): Element =>
  element({ operation: "delete", row: { shop, day: DAY, version } });
const once = (shop: string, version: number, events = -1): Element =>
  element({ operation: "insert-once", row: { shop, day: DAY, events, version } });

describe("writeChangesToPostgres", () => {
  let database: MigratedDatabase;
  let session: SqlSession;
  beforeEach(async () => {
    database = await migratedDatabase();
    session = database.session;
    await session.query(`create table totals (
      shop text, day date, events integer check (events < 1000), version bigint not null,
      deleted boolean not null default false, primary key (shop, day))`);
  });
  afterEach(() => database.close());

  const worker = async (table: WriteChangesConfig = TOTALS, bundlesMayRepeat = false, isRead = true) =>
    SinkWorker.changes(table, { session: await database.connect(), bundlesMayRepeat }, isRead);
  const totals = async () =>
    (
      await session.query<{ shop: string; events: number; version: number; deleted: boolean }>(
        "select shop, events, version, deleted from totals order by shop",
      )
    ).map(({ shop, events, version, deleted }) => [shop, events, version, ...(deleted ? ["deleted"] : [])]);

  it("upserts what has a greater version, and counts what is late or repeated as stale", async () => {
    const one = await worker();
    const first = await one.commit([upsert("a", 1), upsert("b", 5), upsert("c", 2)]);
    expect(counted(first)).to.deep.equal({ inserted: 3, updated: 0, deleted: 0, stale: 0, rejected: 0 });
    const second = await one.commit([upsert("a", 2), upsert("b", 4), upsert("c", 2, 999), upsert("d", 0)]);
    expect(counted(second)).to.deep.equal({ inserted: 1, updated: 1, deleted: 0, stale: 2, rejected: 0 });
    expect(await totals()).to.deep.equal([
      ["a", 20, 2],
      ["b", 50, 5],
      ["c", 20, 2],
      ["d", 0, 0],
    ]);
  });

  it("writes only the last version of a key that changes several times in a bundle", async () => {
    await session.query(`create table written (events integer);
      create function note() returns trigger language plpgsql as
        $$ begin insert into written values (new.events); return new; end $$;
      create trigger note after insert or update on totals for each row execute function note()`);
    const bundle = await (await worker()).commit([
      upsert("a", 3),
      upsert("a", 9),
      upsert("a", 7),
      upsert("a", 9, 1),
    ]);
    expect(counted(bundle)).to.include({ inserted: 1, stale: 3 });
    expect(await totals()).to.deep.equal([["a", 90, 9]]);
    expect(await session.query("select events from written")).to.deep.equal([{ events: 90 }]);
  });

  it("deletes up to the delete's own version, and not what is newer", async () => {
    const one = await worker();
    await one.commit([upsert("a", 1), upsert("b", 2), upsert("c", 3)]);
    const bundle = await one.commit([remove("a", 2), remove("b", 2), remove("c", 2), remove("never", 1)]);
    expect(counted(bundle)).to.deep.equal({ inserted: 0, updated: 0, deleted: 2, stale: 2, rejected: 0 });
    expect(await totals()).to.deep.equal([["c", 30, 3]]);
  });

  it("lets a delete of the same bundle be overtaken by a greater version, and overtake a lesser one", async () => {
    const bundle = await (await worker()).commit([
      remove("a", 2),
      upsert("a", 3),
      upsert("b", 2),
      remove("b", 3),
      upsert("c", 4),
      remove("c", 4),
    ]);
    expect(counted(bundle)).to.include({ inserted: 1, deleted: 0, stale: 5 });
    expect(await totals()).to.deep.equal([["a", 30, 3]]);
  });

  it("keeps a tombstone's version, so that a late upsert brings nothing back, and a later one does", async () => {
    const one = await worker(WITH_TOMBSTONE, true);
    await one.commit([upsert("a", 5)]);
    const deleted = await one.commit([remove("a", 7), remove("never", 3)]);
    expect(counted(deleted)).to.include({ inserted: 0, deleted: 2, stale: 0 });
    const late = await one.commit([upsert("a", 5), upsert("a", 7), upsert("never", 2), remove("a", 6)]);
    expect(counted(late)).to.include({ inserted: 0, updated: 0, deleted: 0, stale: 4 });
    expect(await totals()).to.deep.equal([
      ["a", 50, 7, "deleted"],
      ["never", null, 3, "deleted"],
    ]);
    expect(counted(await one.commit([remove("a", 7)]))).to.include({ deleted: 0, stale: 1 });
    expect(counted(await one.commit([upsert("a", 8)]))).to.include({ updated: 1 });
    expect(await totals()).to.deep.equal([
      ["a", 80, 8],
      ["never", null, 3, "deleted"],
    ]);
  });

  it("inserts once where the key is not taken, before upserts and deletes of the bundle", async () => {
    const one = await worker();
    const first = await one.commit([once("a", 1, 1), once("a", 1, 2), upsert("b", 1), once("b", 0, 3)]);
    expect(counted(first)).to.deep.equal({ inserted: 2, updated: 1, deleted: 0, stale: 1, rejected: 0 });
    const second = await one.commit([once("a", 9, 4), once("c", 1, 5)]);
    expect(counted(second)).to.include({ inserted: 1, stale: 1 });
    expect(await totals()).to.deep.equal([
      ["a", 1, 1],
      ["b", 10, 1],
      ["c", 5, 1],
    ]);
  });

  it("lets the change that comes last win where there is no version", async () => {
    const { version, ...table } = TOTALS;
    const one = await worker(table);
    await one.commit([upsert("a", 9), upsert("a", 1), upsert("b", 1), remove("b", 1), remove("c", 1)]);
    await one.commit([upsert("c", 1), upsert("a", 0)]);
    expect(await totals()).to.deep.equal([
      ["a", 0, 0],
      ["c", 10, 1],
    ]);
    await one.commit([remove("a", 0)]);
    expect((await totals()).map(([shop]) => shop)).to.deep.equal(["c"]);
  });

  it("appends rows where there is no key", async () => {
    await session.query("create table notes (note text)");
    const table = { table: "notes", columns: ["note"], operation: "insert-once" } as const;
    const bundle = await (await worker(table)).commit(["x", "x", "y"].map((note) => element({ note })));
    expect(counted(bundle)).to.include({ inserted: 3, stale: 0 });
    expect(await session.query("select note from notes order by note")).to.have.length(3);
  });

  it("takes rows as they are where the step says what becomes of them", async () => {
    const row = (version: number): Element => element({ shop: "a", day: DAY, events: 1, version });
    const one = await worker({ ...TOTALS, operation: "upsert" });
    await one.commit([row(1), row(2)]);
    expect(await totals()).to.deep.equal([["a", 1, 2]]);
    await (await worker({ ...TOTALS, operation: "delete" })).commit([row(2)]);
    expect(await totals()).to.deep.equal([]);
  });

  it("sends on what PostgreSQL refuses, and lets the version before it stand, as over several bundles", async () => {
    const spread = await worker(WITH_TOMBSTONE);
    const changes = [
      upsert("a", 1),
      upsert("a", 2, 1000),
      upsert("b", 1, 5000),
      remove("b", 3),
      upsert("c", 1),
      once("d", 1, 2000),
    ];
    const bundle = await spread.commit(changes);
    // whether version 1 of b, which is not the last of its key, is looked at is a question of how rows are halved
    expect(rejected(bundle).filter(([, shop]) => shop !== "b")).to.deep.equal([
      ["upsert", "a", 2, "rejected_by_database"],
      ["insert-once", "d", 1, "rejected_by_database"],
    ]);
    expect(messagesOf(bundle)[0]).to.match(
      /^SQLSTATE 23514, constraint totals_events_check: new row for relation "totals" violates check constraint/,
    );
    const spreadOver = await totals();
    expect(spreadOver).to.deep.equal([
      ["a", 10, 1],
      ["b", null, 3, "deleted"],
      ["c", 10, 1],
    ]);
    await session.query("truncate totals");
    for (const change of changes) await spread.commit([change]);
    expect(await totals()).to.deep.equal(spreadOver);
  });

  it("sends on what has no key, no version, or a version without an order", async () => {
    const changes = [
      upsert("a", null),
      element({ operation: "delete", row: { shop: "a", version: 1 } }),
      upsert("a", Number.NaN),
      element({ operation: "upsert", row: { shop: "b", day: DAY, events: 1, version: "NaN" } }),
      upsert("c", 1),
    ];
    const bundle = await (await worker()).commit(changes);
    expect(rejected(bundle).map(([operation, shop, , reason]) => [operation, shop, reason])).to.deep.equal([
      ["upsert", "a", "missing_version"],
      ["delete", "a", "missing_key"],
      ["upsert", "a", "invalid_version"],
      ["upsert", "b", "invalid_version"],
    ]);
    expect(messagesOf(bundle).slice(0, 2)).to.deep.equal([
      'version column "version" must not be null',
      'key column "day" must not be null',
    ]);
    expect(counted(bundle)).to.include({ inserted: 1, rejected: 4 });
  });

  it("sends on what is rejected at the time and in the windows of its element", async () => {
    const window = new IntervalWindow(0, 60_000);
    const { value } = upsert("a", 1, 5000);
    const late = { ...element(value, { timestampMs: 7 }), windows: [window] };
    const bundle = await (await worker()).commit([late, { ...late, value: upsert("a", null).value }]);
    const shown = (bundle.emitted.get("rejected") ?? []).map(({ timestampMs, windows }) => [
      timestampMs,
      windows,
    ]);
    expect(shown).to.deep.equal([
      [7, [window]],
      [7, [window]],
    ]);
  });

  it("fails, naming table, key and constraint, where nothing reads what is rejected", async () => {
    const alone = () => worker(TOTALS, false, false);
    const failure = await failureOf((await alone()).run([upsert("ok", 1), upsert("a", 1, 5000)]));
    expect(failure).to.be.instanceOf(StepFailedError);
    expect(failure.cause).to.be.instanceOf(RowRefusedError);
    expect(failure.message).to.match(
      /^step "Write" failed in finishBundle: table "totals" refuses the upsert of key \(shop, day\) = \(a, 2026-01-01\): SQLSTATE 23514, constraint totals_events_check: .*\. Nothing reads the output "rejected"/,
    );
    expect(await totals()).to.deep.equal([]);
    const missing = await failureOf((await alone()).run([upsert("a", null)]));
    expect(missing.message).to.contain('= (a, 2026-01-01): version column "version" must not be null.');
  });

  it("refuses elements that are no changes, and values that no column takes, as bugs of the pipeline", async () => {
    const failing = async (value: unknown) =>
      (await failureOf((await worker()).run([element(value)]))).message;
    expect(await failing({ shop: "a" })).to.match(
      /a change for table "totals" must be \{ operation, row \} .*, got \{ shop: 'a' \}$/,
    );
    expect(await failing({ operation: "update", row: {} })).to.contain("insert-once, upsert, delete");
    const row = { shop: "a", day: new Date(0), events: 1, version: 1 };
    expect(await failing({ operation: "upsert", row })).to.match(
      /column "day" of table "totals" must be given/,
    );
  });

  it("puts a bundle of more rows than may wait into its transaction by parts, and comes to the same again", async () => {
    const ROWS = 2 * WAITING_ROWS_MAX + 5_000;
    // each key three times, its versions far apart, the least of them last
    const changes = [2, 3, 1].flatMap((version) =>
      Array.from({ length: ROWS / 3 }, (_, at) => upsert(`shop-${at}`, version)),
    );
    const one = await worker(WITH_TOMBSTONE, true);
    for (const expected of [
      // the first part ends within version 3, the second within version 1
      { inserted: ROWS / 3, updated: 2 * (ROWS / 3) - WAITING_ROWS_MAX, stale: WAITING_ROWS_MAX },
      { inserted: 0, updated: 0, stale: changes.length },
    ]) {
      const bundle = await one.commit(changes);
      expect(bundle.statements.filter((text) => text.startsWith("copy")).length).to.equal(3);
      expect(counted(bundle)).to.include(expected);
    }
    const [stored] = await session.query(
      "select count(*)::int as rows, min(version)::int as least, max(version)::int as most from totals",
    );
    expect(stored).to.deep.equal({ rows: ROWS / 3, least: 3, most: 3 });
  });

  it("orders versions as PostgreSQL does: numeric, timestamptz and bigint beyond 2^53", async () => {
    const cases = [
      { type: "numeric", rising: ["9.5", "10", "10.0000000000000000001"], same: ["10", "10.000"] },
      {
        type: "timestamptz",
        rising: ["2026-01-01 00:30:00+02", "2025-12-31T23:00:00Z", "2026-01-01 00:00:00.000001+00"],
        same: ["2026-01-01 01:00+01", "2026-01-01T00:00Z"],
      },
      { type: "bigint", rising: [9007199254740992n, 9007199254740993n, 9007199254740994n], same: [5, "5"] },
    ] as const;
    for (const { type, rising, same } of cases) {
      await session.query(
        `create table of_${type} (id text primary key, version ${type} not null, at integer)`,
      );
      const table = {
        table: `of_${type}`,
        columns: ["id", "version", "at"],
        conflictKey: ["id"],
        version: "version",
      };
      const one = await worker({ ...table, operation: "upsert" });
      const row = (id: string, version: string | number | bigint, at: number) => element({ id, version, at });
      await one.commit(rising.map((version, at) => row("in one", version, at)));
      for (const at of [1, 2, 0]) await one.commit([row("one by one", rising[at]!, at)]);
      await one.commit(same.map((version, at) => row("same", version, at)));
      expect(await session.query(`select id, at from of_${type} order by id`), type).to.deep.equal([
        { id: "in one", at: 2 },
        { id: "one by one", at: 2 },
        { id: "same", at: 0 },
      ]);
    }
  });

  it("takes keys as equal that PostgreSQL takes as equal", async () => {
    await session.query(
      "create table amounts (amount numeric primary key, note text, version integer not null)",
    );
    const table = {
      ...{ table: "amounts", columns: ["amount", "note", "version"], conflictKey: ["amount"] },
      ...{ version: "version", operation: "upsert" as const },
    };
    const row = (amount: string, note: string, version: number) => element({ amount, note, version });
    await (await worker(table)).commit([
      row("1.0", "first", 1),
      row("1.00", "second", 2),
      row("1", "late", 1),
    ]);
    expect(await session.query("select note from amounts")).to.deep.equal([{ note: "second" }]);
  });

  it("counts inserts and updates of a partitioned table", async () => {
    await session.query(`create table parts (id integer, version integer not null, gone boolean not null,
        primary key (id)) partition by range (id);
      create table low partition of parts for values from (0) to (10);
      create table high partition of parts for values from (10) to (20)`);
    const table = {
      ...{ table: "parts", columns: ["id", "version"], conflictKey: ["id"] },
      ...{ version: "version", tombstone: "gone" },
    };
    const one = await worker(table);
    const change = (operation: string, id: number, version: number) =>
      element({ operation, row: { id, version } });
    await one.commit([change("upsert", 1, 1), change("upsert", 11, 1)]);
    const bundle = await one.commit([
      change("upsert", 1, 2),
      change("upsert", 2, 1),
      change("delete", 11, 2),
      change("upsert", 12, 1),
      change("upsert", 11, 1),
    ]);
    expect(counted(bundle)).to.deep.equal({ inserted: 2, updated: 1, deleted: 1, stale: 1, rejected: 0 });
  });

  it("takes tables and columns of any name", async () => {
    await session.query(`create schema "last";
      create table "last"."last" ("operation" text primary key, "row_index" integer not null, "stored" text)`);
    const table = {
      ...{ table: "last.last", columns: ["operation", "row_index", "stored"] },
      ...{ conflictKey: ["operation"], version: "row_index" },
    };
    const row = { operation: "a", row_index: 1, stored: "x\t\\" };
    await (await worker(table)).commit([element({ operation: "upsert", row })]);
    expect(await session.query(`select * from "last"."last"`)).to.deep.equal([row]);
  });

  it("writes in the order of keys, so that bundles which share them wait for each other and do not lock up", async () => {
    const [first, second] = [await worker(WITH_TOMBSTONE, true), await worker(WITH_TOMBSTONE, true)];
    const shops = Array.from({ length: 2_000 }, (_, at) => `shop-${at}`);
    for (let round = 1; round <= 5; round++) {
      const [one, other] = [round * 2, round * 2 + 1];
      await Promise.all([
        first.commit(shops.map((shop) => upsert(shop, one, one))),
        second.commit(shops.toReversed().map((shop) => upsert(shop, other, other))),
      ]);
    }
    const [stored] = await session.query(
      "select min(version)::int as least, count(*)::int as rows from totals",
    );
    expect(stored).to.deep.equal({ least: 11, rows: 2_000 });
  });
});

/** What the step counted in the bundle, by name. */
function counted(bundle: SinkBundle): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const line of bundle.counted) {
    const [, name = "", by = ""] = /^Write\.(\w+) inc (-?\d+)$/.exec(line) ?? [];
    sums[name] = (sums[name] ?? 0) + Number(by);
  }
  return sums;
}

function rejected(bundle: SinkBundle): unknown[][] {
  return (bundle.values("rejected") as RejectedChange[]).map(({ operation, row, problem }) => [
    operation,
    row["shop"],
    row["version"],
    problem.reason,
  ]);
}

function messagesOf(bundle: SinkBundle): string[] {
  return (bundle.values("rejected") as RejectedChange[]).flatMap(({ problem }) => problem.messages);
}
