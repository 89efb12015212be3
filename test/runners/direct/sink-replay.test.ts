/** Sinks in another database: what is committed here is there, each epoch once and in order, whatever fails in between. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { DirectRunner } from "../../../runners/direct/direct-runner.js";
import { Savepoints } from "../../../runners/direct/savepoints.js";
import type { Job } from "../../../runners/job/job.js";
import { SqlSession } from "../../../sql/sql-session.js";
import { systemClock } from "../../../transforms/primitives/system-clock.js";
import { type MigratedDatabase, migratedDatabase } from "../../support/migrated-database.js";
import {
  BAD,
  CHANGES_PIPELINE,
  type Change,
  changesAsCsv,
  changesPipeline,
  EPOCH_RECORDS,
  expectedOther,
  OTHER_TABLES_SQL,
  type RunOptions,
  randomChanges,
  readOther,
  startChanges,
} from "../../support/other-database.js";
import { freshDatabase, ownServer } from "../../support/postgres.js";
import { until } from "../../support/product.js";
import { Choice, chooseSeed } from "../../support/seeded-choice.js";

const silent = { debug() {}, info() {}, warn() {}, error() {} };

describe("sinks in another database", function () {
  this.timeout(60_000);
  const seed = chooseSeed();
  const choice = new Choice(seed);
  let here: MigratedDatabase;
  let there: MigratedDatabase;
  let directory: string;
  let all: Change[] = [];
  let lines: string[] = [];

  beforeEach(async () => {
    here = await migratedDatabase();
    there = await migratedDatabase();
    await there.session.query(OTHER_TABLES_SQL);
    directory = await mkdtemp(join(tmpdir(), "millrace-other-"));
    all = [];
    lines = [];
  });
  afterEach(async () => {
    await here.close();
    await there.close();
    await rm(directory, { recursive: true, force: true });
  });

  const drop = async (name: string, count: number, badShare = 0) => {
    const changes = randomChanges(choice, count, badShare).map((change) => ({
      ...change,
      version: change.version + all.length,
    }));
    all.push(...changes);
    await writeFile(join(directory, name), changesAsCsv(changes));
  };
  const log = {
    debug() {},
    info: (line: string) => void lines.push(`info ${line}`),
    warn: (line: string) => void lines.push(`warn ${line}`),
    error: (line: string) => void lines.push(`error ${line}`),
  };
  const start = (options: Partial<RunOptions> = {}) =>
    startChanges({
      ...{ directory, connection: here.connection, other: there.connection },
      ...options,
      run: { log, ...options.run },
    });
  const run = async (options: Partial<RunOptions> = {}): Promise<Job> => {
    const job = await start(options);
    await job.waitUntilFinish();
    return job;
  };
  const done = async (options: Partial<RunOptions> = {}) => {
    const job = await run(options);
    expect(job.state, String(job.failure)).to.equal("DONE");
    return job;
  };
  const rowsIn = async (session: SqlSession, table: string) => {
    const [row] = await session.query<{ count: number }>(`select count(*)::int as count from ${table}`);
    return row!.count;
  };
  const counted = (job: Job, step: string) =>
    Object.fromEntries(
      job.metrics.counters.filter((one) => one.step === step).map(({ name, committed }) => [name, committed]),
    );

  it(`writes the same as a sink here, and leaves the log empty (MILLRACE_SEED=${seed})`, async () => {
    await drop("1.csv", 400);
    const job = await done();
    expect(await readOther(there.connection)).to.deep.equal(expectedOther(all));
    expect(await rowsIn(here.session, "sink_outbox")).to.equal(0);
    expect(counted(job, "WriteJournal")).to.deep.equal({
      ...{ logged: 400, inserted: 400, updated: 0, deleted: 0, stale: 0, refused: 0 },
    });
    expect(job.sinkDatabases).to.have.length(1);
    expect(job.sinkDatabases?.[0]).to.include({ database: "reports", waitingEpochs: 0, waitingBytes: 0 });
    const ledger = await there.session.query("select pipeline, step, epoch from millrace_sink order by step");
    expect(ledger).to.deep.equal([
      { pipeline: CHANGES_PIPELINE, step: "WriteJournal", epoch: 400 / EPOCH_RECORDS },
      { pipeline: CHANGES_PIPELINE, step: "WriteStates", epoch: 400 / EPOCH_RECORDS },
    ]);
    expect(lines.slice(0, 2)).to.deep.equal([
      'info sink WriteStates into states in database "reports": exactly once, replayed behind the commit',
      'info sink WriteJournal into journal in database "reports": exactly once, replayed behind the commit',
    ]);
  });

  it("goes on where it was: several runs, files in between", async () => {
    for (const name of ["1.csv", "2.csv", "3.csv"]) {
      await drop(name, 120);
      await done();
    }
    expect(await readOther(there.connection)).to.deep.equal(expectedOther(all));
  });

  it("keeps what the other database refuses there, with its reason and bytes, and lets the rest through", async () => {
    await drop("1.csv", 200, 0.1);
    const job = await done();
    expect(await readOther(there.connection)).to.deep.equal(expectedOther(all));
    const bad = all.filter(({ key }) => key.startsWith(BAD));
    expect(bad).to.have.length.above(3);
    expect(counted(job, "WriteJournal")).to.include({ inserted: 200 - bad.length, refused: bad.length });
    const refused = await there.session.query<{ bytes: Buffer; message: string }>(
      `select operation, table_name, columns, sqlstate, message, bytes from millrace_sink_refused
       where step = 'WriteJournal' order by epoch, batch, row`,
    );
    expect(refused).to.have.length(bad.length);
    expect(refused[0]).to.deep.include({
      ...{ operation: "insert-once", table_name: "journal", sqlstate: "23514" },
      columns: ["operation", "key", "version", "note"],
    });
    expect(refused[0]!.message).to.match(/violates check constraint "journal_key_check"/);
    const escaped = (note: string) => note.replaceAll("\\", "\\\\").replaceAll("\t", "\\t");
    expect(refused.map(({ bytes }) => bytes.toString())).to.have.members(
      bad.map(({ operation, key, version, note }) => [operation, key, version, escaped(note)].join("\t")),
    );
  });

  it("refuses a name that the process does not know, before anything runs", async () => {
    const options = {
      ...{ pipeline: CHANGES_PIPELINE, connection: here.connection, once: true, takeover: false },
      ...{ retryTimeoutMs: 0, clock: systemClock, log: silent },
    };
    const refusal = async (more: object) =>
      new DirectRunner().run(changesPipeline(directory), { ...options, ...more }).then(
        () => "",
        (error: Error & { code?: string }) => `${error.code} ${error.message}`,
      );
    expect(await refusal({ sinkDatabases: new Map([["archive", () => there.connection]]) })).to.equal(
      "MILLRACE_SINK_DATABASE sinks in other databases cannot be written to:\n" +
        '  WriteStates: there is no connection named "reports" (known: archive): set MILLRACE_SINK_REPORTS_URL\n' +
        '  WriteJournal: there is no connection named "reports" (known: archive): set MILLRACE_SINK_REPORTS_URL',
    );
    expect(await refusal({ connection: undefined })).to.contain(
      'WriteStates: database "reports" is replayed into from a database, and there is none',
    );
    expect(await here.session.query("select from pipelines")).to.have.length(0);
  });

  it("says at the start what is wrong with the table there, and reads nothing", async () => {
    await drop("1.csv", 10);
    await there.session.query("alter table states drop column gone");
    const job = await run();
    expect(job.state).to.equal("FAILED");
    expect(job.failure?.message).to.contain(
      'database "reports" of sinks: table "states" cannot be written to as the step says:\n  it has no column "gone"',
    );
    expect(await rowsIn(here.session, "commits")).to.equal(0);
  });

  describe("a database that is away", () => {
    /** A port where nobody is. */
    const nowhere = () => ({ ...there.connection, port: 1, host: "127.0.0.1" });

    it("lets the pipeline commit, is said once, and --once ends by saying what is still to be replayed", async () => {
      await drop("1.csv", 120);
      const job = await run({ other: nowhere(), run: { retryTimeoutMs: 500 } });
      expect(job.state).to.equal("FAILED");
      expect(job.failure?.message).to.match(
        /^pipeline "changes" is committed, and into database "reports", which is away \(.*ECONNREFUSED.*\) 3 epochs, 1 to 3, still to be replayed: the next run does it$/,
      );
      expect(lines.filter((line) => line.includes("cannot be written to"))).to.have.length(1);
      expect(await rowsIn(here.session, "commits")).to.equal(3);
      expect(await readOther(there.connection)).to.deep.equal([]);
      await done();
      expect(await readOther(there.connection)).to.deep.equal(expectedOther(all));
      expect(await rowsIn(here.session, "sink_outbox")).to.equal(0);
    });

    it("is written to when it is back, by a stream that went on meanwhile", async () => {
      await drop("1.csv", 60);
      let isAway = true;
      const job = await start({
        ...{ mode: "stream", run: { once: false } },
        other: () => (isAway ? nowhere() : there.connection),
      });
      const events: string[] = [];
      job.subscribe((event) => {
        if (event.type === "sink-database")
          events.push(event.status.awayReason === undefined ? "back" : "away");
      });
      await until(() => job.sinkDatabases?.[0]?.waitingEpochs === 2, "epochs in the log");
      expect(job.sinkDatabases?.[0]).to.include({ firstWaitingEpoch: 1, lastWaitingEpoch: 2 });
      await drop("2.csv", 60);
      await until(() => (job.sinkDatabases?.[0]?.waitingEpochs ?? 0) >= 4, "more epochs in the log");
      isAway = false;
      await until(() => job.sinkDatabases?.[0]?.waitingEpochs === 0, "the replay");
      expect(await job.drain(), String(job.failure)).to.equal("DRAINED");
      expect(await readOther(there.connection)).to.deep.equal(expectedOther(all));
      expect(lines.filter((line) => line.includes('"reports" of sinks'))).to.have.length(2);
      expect(events).to.deep.equal(["away", "back"]);
    });

    it("does not hold up another one, each of which has a log and a ledger of its own", async () => {
      const archive = await migratedDatabase();
      await archive.session.query(OTHER_TABLES_SQL);
      await drop("1.csv", 200);
      let isAway = true;
      const job = await start({
        ...{ mode: "stream", journalDatabase: "archive" },
        run: {
          once: false,
          sinkDatabases: new Map([
            ["reports", () => (isAway ? nowhere() : there.connection)],
            ["archive", () => archive.connection],
          ]),
        },
      });
      await until(async () => (await rowsIn(archive.session, "journal")) === 200, "the journal");
      expect(await rowsIn(there.session, "states")).to.equal(0);
      isAway = false;
      expect(await job.drain(), String(job.failure)).to.equal("DRAINED");
      expect(await readOther(there.connection)).to.deep.equal(expectedOther(all, false));
      expect(await rowsIn(archive.session, "journal")).to.equal(200);
      expect(await rowsIn(here.session, "sink_outbox")).to.equal(0);
      await archive.close();
    });

    it("makes the pipeline wait when there is no more room in the log, and go on when there is", async () => {
      const ROOM = 1_000;
      await drop("1.csv", ROOM + 100);
      let isAway = true;
      const job = await start({
        ...{ hasJournal: false, mode: "stream", run: { once: false, bundleRecordsMax: 1 } },
        other: () => (isAway ? nowhere() : there.connection),
      });
      const waiting = () => job.sinkDatabases?.[0]?.waitingEpochs;
      await until(() => waiting() === ROOM, "a full log");
      await sleep(300);
      expect(waiting()).to.equal(ROOM);
      expect(await rowsIn(here.session, "commits")).to.equal(ROOM);
      isAway = false;
      await until(() => job.totals.recordsRead === all.length, "all to be read");
      expect(await job.drain(), String(job.failure)).to.equal("DRAINED");
      expect(await readOther(there.connection)).to.deep.equal(expectedOther(all, false));
      expect(await rowsIn(here.session, "sink_outbox")).to.equal(0);
    });

    it("says what is left where the job is cancelled, and the next run replays it before anything else", async () => {
      await drop("1.csv", 100);
      const job = await start({ ...{ mode: "stream", run: { once: false } }, other: nowhere() });
      await until(() => job.sinkDatabases?.[0]?.waitingEpochs === 2, "epochs in the log");
      await job.cancel();
      expect(lines.at(-1)).to.match(
        /^warn pipeline "changes" is committed, .* 2 epochs, 1 to 2, still to be replayed/,
      );
      // a graph without the sinks: what is in the log says itself where it belongs
      const options = { connection: here.connection, once: true, takeover: false, retryTimeoutMs: 0 };
      const without = await new DirectRunner().run(
        changesPipeline(directory, { database: "", hasJournal: false }),
        {
          ...{ ...options, pipeline: CHANGES_PIPELINE, clock: systemClock, log: silent },
        },
      );
      await without.waitUntilFinish();
      expect(without.failure?.message).to.equal(
        'pipeline "changes" has epochs 1 to 2 still to be replayed into database "reports", and no connection of ' +
          "that name: set MILLRACE_SINK_REPORTS_URL",
      );
      await rm(join(directory, "1.csv"));
      await done();
      expect(await readOther(there.connection)).to.deep.equal(expectedOther(all));
    });
  });

  describe("a ledger that does not fit", () => {
    const failed = async (options: Partial<RunOptions> = {}) => {
      const job = await run(options);
      expect(job.state).to.equal("FAILED");
      return job.failure as Error & { code?: string };
    };
    const acceptIn = async (message: string) => {
      const statement = /run in that database: (.*)$/s.exec(message)?.[1];
      await there.session.query(statement as string);
    };

    it("of a database that has lost what it had confirmed is refused by name, until somebody accepts it", async () => {
      await drop("1.csv", 100);
      await done();
      await there.session.query("truncate millrace_sink, states, journal");
      await drop("2.csv", 10);
      const { code, message } = await failed({ hasJournal: false });
      expect(code).to.equal("MILLRACE_SINK_LEDGER");
      expect(message).to.contain(
        'sink WriteStates in database "reports" has no epoch; the next to be replayed is epoch',
      );
      expect(message).to.contain(
        "what came between was confirmed and is no longer kept: the other database has lost it",
      );
      await acceptIn(message);
      await done({ hasJournal: false });
      expect(await readOther(there.connection)).to.deep.equal(expectedOther(all.slice(100), false));
    });

    it("of another coordinating database of the same pipeline is refused by name", async () => {
      await drop("1.csv", 50);
      await done();
      const another = await migratedDatabase();
      const { message } = await failed({ connection: another.connection, hasJournal: false });
      expect(message).to.match(
        /what is there is of another coordinating database \(chain [-0-9a-f]{36}, not [-0-9a-f]{36}\)/,
      );
      await acceptIn(message);
      await done({ connection: another.connection, hasJournal: false });
      await another.close();
    });

    /** The coordinating database as of now takes the place of what comes later. */
    const losingWhatComesNow = async (work: () => Promise<unknown>) => {
      const tables = ["pipelines", "source_files", "commits", "sink_heads", "sink_outbox"];
      for (const table of tables) await here.session.query(`create table kept_${table} as table ${table}`);
      await work();
      await here.session.query(`begin; truncate ${tables.join(", ")} cascade;
        ${tables.map((table) => `insert into ${table} overriding system value table kept_${table}`).join(";")}; commit`);
    };

    it("of commits that the coordinating database has lost is written over by key, and said", async () => {
      await drop("1.csv", 100);
      await done({ hasJournal: false });
      await losingWhatComesNow(async () => {
        await drop("2.csv", 100);
        await done({ hasJournal: false });
      });
      await done({ hasJournal: false });
      expect(await readOther(there.connection)).to.deep.equal(expectedOther(all, false));
      const warned = lines.filter((line) => line.startsWith("warn"));
      expect(warned).to.have.length(1);
      expect(warned[0]).to.match(
        /^warn sink WriteStates in database "reports" is at epoch \d+ of run \S+, which the coordinating database has lost: what comes again from epoch \d+ on is written over it by key$/,
      );
      await drop("3.csv", 60);
      await done({ hasJournal: false });
      expect(await readOther(there.connection)).to.deep.equal(expectedOther(all, false));
    });

    it("of commits that are lost is refused where what comes again would be there twice", async () => {
      await drop("1.csv", 50);
      await done();
      await losingWhatComesNow(async () => {
        await drop("2.csv", 50);
        await done();
      });
      const { message } = await failed();
      expect(message).to.match(/^sink WriteJournal in database "reports" has epoch \d+ of run/);
      expect(message).to.contain(
        'and it comes again, but table "journal" has no conflictKey, by which a row that comes again would be known',
      );
      await acceptIn(message);
      await done();
      expect(await rowsIn(there.session, "journal"), "accepted: the lost epoch twice").to.equal(150);
    });

    it("of a confirmed epoch that comes back into the log is not replayed again", async () => {
      await drop("1.csv", 50);
      await here.session.query(`create table kept as table sink_outbox;
        create function keep() returns trigger language plpgsql as
          $$ begin insert into kept select (new).*; return new; end $$;
        create trigger keep after insert on sink_outbox for each row execute function keep()`);
      await done();
      await drop("2.csv", 50);
      await done();
      await here.session.query(
        "drop trigger keep on sink_outbox; insert into sink_outbox select * from kept",
      );
      await done();
      expect(await readOther(there.connection)).to.deep.equal(expectedOther(all));
      expect(await rowsIn(here.session, "sink_outbox")).to.equal(0);
    });
  });

  it("goes on behind a savepoint that was gone back to: what is read again is there once, by key and version", async () => {
    const holding = await here.connect();
    const savepoints = new Savepoints({ session: holding, pipeline: CHANGES_PIPELINE });
    await drop("1.csv", 100);
    await done({ hasJournal: false });
    await savepoints.take("before", "test");
    await drop("2.csv", 100);
    await done({ hasJournal: false });
    const epochOf = async (session: SqlSession, table: string) =>
      (await session.query<{ epoch: number }>(`select max(epoch) as epoch from ${table}`))[0]!.epoch;
    await savepoints.restore(await savepoints.find("before"), {
      ...{ takeover: false, clock: systemClock, log: silent, signal: new AbortController().signal },
    });
    await holding.close();
    await drop("3.csv", 30);
    await done({ hasJournal: false });
    expect(await readOther(there.connection)).to.deep.equal(expectedOther(all, false));
    expect(await epochOf(there.session, "millrace_sink"), "epochs go on").to.equal(
      await epochOf(here.session, "sink_heads"),
    );
    expect(lines.filter((line) => line.startsWith("warn"))).to.deep.equal([]);
  });

  it("is written to on another server, which stops and starts meanwhile", async () => {
    const server = await ownServer();
    const other = await freshDatabase(server);
    const session = await SqlSession.connect({ connection: other.connection, applicationName: "test" });
    await session.query(OTHER_TABLES_SQL);
    await session.close();
    const job = await start({ ...{ mode: "stream", run: { once: false } }, other: other.connection });
    for (const name of ["1.csv", "2.csv", "3.csv"]) {
      await drop(name, 300);
      await until(() => job.totals.recordsRead >= all.length - 200, "some to be read");
      await server.stop("immediate");
      await until(() => job.totals.recordsRead === all.length, "all to be read");
      await server.start();
    }
    expect(await job.drain(), String(job.failure)).to.equal("DRAINED");
    expect(await readOther(other.connection)).to.deep.equal(expectedOther(all));
    await server.remove();
  });
});
