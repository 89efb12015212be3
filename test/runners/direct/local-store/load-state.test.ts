/** A start with a local store: used, brought up to the last commit, built anew, or refused by name. */
import { cp, mkdtemp, readdir, readFile, readlink, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { expect } from "chai";
import { DirectRunner } from "../../../../runners/direct/direct-runner.js";
import { StagedDeltas } from "../../../../runners/direct/local-store/staged-deltas.js";
import { Savepoints } from "../../../../runners/direct/savepoints.js";
import type { Job } from "../../../../runners/job/job.js";
import type { StateDurability } from "../../../../runners/job/runner.js";
import { SqlSession } from "../../../../sql/sql-session.js";
import { systemClock } from "../../../../transforms/primitives/system-clock.js";
import { takeValues } from "../../../support/collected.js";
import { type FreshDatabase, freshDatabase } from "../../../support/postgres.js";
import { sumsGraph } from "../../../support/sums-graph.js";

const NAME = "load-state";

describe("a start with a local store", () => {
  let database: FreshDatabase;
  let session: SqlSession;
  let directory: string;
  let lines: string[] = [];
  beforeEach(async () => {
    takeValues(NAME);
    lines = [];
    database = await freshDatabase();
    session = await SqlSession.connect({ connection: database.connection, applicationName: "test" });
    directory = await mkdtemp(join(tmpdir(), "millrace-load-"));
  });
  afterEach(async () => {
    await session.close();
    await database.drop();
    await rm(directory, { recursive: true });
  });

  const values = (count: number) => Array.from({ length: count }, (_, n) => ({ id: `k${n % 3}`, n: "1" }));
  /** What the sums are of so many values, those from `from` on. */
  const sums = (from: number, count: number) =>
    values(count).flatMap(({ id }, place) => (place < from ? [] : [`${id} ${Math.floor(place / 3) + 1}`]));
  const log = {
    debug: () => undefined,
    info: (line: string) => void lines.push(line),
    warn: (line: string) => void lines.push(line),
    error: (line: string) => void lines.push(line),
  };

  async function run(
    count: number,
    durability: StateDurability | undefined,
    pipeline = "sums",
  ): Promise<Job> {
    const job = await new DirectRunner().run(sumsGraph(NAME, values(count)), {
      ...{ pipeline, connection: database.connection, once: true, takeover: false, retryTimeoutMs: 2_000 },
      ...(durability && { localStore: { directory, durability, residentBytesMax: 0 } }),
      ...{ clock: systemClock, log },
    });
    await job.waitUntilFinish();
    return job;
  }

  async function expectSums(job: Job, from: number, count: number): Promise<void> {
    expect(job.state, String(job.failure)).to.equal("DONE");
    expect(takeValues(NAME)).to.have.members(sums(from, count));
  }

  const folder = (pipeline = "sums") => join(directory, pipeline);
  const told = () => lines.filter((line) => line.includes("local store"));

  /** What may happen to a store, and what a start says of it. */
  const losses = {
    "is gone": {
      harm: () => rm(folder(), { recursive: true }),
      why: /is missing/,
    },
    "is cut off": {
      harm: () => truncate(join(folder(), "state.mdb"), 4_096),
      why: /is cut off: state\.mdb has 4096 of \d+ bytes/,
    },
    "has lost its data": {
      harm: () => rm(join(folder(), "state.mdb")),
      why: /has no state\.mdb/,
    },
    "has a damaged state.json": {
      harm: () => writeFile(join(folder(), "state.json"), "{"),
      why: /has a damaged state\.json/,
    },
    "is of another format": {
      harm: async () => {
        const path = join(folder(), "state.json");
        const about = JSON.parse(await readFile(path, "utf8")) as object;
        await writeFile(path, JSON.stringify({ ...about, storeFormat: 99 }));
      },
      why: /is of format 99\.\d+, and this program's is \d+\.\d+/,
    },
    "is as of a commit that the database does not know": {
      harm: () => session.query("update commits set run_id = gen_random_uuid()"),
      why: /is as of epoch \d+ of run [0-9a-f-]+/,
    },
  };

  for (const [what, { harm, why }] of Object.entries(losses)) {
    it(`that ${what}: built anew from the database`, async () => {
      await expectSums(await run(4, "database"), 0, 4);
      await harm();
      await expectSums(await run(8, "database"), 4, 8);
      expect(told()).to.have.length(1);
      expect(told()[0])
        .to.match(why)
        .and.match(/: it is built anew from the database$/);
      await expectSums(await run(9, "database"), 8, 9);
      expect(told(), "then it is used").to.have.length(1);
    });

    it(`that ${what}: refused where the state is nowhere else, naming both`, async () => {
      await expectSums(await run(4, "local"), 0, 4);
      await harm();
      const job = await run(8, "local");
      expect(job.state).to.equal("FAILED");
      expect(job.failure).to.have.property("code", "MILLRACE_LOCAL_STATE");
      expect(job.failure?.message)
        .to.match(why)
        .and.match(/the database is at its epoch \d+/);
      expect(takeValues(NAME)).to.deep.equal([]);
    });
  }

  for (const durability of ["database", "local"] as const) {
    it(`goes on from it, with the state ${durability === "local" ? "there alone" : "in the database too"}`, async () => {
      await expectSums(await run(4, durability), 0, 4);
      await expectSums(await run(7, durability), 4, 7);
      await expectSums(await run(9, durability), 7, 9);
      expect(told()).to.deep.equal([]);
    });

    it(`that is another pipeline's is refused by name, durable: ${durability}`, async () => {
      await run(4, durability);
      await run(4, durability, "other");
      takeValues(NAME);
      await rm(folder(), { recursive: true });
      await cp(folder("other"), folder(), { recursive: true });
      const job = await run(8, durability);
      expect(job.failure).to.have.property("code", "MILLRACE_FOREIGN_STORE");
      expect(job.failure?.message).to.include(
        'is that of pipeline "other" (shard 0), not of "sums" (shard 0)',
      );
    });
  }

  it("that is older is brought up to the last commit", async () => {
    await run(4, "database");
    await cp(folder(), `${folder()}.old`, { recursive: true });
    await run(6, "database");
    takeValues(NAME);
    await rm(folder(), { recursive: true });
    await cp(`${folder()}.old`, folder(), { recursive: true });
    await expectSums(await run(9, "database"), 6, 9);
    expect(told()).to.deep.equal([]);
  });

  it("that is older than the state is anywhere else is refused, naming both epochs", async () => {
    await run(4, "local");
    const before = await epoch();
    await cp(folder(), `${folder()}.old`, { recursive: true });
    await run(6, "local");
    takeValues(NAME);
    await rm(folder(), { recursive: true });
    await cp(`${folder()}.old`, folder(), { recursive: true });
    const job = await run(9, "local");
    expect(job.failure?.message).to.match(
      new RegExp(
        `the database is at its epoch ${await epoch()}, but the local store in .+ is as of epoch ${before} of`,
      ),
    );
  });

  it("takes the state over from the database, and gives it back to nobody who looks there", async () => {
    await run(4, undefined);
    takeValues(NAME);
    await expectSums(await run(6, "local"), 4, 6);
    const job = await run(8, "database");
    expect(job.failure).to.have.property("code", "MILLRACE_LOCAL_STATE");
    expect(job.failure?.message).to.include("start it with --state-durability=local");
    expect((await run(8, undefined)).failure).to.have.property("code", "MILLRACE_STATE_NOT_DURABLE");
    await expectSums(await run(9, "local"), 6, 9);
  });

  it("refuses a savepoint of state that the database does not have", async () => {
    await run(4, "local");
    const taken = await new Savepoints({ session, pipeline: "sums" }).take("one", "me").then(
      () => undefined,
      (error: Error) => error,
    );
    expect(taken?.message).to.match(/keeps its state on one machine alone \(--state-durability=local\)/);
    expect(await session.query("select name from savepoints")).to.deep.equal([]);
  });

  it("refuses a delta that was staged and is not what was written", async () => {
    await run(4, "local");
    const staged = join(folder(), "staged");
    await cp(folder(), `${folder()}.old`, { recursive: true });
    await session.query("select 1");
    expect(await readdir(staged)).to.deep.equal([]);
    const [last] = await session.query<{ run_id: string }>(
      "insert into commits (pipeline, shard, epoch, run_id, records_read, events_written, duplicates, conflicts, dead_letters) " +
        "select pipeline, shard, epoch + 1, run_id, 0, 0, 0, 0, 0 from pipelines returning run_id",
    );
    await writeFile(join(staged, `${(await epoch()) + 1}-${last!.run_id}.delta`), "nonsense");
    const job = await run(6, "local");
    expect(job.failure?.message).to.match(/\.delta is damaged: its checksum is not that of its 8 bytes/);
  });

  it("refuses a store when a delta is missing between it and the last commit", async () => {
    await run(4, "local");
    takeValues(NAME);
    const before = await epoch();
    for (let times = 0; times < 2; times++) {
      await session.query(
        "insert into commits (pipeline, shard, epoch, run_id, records_read, events_written, duplicates, conflicts, dead_letters) " +
          "select pipeline, shard, epoch + 1, run_id, 0, 0, 0, 0, 0 from pipelines",
      );
      await session.query("update pipelines set epoch = epoch + 1");
    }
    const [{ run_id: runId }] = (await session.query("select run_id from pipelines")) as [{ run_id: string }];
    const staged = await StagedDeltas.open(folder());
    await staged.write({ epoch: before + 2, runId }, { puts: [], removed: [] });
    const job = await run(6, "local");
    expect(job.failure?.message).to.match(
      new RegExp(`at its epoch ${before + 2}, but the local store in .+ is as of epoch ${before} of`),
    );
  });

  it("leaves no store open when it fails", async () => {
    await run(4, "database");
    takeValues(NAME);
    // A delta as a later program would store it.
    const unknown = deflateRawSync(Buffer.from([99]));
    await session.query(
      "insert into state_deltas (pipeline, shard, epoch, run_id, chunk, bytes) " +
        "select pipeline, shard, epoch + 1, run_id, 0, $1 from pipelines",
      [unknown],
    );
    const job = await run(6, "database");
    expect(job.failure).to.have.property("code", "MILLRACE_STATE_FORMAT");
    const files = await Promise.all(
      (await readdir("/proc/self/fd")).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")),
    );
    expect(files.filter((path) => path.startsWith(directory))).to.deep.equal([]);
  });

  async function epoch(): Promise<number> {
    const [row] = await session.query<{ epoch: number }>(
      "select epoch from pipelines where pipeline = 'sums'",
    );
    return row!.epoch;
  }
});
