/** The distributed source reads exactly what the direct one reads, and leaves the same positions. */
import { appendFile, readdir, rename, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { csvFormat } from "../../transforms/csv-format.js";
import type { ReadFromDirectoryConfig } from "../../transforms/read-from-directory/read-from-directory-config.js";
import type { StoredFile } from "../../transforms/read-from-directory/source-positions.js";
import { storedPositions } from "../../transforms/read-from-directory/stored-positions.js";
import { byPlace, DistributedSource } from "../support/distributed-source.js";
import { type MigratedDatabase, migratedDatabase } from "../support/migrated-database.js";
import { randomCsv } from "../support/random-csv.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";
import { SourceDirectory } from "../support/source-directory.js";

type Config = ReadFromDirectoryConfig;
const seed = chooseSeed();
const FORMAT = csvFormat({
  columns: ["text", "n"],
  recordBytesMax: 300,
  timestampColumn: "n",
}) as Config["format"];

describe(`distributed source (MILLRACE_SEED=${seed})`, () => {
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

  const source = (config: Partial<Config> = {}) => {
    const all = { directory: directory.root, format: FORMAT, rangeBytesMax: 100, ...config };
    return new DistributedSource({ session: database.session, config: all });
  };
  const direct = (config: Partial<Config> = {}) =>
    directory.host({ format: FORMAT, ...config }, { mode: "available-now" });
  /** The positions of all files, without ids. */
  const stored = async () => {
    const files: Record<string, object> = {};
    for (const state of ["reading", "ended", "done", "corrupt"]) {
      const paths = await database.session.query<{ path: string }>(
        "select path from source_files where state = $1",
        [state],
      );
      const found = await storedPositions(database.session, "p").findByPath(paths.map(({ path }) => path));
      for (const { fileId: _, ...file } of found)
        files[file.path] = { ...file, mtimeNs: String(file.mtimeNs) };
    }
    return files;
  };
  const withoutIds = (files: Iterable<StoredFile>) =>
    Object.fromEntries(
      [...files].map(({ fileId: _, ...file }) => [file.path, { ...file, mtimeNs: String(file.mtimeNs) }]),
    );
  const runOnce = async (run: number, choice: Choice, config: Partial<Config> = {}) => {
    const distributed = source(config);
    const plan = await distributed.plan(run);
    const ranges = choice.shuffled(await distributed.ranges());
    const seen = [];
    for (let i = 0; i < ranges.length; i += 3) seen.push(...(await distributed.read(ranges.slice(i, i + 3))));
    await distributed.transact((transaction) => plan.commit(transaction));
    return { seen, ranges, plan, distributed };
  };

  it("gives the records and positions of the direct source, cut at every 100 bytes, over growth", async () => {
    const choice = new Choice(seed);
    for (let round = 0; round < 12; round++) {
      await database.session.query("truncate source_files, planned_files, read_ranges, ledger");
      const own = direct();
      const names = Array.from({ length: 4 }, (_, i) => `${round}-${i}.csv${i === 3 ? ".gz" : ""}`);
      const bytes = (name: string, text: string) =>
        name.endsWith(".gz") ? gzipSync(text) : Buffer.from(text);
      for (const name of names) await directory.writeAged(name, bytes(name, randomCsv(choice)), 60_000);
      let cuts = 0;
      for (let run = 1; run <= 3; run++) {
        await own.restart();
        const before = own.committed.length;
        await own.runToEnd();
        const { seen, ranges } = await runOnce(run, choice);
        cuts += ranges.length;
        expect(byPlace(seen), `round ${round}, run ${run}`).to.deep.equal(
          byPlace(own.committed.slice(before)),
        );
        expect(await stored(), `round ${round}, run ${run}`).to.deep.equal(
          withoutIds(own.positions.files.values()),
        );
        for (const name of names) {
          if (choice.isHit(0.3)) continue;
          const more = choice.of(["\n", "", "x", 'y"z', "a,b\n", randomCsv(choice)]);
          const part = bytes(name, more);
          await appendFile(directory.at(name), choice.isHit(0.2) ? part.subarray(0, part.length / 2) : part);
          const time = Date.now() / 1000 - 30 + run;
          await utimes(directory.at(name), time, time);
        }
      }
      const counts = await source().ledger();
      const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
      expect(total, `round ${round}`).to.equal(own.committed.length);
      expect(cuts).to.be.greaterThan(names.length);
      await directory.remove();
      directory = await SourceDirectory.create();
    }
  });

  const LINE = `text,n\n${Array.from({ length: 40 }, (_, i) => `line ${i},1\n`).join("")}`;

  it("counts each record once, however often and in whatever order its ranges are read", async () => {
    await directory.writeAged("a.csv", LINE, 60_000);
    const distributed = source();
    const plan = await distributed.plan(1);
    const ranges = await distributed.ranges();
    expect(ranges.length).to.equal(4);
    expect(await distributed.ranges()).to.deep.equal(ranges);
    const first = await distributed.read(ranges);
    const again = await distributed.read([...ranges.slice(2), ...ranges.slice(0, 2)]);
    expect(first.length).to.equal(40);
    expect(byPlace(again)).to.deep.equal(byPlace(first));
    await distributed.read(ranges.slice(1, 2));
    expect(await distributed.ledger()).to.deep.equal({ "a.csv": 40 });
    await distributed.transact((transaction) => plan.commit(transaction));
    expect((await stored())["a.csv"]).to.have.property("byteOffset", LINE.length);
  });

  it("commit() names the file and the bytes that were not read, and moves nothing", async () => {
    await directory.writeAged("a.csv", LINE, 60_000);
    const distributed = source();
    const plan = await distributed.plan(1);
    const ranges = await distributed.ranges();
    await distributed.read([...ranges.slice(0, 2), ...ranges.slice(3)]);
    await distributed.read(ranges.slice(2, 3), true);
    const error = await distributed
      .transact((transaction) => plan.commit(transaction))
      .catch((thrown: Error) => thrown);
    const missing = ranges[2]!.start.byteOffset;
    expect(error).to.have.property(
      "message",
      `file "a.csv" (id ${ranges[0]!.file.file_id}) was planned and not read: no range begins at byte ${missing} of 0-${LINE.length}`,
    );
    expect((await stored())["a.csv"]).to.have.property("byteOffset", 0);
  });

  it("plan() after a failed run gives the same file ids, and what that run read counts once", async () => {
    await directory.writeAged("a.csv", LINE, 60_000);
    const failed = source();
    await failed.plan(1);
    const before = await failed.ranges();
    await failed.read(before.slice(0, 3));
    expect((await failed.ledger())["a.csv"]).to.be.within(20, 39);
    const { ranges } = await runOnce(2, new Choice(1));
    expect(new Set(ranges.map(({ file }) => file.file_id))).to.deep.equal(new Set([before[0]!.file.file_id]));
    expect(await failed.ledger()).to.deep.equal({ "a.csv": 40 });
    const { plan } = await runOnce(3, new Choice(1));
    expect(plan.isEmpty).to.equal(true);
    expect(await failed.ledger()).to.deep.equal({ "a.csv": 40 });
  });

  it("plan() begins a new generation where a file was rewritten since a failed run planned it", async () => {
    await directory.writeAged("a.csv", LINE, 60_000);
    const failed = source();
    await failed.plan(1);
    await failed.read(await failed.ranges());
    await directory.writeAged("a.csv", LINE.replaceAll("line", "LINE"), 60_000);
    const { seen } = await runOnce(2, new Choice(1));
    expect(new Set(seen.map(({ generation }) => generation))).to.deep.equal(new Set([1]));
    expect(seen.length).to.equal(40);
  });

  it("reads no further than was planned, and the rest in the next run", async () => {
    await directory.writeAged("a.csv", LINE, 60_000);
    const distributed = source();
    const plan = await distributed.plan(1);
    await appendFile(directory.at("a.csv"), "more,1\n");
    const seen = await distributed.read(await distributed.ranges());
    await distributed.transact((transaction) => plan.commit(transaction));
    expect(seen.map(({ text }) => text)).not.to.include("more");
    await utimes(directory.at("a.csv"), 1, 1);
    const next = await runOnce(2, new Choice(1));
    expect(next.seen.map(({ text, line }) => `${line} ${text}`)).to.deep.equal(["42 more"]);
  });

  it("fails with the file's name when it was replaced, cut or rewritten after it was planned", async () => {
    const outcomes: string[] = [];
    const troubles: [string, () => Promise<void>][] = [
      ["replaced", () => rename(directory.at("other"), directory.at("a.csv"))],
      ["cut", () => truncate(directory.at("a.csv"), 100)],
      ["rewritten", () => writeFile(directory.at("a.csv"), LINE.replace("line 39", "LINE 39"))],
      ["gone", () => rm(directory.at("a.csv"))],
    ];
    for (const [i, [name, trouble]] of troubles.entries()) {
      await writeFile(directory.at("other"), LINE);
      await directory.writeAged("a.csv", LINE, 60_000);
      const distributed = source();
      await distributed.plan(i + 1);
      const ranges = await distributed.ranges();
      await trouble();
      const error = await distributed.read(ranges.slice(-1)).catch((thrown: Error) => thrown);
      await database.session.query("rollback");
      outcomes.push(`${name}: ${error instanceof Error ? error.message.replace(/[0-9]+/g, "N") : "read"}`);
    }
    const file = 'file "a.csv" (id N, bytes N-N)';
    expect(outcomes).to.deep.equal([
      `replaced: ${file} was replaced after it was planned: its inode was N, now it is N`,
      `cut: ${file} shrank after it was planned: from N bytes to N`,
      `rewritten: ${file} was rewritten after it was planned: its first or last bytes before N differ`,
      `gone: ${file} cannot be opened any more (ENOENT)`,
    ]);
  });

  it("finish() archives what is committed as done, and leaves what has grown", async () => {
    const archiveDirectory = join(directory.root, "archive");
    await directory.writeAged("a.csv", LINE, 60_000);
    await directory.writeAged("b.csv", LINE, 60_000);
    const { plan, distributed } = await runOnce(1, new Choice(1), { whenDone: "archive", archiveDirectory });
    await appendFile(directory.at("b.csv"), "more,1\n");
    await plan.finish((work) => distributed.transact(work));
    expect(await readdir(archiveDirectory)).to.deep.equal(["a.csv"]);
    expect((await readdir(directory.root)).sort()).to.deep.equal(["archive", "b.csv"]);
    const states = await database.session.query("select path, state from source_files order by path");
    expect(states).to.deep.equal([
      { path: "a.csv", state: "archived" },
      { path: "b.csv", state: "done" },
    ]);
    const next = await runOnce(2, new Choice(1), { whenDone: "archive", archiveDirectory, quietMs: 0 });
    expect(next.seen.map(({ text }) => text)).to.deep.equal(["more"]);
  });

  it("plan() waits for a last line without line end until the file is quiet", async () => {
    await writeFile(directory.at("a.csv"), "text,n\nwhole,1\ntail,1");
    const distributed = source({ quietMs: 500 });
    const startMs = distributed.clock.monotonicMs();
    const plan = await distributed.plan(1);
    expect(distributed.clock.monotonicMs() - startMs).to.be.within(1, 1000);
    const seen = await distributed.read(await distributed.ranges());
    await distributed.transact((transaction) => plan.commit(transaction));
    expect(seen.map(({ text }) => text)).to.deep.equal(["whole", "tail"]);
    expect((await stored())["a.csv"]).to.have.property("endedAtByte", 21);
  });
});
