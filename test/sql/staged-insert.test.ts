/** StagedInsert: which of several rows with one key is the one that stays. */
import { expect } from "chai";
import { CopyRows, copyField } from "../../sql/copy-text.js";
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
