/** The direct runner against a real PostgreSQL, with a source that stands in memory. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect } from "chai";
import { DirectRunner } from "../../../runners/direct/direct-runner.js";
import type { Job } from "../../../runners/job/job.js";
import { SqlSession } from "../../../sql/sql-session.js";
import { DEDUPLICATE_FN } from "../../../transforms/deduplicate-fn.js";
import type { DeadLetter, InputRecord, Sourced } from "../../../transforms/input-record.js";
import { impulse, P, Pipeline, Root, withName } from "../../../transforms/primitives/beam.js";
import type { DoFn, Log, ProcessContext } from "../../../transforms/primitives/do-fn.js";
import { flattenAll } from "../../../transforms/primitives/flatten-all.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { reshuffle } from "../../../transforms/primitives/reshuffle.js";
import { splittableParDo } from "../../../transforms/primitives/splittable-par-do.js";
import { valueState } from "../../../transforms/primitives/state-spec.js";
import { systemClock } from "../../../transforms/primitives/system-clock.js";
import { WRITE_DEAD_LETTERS_FN } from "../../../transforms/write-dead-letters-fn.js";
import { WRITE_TO_POSTGRES_FN } from "../../../transforms/write-to-postgres-fn.js";
import { ARRAY_SOURCE } from "../../support/array-source.js";
import { type FreshDatabase, freshDatabase } from "../../support/postgres.js";
import { until } from "../../support/product.js";

type Fields = Record<string, string>;

/** Passes a record on as a value; `bad` fields make it a dead letter, `bug` ones make it throw. */
class Parse implements DoFn<InputRecord> {
  process(record: InputRecord, context: ProcessContext): void {
    const value = record.fields as Fields;
    if (value["id"] === "bug") throw new Error("cannot parse this");
    if (value["id"] === "bad")
      context.outputTo("invalid", { record: record.origin, problem: { reason: "bad", messages: ["no"] } });
    else context.outputTo("valid", { record: record.origin, value });
  }
}
const PARSE = registerDoFn("parse@test", () => new Parse());

const PASS = registerDoFn("pass@test", () => ({
  process: (element: unknown, context: ProcessContext) => context.output(element),
}));
const KEEPS_STATE = registerDoFn("keeps_state@test", () => ({
  seen: valueState(),
  process: () => undefined,
}));

const silent = { debug() {}, info() {}, warn() {}, error() {} };

