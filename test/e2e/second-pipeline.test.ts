/** A pipeline for another table: the general transforms and fewer than 40 lines are all it takes. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { DirectRunner } from "../../runners/direct/direct-runner.js";
import { SqlSession } from "../../sql/sql-session.js";
import { readStatus } from "../../sql/status.js";
import { systemClock } from "../../transforms/primitives/system-clock.js";
import { type FreshDatabase, freshDatabase } from "../support/postgres.js";
import { Product } from "../support/product.js";
import { buildPageVisits } from "./page-visits.js";

const source = fileURLToPath(new URL("../../../test/e2e/page-visits.ts", import.meta.url));
const log = { debug() {}, info() {}, warn() {}, error() {} };

describe("a second pipeline", () => {
  let database: FreshDatabase;
  let session: SqlSession;
  let folder: Product;

  beforeEach(async () => {
    database = await freshDatabase();
    session = await SqlSession.connect({ connection: database.connection, applicationName: "test" });
    folder = await Product.create();
    await session.query(`create schema web; create table web.page_visits (
      visit_id text primary key, visited_at timestamptz not null, duration_ms integer not null,
      is_member boolean not null)`);
  });
  afterEach(async () => {
    await folder.clear();
    await session.close();
    await database.drop();
  });

  it("takes fewer than 40 lines", async () => {
    const lines = (await readFile(source, "utf8")).trimEnd().split("\n");
    expect(lines.length).to.be.below(40);
  });

  it("fills its own table with its own types, parts with what does not fit, and does it once", async () => {
    const records = [
      "visit_id,page,visited_at,duration_ms,is_member",
      "v1,/home,2026-01-01 12:00:00.5+01:00,1200,true",
      "v2,/cart,2026-01-01T11:00:01Z,0,no",
      "v1,/home,2026-01-01T11:00:00.500Z,1200,yes",
      "v1,/home,2026-01-01T11:00:00Z,1200,true",
      "v3,/home,yesterday,5,true",
      "v4,/home,2026-01-01T11:00:00Z,1.5,perhaps",
      "v5,/home,2026-01-01T11:00:00Z,4000000000,true",
    ];
    await writeFile(folder.input("visits.csv"), `${records.join("\n")}\n`);
    await run();
    const status = await pageVisits();
    expect(await session.query("select * from web.page_visits order by visit_id")).to.deep.equal([
      { visit_id: "v1", visited_at: "2026-01-01 11:00:00.5+00", duration_ms: 1200, is_member: true },
      { visit_id: "v2", visited_at: "2026-01-01 11:00:01+00", duration_ms: 0, is_member: false },
    ]);
    const letters = await session.query("select pipeline, line, reason from dead_letters order by line");
    expect(letters).to.deep.equal([
      { pipeline: "page-visits", line: 6, reason: "invalid_visited_at" },
      { pipeline: "page-visits", line: 7, reason: "invalid_duration_ms" },
      { pipeline: "page-visits", line: 8, reason: "rejected_by_database" },
    ]);
    expect(status).to.include({ records_read: 7, events_written: 2, duplicates: 1, conflicts: 1 });
    await run();
    expect(await pageVisits()).to.deep.equal(status);
  });

  async function run(): Promise<void> {
    const errorDir = folder.path("data", "error");
    await mkdir(errorDir, { recursive: true });
    const job = await new DirectRunner().run(buildPageVisits(folder.path("data", "raw"), errorDir), {
      ...{ pipeline: "page-visits", connection: database.connection, once: true, takeover: false },
      ...{ retryTimeoutMs: 2_000, clock: systemClock, log },
    });
    expect(await job.waitUntilFinish(), String(job.failure)).to.equal("DONE");
  }

  const pageVisits = async () =>
    (await readStatus(session)).find(({ pipeline }) => pipeline === "page-visits");
});
