import { randomUUID } from "node:crypto";
import { expect } from "chai";
import { WorkerDatabase } from "../../../../runners/harness/database/worker-database.js";
import { closeEpoch } from "../../../../runners/portable/run/open-epoch.js";
import { type StartedRun, startRun } from "../../../../runners/run/run-start.js";
import type { SqlSession } from "../../../../sql/sql-session.js";
import { systemClock } from "../../../../transforms/primitives/system-clock.js";
import { type MigratedDatabase, migratedDatabase } from "../../../support/migrated-database.js";

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

describe("the database of a worker", () => {
  let database: MigratedDatabase;
  let run: StartedRun;
  let worker: WorkerDatabase;

  const start = (session: SqlSession, takeover = false, after?: readonly string[]) =>
    startRun(session, randomUUID(), {
      ...{ key: { pipeline: "p", shard: 0 }, takeover, after, ownBackendPids: new Set<number>() },
      ...{ clock: systemClock, log: quiet, signal: new AbortController().signal },
    });
  const close = (isEnd: boolean, settled: readonly number[] = []) =>
    closeEpoch(run, { isEnd, settle: async () => settled, monotonicMs: () => systemClock.monotonicMs() });
  const ask = (text: string) => database.session.query(text);

  beforeEach(async () => {
    database = await migratedDatabase();
    await database.session.query("create table written (id int)");
    run = await start(await database.connect());
    worker = new WorkerDatabase(database.connection, {
      ...{ pipeline: "p", runId: run.runId, mode: "available-now" as const },
    });
  });
  afterEach(async () => {
    await worker.close();
    await database.close();
  });

  it("commits what a bundle wrote together with what it counted, under the open epoch", async () => {
    const bundle = worker.begin();
    const transaction = await bundle.open();
    expect(transaction.epoch).to.equal(1);
    await transaction.execute("insert into written values (7)");
    bundle.ledger.add(3, "records_read", 5);
    bundle.ledger.addDeadLetter(3, "invalid_price", 2);
    expect(await ask("select * from written"), "before its commit").to.deep.equal([]);
    await bundle.commit();
    expect(await ask("select id from written")).to.deep.equal([{ id: 7 }]);
    expect(await ask("select file_id, records_read, dead_letters from ledger")).to.deep.equal([
      { file_id: 3, records_read: 5, dead_letters: { invalid_price: 2 } },
    ]);
  });

  it("opens no transaction for a bundle that writes nothing, and uses a session again", async () => {
    await worker.begin().commit();
    const backends =
      "select count(*)::int as n from pg_stat_activity where application_name = 'millrace/worker'";
    const here = `${backends} and datname = current_database()`;
    expect(await ask(here)).to.deep.equal([{ n: 0 }]);
    for (let at = 0; at < 3; at++) {
      const bundle = worker.begin();
      await (await bundle.open()).execute("insert into written values (1)");
      await bundle.commit();
    }
    expect(await ask(here)).to.deep.equal([{ n: 1 }]);
  });

  it("asks outside of bundles one statement after the other, also when one fails", async () => {
    const warnings: string[] = [];
    const note = ({ message }: Error) => warnings.push(message);
    process.on("warning", note);
    const answers = await Promise.allSettled([
      worker.queries.query("select 1 as n, pg_sleep(0.05)"),
      worker.queries.query("select 1 / 0"),
      worker.queries.query("select 2 as n"),
    ]);
    process.off("warning", note);
    expect(answers.map(({ status }) => status)).to.deep.equal(["fulfilled", "rejected", "fulfilled"]);
    expect((answers[2] as PromiseFulfilledResult<unknown>).value).to.deep.equal([{ n: 2 }]);
    expect(warnings).to.deep.equal([]);
  });

  it("leaves nothing of a bundle that is rolled back", async () => {
    const bundle = worker.begin();
    await (await bundle.open()).execute("insert into written values (1)");
    bundle.ledger.add(3, "records_read");
    await bundle.rollback();
    expect(await ask("select * from written")).to.deep.equal([]);
    expect(await ask("select * from ledger")).to.deep.equal([]);
  });

  it("lets no transaction open for a bundle that was abandoned", async () => {
    const bundle = worker.begin();
    const opening = bundle.open();
    await bundle.rollback();
    expect(await opening.then(String, (error: Error) => error.message)).to.match(
      /abandoned|terminated|closed/,
    );
    expect(await ask("select * from written")).to.deep.equal([]);
  });

  it("commits nothing for a run that was taken over, and the takeover waits for what it has in hand", async () => {
    const inHand = worker.begin();
    await (await inHand.open()).execute("insert into written values (1)");
    let isTaken = false;
    const taking = start(await database.connect(), true).then((next) => {
      isTaken = true;
      return next;
    });
    // the takeover ends the client's session, and waits for the bundle
    await systemClock.sleep(300);
    expect(isTaken).to.equal(false);
    await inHand.commit();
    await taking;
    const late = await worker
      .begin()
      .open()
      .then(String, (error: Error) => `${(error as { code?: string }).code}: ${error.message}`);
    expect(late).to.match(/^MILLRACE_FENCED: pipeline "p" was taken over/);
    expect(await ask("select id from written")).to.deep.equal([{ id: 1 }]);
  });

  it("a process goes on from a run that it may have taken, though it was never told so, and from no other", async () => {
    const [lost, other] = [randomUUID(), randomUUID()];
    // committed, and the answer is lost with the connection
    await database.session.query("update pipelines set run_id = $1 where pipeline = 'p'", [lost]);
    await run.session.close();
    const session = await database.connect();
    const fenced = await start(session, false, [run.runId, other]).then(String, String);
    await session.close();
    expect(fenced).to.match(/^FencedError: pipeline "p" was taken over while the connection was away/);
    run = await start(await database.connect(), false, [run.runId, lost]);
    expect(await ask("select run_id from pipelines")).to.deep.equal([{ run_id: run.runId }]);
  });

  describe("closeEpoch()", () => {
    it("sums up what workers counted, as the next epoch", async () => {
      for (const written of [2, 3]) {
        const bundle = worker.begin();
        bundle.ledger.add(1, "records_read", 5);
        bundle.ledger.add(1, "events_written", written);
        bundle.ledger.addDeadLetter(1, "bad");
        await bundle.commit();
      }
      const closed = await close(false);
      expect(closed?.epoch).to.equal(1);
      expect(closed?.counts).to.deep.equal({
        ...{ recordsRead: 10, eventsWritten: 5, duplicates: 0, conflicts: 0, deadLetters: { bad: 2 } },
      });
      expect(await ask("select epoch, records_read, events_written from pipelines")).to.deep.equal([
        { epoch: 1, records_read: 10, events_written: 5 },
      ]);
      expect((await worker.begin().open()).epoch).to.equal(2);
    });

    it("uses up no epoch when nothing was written, but at the end", async () => {
      expect(await close(false)).to.equal(undefined);
      expect((await close(true))?.epoch).to.equal(1);
    });

    it("takes as duplicates what is left over of settled files, and of those alone", async () => {
      const bundle = worker.begin();
      for (const file of [1, 2]) {
        bundle.ledger.add(file, "records_read", 10);
        bundle.ledger.add(file, "events_written", 6);
        bundle.ledger.add(file, "conflicts", 1);
        bundle.ledger.addDeadLetter(file, "bad");
      }
      await bundle.commit();
      expect((await close(true, [2]))?.counts.duplicates).to.equal(2);
      expect(await ask("select file_id, duplicates from ledger order by file_id")).to.deep.equal([
        { file_id: 1, duplicates: 0 },
        { file_id: 2, duplicates: 2 },
      ]);
    });

    it("refuses counts that cannot balance, by file and number", async () => {
      const bundle = worker.begin();
      bundle.ledger.add(4, "records_read", 1);
      bundle.ledger.add(4, "events_written", 3);
      await bundle.commit();
      const problem = await close(true, [4]).then(String, (error: Error) => error.message);
      expect(problem).to.equal(
        'pipeline "p": of file 4 2 records more were written or parted with than were read',
      );
      expect(await ask("select epoch from pipelines"), "rolled back").to.deep.equal([{ epoch: 0 }]);
    });

    it("is put off by a bundle under way, and waits for it at the end", async () => {
      const bundle = worker.begin();
      await bundle.open();
      bundle.ledger.add(1, "records_read", 1);
      expect(await close(false)).to.equal(undefined);
      const ending = close(true);
      await systemClock.sleep(100);
      await bundle.commit();
      expect((await ending)?.counts.recordsRead).to.equal(1);
    });

    it("lets bundles that come while it waits wait behind it", async () => {
      const first = worker.begin();
      await first.open();
      const ending = close(true);
      await systemClock.sleep(100);
      const second = worker.begin().open();
      await first.commit();
      await ending;
      expect((await second).epoch).to.equal(2);
    });
  });
});
