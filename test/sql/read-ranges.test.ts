/** read_ranges: each part of a file counts once, the newest attempt's. */
import { expect } from "chai";
import { beat, readSigns } from "../../sql/pipelines.js";
import {
  forgetRanges,
  type ReadRangeRow,
  recordRanges,
  restartSettling,
  selectRanges,
  settleRanges,
} from "../../sql/read-ranges.js";
import type { SqlSession } from "../../sql/sql-session.js";
import { type MigratedDatabase, migratedDatabase } from "../support/migrated-database.js";

describe("recordRanges()", () => {
  let database: MigratedDatabase;
  before(async () => {
    database = await migratedDatabase();
  });
  after(() => database.close());
  beforeEach(() => database.session.query("truncate read_ranges, ledger, source_files"));

  /** `0-10 x3 @1`: bytes, records, lineage; of file 7 unless said otherwise. */
  const range = (text: string, fileId = 7, generation = 0): ReadRangeRow => {
    const [, start, end, records, lineage] = /^(\d+)-(\d+) x(\d+) @(\d+)$/.exec(text)!.map(Number);
    const bytes = { byte_start: start!, byte_end: end!, lineage: lineage!, records: records! };
    return { file_id: fileId, generation, ...bytes, end_position: "{}" };
  };
  const record = async (ranges: ReadRangeRow[], session: SqlSession = database.session) => {
    await session.begin();
    const counts = await recordRanges(session, "p", ranges);
    await session.commit();
    return Object.fromEntries(counts);
  };
  const kept = async () =>
    (await selectRanges(database.session, "p", [7, 8])).map(
      (row) => `${row.byte_start}-${row.byte_end} x${row.records} @${row.lineage}`,
    );
  /** Records each in a bundle of its own. */
  const each = async (...texts: string[]) => {
    const counts: number[] = [];
    for (const text of texts) counts.push((await record([range(text)]))[7] ?? 0);
    return counts;
  };

  it("counts a range once, however often it comes", async () => {
    expect(await each("0-10 x3 @1", "10-20 x2 @1", "0-10 x3 @1", "10-20 x2 @1")).to.deep.equal([3, 2, 0, 0]);
    expect(await kept()).to.deep.equal(["0-10 x3 @1", "10-20 x2 @1"]);
  });

  it("replaces what overlaps and is not newer, and drops what overlaps something newer", async () => {
    expect(await each("0-10 x3 @1", "10-20 x2 @1", "5-15 x4 @2", "0-10 x3 @1")).to.deep.equal([3, 2, -1, 0]);
    expect(await kept()).to.deep.equal(["5-15 x4 @2"]);
    expect(await each("15-30 x1 @1", "0-5 x1 @2", "0-30 x9 @1", "0-30 x9 @3")).to.deep.equal([1, 1, 0, 3]);
    expect(await kept()).to.deep.equal(["0-30 x9 @3"]);
  });

  it("takes an empty range for one that overlaps what begins with it", async () => {
    expect(await each("10-10 x0 @1", "0-10 x3 @1", "10-20 x2 @1", "10-10 x0 @1")).to.deep.equal([
      0, 3, 2, -2,
    ]);
    expect(await kept()).to.deep.equal(["0-10 x3 @1", "10-10 x0 @1"]);
  });

  it("follows the same rule within one bundle, and keeps files and generations apart", async () => {
    const ranges = [range("0-10 x3 @2"), range("5-15 x9 @1"), range("0-10 x4 @2"), range("0-10 x5 @1", 8)];
    expect(await record([...ranges, range("0-10 x6 @1", 7, 1)])).to.deep.equal({ 7: 10, 8: 5 });
    expect(await kept()).to.deep.equal(["0-10 x4 @2", "0-10 x6 @1", "0-10 x5 @1"]);
  });

  it("keeps one of two that are recorded at the same moment", async () => {
    const [one, other] = [await database.connect(), await database.connect()];
    await one.begin();
    const first = await recordRanges(one, "p", [range("0-10 x3 @1")]);
    const second = record([range("0-12 x4 @1")], other);
    await database.session.query("select pg_sleep(0.05)");
    await one.commit();
    expect([first.get(7), await second]).to.deep.equal([3, { 7: 1 }]);
    expect(await kept()).to.deep.equal(["0-12 x4 @1"]);
  });

  it("forgetRanges() takes back what was counted beyond the committed position, and only that", async () => {
    await database.session.query(
      `insert into source_files (file_id, pipeline, path, inode, byte_offset) overriding system value
       values (7, 'p', 'a', '1', 10), (8, 'p', 'b', '2', 0)`,
    );
    await database.session.query(
      "insert into ledger (pipeline, file_id, records_read) values ('p', 7, 105), ('p', 8, 2), ('q', 7, 9)",
    );
    await record([range("0-10 x3 @1"), range("10-20 x2 @1"), range("0-5 x2 @1", 8)]);
    await forgetRanges(database.session, "p");
    const rows = await database.session.query(
      "select pipeline, file_id, records_read from ledger order by 1, 2",
    );
    expect(rows).to.deep.equal([
      { pipeline: "p", file_id: 7, records_read: 103 },
      { pipeline: "p", file_id: 8, records_read: 0 },
      { pipeline: "q", file_id: 7, records_read: 9 },
    ]);
    expect(await kept()).to.deep.equal([]);
  });
});

