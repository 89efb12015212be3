/** WatchDirectory hands out what the direct source reads, while files grow and attempts are thrown away. */
import { appendFile, rename, utimes } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { settleRanges } from "../../sql/read-ranges.js";
import type { SqlTransaction } from "../../sql/sql-session.js";
import { csvFormat } from "../../transforms/csv-format.js";
import { MIN_TIMESTAMP_MS } from "../../transforms/primitives/timestamp-bounds.js";
import { advancePositions } from "../../transforms/read-from-directory/advance-positions.js";
import type { FileRange } from "../../transforms/read-from-directory/file-range.js";
import type { ReadFromDirectoryConfig } from "../../transforms/read-from-directory/read-from-directory-config.js";
import { NOTHING_HANDED_OUT, type WatchState } from "../../transforms/read-from-directory/watch-state.js";
import { byPlace, DistributedSource } from "../support/distributed-source.js";
import { type MigratedDatabase, migratedDatabase } from "../support/migrated-database.js";
import { randomCsv } from "../support/random-csv.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";
import { SourceDirectory } from "../support/source-directory.js";
import type { SeenRecord } from "../support/source-host.js";

type Config = ReadFromDirectoryConfig;
const seed = chooseSeed();
const FORMAT = csvFormat({
  columns: ["text", "n"],
  recordBytesMax: 300,
  timestampColumn: "n",
}) as Config["format"];
const QUIET_MS = 100_000;

/** A job that watches: its restriction as of the last checkpoint, and what was read since. */
class WatchedRun {
  state: WatchState = NOTHING_HANDED_OUT;
  watermarkMs = MIN_TIMESTAMP_MS;
  fn: Awaited<ReturnType<DistributedSource["watcher"]>> | undefined;
  waiting: FileRange[] = [];
  /** By place: a range that is read again gives the same. */
  readonly seen = new Map<string, SeenRecord>();

  constructor(readonly source: DistributedSource) {}

  async step(): Promise<number> {
    this.fn ??= await this.source.watcher();
    const { ranges, state, watermarkMs } = await this.source.watch(this.fn, this.state, this.watermarkMs);
    this.state = state;
    this.watermarkMs = watermarkMs;
    this.waiting.push(...ranges);
    return ranges.length;
  }

  async read(choice: Choice): Promise<void> {
    for (const range of choice.shuffled(this.waiting.splice(0))) {
      for (const record of await this.source.read([range])) {
        const place = `${record.path} ${record.generation} ${record.byteStart}-${record.byteEnd}`;
        this.seen.set(place, record);
      }
    }
  }

  /** What a runner would go back to: the restriction, and the elements on their way. */
  async checkpoint(): Promise<Checkpoint> {
    await this.source.finalize(true);
    return { state: this.state, watermarkMs: this.watermarkMs, waiting: [...this.waiting] };
  }

  /** A worker that has just started goes on from a checkpoint. */
  async restart({ state, watermarkMs, waiting }: Checkpoint): Promise<void> {
    await this.source.finalize(false);
    this.fn?.teardown?.();
    this.fn = undefined;
    this.state = state;
    this.watermarkMs = watermarkMs;
    this.waiting = [...waiting];
  }
}

async function settleAndAdvance(transaction: SqlTransaction): Promise<void> {
  await settleRanges(transaction, "p");
  await advancePositions(transaction, "p");
}

interface Checkpoint {
  readonly state: WatchState;
  readonly watermarkMs: number;
  readonly waiting: readonly FileRange[];
}

