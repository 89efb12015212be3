/** State in PostgreSQL: deltas, snapshots that take their place, and what a start reads of them. */
import { randomUUID } from "node:crypto";
import { promisify } from "node:util";
import { deflateRaw } from "node:zlib";
import { expect } from "chai";
import type { EpochState } from "../../../runners/direct/epoch.js";
import { StoredState } from "../../../runners/direct/stored-state.js";
import { packDelta } from "../../../runners/engine/durable/delta-format.js";
import { recordKey, recordNameOf, type StateDelta } from "../../../runners/engine/durable/state-record.js";
import { migrate } from "../../../sql/migrate.js";
import { SqlSession } from "../../../sql/sql-session.js";
import type { EpochTransaction } from "../../../transforms/primitives/do-fn.js";
import { type FreshDatabase, freshDatabase } from "../../support/postgres.js";

const KEY = { pipeline: "kept", shard: 0 };

/** State that is its records alone. */
class RecordsOfTest implements EpochState {
  readonly hasChanges = true;
  readonly #all = new Map<string, Uint8Array>();
  #delta: { puts: { key: string; value: Uint8Array }[]; removed: string[] } = { puts: [], removed: [] };

  put(owner: string, value: Uint8Array): this {
    const key = recordKey("test", owner);
    this.#all.set(key, value);
    this.#delta.puts.push({ key, value });
    return this;
  }
  remove(owner: string): this {
    const key = recordKey("test", owner);
    this.#all.delete(key);
    this.#delta.removed.push(key);
    return this;
  }
  takeDelta(): StateDelta {
    const delta = this.#delta;
    this.#delta = { puts: [], removed: [] };
    return delta;
  }
  takeSnapshot() {
    this.takeDelta();
    return Array.from(this.#all, ([key, value]) => ({ key, value }));
  }
}

const bytes = (text: string) => new Uint8Array(Buffer.from(text));

describe("StoredState", () => {
  let database: FreshDatabase;
  let session: SqlSession;
  beforeEach(async () => {
    database = await freshDatabase();
    session = await SqlSession.connect({ connection: database.connection, applicationName: "test" });
    await migrate(session, { info: () => undefined });
  });
  afterEach(async () => {
    await session.close();
    await database.drop();
  });

  const transaction = (epoch: number): EpochTransaction => ({
    ...{ epoch, runId: randomUUID() },
    query: (text, values) => session.query(text, values),
    execute: (text, values) => session.execute(text, values),
    copy: (statement, chunks) => session.copy(statement, chunks),
  });
  const textsOf = (records: Iterable<{ key: string; value: Uint8Array }>) =>
    Object.fromEntries(
      Array.from(records, ({ key, value }) => [recordNameOf(key).owner, Buffer.from(value).toString()]),
    );
  const epochsOf = async (table: string) =>
    (await session.query<{ epoch: number }>(`select epoch from ${table} order by epoch, chunk`)).map(
      ({ epoch }) => epoch,
    );

  it("gives back the deltas of all epochs together", async () => {
    const { storage: stored, records } = await StoredState.load(session, KEY);
    expect([...records]).to.deep.equal([]);
    const state = new RecordsOfTest().put("a", bytes("1")).put("b", bytes("2"));
    await stored.save(transaction(1), state);
    await stored.save(transaction(4), state.put("a", bytes("3")).remove("b"));
    await stored.save(transaction(5), state.put("c", bytes("4")));
    expect(textsOf((await StoredState.load(session, KEY)).records)).to.deep.equal({ a: "3", c: "4" });
    const other = { pipeline: "other", shard: 0 };
    expect((await StoredState.load(session, other)).first).to.equal(undefined);
  });

  it("takes a snapshot every so many epochs, and keeps nothing that came before it", async () => {
    const { storage: stored } = await StoredState.load(session, KEY, 3);
    const state = new RecordsOfTest();
    for (let epoch = 1; epoch <= 7; epoch++) {
      await stored.save(transaction(epoch), state.put(`at ${epoch}`, bytes("x")).remove(`at ${epoch - 2}`));
    }
    expect(await epochsOf("state_snapshots")).to.deep.equal([6]);
    expect(await epochsOf("state_deltas")).to.deep.equal([7]);
    const again = await StoredState.load(session, KEY, 3);
    expect(textsOf(again.records)).to.deep.equal({ "at 6": "x", "at 7": "x" });
    await again.storage.save(transaction(8), state);
    await again.storage.save(transaction(9), state);
    expect(await epochsOf("state_snapshots")).to.deep.equal([9]);
    expect(await epochsOf("state_deltas")).to.deep.equal([]);
  });

  it("cuts what is large into rows, and puts them together again", async () => {
    const { storage: stored } = await StoredState.load(session, KEY);
    let seed = 1;
    const noise = Uint8Array.from({ length: 18_000_000 }, () => {
      seed = (Math.imul(seed, 1103515245) + 12345) | 0;
      return seed >>> 16;
    });
    await stored.save(transaction(1), new RecordsOfTest().put("noise", noise));
    expect(await epochsOf("state_deltas")).to.deep.equal([1, 1, 1]);
    const [record] = (await StoredState.load(session, KEY)).records;
    expect(Buffer.from(record!.value).equals(noise)).to.equal(true);
  });

  it("refuses what a program of another format has stored", async () => {
    const packed = packDelta({ puts: [], removed: [] });
    packed[0] = 9;
    const stored = await promisify(deflateRaw)(packed);
    await session.query("insert into state_deltas values ($1, 0, 1, 0, $2, $3)", [
      KEY.pipeline,
      randomUUID(),
      stored,
    ]);
    const error = await StoredState.load(session, KEY).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error?.message).to.match(/^state is stored in format 9, but this program knows format 2: /);
  });
});
