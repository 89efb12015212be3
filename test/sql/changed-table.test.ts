/** checkChangedTable(): each way in which a table is not what a step says of it, all in one message. */
import { expect } from "chai";
import {
  type ChangedTable,
  ChangedTableError,
  checkChangedTable,
  OPERATIONS,
} from "../../sql/changed-table.js";
import type { SqlSession } from "../../sql/sql-session.js";
import { type MigratedDatabase, migratedDatabase } from "../support/migrated-database.js";

describe("checkChangedTable", () => {
  let database: MigratedDatabase;
  let session: SqlSession;
  before(async () => {
    database = await migratedDatabase();
    session = database.session;
    await session.query(`create domain revision as bigint;
      create table good (id text, part text, n integer, v revision not null, gone boolean not null, unique (part, id));
      create table poor (id text, must integer not null, other integer not null, v text, gone text);
      create unique index on poor (id) where must > 0;
      create unique index on poor (lower(id));
      create table later (id text unique deferrable, v numeric not null, gone boolean not null);
      create table covered (id text, n integer, v timestamptz not null, gone boolean not null);
      create unique index on covered (id) include (n);
      create table parted (id text primary key, v integer not null, gone boolean not null) partition by hash (id)`);
  });
  after(() => database.close());

  const table = (name: string, more: Partial<ChangedTable> = {}): ChangedTable => ({
    ...{ table: name, columns: ["id", "v"], conflictKey: ["id"], version: "v", tombstone: "gone" },
    ...more,
  });
  const problemsOf = async (
    of: ChangedTable,
    operations: readonly (typeof OPERATIONS)[number][] = OPERATIONS,
  ) => {
    try {
      return await checkChangedTable(session, of, new Set(operations));
    } catch (error) {
      expect(error).to.be.instanceOf(ChangedTableError);
      expect((error as Error).message).to.contain(
        `table "${of.table}" cannot be written to as the step says`,
      );
      return (error as ChangedTableError).problems;
    }
  };

  it("takes a table with the key in any order, a version of a domain, and one whose index covers more", async () => {
    const good = table("public.good", { columns: ["id", "part", "v"], conflictKey: ["id", "part"] });
    expect(await problemsOf(good)).to.deep.equal({ isPartitioned: false });
    expect(await problemsOf(table("covered"))).to.deep.equal({ isPartitioned: false });
    expect(await problemsOf(table("parted"))).to.deep.equal({ isPartitioned: true });
  });

  it("names every difference", async () => {
    expect(await problemsOf(table("nowhere"))).to.deep.equal(["the database has no such table"]);
    expect(await problemsOf(table("poor", { columns: ["id", "v", "other", "more"] }))).to.deep.equal([
      'it has no column "more"',
      'version column "v" must be of a type whose values rise (smallint, integer, bigint, numeric, ' +
        "timestamp with time zone, timestamp without time zone), got text",
      'version column "v" must be not null: no version is greater than none',
      "it must have a unique key of the conflict key's columns (id), not deferrable, without a condition; it has none",
      'tombstone column "gone" must be boolean not null, got text',
      'column "must", which the step does not fill, must be nullable or have a default: a row that is only a ' +
        "tombstone has no value for it",
      'column "other" must be nullable or have a default: a row that is only a tombstone has no value for it',
    ]);
    expect(await problemsOf(table("good"))).to.deep.equal([
      "it must have a unique key of the conflict key's columns (id), not deferrable, without a condition; it has (id, part)",
    ]);
    expect(await problemsOf(table("later"))).to.deep.equal([
      "it must have a unique key of the conflict key's columns (id), not deferrable, without a condition; it has none",
    ]);
  });

  it("asks nothing of other columns where nothing is deleted", async () => {
    const { conflictKey, version, tombstone, ...bare } = table("poor");
    expect(await problemsOf(bare, ["insert-once"])).to.deep.equal({ isPartitioned: false });
  });
});
