/** Savepoints of the main pipeline by the command line: taken, gone back to, and what was read since read again. */
import { rename, writeFile } from "node:fs/promises";
import { expect } from "chai";
import { SqlSession } from "../../sql/sql-session.js";
import { expectBalance } from "../support/letter-balance.js";
import { type FreshDatabase, freshDatabase } from "../support/postgres.js";
import { jsonLines, Product } from "../support/product.js";

const HEADER = "event_id,user_id,event_type,product_id,price,event_timestamp\n";
const event = (id: string, price = "1.00") => `${id},u1,view,p1,${price},2026-01-31T12:00:00Z\n`;

const LINK = /watch it at (http:\/\/127\.0\.0\.1:\d+)\/#token=([\w-]+)/;

describe("savepoints", function () {
  this.timeout(120_000);
  let database: FreshDatabase;
  let session: SqlSession;
  let product: Product;

  beforeEach(async () => {
    database = await freshDatabase();
    product = await Product.create(database.url);
    session = await SqlSession.connect({ connection: database.connection, applicationName: "test" });
  });
  afterEach(async () => {
    await session.close();
    await product.clear();
    await database.drop();
  });

  const drop = async (name: string, content: string) => {
    await writeFile(product.path(name), content);
    await rename(product.path(name), product.input(name));
  };
  const once = (...flags: string[]) =>
    product.succeed(["pipeline", "--once", "--quiet-ms=50", "--log-level=warn", ...flags]);
  const status = async () => {
    const [{ records_read, events_written, duplicates, dead_letters, epoch } = expect.fail("no status")] =
      await product.status();
    return { records_read, events_written, duplicates, dead_letters, epoch };
  };
  const savepoints = (...argv: string[]) => product.run(["savepoints", ...argv]);

  it("are gone back to: what was read since is read again, rows once, letters once", async () => {
    await drop("a.csv", `${HEADER}${event("a1")}${event("a2")}${event("a3", "free")}`);
    await once();
    const taken = await savepoints("take", "monday", "--json");
    expect(JSON.parse(taken.stdout)).to.include({ name: "monday", epoch: 1, recordsRead: 3, files: 1 });
    await drop("b.csv", `${HEADER}${event("b1")}${event("b2", "free")}${event("a1")}`);
    await writeFile(product.input("a.csv"), event("a4"), { flag: "a" });
    await once();
    const before = await status();
    expect(before).to.deep.include({ records_read: 7, events_written: 4, duplicates: 1 });
    expect(before.dead_letters).to.deep.equal({ invalid_price: 2 });

    const asked = await savepoints("restore", "monday");
    expect(asked.code, asked.stderr).to.equal(2);
    expect(asked.stderr).to.include("after epoch 1, 3 records read").and.include("--yes");
    expect(await status(), "nothing without --yes").to.deep.equal(before);
    const restored = await savepoints("restore", "monday", "--yes", "--json");
    expect(restored.code, restored.stderr).to.equal(0);
    expect(JSON.parse(restored.stdout)).to.include({ name: "monday", restoredAsEpoch: before.epoch + 1 });
    expect(await status()).to.deep.include({
      ...{ records_read: 6, events_written: 4, duplicates: 1, dead_letters: { invalid_price: 1 } },
    });
    await expectBalance(session);

    await once();
    // b1, a1 and a4 are there; b2 is a letter again
    expect(await status()).to.deep.include({
      ...{ records_read: 10, events_written: 4, duplicates: 4, dead_letters: { invalid_price: 2 } },
    });
    await expectBalance(session);
    const letters = await session.query("select source_file, line from dead_letters order by 1");
    expect(letters).to.deep.equal([
      { source_file: "a.csv", line: 4 },
      { source_file: "b.csv", line: 3 },
    ]);
    await once();
    expect((await status()).records_read, "nothing is left to be read").to.equal(10);
  });

  it("are listed, found by time, compared with the graph, and deleted", async () => {
    await drop("a.csv", `${HEADER}${event("a1")}`);
    await once();
    await product.succeed(["savepoints", "take", "one"]);
    const between = new Date().toISOString();
    await product.succeed(["savepoints", "take", "two"]);
    const { stdout } = await product.succeed(["savepoints", "list", "--json"]);
    expect(JSON.parse(stdout).map(({ name }: { name: string }) => name)).to.deep.equal(["two", "one"]);
    expect((await product.succeed(["savepoints", "list"])).stdout).to.match(/^two +1 +1 /m);
    expect((await product.succeed(["savepoints", "check", "one"])).stdout).to.equal(
      "savepoint one fits the graph\n",
    );
    const restored = await product.succeed([
      "savepoints",
      "restore",
      `--before=${between}`,
      "--yes",
      "--json",
    ]);
    expect(jsonLines(restored.stdout)[0]).to.include({ name: "one" });
    await product.succeed(["savepoints", "delete", "one"]);
    expect((await product.succeed(["savepoints", "list"])).stdout).not.to.match(/^one /m);
    expect(await session.query("select distinct name from savepoint_files")).to.deep.equal([{ name: "two" }]);
  });

  it("are taken of a run and leave it alone; a restore waits for none, and is fenced by none", async () => {
    await drop("a.csv", `${HEADER}${event("a1")}`);
    const run = product.start(["pipeline", "--quiet-ms=50", "--monitor-port=0", "--json"]);
    await run.says(/"type":"commit"|"epoch":1/);
    await product.succeed(["savepoints", "take", "live"]);
    await drop("b.csv", `${HEADER}${event("b1")}`);
    await run.says(/"epoch":2/);
    const taken = await savepoints("restore", "live", "--yes", "--takeover");
    expect(taken.code, taken.stderr).to.equal(0);
    const { code, stderr } = await run.ended;
    expect(code, "the run that was put out").not.to.equal(0);
    expect(stderr).to.match(/taken over/);
    await once();
    expect(await status()).to.deep.include({ records_read: 3, events_written: 2, duplicates: 1 });
    await expectBalance(session);
  });

  it("are taken from the page, which shows them among the checkpoints", async () => {
    await drop("a.csv", `${HEADER}${event("a1")}`);
    const run = product.start(["pipeline", "--quiet-ms=50", "--json"]);
    await run.says(LINK);
    const [, url, token] = LINK.exec(run.stderr) ?? expect.fail("no link");
    const ask = async (path: string, method = "GET") => {
      const headers = { authorization: `Bearer ${token}`, origin: url! };
      const response = await fetch(`${url}${path}`, { method, headers });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    await run.says(/"epoch":1/);
    expect(await ask("/api/job/savepoint", "POST")).to.deep.equal({
      status: 200,
      body: { state: "RUNNING" },
    });
    const { stdout } = await product.succeed(["savepoints", "list", "--json"]);
    const [{ name, createdBy, epoch } = expect.fail("no savepoint")] = JSON.parse(stdout);
    expect({ createdBy, epoch }).to.deep.equal({ createdBy: "page", epoch: 1 });
    const { body } = await ask("/api/checkpoints");
    expect(body["latest"]).to.deep.nested.include({
      "savepoint.id": name,
      "savepoint.message": "after epoch 1",
    });
    run.kill("SIGTERM");
    expect((await run.ended).code).to.equal(0);
  });

  it("refuse in one line what cannot be done, and change nothing", async () => {
    const refuses = async (words: string, ...argv: string[]) => {
      const { code, stderr } = await savepoints(...argv, "--log-level=warn");
      expect(code, argv.join(" ")).to.equal(2);
      expect(stderr.trim().split("\n"), argv.join(" ")).to.have.length(1);
      expect(stderr, argv.join(" ")).to.include(words);
    };
    await drop("a.csv", `${HEADER}${event("a1")}`);
    await refuses('no pipeline "user-events" has run', "take", "early");
    await once();
    await refuses("must be 1 to 64 letters", "take", "no name");
    await refuses('no savepoint "none"', "restore", "none", "--yes");
    await refuses("no savepoint from before 2020-01-01", "restore", "--before=2020-01-01T00:00:00Z", "--yes");
    await refuses("must be followed by one of take, list, check, restore, delete", "make", "it");
    await refuses("takes the name of one savepoint, got nothing", "take");
    await refuses("does not take --yes: it is for restore", "take", "a", "--yes");
    await product.succeed(["savepoints", "take", "a"]);
    await refuses('has a savepoint "a" already', "take", "a");
    await drop("b.csv", `${HEADER}${event("b1")}`);
    await once("--when-done=delete", "--done-after-ms=50");
    const before = await status();
    await refuses("files that were read since are gone: b.csv (deleted)", "restore", "a", "--yes");
    expect(await status()).to.deep.equal(before);
  });
});