describe(`WatchDirectory (MILLRACE_SEED=${seed})`, () => {
  let database: MigratedDatabase;
  let directory: SourceDirectory;
  before(async () => {
    database = await migratedDatabase();
  });
  after(() => database.close());
  beforeEach(async () => {
    directory = await SourceDirectory.create();
    await database.session.query(
      "truncate source_files, planned_files, read_ranges, ledger restart identity",
    );
  });
  afterEach(() => directory.remove());

  const start = (config: Partial<Config> = {}) => {
    const all = {
      directory: directory.root,
      format: FORMAT,
      rangeBytesMax: 200,
      quietMs: QUIET_MS,
      isWatching: false,
    };
    const source = new DistributedSource({
      session: database.session,
      config: { ...all, ...config },
      mode: "stream",
    });
    return new WatchedRun(source);
  };
  const addRun = (run: WatchedRun) =>
    database.session.query(
      `insert into pipelines (pipeline, shard, run_id, holder_host, holder_pid, holder_started_at, holder_backend_pid)
       values ('p', 0, $1, 'here', 1, now(), 1)`,
      [run.source.runId],
    );
  const append = async (run: WatchedRun, name: string, bytes: Buffer) => {
    await appendFile(directory.at(name), bytes);
    const time = run.source.clock.now() / 1000;
    await utimes(directory.at(name), time, time);
  };

  it("moves no position for what a checkpoint does not hold, though the runner finalizes with it", async () => {
    await database.session.query("truncate source_files, read_ranges, ledger, pipelines");
    const run = start();
    await addRun(run);
    const position = async () => {
      await run.source.transact(settleAndAdvance);
      const [row] = await database.session.query<{ byte_offset: number }>(
        "select byte_offset from source_files",
      );
      return row!.byte_offset;
    };
    await append(run, "a.csv", Buffer.from("text,n\nx,1\n"));
    await run.step();
    await run.read(new Choice(seed));
    // the checkpoint that is complete now had begun before: nothing that came of the range is in it
    await run.checkpoint();
    expect(await position()).to.equal(0);
    await run.step();
    await run.checkpoint();
    expect(await position()).to.equal(0);
    await run.step();
    await run.checkpoint();
    expect(await position()).to.equal("text,n\nx,1\n".length);
  });

  it("hands out each record once, over growth byte by byte, restarts from the last checkpoint, and quiet", async () => {
    for (let round = 0; round < 6; round++) {
      const choice = new Choice(seed + round);
      await database.session.query("truncate source_files, read_ranges, ledger, pipelines");
      const run = start();
      await addRun(run);
      const left = new Map(
        ["a.csv", "b.csv", "c.csv", "d.csv.gz"].map((name) => {
          const text = randomCsv(choice);
          return [name, name.endsWith(".gz") ? gzipSync(text) : Buffer.from(text)] as const;
        }),
      );
      let checkpoint = await run.checkpoint();
      while ([...left.values()].some((bytes) => bytes.length > 0)) {
        for (const [name, bytes] of left) {
          const count = choice.between(0, 400);
          await append(run, name, bytes.subarray(0, count));
          left.set(name, bytes.subarray(count));
        }
        await run.step();
        if (choice.isHit(0.6)) await run.read(choice);
        if (choice.isHit(0.3)) checkpoint = await run.checkpoint();
        if (choice.isHit(0.3)) await run.restart(checkpoint);
        if (choice.isHit(0.2)) await run.source.transact(settleAndAdvance);
      }
      run.source.clock.advance(QUIET_MS + 1);
      for (let idle = 0; idle < 3; ) idle = (await run.step()) === 0 ? idle + 1 : 0;
      await run.read(choice);
      // positions follow at the third checkpoint behind the reading
      for (let beats = 0; beats < 3; beats++) {
        await run.step();
        await run.checkpoint();
      }
      const own = directory.host({ format: FORMAT, quietMs: 0 }, { mode: "available-now" });
      await own.runToEnd();
      expect(byPlace([...run.seen.values()]), `round ${round}`).to.deep.equal(byPlace(own.committed));
      const counted = Object.values(await run.source.ledger()).reduce((sum, count) => sum + count, 0);
      expect(counted, `round ${round}`).to.equal(own.committed.length);
      await run.source.transact(settleAndAdvance);
      const ends = await database.session.query<{ path: string; byte_offset: number }>(
        "select path, byte_offset from source_files where byte_offset > 0 order by path",
      );
      expect(ends, `round ${round}`).to.deep.equal(
        [...own.positions.files.values()]
          .filter(({ byteOffset }) => byteOffset > 0)
          .map(({ path, byteOffset }) => ({ path, byte_offset: byteOffset }))
          .sort((a, b) => (a.path < b.path ? -1 : 1)),
      );
      await directory.remove();
      directory = await SourceDirectory.create();
    }
  });

  const LINES = "text,n\n" + "one,2026-01-01T00:00:10Z\n" + "two,2026-01-01T00:00:20Z\n";

  it("hands out nothing more while 50,000 files that it has handed out are not committed, and says so", async () => {
    await database.session.query("truncate source_files, read_ranges, ledger, pipelines");
    const run = start();
    await append(run, "a.csv", Buffer.from("text,n\nx,1\n"));
    const WARNING = "files handed out are not committed: waiting before more are";
    const handedOut = (count: number): WatchState => ({
      ...NOTHING_HANDED_OUT,
      files: Array.from({ length: count }, (_, i) => doneFile(1_000_000 + i)),
    });
    run.state = handedOut(50_000);
    expect(await run.step()).to.equal(0);
    expect(await run.step()).to.equal(0);
    expect(run.source.logs.filter((line) => line === WARNING)).to.have.length(1);
    await run.restart({ state: handedOut(49_999), watermarkMs: MIN_TIMESTAMP_MS, waiting: [] });
    expect(await run.step()).to.equal(1);
    expect(run.source.logs.filter((line) => line === WARNING)).to.have.length(1);
  });

  it("emits nothing that the host has split off, and hands it out from what is left", async () => {
    await directory.writeAged("a.csv", LINES, 1000);
    const run = start();
    const fn = await run.source.watcher();
    const tracker = fn.createTracker(NOTHING_HANDED_OUT);
    const { residual } = tracker.trySplit(0)!;
    expect(residual).to.deep.equal(NOTHING_HANDED_OUT);
    const outputs: unknown[] = [];
    const context = { output: (range: unknown) => outputs.push(range) };
    await fn.process(null, tracker, {
      ...context,
      watermarkEstimator: fn.createWatermarkEstimator!(0),
    } as never);
    expect(outputs).to.deep.equal([]);
    expect(await run.step()).to.equal(1);
    await run.read(new Choice(1));
    expect([...run.seen.values()].map(({ text }) => text)).to.deep.equal(["one", "two"]);
  });

  it("has the event time of the last record handed out for its watermark, less the disorder allowed", async () => {
    await directory.writeAged("a.csv", LINES, 1000);
    const run = start({ outOfOrdernessMs: 5_000 });
    await run.step();
    expect(new Date(run.watermarkMs).toISOString()).to.equal("2026-01-01T00:00:15.000Z");
    await run.restart({ state: run.state, watermarkMs: run.watermarkMs, waiting: [] });
    await append(run, "a.csv", Buffer.from("old,2025-01-01T00:00:00Z\n"));
    expect(await run.step()).to.equal(1);
    expect(new Date(run.watermarkMs).toISOString()).to.equal("2026-01-01T00:00:15.000Z");
  });

  it("follows a renamed file and reads a rewritten one anew, also on a worker that has just started", async () => {
    await directory.writeAged("a.csv", LINES, 1000);
    await directory.writeAged("b.csv", LINES, 1000);
    const run = start();
    await run.step();
    await run.read(new Choice(1));
    await run.restart({ ...(await run.checkpoint()), waiting: [] });
    await rename(directory.at("a.csv"), directory.at("c.csv"));
    await append(run, "c.csv", Buffer.from("three,\n"));
    await directory.writeAged("b.csv", LINES.replace("one", "ONE"), 500);
    for (let idle = 0; idle < 3; ) idle = (await run.step()) === 0 ? idle + 1 : 0;
    await run.read(new Choice(1));
    const texts = [...run.seen.values()].map(({ path, generation, text }) => `${path} ${generation} ${text}`);
    expect(texts.sort()).to.deep.equal([
      "a.csv 0 one",
      "a.csv 0 two",
      "b.csv 0 one",
      "b.csv 0 two",
      "b.csv 1 ONE",
      "b.csv 1 two",
      "c.csv 0 three",
    ]);
    const rows = await database.session.query("select path, generation from source_files order by path");
    expect(rows).to.deep.equal([
      { path: "b.csv", generation: 1 },
      { path: "c.csv", generation: 0 },
    ]);
  });
});

/** A file that was read to its end, as a restriction has it. */
function doneFile(fileId: number): WatchState["files"][number] {
  const place = { byte_offset: 8, line: 2, raw_offset: 8, ended_at_byte: null, ended_at_line: null };
  const content = { inode: String(fileId), size: 8, mtime_ns: "0", head_hash: "", tail_hash: "" };
  return {
    file_id: fileId,
    path: `${fileId}.csv`,
    generation: 0,
    header: null,
    state: "done",
    ...place,
    ...content,
  };
}
