/** The statements of ledger and commits, and the status that is read from them. */
import { expect } from "chai";
import { runStatus, statusLines } from "../../pipelines/commands/status.js";
import { insertCommit, pruneCommits } from "../../sql/commits.js";
import { addToLedger, type LedgerDelta } from "../../sql/ledger.js";
import {
  type SourcePositionRow,
  selectPositionsByState,
  upsertPositions,
} from "../../sql/source-positions.js";
import type { SqlSession } from "../../sql/sql-session.js";
import { readStatus } from "../../sql/status.js";
import { type MigratedDatabase, migratedDatabase } from "../support/migrated-database.js";
import { freshDatabase } from "../support/postgres.js";

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

describe("readStatus()", () => {
  useDatabase();

  const file = (fileId: number, path: string, byteOffset: number): SourcePositionRow => ({
    file_id: fileId,
    path,
    generation: fileId - 1,
    inode: "1",
    byte_offset: byteOffset,
    line: 1,
    header: null,
    raw_offset: 0,
    head_hash: null,
    tail_hash: null,
    size: 0,
    mtime_ns: "0",
    state: "done",
    ended_at_byte: null,
    ended_at_line: null,
  });
  const insertPipeline = (pipeline: string, shard = 0) =>
    session.query(
      `insert into pipelines (
        pipeline, shard, run_id, epoch, holder_host, holder_pid, holder_started_at, records_read, events_written,
        duplicates, conflicts, dead_letters, last_commit_at
      ) values ($1, $2, $3, 7, 'host', 4711, now(), 10, 4, 2, 1, '{"invalid_price": 2, "field_count": 1}',
        '2025-01-01 02:00:00.000001+02')`,
      [pipeline, shard, RUN_ID],
    );
  const expected = {
    pipeline: "p",
    pid: null,
    files_read: 2,
    records_read: 10,
    events_written: 4,
    duplicates: 2,
    conflicts: 1,
    dead_letters: { field_count: 1, invalid_price: 2 },
    epoch: 7,
    last_commit_at: "2025-01-01T00:00:00.000001Z",
    files: [
      {
        path: "a.csv",
        generation: 0,
        state: "done",
        byte_offset: 99,
        records_read: 10,
        events_written: 4,
        duplicates: 2,
        conflicts: 1,
        dead_letters: { field_count: 1, invalid_price: 2 },
      },
      {
        path: "b.csv",
        generation: 1,
        state: "done",
        byte_offset: 0,
        records_read: 0,
        events_written: 0,
        duplicates: 0,
        conflicts: 0,
        dead_letters: {},
      },
    ],
  };

  async function insertBoth(): Promise<void> {
    await insertPipeline("p");
    await upsertPositions(session, "p", [file(1, "a.csv", 99), file(2, "b.csv", 0)]);
    const counts = { recordsRead: 10, eventsWritten: 4, duplicates: 2, conflicts: 1 };
    await addToLedger(session, "p", [
      delta(1, { ...counts, deadLetters: { invalid_price: 2, field_count: 1 } }),
    ]);
    await session.query("insert into pipelines (pipeline, run_id) values ('new', $1)", [RUN_ID]);
    expect(await selectPositionsByState(session, "p", ["done"])).length(2);
  }

  const empty = {
    pipeline: "new",
    pid: null,
    files_read: 0,
    records_read: 0,
    events_written: 0,
    duplicates: 0,
    conflicts: 0,
    dead_letters: {},
    epoch: 0,
    last_commit_at: null,
    files: [],
  };

  it("tells every pipeline and its files, by name, whatever the session's time zone", async () => {
    await insertBoth();
    expect(await readStatus(session)).deep.equal([empty, expected]);
    await session.query("set time zone 'Asia/Kolkata'");
    expect(await readStatus(session)).deep.equal([empty, expected]);
  });

  it("is empty where there is no pipeline, and where there are no tables", async () => {
    expect(await readStatus(session)).deep.equal([]);
    const { connection, drop } = await freshDatabase();
    const lines: string[] = [];
    await runStatus({ connection, json: true }, { print: (line) => lines.push(line) });
    await drop();
    expect(lines).deep.equal(["[]"]);
  });

  it("names the holder's pid only while its session holds the pipeline's lock", async () => {
    await insertBoth();
    const pid = async () => (await readStatus(session)).find(({ pipeline }) => pipeline === "p")!.pid;
    const holder = await database.connect();
    const lock = (key: string) =>
      holder.query("select pg_advisory_lock(hashtextextended($1, 0))", [`millrace:${key}`]);
    await lock("other:0");
    await lock("p:1");
    expect(await pid()).equal(null);
    await lock("p:0");
    expect(await pid()).equal(4711);
    await holder.close();
    await session.query("select pg_sleep(0.1)");
    expect(await pid()).equal(null);
  });

  it("finds locks whatever the sign of their key", async () => {
    const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for (const name of names) {
      await insertPipeline(name);
      await session.query("select pg_advisory_lock(hashtextextended($1, 0))", [`millrace:${name}:0`]);
    }
    expect((await readStatus(session)).map(({ pid }) => pid)).deep.equal(names.map(() => 4711));
  });

  it("sees no lock of another database", async () => {
    await insertBoth();
    const { connection, drop } = await freshDatabase();
    const { SqlSession: Session } = await import("../../sql/sql-session.js");
    const other = await Session.connect({ connection, applicationName: "millrace/test" });
    await other.query("select pg_advisory_lock(hashtextextended('millrace:p:0', 0))");
    expect((await readStatus(session))[1]).property("pid", null);
    await other.close();
    await drop();
  });

  it("adds up the shards of a pipeline", async () => {
    await insertPipeline("p", 0);
    await insertPipeline("p", 1);
    expect((await readStatus(session))[0]).deep.include({
      records_read: 20,
      events_written: 8,
      dead_letters: { field_count: 2, invalid_price: 4 },
      epoch: 7,
    });
  });

  it("runStatus() prints the document with --json, else tables", async () => {
    await insertBoth();
    const lines: string[] = [];
    const io = { print: (line: string) => lines.push(line) };
    await runStatus({ connection: database.connection, json: true }, io);
    expect(JSON.parse(lines.join("\n"))).deep.equal([empty, expected]);
    lines.length = 0;
    await runStatus({ connection: database.connection, json: false }, io);
    expect(lines).deep.equal([
      "pipeline  pid  epoch  files  read  written  duplicates  conflicts  dead  last commit",
      "new       -        0      0     0        0           0          0     0  -",
      "p         -        7      2    10        4           2          1     3  2025-01-01T00:00:00.000001Z",
      "",
      "dead letters of p: field_count 1, invalid_price 2",
      "",
      "files of p:",
      "path   generation  state  bytes  read  written  duplicates  conflicts  dead",
      "a.csv           0  done      99    10        4           2          1     3",
      "b.csv           1  done       0     0        0           0          0     0",
    ]);
  });

  it("statusLines() says so when there is none, and shows no more than the last 20 files", () => {
    expect(statusLines([])).deep.equal(["no pipeline has run on this database"]);
    const files = Array.from({ length: 21 }, (_, at) => ({ ...expected.files[1]!, path: `${at}.csv` }));
    const lines = statusLines([{ ...expected, files }]);
    expect(lines).include("the last 20 of 21 files of p:");
    expect(lines.filter((line) => /^\d+\.csv/.test(line))).length(20);
  });
});
