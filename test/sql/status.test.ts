/** readStatus(), and how `status` prints it. */
import { expect } from "chai";
import { runStatus, statusLines } from "../../pipelines/commands/status.js";
import { addToLedger } from "../../sql/ledger.js";
import { type SourcePositionRow, upsertPositions } from "../../sql/source-positions.js";
import { SqlSession } from "../../sql/sql-session.js";
import { readStatus } from "../../sql/status.js";
import { type MigratedDatabase, migratedDatabase } from "../support/migrated-database.js";
import { freshDatabase } from "../support/postgres.js";

const RUN_ID = "5f0c7a4e-3a53-4a37-9d0b-0a4d9d6f4b11";

describe("readStatus()", () => {
  let database: MigratedDatabase;
  let session: SqlSession;

  beforeEach(async () => {
    database = await migratedDatabase();
    session = database.session;
  });
  afterEach(() => database.close());

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
      { fileId: 1, ...counts, deadLetters: { invalid_price: 2, field_count: 1 } },
    ]);
    await session.query("insert into pipelines (pipeline, run_id) values ('new', $1)", [RUN_ID]);
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
    const other = await SqlSession.connect({ connection, applicationName: "millrace/test" });
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
