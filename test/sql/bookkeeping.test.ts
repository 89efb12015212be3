/** The statements of ledger and commits. */
import { expect } from "chai";
import { insertCommit, pruneCommits } from "../../sql/commits.js";
import { addToLedger, type LedgerDelta } from "../../sql/ledger.js";
import type { SqlSession } from "../../sql/sql-session.js";
import { type MigratedDatabase, migratedDatabase } from "../support/migrated-database.js";

const RUN_ID = "5f0c7a4e-3a53-4a37-9d0b-0a4d9d6f4b11";
let database: MigratedDatabase;
let session: SqlSession;

function useDatabase(): void {
  beforeEach(async () => {
    database = await migratedDatabase();
    session = database.session;
  });
  afterEach(() => database.close());
}

const delta = (fileId: number, changes: Partial<LedgerDelta> = {}): LedgerDelta => ({
  fileId,
  recordsRead: 0,
  eventsWritten: 0,
  duplicates: 0,
  conflicts: 0,
  deadLetters: {},
  ...changes,
});

describe("addToLedger()", () => {
  useDatabase();

  const ledger = (pipeline: string) =>
    session.query(
      `select file_id, records_read, events_written, duplicates, conflicts, dead_letters
      from ledger where pipeline = $1 order by file_id`,
      [pipeline],
    );

  it("adds to what is stored, dead letters reason by reason", async () => {
    const first = { recordsRead: 10, eventsWritten: 5, duplicates: 1, conflicts: 1 };
    await addToLedger(session, "p", [
      delta(1, { ...first, deadLetters: { invalid_price: 2, field_count: 1 } }),
      delta(2, { recordsRead: 1, eventsWritten: 1 }),
    ]);
    await addToLedger(session, "p", [
      delta(2, { recordsRead: 1, deadLetters: { invalid_quote: 1 } }),
      delta(1, { recordsRead: 4, duplicates: 1, deadLetters: { invalid_price: 1, invalid_quote: 2 } }),
      delta(3),
    ]);
    await addToLedger(session, "p", [delta(1, { recordsRead: 1, eventsWritten: 1 })]);
    const row = (file_id: number, counts: number[], dead_letters: Record<string, number>) => {
      const [records_read, events_written, duplicates, conflicts] = counts;
      return { file_id, records_read, events_written, duplicates, conflicts, dead_letters };
    };
    expect(await ledger("p")).deep.equal([
      row(1, [15, 6, 2, 1], { field_count: 1, invalid_price: 3, invalid_quote: 2 }),
      row(2, [2, 1, 0, 0], { invalid_quote: 1 }),
      row(3, [0, 0, 0, 0], {}),
    ]);
  });

  it("lets go of a reason of which no letter is left: each became something else", async () => {
    await addToLedger(session, "p", [
      delta(1, { recordsRead: 3, deadLetters: { invalid_price: 2, field_count: 1 } }),
    ]);
    await addToLedger(session, "p", [
      delta(1, { eventsWritten: 1, conflicts: 1, deadLetters: { invalid_price: -2 } }),
    ]);
    expect(await ledger("p"))
      .nested.property("[0]")
      .deep.include({
        ...{ records_read: 3, events_written: 1, conflicts: 1, dead_letters: { field_count: 1 } },
      });
  });

  it("keeps pipelines apart", async () => {
    await addToLedger(session, "p", [delta(1, { recordsRead: 1, conflicts: 1 })]);
    await addToLedger(session, "q", [delta(1, { recordsRead: 2, conflicts: 2 })]);
    expect(await ledger("p")).nested.property("[0].conflicts", 1);
    expect(await ledger("q")).nested.property("[0].conflicts", 2);
  });

  it("takes back what was counted, and keeps counts beyond 32 bits", async () => {
    const many = 2 ** 40;
    await addToLedger(session, "p", [
      delta(1, { recordsRead: many, eventsWritten: many - 3, deadLetters: { a: 3 } }),
    ]);
    await addToLedger(session, "p", [delta(1, { eventsWritten: -1, deadLetters: { a: many, b: 1 } })]);
    const [row] = await ledger("p");
    expect(row).deep.include({
      records_read: many,
      events_written: many - 4,
      dead_letters: { a: many + 3, b: 1 },
    });
  });

  it("refuses a file given twice, and takes nothing of the call", async () => {
    const error = await addToLedger(session, "p", [delta(1), delta(1)]).catch((thrown: unknown) => thrown);
    expect(error).property("code", "21000");
    expect(await ledger("p")).deep.equal([]);
  });
});

describe("commits", () => {
  useDatabase();

  const commit = (epoch: number, pipeline = "p") =>
    insertCommit(session, {
      pipeline,
      shard: 0,
      epoch,
      runId: RUN_ID,
      recordsRead: 10,
      eventsWritten: 4,
      duplicates: 3,
      conflicts: 2,
      deadLetters: 1,
    });
  const epochs = async (pipeline: string) => {
    const text = "select epoch from commits where pipeline = $1 order by epoch";
    return (await session.query<{ epoch: number }>(text, [pipeline])).map(({ epoch }) => epoch);
  };

  it("insertCommit() stores the pair that identifies a commit, and its counts", async () => {
    await commit(1);
    const [row] = await session.query(
      `select pipeline, shard, epoch, run_id, records_read, events_written, duplicates, conflicts, dead_letters
      from commits`,
    );
    expect(row).deep.equal({
      pipeline: "p",
      shard: 0,
      epoch: 1,
      run_id: RUN_ID,
      records_read: 10,
      events_written: 4,
      duplicates: 3,
      conflicts: 2,
      dead_letters: 1,
    });
  });

  it("insertCommit() refuses an epoch a second time", async () => {
    await commit(1);
    expect(await commit(1).catch((thrown: unknown) => thrown)).property("code", "23505");
  });

  it("pruneCommits() keeps the last epochs of its shard, and all of others", async () => {
    for (const epoch of [1, 2, 3, 4, 5]) await commit(epoch);
    await commit(1, "q");
    expect(await pruneCommits(session, "p", 0, 2)).equal(3);
    expect(await epochs("p")).deep.equal([4, 5]);
    expect(await epochs("q")).deep.equal([1]);
    expect(await pruneCommits(session, "p", 0, 2)).equal(0);
    expect(await pruneCommits(session, "none", 0, 2)).equal(0);
  });

  it("pruneCommits() refuses to keep none", async () => {
    const error = await pruneCommits(session, "p", 0, 0).catch((thrown: unknown) => thrown);
    expect(error).instanceOf(RangeError).property("message", "`keep` must be at least 1, got 0");
  });
});