describe("settleRanges()", () => {
  const RUN = "11111111-2222-4333-8444-555555555555";
  const OTHER = "66666666-7777-4888-8999-aaaaaaaaaaaa";
  const KEY = { pipeline: "p", shard: 0 };
  let database: MigratedDatabase;
  before(async () => {
    database = await migratedDatabase();
  });
  after(() => database.close());
  beforeEach(async () => {
    await database.session.query("truncate read_ranges, ledger, source_files, pipelines");
    await database.session.query(
      `insert into pipelines (pipeline, shard, run_id, holder_host, holder_pid, holder_started_at, holder_backend_pid)
       values ('p', 0, $1, 'here', 1, now(), 1)`,
      [RUN],
    );
  });

  const record = async (byteStart: number) => {
    const bytes = { byte_start: byteStart, byte_end: byteStart + 10 };
    await recordRanges(database.session, "p", [
      { file_id: 7, generation: 0, ...bytes, lineage: 1, records: 1, end_position: "{}" },
    ]);
  };
  const settled = async () => {
    await settleRanges(database.session, "p");
    const rows = await database.session.query<{ byte_start: number }>(
      "select byte_start from read_ranges where settled order by byte_start",
    );
    return rows.map((row) => row.byte_start);
  };
  /** A checkpoint that bundles hear of which have found the pulse as it is. */
  const checkpoint = async () => {
    const signs = await readSigns(database.session, KEY, RUN);
    await beat(database.session, KEY, RUN, signs!.pulse + 1);
    return settled();
  };

  it("waits for the third beat: two may be of checkpoints that had begun before the range was recorded", async () => {
    await checkpoint();
    await record(0);
    expect(await settled()).to.deep.equal([]);
    expect(await checkpoint()).to.deep.equal([]);
    await record(10);
    expect(await checkpoint()).to.deep.equal([]);
    expect(await checkpoint()).to.deep.equal([0]);
    expect(await checkpoint()).to.deep.equal([0, 10]);
  });

  it("counts what bundles beside each other hear of one checkpoint once", async () => {
    await record(0);
    for (let bundle = 0; bundle < 5; bundle++) await beat(database.session, KEY, RUN, 1);
    expect((await readSigns(database.session, KEY, RUN))!.pulse).to.equal(1);
    expect(await settled()).to.deep.equal([]);
  });

  it("does not hear a run that has lost the pipeline", async () => {
    await record(0);
    await beat(database.session, KEY, OTHER, 9);
    expect(await settled()).to.deep.equal([]);
    expect(await readSigns(database.session, KEY, OTHER)).to.equal(undefined);
  });

  it("begins to wait anew when the runner goes back to a checkpoint", async () => {
    await record(0);
    await checkpoint();
    await checkpoint();
    await restartSettling(database.session, "p");
    expect(await checkpoint()).to.deep.equal([]);
    expect(await checkpoint()).to.deep.equal([]);
    expect(await checkpoint()).to.deep.equal([0]);
  });
});
