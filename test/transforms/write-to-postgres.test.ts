/** writeToPostgres() where bundles may repeat, and bundles too large to wait for their end. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { readFields } from "../../runners/bundle/do-fn-fields.js";
import type { Element } from "../../runners/engine/element.js";
import type { SqlSession } from "../../sql/sql-session.js";
import { classify, sqlStateOf } from "../../sql/sql-state.js";
import type { DeadLetter } from "../../transforms/input-record.js";
import { IntervalWindow } from "../../transforms/primitives/window.js";
import { WAITING_ROWS_MAX } from "../../transforms/waiting-batches.js";
import { WriteToPostgresFn } from "../../transforms/write-to-postgres-fn.js";
import { element, failureOf } from "../runners/bundle/stages.js";
import { type MigratedDatabase, migratedDatabase } from "../support/migrated-database.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";
import { type SinkBundle, SinkWorker, valueAt } from "../support/sink-worker.js";

const TABLE = { table: "notes", columns: ["id", "note"], conflictKey: ["id"] };

/** A row of the table at a place of the file. */
const row = (at: number, id: string, note: string): Element => valueAt(at, { id, note });

describe("writeToPostgres where bundles may repeat", () => {
  let database: MigratedDatabase;
  let session: SqlSession;
  beforeEach(async () => {
    database = await migratedDatabase();
    session = database.session;
    await session.query("create table notes (id text primary key, note text not null check (note <> 'bad'))");
  });
  afterEach(() => database.close());

  const worker = async (bundlesMayRepeat = true) =>
    SinkWorker.rows(TABLE, { session: await database.connect(), bundlesMayRepeat });
  const notes = () => session.query<{ id: string; note: string }>("select id, note from notes order by id");
  const ledger = async () => {
    const [counts] = await session.query(
      "select records_read, events_written, duplicates, conflicts, dead_letters from ledger",
    );
    return counts;
  };
  const places = async (table: "conflicts" | "dead_letters") =>
    (await session.query<{ at: number }>(`select byte_start / 10 as at from ${table} order by 1`)).map(
      ({ at }) => at,
    );

  /** One of everything: a row, its repeat, a conflict, what the database rejects and then takes. */
  const oneOfAll = [
    row(0, "a", "1"),
    row(1, "a", "1"),
    row(2, "a", "2"),
    row(3, "b", "bad"),
    row(4, "b", "good"),
    row(5, "c", "bad"),
  ];
  const counted = {
    records_read: 0,
    events_written: 2,
    duplicates: 0,
    conflicts: 1,
    dead_letters: { rejected_by_database: 2 },
  };
  async function expectOneOfAll(): Promise<void> {
    expect(await notes()).to.deep.equal([
      { id: "a", note: "1" },
      { id: "b", note: "good" },
    ]);
    expect(await ledger()).to.deep.equal(counted);
    expect(await places("conflicts")).to.deep.equal([2]);
    expect(await places("dead_letters")).to.deep.equal([3, 5]);
  }

  it("writes and counts each row, conflict and rejected row once, however often its bundle comes", async () => {
    const one = await worker();
    for (let attempt = 0; attempt < 3; attempt++) await one.commit(oneOfAll);
    await expectOneOfAll();
    await (await worker()).commit(oneOfAll.slice(2));
    await expectOneOfAll();
  });

  it("keeps what was rejected with the rows, so that it is no conflict when its bundle comes again", async () => {
    const alone = await SinkWorker.rowsAlone(TABLE, { session: await database.connect() });
    const first = await alone.commit(oneOfAll);
    // whoever was to write the letters is killed, and the whole input comes again
    const again = await alone.commit(oneOfAll);
    await expectOneOfAll();
    const placesOf = (bundle: typeof first) =>
      lettersOf(bundle).map(({ record, problem }) => [record.byteStart / 10, problem]);
    expect(placesOf(first).map(([at]) => at)).to.deep.equal([3, 5]);
    expect(placesOf(again), "the output is the same at each attempt").to.deep.equal(placesOf(first));
    const letters = await SinkWorker.letters({ session: await database.connect() });
    await letters.commit(lettersOf(again).map((letter) => element(letter)));
    await expectOneOfAll();
  });

  it("keeps where a conflict is, and the epoch that found it", async () => {
    await (await worker()).commit(oneOfAll);
    expect(
      await session.query(
        "select pipeline, file_id, generation, line, byte_start, byte_end, epoch from conflicts",
      ),
    ).to.deep.equal([
      { pipeline: "sinks", file_id: 1, generation: 0, line: 4, byte_start: 20, byte_end: 30, epoch: 1 },
    ]);
  });

  it("waits for another attempt at the bundle, and counts nothing that this one has committed", async () => {
    const [first, second] = [await worker(), await worker()];
    const ahead = await first.run(oneOfAll);
    const behind = second.run(oneOfAll);
    await untilWaiting(session);
    await ahead.commit();
    await (await behind).commit();
    await expectOneOfAll();
  });

  it("writes and counts all of it when the other attempt is rolled back", async () => {
    const [first, second] = [await worker(), await worker()];
    const ahead = await first.run(oneOfAll);
    const behind = second.run(oneOfAll);
    await untilWaiting(session);
    await ahead.rollback();
    await (await behind).commit();
    await expectOneOfAll();
  });

  it("is exact when two bundles take shared keys in opposite order, and one has to come again", async () => {
    const rows = Array.from({ length: 2 * WAITING_ROWS_MAX }, (_, at) =>
      row(at, `id-${at % WAITING_ROWS_MAX}`, `${at}`),
    );
    // Each bundle goes into its transaction in two parts: one begins with what the other ends with.
    const half = WAITING_ROWS_MAX / 2;
    const byHalves = (first: number, second: number) =>
      [first, second].flatMap((from) => [
        ...rows.slice(from, from + half),
        ...Array.from({ length: half }, (_, n) => row(from + n + 100_000, `other-${from}-${n}`, "1")),
      ]);
    const bundles = [byHalves(0, half), byHalves(WAITING_ROWS_MAX + half, WAITING_ROWS_MAX)];
    const outcomes = await Promise.all(bundles.map((elements) => untilCommitted(worker, elements)));
    const failures = outcomes.flat();
    for (const failure of failures)
      expect([sqlStateOf(failure), classify(failure)]).to.deep.equal(["40P01", "retry"]);
    const stored = new Map((await notes()).map(({ id, note }) => [id, note]));
    const lost = bundles.flat().filter(({ value }) => {
      const { id, note } = (value as { value: { id: string; note: string } }).value;
      return stored.get(id) !== note;
    });
    expect(await ledger()).to.include({ events_written: stored.size, conflicts: lost.length, duplicates: 0 });
    expect((await places("conflicts")).length).to.equal(lost.length);
  });

  it("is exact for random bundles that share keys, beside each other and again", async () => {
    const seed = chooseSeed();
    const choice = new Choice(seed);
    const all = Array.from({ length: 600 }, (_, at) =>
      row(at, `id-${choice.between(0, 150)}`, `${choice.between(1, 3)}`),
    );
    const bundles = Array.from({ length: 24 }, () => {
      const from = choice.between(0, all.length - 1);
      return choice.shuffled(all.slice(from, from + choice.between(1, 200)));
    });
    const rest = choice.shuffled([...bundles, all, all]);
    const lanes = [0, 1, 2].map(async (lane) => {
      for (const elements of rest.filter((_, at) => at % 3 === lane)) await untilCommitted(worker, elements);
    });
    await Promise.all(lanes);
    const stored = new Map((await notes()).map(({ id, note }) => [id, note]));
    const others = all.flatMap(({ value }, at) => {
      const { id, note } = (value as { value: { id: string; note: string } }).value;
      return stored.get(id) === note ? [] : [at];
    });
    expect(await places("conflicts"), `MILLRACE_SEED=${seed}`).to.deep.equal(others);
    expect(await ledger(), `MILLRACE_SEED=${seed}`).to.include({
      events_written: stored.size,
      conflicts: others.length,
    });
  });
});

