/** writeDeadLetters() where bundles may repeat, and publishDeadLetters(), which makes the file afterwards. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { Element } from "../../runners/engine/element.js";
import { insertCommit } from "../../sql/commits.js";
import { insertNewConflicts } from "../../sql/conflicts.js";
import type { SqlSession } from "../../sql/sql-session.js";
import { sqlStateOf } from "../../sql/sql-state.js";
import type { DeadLetter } from "../../transforms/input-record.js";
import type { EpochTransaction } from "../../transforms/primitives/do-fn.js";
import { publishDeadLetters, recoverDeadLetters } from "../../transforms/publish-dead-letters.js";
import { element, failureOf } from "../runners/bundle/stages.js";
import { type MigratedDatabase, migratedDatabase } from "../support/migrated-database.js";
import { FILE, originAt, PIPELINE, RUN_ID, SinkWorker } from "../support/sink-worker.js";

describe("dead letters where bundles may repeat", () => {
  let database: MigratedDatabase;
  let session: SqlSession;
  let errorDir: string;
  beforeEach(async () => {
    database = await migratedDatabase();
    session = database.session;
    errorDir = await mkdtemp(join(tmpdir(), "millrace-letters-"));
  });
  afterEach(async () => {
    await database.close();
    await rm(errorDir, { recursive: true });
  });

  const worker = async (bundlesMayRepeat = true, epoch = 1) =>
    SinkWorker.letters({ session: await database.connect(), bundlesMayRepeat, errorDir, epoch });
  const letterAt = (at: number, changes: Partial<DeadLetter> = {}): Element =>
    element({ record: originAt(at), problem: { reason: "r", messages: [`at ${at}`] }, ...changes });
  const letters = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, n) => letterAt(from + n));
  const ledger = () => session.query("select file_id, dead_letters from ledger order by file_id");
  const count = async () =>
    (await session.query<{ n: number }>("select count(*)::int as n from dead_letters"))[0]!.n;
  const files = async () => (await readdir(errorDir, { recursive: true })).sort();

  /** The transaction in which a client ends its run. */
  async function endRun(
    epoch: number,
    work: (transaction: EpochTransaction) => Promise<void>,
  ): Promise<void> {
    await session.begin();
    const transaction = {
      ...{ epoch, runId: RUN_ID },
      query: session.query.bind(session),
      execute: session.execute.bind(session),
      copy: session.copy.bind(session),
    } as EpochTransaction;
    await work(transaction);
  }
  const commitEpoch = async (transaction: EpochTransaction) => {
    const counts = { recordsRead: 0, eventsWritten: 0, duplicates: 0, conflicts: 0, deadLetters: 0 };
    const { epoch, runId } = transaction;
    await insertCommit(transaction, { ...counts, pipeline: PIPELINE, shard: 0, epoch, runId });
    await session.commit();
  };

  it("writes and counts a letter once, however often it comes, and no file", async () => {
    const one = await worker();
    await one.commit(letters(0, 5));
    await one.commit(letters(0, 5));
    await (await worker()).commit(letters(3, 7));
    expect(await count()).to.equal(7);
    expect(await ledger()).to.deep.equal([{ file_id: 1, dead_letters: { r: 7 } }]);
    expect(await files()).to.deep.equal([]);
  });

  it("counts each letter once when two attempts at a bundle write beside each other", async () => {
    const attempts = [await worker(), await worker(), await worker()];
    await Promise.all(attempts.map((one) => one.commit(letters(0, 200))));
    expect(await count()).to.equal(200);
    expect(await ledger()).to.deep.equal([{ file_id: 1, dead_letters: { r: 200 } }]);
  });

  it("counts by file and reason", async () => {
    const other = { ...FILE, fileId: 2, path: "other.csv" };
    const given = [
      letterAt(0),
      letterAt(1, { problem: { reason: "s", messages: [] } }),
      letterAt(0, { record: originAt(0, other) }),
      letterAt(0, { record: originAt(0, { ...other, generation: 1 }) }),
    ];
    await (await worker()).commit([...given, ...given]);
    expect(await ledger()).to.deep.equal([
      { file_id: 1, dead_letters: { r: 1, s: 1 } },
      { file_id: 2, dead_letters: { r: 2 } },
    ]);
  });

  it("leaves a record out that is a conflict already", async () => {
    const place = { fileId: 1, generation: 0, line: 3, byteStart: 10, byteEnd: 20 };
    expect(await insertNewConflicts(session, PIPELINE, 1, [place, place])).to.deep.equal([
      { fileId: 1, count: 1 },
    ]);
    await (await worker()).commit(letters(0, 3));
    expect(await ledger()).to.deep.equal([{ file_id: 1, dead_letters: { r: 2 } }]);
    const of = (byteStart: number) => ({ ...place, byteStart });
    const counts = await insertNewConflicts(session, PIPELINE, 1, [of(0), of(10), of(20), of(50)]);
    expect(counts).to.deep.equal([{ fileId: 1, count: 1 }]);
  });

  it("does not keep a large bundle's letters to its end", async () => {
    const bundle = await (await worker()).commit(letters(0, 2_500));
    expect(bundle.statements.filter((text) => text === "with inserted")).to.have.length(3);
    expect(await count()).to.equal(2_500);
    expect(await ledger()).to.deep.equal([{ file_id: 1, dead_letters: { r: 2_500 } }]);
  });

  it("takes a second letter at one place for a bug where bundles do not repeat", async () => {
    const one = await worker(false);
    await one.commit([letterAt(1)]);
    const failure = await failureOf(one.run([letterAt(1)]));
    expect(sqlStateOf(failure)).to.equal("23505");
    expect(await files()).to.deep.equal([".pending", `${PIPELINE}-1.ndjson`]);
  });

  it("publishDeadLetters() writes the lines that the direct runner writes", async () => {
    const raws = [Buffer.from("a,b\n"), Buffer.from([0, 255, 10]), Buffer.from('é"\\'), Buffer.alloc(0)];
    const messages = ["a\nb\u0000\u001b", "x".repeat(300), "\ud800 half", "é\u2028"];
    const given = raws.map((raw, at) =>
      element({
        record: originAt(at, { ...FILE, path: "sub folder/é.csv" }, raw),
        problem: { reason: `reason_${at}`, messages: messages.slice(0, at + 1) },
      }),
    );
    await (await worker(false)).commit(given);
    const file = join(errorDir, `${PIPELINE}-1.ndjson`);
    const expected = await readFile(file, "utf8");
    await rm(file);
    await session.query("truncate dead_letters");
    await (await worker()).commit(given.toReversed());
    await endRun(1, async (transaction) => {
      const publish = await publishDeadLetters(transaction, { pipeline: PIPELINE, errorDir });
      expect(await files()).to.deep.equal([".pending", `.pending/${PIPELINE}-1-${RUN_ID}.ndjson`]);
      await commitEpoch(transaction);
      await publish();
    });
    expect(await files()).to.deep.equal([".pending", `${PIPELINE}-1.ndjson`]);
    expect(await readFile(file, "utf8")).to.equal(expected);
  });

  it("publishDeadLetters() takes the letters of its epoch and pipeline only, and writes no file without any", async () => {
    await (await worker(true, 1)).commit(letters(0, 3));
    await (await worker(true, 3)).commit(letters(3, 5));
    await session.query(
      `insert into dead_letters (pipeline, epoch, file_id, generation, source_file, line, byte_start, byte_end, reason, messages, raw)
      values ('another', 3, 1, 0, 'a', 1, 0, 1, 'r', '[]', '')`,
    );
    for (const epoch of [2, 3]) {
      await endRun(epoch, async (transaction) => {
        const publish = await publishDeadLetters(transaction, { pipeline: PIPELINE, errorDir });
        await commitEpoch(transaction);
        await publish();
      });
    }
    expect((await files()).filter((name) => name !== ".pending")).to.deep.equal([`${PIPELINE}-3.ndjson`]);
    const lines = (await readFile(join(errorDir, `${PIPELINE}-3.ndjson`), "utf8")).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).messages)).to.deep.equal([["at 3"], ["at 4"]]);
  });

  it("recoverDeadLetters() publishes what was committed, and removes what was not", async () => {
    await (await worker()).commit(letters(0, 3));
    await endRun(1, async (transaction) => {
      await publishDeadLetters(transaction, { pipeline: PIPELINE, errorDir });
      await session.query("rollback");
    });
    await recoverDeadLetters(session, { pipeline: PIPELINE, errorDir });
    expect(await files()).to.deep.equal([".pending"]);
    // The next run writes what else there is; the epoch is still open.
    await (await worker()).commit(letters(2, 5));
    await endRun(1, async (transaction) => {
      await publishDeadLetters(transaction, { pipeline: PIPELINE, errorDir });
      await commitEpoch(transaction);
    });
    await recoverDeadLetters(session, { pipeline: PIPELINE, errorDir });
    expect(await files()).to.deep.equal([".pending", `${PIPELINE}-1.ndjson`]);
    const text = await readFile(join(errorDir, `${PIPELINE}-1.ndjson`), "utf8");
    expect(text.split("\n")).to.have.length(6);
  });

  it("publishDeadLetters() holds a small part of many letters in memory", async () => {
    await session.query(
      `insert into dead_letters (pipeline, epoch, file_id, generation, source_file, line, byte_start, byte_end, reason, messages, raw)
      select $1, 1, 1, 0, 'a.csv', n, n * 1000, n * 1000 + 1000, 'r', '["m"]',
        convert_to(repeat('x', case when n % 100 = 0 then 1000000 else 100 end), 'UTF8')
      from generate_series(1, 6000) n`,
      [PIPELINE],
    );
    const parts: number[] = [];
    await endRun(1, async (transaction) => {
      const watched: EpochTransaction = {
        ...transaction,
        query: async <Row>(text: string, values?: readonly unknown[]) => {
          const rows = await transaction.query<Row>(text, values);
          parts.push(rows.reduce((sum, row) => sum + (row as { raw: Buffer }).raw.length, 0));
          return rows;
        },
      } as EpochTransaction;
      const publish = await publishDeadLetters(watched, { pipeline: PIPELINE, errorDir });
      await commitEpoch(transaction);
      await publish();
    });
    const text = await readFile(join(errorDir, `${PIPELINE}-1.ndjson`), "utf8");
    const places = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).line);
    expect(places).to.deep.equal(Array.from({ length: 6_000 }, (_, n) => n + 1));
    expect(text.length).to.be.greaterThan(60_000_000);
    expect(Math.max(...parts), "bytes of records read at once").to.be.lessThan(12_000_000);
    expect(parts.length, "statements").to.be.lessThan(60);
  });
});
