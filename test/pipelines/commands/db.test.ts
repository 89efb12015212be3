/** The db command, on a real server. */

import { PassThrough } from "node:stream";
import { expect } from "chai";
import { type DbAction, formatTable, runDb } from "../../../pipelines/commands/db.js";
import { embeddedPostgresStatus } from "../../../sql/embedded/embedded-postgres.js";
import { EmbeddedCommands } from "../../support/embedded-commands.js";

describe("runDb()", () => {
  let commands: EmbeddedCommands;
  before(async () => {
    commands = await EmbeddedCommands.create();
  });
  after(() => commands.clear());

  async function run(
    stateDir: string,
    action: DbAction,
    ...args: string[]
  ): Promise<{ out: string; err: string }> {
    const { programs, reachableDirs } = commands;
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    await runDb(action, args, { stateDir, stdout, stderr, programs, reachableDirs });
    return { out: String(stdout.read() ?? ""), err: String(stderr.read() ?? "") };
  }

  it("starts a server that stays, names it, asks it, stops it", async () => {
    const stateDir = await commands.stateDir();
    const started = await run(stateDir, "start");
    expect(started.out).to.match(/^postgresql:\/\/postgres@127\.0\.0\.1:\d+\/ecommerce_events\n$/);
    const asked = await run(stateDir, "sql", "select 1 as one, 'two' as two");
    expect(asked).to.deep.equal({ out: "one | two\n----+----\n  1 | two\n(1 row)\n", err: "" });
    const url = await run(stateDir, "url");
    expect(url.out).to.equal(started.out);
    expect(url.err).to.contain("pgpass");
    expect((await run(stateDir, "stop")).err).to.equal("PostgreSQL stopped\n");
    expect((await run(stateDir, "stop")).err).to.equal("PostgreSQL was not running\n");
    expect((await run(stateDir, "url")).err).to.contain("not running");
  });

  it("sql starts a server for itself and stops it", async () => {
    const stateDir = await commands.stateDir();
    await run(stateDir, "sql", "create table t (a int); insert into t values (1), (2)");
    expect((await embeddedPostgresStatus({ stateDir })).state).to.equal("stopped");
    expect((await run(stateDir, "sql", "select * from t where a > 5")).out).to.equal("a\n-\n(0 rows)\n");
  });

  it("url refuses where there is no database yet", async () => {
    const error = await run(await commands.stateDir(), "url").catch((failure: unknown) => failure);
    expect(error).to.include({ code: "not_created" });
  });
});

describe("formatTable()", () => {
  it("aligns columns, numbers to the right, and obeys no control character", () => {
    const rows = [
      ["view", "12.50", null],
      ["a\nb\u001b[2J", "3", Buffer.from("hi")],
    ];
    expect(formatTable({ columns: ["type", "price", "raw"], rows, command: "SELECT", rowCount: 2 })).to.equal(
      [
        "type        | price | raw",
        "------------+-------+-------",
        "view        | 12.50 | null",
        "a\\nb\\x1b[2J |     3 | \\x6869",
        "(2 rows)",
        "",
      ].join("\n"),
    );
  });

  it("names what a statement without columns did", () => {
    expect(formatTable({ columns: [], rows: [], command: "INSERT", rowCount: 2 })).to.equal("INSERT 2\n");
  });
});
