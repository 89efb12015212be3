/** StagedInsert: which of several rows with one key is the one that stays. */
import { expect } from "chai";
import { CopyRows, copyField } from "../../sql/copy-text.js";
import type { SqlSession } from "../../sql/sql-session.js";
import { classify, sqlStateOf } from "../../sql/sql-state.js";
import { StagedInsert } from "../../sql/staged-insert.js";
import { type MigratedDatabase, migratedDatabase } from "../support/migrated-database.js";

describe("StagedInsert", () => {
  let database: MigratedDatabase;
  beforeEach(async () => {
    database = await migratedDatabase();
    await database.session.query("create table notes (id text primary key, note text not null)");
  });
  afterEach(() => database.close());

  const table = { table: "notes", columns: ["id", "note"], conflictKey: ["id"] };
  const rowsOf = (notes: readonly (readonly [id: string, note: string])[]) => {
    const rows = new CopyRows();
    for (const [id, note] of notes) rows.push(`${copyField(id)}\t${copyField(note)}`);
    return rows;
  };

  it("lets the first of a batch win where short rows fill the gaps that long ones leave", async () => {
    // Long rows leave gaps at the end of their pages; PostgreSQL puts later, short rows into them.
    const notes: [string, string][] = [];
    for (let n = 0; n < 3000; n++) {
      notes.push([`id-${n}`, `${n}`.padEnd([3, 10, 700][((n * 7) % 11) % 3]!, ".")], [`id-${n}`, "late"]);
    }
    const { session } = database;
    const insert = new StagedInsert(table, "stage_of_notes");
    // The stage must be there from an earlier transaction: in a new table PostgreSQL fills no gaps.
    for (const batch of [rowsOf([["other", "x"]]), rowsOf(notes)]) {
      await session.begin();
      await insert.insert(session, batch);
      await session.commit();
    }
    const stored = await session.query<{ id: string; note: string }>("select id, note from notes");
    const first = new Map(notes.toReversed());
    const wrong = stored.filter(({ id, note }) => id !== "other" && first.get(id) !== note);
    expect(wrong.map(({ id }) => id)).to.deep.equal([]);
    expect(stored.length).to.equal(3001);
  });

  it("takes several batches in one transaction, each for itself", async () => {
    const { session } = database;
    const insert = new StagedInsert(table, "stage_of_notes");
    await session.begin();
    const batches = [
      rowsOf([["a", "1"]]),
      rowsOf([
        ["a", "2"],
        ["b", "1"],
      ]),
      rowsOf([["b", "1"]]),
    ];
    const results = [];
    for (const batch of batches) results.push(await insert.insert(session, batch));
    await session.commit();
    expect(results).to.deep.equal([
      { inserted: 1, repeats: [], rejections: [] },
      { inserted: 1, repeats: [{ index: 0, isEqual: false }], rejections: [] },
      { inserted: 0, repeats: [{ index: 0, isEqual: true }], rejections: [] },
    ]);
  });

  it("is exact when two transactions want each other's keys: one of them is to be tried again", async () => {
    const insert = new StagedInsert(table, "stage_of_notes");
    const [one, other] = [await database.connect(), await database.connect()];
    await one.begin();
    await other.begin();
    await insert.insert(one, rowsOf([["a", "one"]]));
    await insert.insert(other, rowsOf([["b", "other"]]));
    const lost: SqlSession[] = [];
    const crossing = async (session: SqlSession, id: string, note: string) => {
      try {
        await insert.insert(session, rowsOf([[id, note]]));
      } catch (error) {
        expect([sqlStateOf(error), classify(error)]).to.deep.equal(["40P01", "retry"]);
        lost.push(session);
        await session.query("rollback"); // only then does the other one go on: the error was behind a savepoint
      }
    };
    await Promise.all([crossing(one, "b", "one"), crossing(other, "a", "other")]);
    expect(lost).to.have.length(1);
    const isOneLost = lost[0] === one;
    await (isOneLost ? other : one).commit();
    const retried = lost[0] as SqlSession;
    await retried.begin();
    const name = isOneLost ? "one" : "other";
    const again = await insert.insert(
      retried,
      rowsOf([
        ["a", name],
        ["b", name],
      ]),
    );
    await retried.commit();
    expect(again).to.deep.equal({
      inserted: 0,
      repeats: [
        { index: 0, isEqual: false },
        { index: 1, isEqual: false },
      ],
      rejections: [],
    });
    const stored = await database.session.query("select id, note from notes order by id");
    const winner = isOneLost ? "other" : "one";
    expect(stored).to.deep.equal([
      { id: "a", note: winner },
      { id: "b", note: winner },
    ]);
  });

  it("tells of each later row of a batch whether it equals the first", async () => {
    const { session } = database;
    await session.begin();
    const batch = rowsOf([
      ["a", "1"],
      ["a", "1"],
      ["a", "2"],
    ]);
    const result = await new StagedInsert(table, "stage_of_notes").insert(session, batch);
    await session.commit();
    expect(result).to.deep.equal({
      inserted: 1,
      repeats: [
        { index: 1, isEqual: true },
        { index: 2, isEqual: false },
      ],
      rejections: [],
    });
  });
});