describe("writeToPostgres with a bundle too large to wait for its end", () => {
  let database: MigratedDatabase;
  let session: SqlSession;
  let errorDir: string;
  beforeEach(async () => {
    errorDir = await mkdtemp(join(tmpdir(), "millrace-sink-"));
    database = await migratedDatabase();
    session = database.session;
    await session.query("create table notes (id text primary key, note text not null check (note <> 'bad'))");
  });
  afterEach(async () => {
    await database.close();
    await rm(errorDir, { recursive: true });
  });

  const copies = (statements: readonly string[]) =>
    statements.filter((text) => text.startsWith("copy")).length;

  it("asks for no transaction before its end as long as there are 20,000 rows, and gives no promise", async () => {
    const context = { timestampMs: 0, windows: [], transaction: () => expect.fail("asked for") };
    const doFn = new WriteToPostgresFn(TABLE);
    expect(readFields(doFn).states.size).to.equal(0);
    doFn.startBundle(context as never);
    for (let at = 0; at < WAITING_ROWS_MAX; at++) {
      const { value } = valueAt(at, { id: `${at}`, note: "x" });
      expect(doFn.process(value, context as never)).to.equal(undefined);
    }
  });

  for (const bundlesMayRepeat of [true, false]) {
    it(`puts 100,000 rows into the transaction by parts, in order, bundlesMayRepeat ${bundlesMayRepeat}`, async () => {
      const ROWS = 100_000;
      // Every tenth comes again at the end, as it was or with another note; one of each part is bad.
      const noteOf = (at: number) => (at % WAITING_ROWS_MAX === 999 ? "bad" : "first");
      const rows = Array.from({ length: ROWS }, (_, at) => row(at, `id-${at}`, noteOf(at)));
      const again = Array.from({ length: ROWS / 10 }, (_, n) =>
        row(ROWS + n, `id-${n * 10}`, n % 2 === 0 ? "first" : "second"),
      );
      const worker = await SinkWorker.rows(TABLE, {
        session: await database.connect(),
        bundlesMayRepeat,
        errorDir,
      });
      const bundle = await worker.commit([...rows, ...again]);
      expect(copies(bundle.statements)).to.be.at.least(6);
      const [stored] = await session.query(
        "select count(*)::int as rows, count(*) filter (where note = 'first')::int as first from notes",
      );
      expect(stored).to.deep.equal({ rows: ROWS - 5, first: ROWS - 5 });
      const [counts] = await session.query(
        "select events_written, duplicates, conflicts, dead_letters from ledger",
      );
      expect(counts).to.deep.equal({
        events_written: ROWS - 5,
        duplicates: bundlesMayRepeat ? 0 : 5_000,
        conflicts: 5_000,
        dead_letters: { rejected_by_database: 5 },
      });
      if (!bundlesMayRepeat) return;
      await worker.commit([...rows, ...again]);
      const [same] = await session.query(
        "select events_written, duplicates, conflicts, dead_letters from ledger",
      );
      expect(same).to.deep.equal(counts);
    });
  }

  it("sends what is rejected on at the time and in the windows of its value", async () => {
    const worker = await SinkWorker.rows(TABLE, { session: await database.connect() });
    const bad = [7, WAITING_ROWS_MAX - 1, WAITING_ROWS_MAX, WAITING_ROWS_MAX + 5];
    const windowOf = (at: number) => new IntervalWindow(at, at + 1);
    const rows = Array.from({ length: WAITING_ROWS_MAX + 10 }, (_, at) => ({
      ...row(at, `id-${at}`, bad.includes(at) ? "bad" : "good"),
      windows: [windowOf(at)],
    }));
    const bundle = await worker.commit(rows);
    const letters = (bundle.emitted.get("rejected") ?? []).map(({ value, timestampMs, windows }) => ({
      at: (value as DeadLetter).record.byteStart / 10,
      timestampMs,
      windows,
    }));
    expect(letters).to.deep.equal(bad.map((at) => ({ at, timestampMs: at, windows: [windowOf(at)] })));
  });

  it("loses the bundle when a part cannot be written", async () => {
    const worker = await SinkWorker.rows(TABLE, { session: await database.connect() });
    await session.query("alter table notes rename to gone");
    const rows = Array.from({ length: WAITING_ROWS_MAX + 1 }, (_, at) => row(at, `id-${at}`, "good"));
    const failure = await failureOf(worker.run(rows));
    expect(failure.message).to.match(/^step "Write" failed in process: relation "notes" does not exist/);
    expect(await session.query("select * from gone")).to.deep.equal([]);
  });
});

function lettersOf(bundle: SinkBundle): DeadLetter[] {
  return bundle.values("rejected") as DeadLetter[];
}

/** Runs the bundle in a new worker until an attempt is committed. Returns what the others failed with. */
async function untilCommitted(
  newWorker: () => Promise<SinkWorker>,
  elements: readonly Element[],
): Promise<Error[]> {
  const failures: Error[] = [];
  for (;;) {
    try {
      await (await newWorker()).commit(elements);
      return failures;
    } catch (error) {
      if (classify(error) !== "retry" || failures.length > 20) throw error;
      failures.push(error as Error);
    }
  }
}

/** Until another session waits for a transaction to end. */
async function untilWaiting(session: SqlSession): Promise<void> {
  for (;;) {
    const waiting = await session.query(
      "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
    );
    if (waiting.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
