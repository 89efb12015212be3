/** Commands without a database: they take the embedded PostgreSQL, and `db` handles it. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { expect } from "chai";
import { SqlSession } from "../../sql/sql-session.js";
import { type FreshDatabase, freshDatabase } from "../support/postgres.js";
import { Product, type RunningCommand } from "../support/product.js";
import { HEADER } from "./expected-file.js";
import { event } from "./troubled-input.js";

const URL_LINE = /^postgresql:\/\/postgres@127\.0\.0\.1:\d+\/ecommerce_events\n$/;

let product: Product;

/** Inside of a `describe`: at the top of the file they would be hooks of the whole run. */
function useHooks(): void {
  beforeEach(async () => {
    product = await Product.create();
  });
  afterEach(async () => {
    await product.run(["db", "stop"]);
    await product.clear();
  });
}

describe("the embedded database", () => {
  useHooks();

  it("is taken where none is given, shared by commands, and stopped by the last", async () => {
    await writeFile(product.input("a.csv"), `${HEADER}\n${event("a1")}\n`);
    const pipeline = product.start(["pipeline"]);
    const cmdlines = await cmdlinesUntil(pipeline, /1 written/);
    const [status] = await product.status();
    expect(status).to.deep.include({ pid: pipeline.pid, events_written: 1 });
    const url = await product.succeed(["db", "url"]);
    expect(url.stdout).to.match(URL_LINE);
    const sql = await product.succeed(["db", "sql", "select event_id, price from user_events"]);
    expect(sql.stdout).to.equal("event_id | price\n---------+------\na1       |  1.00\n(1 row)\n");
    const wrong = await product.run(["db", "sql", "select no_such_column"]);
    expect([wrong.code, wrong.stdout]).to.deep.equal([1, ""]);
    expect(wrong.stderr).to.match(/ error column "no_such_column" does not exist\n$/);
    pipeline.kill("SIGTERM");
    const { code, stdout, stderr } = await pipeline.ended;
    expect(code).to.equal(0);
    expect(stderr).to.match(/ PostgreSQL stopped: no other command uses it\n$/);
    expect((await product.succeed(["db", "url"])).stderr).to.include("PostgreSQL is not running");

    const pgpass = await readFile(product.path(".millrace", "postgres", "pgpass"), "utf8");
    const password = pgpass.trim().split(":").at(-1)!;
    expect(password.length).to.be.above(15);
    expect(cmdlines.some((line) => line.includes("initdb"))).to.equal(process.platform === "linux");
    const shown = [...cmdlines, stdout, stderr, url.stdout, url.stderr, wrong.stderr, ...(await logFiles())];
    expect(shown.filter((text) => text.includes(password))).to.deep.equal([]);
  });

  it("stays from db start to db stop", async () => {
    expect((await product.succeed(["db", "start"])).stdout).to.match(URL_LINE);
    expect((await product.succeed(["migrate"])).stderr).to.not.include("PostgreSQL stopped");
    const count = await product.succeed([
      "db",
      "sql",
      "select count(*) from user_events; drop view v_top_products",
    ]);
    expect(count.stdout).to.equal("count\n-----\n    0\n(1 row)\nDROP\n");
    expect((await product.succeed(["db", "stop"])).stderr).to.equal("PostgreSQL stopped\n");
    expect((await product.succeed(["db", "stop"])).stderr).to.equal("PostgreSQL was not running\n");
    const unknown = await product.run(["db", "strat"]);
    expect([unknown.code, unknown.stdout]).to.deep.equal([2, ""]);
    expect(unknown.stderr).to.match(
      /^millrace: db must be followed by one of start, stop, url, sql, got "strat"/,
    );
  });
});

describe("demo", () => {
  useHooks();

  let named: FreshDatabase;
  beforeEach(async () => {
    named = await freshDatabase();
  });
  afterEach(() => named.drop());

  it("shows progress and the five views, in a database of its own whatever the environment names", async () => {
    const { stdout, stderr } = await product.succeed(["demo", "--duration=5", "--events-per-second=50"], {
      DATABASE_URL: named.url,
    });
    expect(stdout).to.match(/^user-events {2}\d+ records\/s {2}\d+ written/);
    expect(stdout).to.match(
      /\nuser-events {2}DRAINED {2}250 read: \d+ written, \d+ duplicates?, 0 conflicts, /,
    );
    const views = [...stdout.matchAll(/^v_\w+/gm)].map(([view]) => view);
    expect(views).to.deep.equal([
      "v_event_summary",
      "v_hourly_events",
      "v_purchase_funnel",
      "v_top_products",
      "v_recent_activity",
    ]);
    expect(stdout).to.match(/\n {2}npm run -s status\n/);
    expect(stderr).to.not.match(/ (warn|error) /);
    const session = await SqlSession.connect({ connection: named.connection, applicationName: "test" });
    expect(await session.query("select from pg_tables where schemaname = 'public'")).to.deep.equal([]);
    await session.close();
  });

  it("ends early at Ctrl-C with 0, and shows what came so far", async () => {
    const demo = product.start(["demo", "--duration=60"]);
    await demo.says(/\d+ written/);
    demo.kill("SIGINT");
    const { code, stdout } = await demo.ended;
    expect(code).to.equal(0);
    expect(stdout).to.match(/^v_recent_activity/m);
  });
});

/** Every argument list of this machine that was seen until the command said this. */
async function cmdlinesUntil(command: RunningCommand, text: RegExp): Promise<string[]> {
  const seen = new Set<string>();
  let isOver = false;
  const said = command.says(text).finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
    for (const pid of pids) seen.add(await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await said;
  return [...seen];
}

async function logFiles(): Promise<string[]> {
  const names = await readdir(product.path("logs"));
  return await Promise.all(names.map((name) => readFile(product.path("logs", name), "utf8")));
}