describe("DirectRunner", () => {
  let database: FreshDatabase;
  let session: SqlSession;
  let errorDir: string;

  beforeEach(async () => {
    database = await freshDatabase();
    session = await SqlSession.connect({ connection: database.connection, applicationName: "test" });
    errorDir = await mkdtemp(path.join(tmpdir(), "millrace-errors-"));
    await session.query(
      "create table items (n bigint generated always as identity, id text unique, price numeric(6,2))",
    );
  });
  afterEach(async () => {
    await session.close();
    await database.drop();
    await rm(errorDir, { recursive: true });
  });

  function graph(values: Fields[], { ends = true, atOnce = 1000 } = {}): Pipeline {
    const pipeline = new Pipeline();
    const source = splittableParDo<Uint8Array, InputRecord>(
      ARRAY_SOURCE,
      { values, ends, atOnce },
      { bounded: ends },
    );
    const start = new Root(pipeline).apply(withName("Impulse", impulse()));
    const records = P(start).apply(withName("Read", source));
    const outputs = { outputs: ["valid", "invalid"] as const };
    const parse = registeredParDo<InputRecord, { valid: Sourced<Fields>; invalid: DeadLetter }>(
      PARSE,
      null,
      outputs,
    );
    const { valid, invalid } = P(records).apply(withName("Parse", parse));
    const memory = { key: "id", horizon: { records: 100 } };
    const fresh = P(valid).apply(
      withName("Dedupe", registeredParDo<Sourced<Fields>, Sourced<Fields>>(DEDUPLICATE_FN, memory)),
    );
    const table = { table: "items", columns: ["id", "price"], conflictKey: ["id"] };
    const write = registeredParDo<Sourced<Fields>, { rejected: DeadLetter }>(WRITE_TO_POSTGRES_FN, table, {
      outputs: ["rejected"],
    });
    const { rejected } = P(fresh).apply(withName("Write", write));
    const dead = P([invalid, rejected]).apply(withName("Dead", flattenAll()));
    P(dead).apply(withName("Letters", registeredParDo(WRITE_DEAD_LETTERS_FN, { errorDir })));
    return pipeline;
  }

  function start(
    pipeline: Pipeline,
    more: { pipeline?: string; bundleRecordsMax?: number; once?: boolean; log?: Log } = {},
  ): Promise<Job> {
    return new DirectRunner().run(pipeline, {
      pipeline: "items",
      connection: database.connection,
      once: true,
      takeover: false,
      retryTimeoutMs: 2_000,
      clock: systemClock,
      log: silent,
      ...more,
    });
  }

  const items = () => session.query("select id, price from items order by n");
  const counts = async () => {
    const [row] = await session.query(
      "select epoch, records_read, events_written, duplicates, conflicts, dead_letters from pipelines",
    );
    return row;
  };

  it("writes each key once, the first value, and counts duplicates and conflicts alike in one epoch", async () => {
    const job = await start(
      graph([
        { id: "a", price: "1.00" },
        { id: "a", price: "1.00" },
        { id: "b", price: "2.00" },
        { id: "a", price: "9.00" },
        { id: "bad", price: "" },
      ]),
    );
    expect(await job.waitUntilFinish()).to.equal("DONE");
    expect(await items()).to.deep.equal([
      { id: "a", price: "1.00" },
      { id: "b", price: "2.00" },
    ]);
    const expected = {
      recordsRead: 5,
      eventsWritten: 2,
      duplicates: 1,
      conflicts: 1,
      deadLetters: { bad: 1 },
    };
    expect(job.totals).to.deep.equal(expected);
    expect(await counts()).to.deep.equal({
      epoch: 1,
      records_read: 5,
      events_written: 2,
      duplicates: 1,
      conflicts: 1,
      dead_letters: { bad: 1 },
    });
  });

  it("counts the same whatever the size of the epochs", async () => {
    const values = Array.from({ length: 60 }, (_, n) => ({
      id: `k${n % 7}`,
      price: n % 3 === 0 ? "1.00" : "2.00",
    }));
    for (const bundleRecordsMax of [1, 4, 13, 100]) {
      await session.query("truncate items");
      const pipeline = `items-${bundleRecordsMax}`;
      const job = await start(graph(values), { pipeline, bundleRecordsMax });
      expect(await job.waitUntilFinish(), String(job.failure?.stack)).to.equal("DONE");
      const { eventsWritten, duplicates, conflicts } = job.totals;
      // k0, k3, k6 start with 1.00 (n = 0, 3, 6), the others with 2.00: worked out from the values.
      const first = new Map<string, string>();
      let equal = 0;
      for (const { id, price } of values) {
        if (!first.has(id)) first.set(id, price);
        else if (first.get(id) === price) equal += 1;
      }
      expect({ eventsWritten, duplicates, conflicts }).to.deep.equal({
        eventsWritten: 7,
        duplicates: equal,
        conflicts: 60 - 7 - equal,
      });
    }
  });

  it("parts with a row that the database rejects, writes the others, and lets a later row of its key in", async () => {
    const values = [
      { id: "a", price: "1" },
      { id: "b", price: "123456789.00" },
      { id: "c", price: "3" },
      { id: "b", price: "4" },
    ];
    const job = await start(graph(values));
    expect(await job.waitUntilFinish(), String(job.failure)).to.equal("DONE");
    expect(await items()).to.deep.equal([
      { id: "a", price: "1.00" },
      { id: "c", price: "3.00" },
      { id: "b", price: "4.00" },
    ]);
    expect(job.totals.deadLetters).to.deep.equal({ rejected_by_database: 1 });
    const [letter] = await session.query<{ messages: string[]; line: number; raw: Buffer }>(
      "select messages, line, raw from dead_letters",
    );
    expect(letter?.line).to.equal(2);
    expect(letter?.messages[0]).to.match(/^SQLSTATE 22003.*numeric field overflow/);
    const [file] = (await readdir(errorDir)).filter((name) => name.endsWith(".ndjson"));
    expect(file).to.equal("items-1.ndjson");
    const line = JSON.parse(await readFile(path.join(errorDir, file as string), "utf8"));
    expect(line).to.include({ reason: "rejected_by_database", epoch: 1, raw: JSON.stringify(values[1]) });
  });

  it("goes on where it was, with its totals, when it is started again", async () => {
    const values = [
      { id: "a", price: "1.00" },
      { id: "b", price: "2.00" },
    ];
    await (await start(graph(values))).waitUntilFinish();
    const job = await start(graph([...values, { id: "a", price: "1.00" }, { id: "c", price: "3.00" }]));
    expect(await job.waitUntilFinish()).to.equal("DONE");
    expect(job.totals).to.deep.equal({
      recordsRead: 4,
      eventsWritten: 3,
      duplicates: 1,
      conflicts: 0,
      deadLetters: {},
    });
  });

  it("fails naming the step that threw, and commits nothing of the epoch", async () => {
    const job = await start(
      graph([
        { id: "a", price: "1" },
        { id: "bug", price: "" },
      ]),
    );
    expect(await job.waitUntilFinish()).to.equal("FAILED");
    expect(job.failure?.message).to.equal('step "Parse" failed in process: cannot parse this');
    expect(await items()).to.deep.equal([]);
  });

  it("stops without a commit once another run has taken over", async () => {
    const job = await start(graph([], { ends: false }), {});
    await new Promise<void>((resolve) => {
      job.subscribe((event) => event.type === "state" && event.state === "RUNNING" && resolve());
    });
    await job.drain();
    const second = await start(graph([{ id: "a", price: "1" }], { atOnce: 1 }));
    await session.query(
      "create function seize() returns trigger language plpgsql as $$ begin update pipelines set run_id = gen_random_uuid(); return new; end $$",
    );
    await session.query("create trigger seize before insert on items for each row execute function seize()");
    expect(await second.waitUntilFinish()).to.equal("FAILED");
    expect(second.failure?.message).to.match(/^pipeline "items" was taken over/);
    expect(await items()).to.deep.equal([]);
  });

  it("tries again what the database takes back, and counts once", async () => {
    await session.query("create sequence tries");
    await session.query(`create function flaky() returns trigger language plpgsql as $$
      begin if nextval('tries') <= 2 then raise exception 'try again' using errcode = '40001'; end if; return new; end $$`);
    await session.query("create trigger flaky before insert on items for each row execute function flaky()");
    const job = await start(graph([{ id: "a", price: "1" }]));
    const retries: (string | null)[] = [];
    job.subscribe((event) => event.type === "retry" && retries.push(event.code));
    expect(await job.waitUntilFinish(), String(job.failure)).to.equal("DONE");
    expect(retries).to.deep.equal(["40001", "40001"]);
    expect(job.totals.eventsWritten).to.equal(1);
  });

  it("goes on from what the database has when that has lost its last commits, and says which", async () => {
    const ids = Array.from({ length: 8 }, (_, at) => ({ id: `i${at}`, price: "1" }));
    const warnings: string[] = [];
    const log = { ...silent, warn: (text: string) => void warnings.push(text) };
    const job = await start(graph(ids, { ends: false, atOnce: 1 }), { once: false, log });
    const commits: string[] = [];
    job.subscribe((event) => event.type === "commit" && commits.push(event.commit.runId));
    const untilCommits = (count: number) =>
      until(() => commits.length >= count || job.failure !== undefined, `${count} commits`);
    await untilCommits(8);
    // the database is as it was after two commits
    const loses = async (runId: string) => {
      await session.begin();
      await session.query("select from pipelines for update");
      await session.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where application_name = 'millrace/pipeline' and datname = current_database()`,
      );
      await session.query(
        "update pipelines set epoch = 2, run_id = $1, records_read = 2, events_written = 2",
        [runId],
      );
      for (const table of ["commits", "dead_letters"])
        await session.query(`delete from ${table} where epoch > 2`);
      await session.query("delete from items where n > 2");
      await session.query("update array_positions set position = 2");
      await session.commit();
    };
    await loses(commits[0]!);
    await untilCommits(14);
    // the run that the job took when it came back is lost as well
    await loses(commits[0]!);
    await untilCommits(20);
    expect(await counts()).to.include({ epoch: 8, records_read: 8, events_written: 8 });
    expect(await job.drain(), String(job.failure)).to.equal("DRAINED");
    const lost =
      'pipeline "items": the database is at epoch 2, this run had committed 8: 3 to 8 are lost and read again';
    expect(warnings).to.deep.equal([lost, lost]);
    expect((await items()).map((row) => row["id"])).to.deep.equal(ids.map(({ id }) => id));
    expect(new Set(commits).size, "runs").to.equal(3);
  });

  it("does not go on behind a commit without state, and names the steps that keep some", async () => {
    await (await start(graph([{ id: "a", price: "1" }]))).waitUntilFinish();
    const pipeline = graph([{ id: "b", price: "1" }]);
    const once = new Root(pipeline).apply(withName("Impulse2", impulse()));
    const bytes = P(once).apply(withName("Names", registeredParDo<Uint8Array, Uint8Array>(PASS, null)));
    const config = { values: [], ends: true, atOnce: 1 };
    P(bytes).apply(withName("ReadMore", splittableParDo(ARRAY_SOURCE, config, { bounded: true })));
    P(bytes).apply(withName("Count", registeredParDo(KEEPS_STATE, null)));
    const job = await start(pipeline);
    expect(await job.waitUntilFinish()).to.equal("FAILED");
    expect(job.failure?.message).to.equal(
      'pipeline "items" cannot go on after its epoch 1: no state was committed with it, but these steps ' +
        "keep some: ReadMore (positions), Count/ParDo (state and timers). Start it as it was, or under another name, " +
        "and let its sinks take what they have already",
    );
    expect(await items()).to.deep.equal([{ id: "a", price: "1.00" }]);
  });

  it("does not go on where elements may have been on their way to a stage that hands them on, but where it ends there", async () => {
    const reshuffled = (values: Fields[], times: number) => {
      const pipeline = new Pipeline();
      const once = new Root(pipeline).apply(withName("Impulse", impulse()));
      const source = { values, ends: true, atOnce: 10 };
      let records = P(once).apply(
        withName("Read", splittableParDo<Uint8Array, unknown>(ARRAY_SOURCE, source, { bounded: true })),
      );
      for (let n = 1; n <= times; n++) {
        records = P(records).apply(withName(`Reshuffle${n}`, reshuffle()));
        records = P(records).apply(withName(`Pass${n}`, registeredParDo(PASS, null)));
      }
      return pipeline;
    };
    const values = [{ id: "a" }, { id: "b" }];
    for (const times of [1, 1, 2]) {
      const job = await start(reshuffled(values, times));
      const state = await job.waitUntilFinish();
      expect(job.failure?.message ?? state).to.match(
        times === 1 ? /^DONE$/ : / keep some: Reshuffle1 \(elements on their way\)\. /,
      );
    }
  });

  it("drains: commits what was read and ends", async () => {
    const job = await start(graph([{ id: "a", price: "1" }], { ends: false }));
    await new Promise<void>((resolve) => {
      job.subscribe((event) => event.type === "commit" && resolve());
    });
    expect(await job.drain()).to.equal("DRAINED");
    expect(await items()).to.deep.equal([{ id: "a", price: "1.00" }]);
  });
});
