/** SinkLog and the readers of the log: what is read back are the bytes that were written, in order, however large. */
import { expect } from "chai";
import { CopyRows } from "../../sql/copy-text.js";
import {
  type EpochMark,
  readBatch,
  readEntries,
  readLogged,
  removeConfirmed,
  SinkLog,
  type SinkTarget,
} from "../../sql/sink-outbox.js";
import type { SqlTransaction } from "../../sql/sql-session.js";
import { type MigratedDatabase, migratedDatabase } from "../support/migrated-database.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";

const KEY = { pipeline: "p", shard: 0 };
const [RUN, NEXT_RUN] = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];
const TARGET: SinkTarget = { table: "t", columns: ["a", "b"], operations: ["insert-once", "upsert"] };

describe("SinkLog", () => {
  const seed = chooseSeed();
  const choice = new Choice(seed);
  let database: MigratedDatabase;
  beforeEach(async () => {
    database = await migratedDatabase();
  });
  afterEach(() => database.close());

  const batchOf = (rows: number, bytes: number) => {
    const copied = new CopyRows();
    for (let row = 0; row < rows; row++) {
      // of letters that compress badly
      const text = Array.from({ length: bytes / 8 }, () => choice.between(0, 0x7fffffff).toString(36)).join(
        "",
      );
      copied.push(`i\t${text.slice(0, bytes)}\té\\t\\\\`);
    }
    return copied;
  };
  const commit = async (log: SinkLog, mark: EpochMark, batches: readonly CopyRows[]) => {
    const { session } = database;
    await session.begin();
    const transaction: SqlTransaction & EpochMark = {
      ...mark,
      query: (text, values) => session.query(text, values),
      execute: (text, values) => session.execute(text, values),
      copy: (text, chunks) => session.copy(text, chunks),
    };
    for (const batch of batches) await log.write(transaction, batch, new Set(["insert-once"]));
    await session.commit();
  };
  const log = (step = "Write") => new SinkLog({ key: KEY, step, database: "reports", target: TARGET });

  it(`gives back each batch byte for byte, in parts where it is large (MILLRACE_SEED=${seed})`, async () => {
    const batches = [batchOf(1, 8), batchOf(3_000, 4_000), batchOf(500, 80)];
    await commit(log(), { epoch: 1, runId: RUN }, batches);
    const [entry] = await readEntries(database.session, KEY, "reports", 1);
    expect(entry).to.deep.include({ step: "Write", epoch: 1, runId: RUN, batches: 3, target: TARGET });
    for (const [number, written] of batches.entries()) {
      const read = await readBatch(database.session, KEY, entry!, number);
      expect(read!.rows.all().equals(written.all()), `batch ${number}`).to.equal(true);
      expect(read!.rows.length).to.equal(written.length);
      expect([...read!.operations]).to.deep.equal(["insert-once"]);
      const [from, to] = [Math.floor(written.length / 3), written.length];
      const chunksOf = (rows: CopyRows) => Buffer.concat([...rows.chunks(from, to)]);
      expect(chunksOf(read!.rows).equals(chunksOf(written)), `half of batch ${number}`).to.equal(true);
      expect(read!.rows.fieldsOf(to - 1, 2).equals(written.fieldsOf(to - 1, 2))).to.equal(true);
    }
    const parts = await database.session.query(
      "select batch, count(*)::int as parts, max(octet_length(bytes)) <= 4194304 as fit from sink_outbox group by 1 order by 1",
    );
    expect(parts.map(({ fit }) => fit)).to.deep.equal([true, true, true]);
    expect(parts[1]!["parts"]).to.be.above(1);
  });

  it("chains the epochs of a step, over runs and over epochs without rows, and each step for itself", async () => {
    await commit(log(), { epoch: 2, runId: RUN }, [batchOf(1, 8)]);
    await commit(log("Other"), { epoch: 3, runId: RUN }, [batchOf(1, 8)]);
    await commit(log(), { epoch: 7, runId: NEXT_RUN }, [batchOf(1, 8), batchOf(1, 8)]);
    const entries = [];
    for (const epoch of [2, 3, 7])
      entries.push(...(await readEntries(database.session, KEY, "reports", epoch)));
    expect(entries.map(({ step, after }) => [step, after])).to.deep.equal([
      ["Write", undefined],
      ["Other", undefined],
      ["Write", { epoch: 2, runId: RUN }],
    ]);
    expect(entries[0]?.chain).to.equal(entries[2]?.chain).and.not.equal(entries[1]?.chain);
    expect((await readLogged(database.session, KEY)).map(({ epoch }) => epoch)).to.deep.equal([2, 3, 7]);
    await removeConfirmed(database.session, KEY, "reports", 3);
    expect((await readLogged(database.session, KEY)).map(({ epoch }) => epoch)).to.deep.equal([7]);
    await removeConfirmed(database.session, KEY, "elsewhere", 7);
    expect(await readBatch(database.session, KEY, { epoch: 7, step: "Write" }, 1)).to.not.equal(undefined);
    expect(await readBatch(database.session, KEY, { epoch: 7, step: "Write" }, 2)).to.equal(undefined);
  });
});
