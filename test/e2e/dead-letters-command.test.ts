/** `npm run dead-letters`: what each action prints, changes and refuses, on what a pipeline has left. */
import { readFile, writeFile } from "node:fs/promises";
import { expect } from "chai";
import { JOB_SERVER_CLIENT, tryLockPipeline } from "../../sql/pipelines.js";
import { SqlSession } from "../../sql/sql-session.js";
import { expectBalance } from "../support/letter-balance.js";
import { jsonLines } from "../support/product.js";
import { HEADER } from "./expected-file.js";
import { database, product, session, useFreshProduct } from "./fresh-product.js";
import { event } from "./troubled-input.js";

/** What a terminal would obey, were it printed: colours, a link, a bell, text turned round. */
const HOSTILE = "\u001b[31m\u001b]8;;http://x\u0007\u202e<img src=x onerror=alert(1)>";

describe("dead-letters", () => {
  useFreshProduct();

  const letters = (...argv: string[]) => product.run(["dead-letters", ...argv]);
  const once = () => product.succeed(["pipeline", "--once", "--quiet-ms=50"]);
  async function idOf(text: string): Promise<string> {
    const { stdout } = await product.succeed(["dead-letters", "list", "--json", `--search=${text}`]);
    const [letter] = JSON.parse(stdout) as { id: string }[];
    return letter!.id;
  }

  async function writeBad(...records: (string | Buffer)[]): Promise<void> {
    const lines = [HEADER, ...records].flatMap((line) => [Buffer.from(line as string), Buffer.from("\n")]);
    await writeFile(product.input("bad.csv"), Buffer.concat(lines));
    await once();
  }

  it("lists and shows letters without a byte that a terminal obeys, and gives the bytes as they are", async () => {
    const hostile = event(`h1${HOSTILE}`);
    const binary = Buffer.concat([
      Buffer.from("b1,"),
      Buffer.from([0xff, 0x1b, 0x5b]),
      Buffer.from(",view,p,1,x"),
    ]);
    await writeBad(event("a1", "much"), hostile, binary);
    const list = await product.succeed(["dead-letters", "list"]);
    const lines = list.stdout.trimEnd().split("\n");
    expect(lines).to.have.length(4);
    expect(lines[0]).to.match(/^ *id {2}reason +where +came +retry +messages$/);
    expect(lines[1]).to.match(/^ *\d+ {2}invalid_encoding +bad\.csv:4 +\d{4}-\d\d-\d\dT[\d:.]+Z {2}- +/);
    expect(lines[3]).to.match(/invalid_price +bad\.csv:2 .*price: .*got "much"$/);
    expect((await product.succeed(["dead-letters", "list", "--reason=invalid_price"])).stdout).to.not.include(
      "h1",
    );
    expect((await product.succeed(["dead-letters", "list", "--limit=1"])).stdout.split("\n")).to.have.length(
      3,
    );
    expect((await product.succeed(["dead-letters", "list", "--search=nothing"])).stdout).to.equal(
      "no dead letters\n",
    );

    const shown = await product.succeed(["dead-letters", "show", await idOf("h1")]);
    expect(shown.stdout).to.include(
      "! event_id         h1\\u001b[31m\\u001b]8;;http://x\\u0007\\u{202e}<img src=x",
    );
    expect(shown.stdout).to.match(
      /^dead letter \d+: invalid_event_id\nbad\.csv, generation 0, line 3, bytes /,
    );
    const bytes = await product.succeed(["dead-letters", "show", await idOf("b1")]);
    expect(bytes.stdout).to.include(
      "record, which is no UTF-8 (bytes as \\xHH):\nb1,\\xff\\x1b[,view,p,1,x\n",
    );
    for (const { stdout } of [list, shown, bytes]) expect(stdout).to.not.match(/[^\P{C}\n]/u);

    const raw = await product.succeed(["dead-letters", "show", "--raw", await idOf("h1")]);
    expect(raw.stdout).to.equal(hostile);
    const json = JSON.parse(
      (await product.succeed(["dead-letters", "show", "--json", await idOf("b1")])).stdout,
    );
    expect(json).to.include({ rawBase64: binary.toString("base64"), text: null, reason: "invalid_encoding" });
  });

  it("retries one letter, edited from a file or standard input, and waits for what comes of it", async () => {
    await writeBad(event("a1", "much"), event("a2", "more"), event("a3", "most"));
    const [first, second, third] = [await idOf("a1"), await idOf("a2"), await idOf("a3")];
    await writeFile(product.path("edited.csv"), `${event("a1", "1.50")}\n`);
    const pending = await letters("retry", first, `--edit=${product.path("edited.csv")}`);
    expect(pending).to.include({ code: 0 });
    expect(pending.stdout).to.match(/^dead letter \d+: pending, asked for by \S+@\S+ at /);
    expect(pending.stderr).to.include('nothing runs pipeline "user-events"');
    const again = await letters("retry", first);
    expect(again.code).to.equal(2);
    expect(again.stderr).to.match(/a retry of dead letter \d+ is pending, asked for by /);

    const running = product.start(["pipeline", "--json", "--quiet-ms=50"]);
    await running.says(/"event":"commit"/);
    const rejected = await letters("retry", second, "--wait");
    expect(rejected.code).to.equal(1);
    expect(rejected.stdout).to.match(
      /: rejected in epoch \d+, .* \(1 attempt\): invalid_price; price: .*got "more"\n$/,
    );
    const fed = await feed(["retry", third, "--edit=-", "--wait", "--json"], event("a3", "3.50"));
    expect(JSON.parse(fed.stdout)).to.include({ id: third, status: "written", attempts: 1 });
    running.kill("SIGTERM");
    expect(await running.ended).to.include({ code: 0 });
    const settled = await letters("retry", first);
    expect(settled.code).to.equal(2);
    expect(settled.stderr).to.match(/dead letter \d+ is settled: .* is written since epoch \d+/);
    const rows = await session.query("select event_id, price::text from user_events order by event_id");
    expect(rows).to.deep.equal([
      { event_id: "a1", price: "1.50" },
      { event_id: "a3", price: "3.50" },
    ]);
    await expectBalance(session);
  });

  /** With this on standard input. */
  async function feed(argv: readonly string[], text: string) {
    await writeFile(product.path("stdin"), text);
    const quoted = ["dead-letters", ...argv].map((word) => `'${word}'`).join(" ");
    return await product.shell(`${quoted} < '${product.path("stdin")}'`);
  }

  it("asks for no retry where the pipeline runs on a job server, or would", async () => {
    await writeBad(event("a1", "much"));
    const id = await idOf("a1");
    const flink = { MILLRACE_RUNNER: "flink" };
    for (const argv of [
      ["retry", id],
      ["retry", "--reason=invalid_price"],
    ]) {
      const refused = await product.run(["dead-letters", ...argv], flink);
      expect(refused.code).to.equal(2);
      expect(refused.stderr).to.include("runner flink takes no retries of dead letters");
      expect(refused.stderr).to.not.include("nothing runs");
    }
    const client = await SqlSession.connect({
      connection: database.connection,
      applicationName: JOB_SERVER_CLIENT,
    });
    try {
      expect(await tryLockPipeline(client, { pipeline: "user-events", shard: 0 })).to.equal(true);
      const refused = await letters("retry", id);
      expect(refused.code).to.equal(2);
      expect(refused.stderr).to.include("its run on a job server takes no retries of dead letters");
    } finally {
      await client.close();
    }
    expect((await product.succeed(["dead-letters", "list", "--json"])).stdout).to.include('"retry": null');
  });

  it("retries all letters of a reason, and tells how many became what", async () => {
    await writeBad(event("a1", "much"), event("a2", "more"), "one,two");
    const asked = await product.succeed(["dead-letters", "retry", "--reason=invalid_price"]);
    expect(asked.stdout).to.equal("2 retries asked for\n");
    const running = product.start(["pipeline", "--json", "--quiet-ms=50"]);
    await running.says(/"event":"commit"/);
    const waited = await letters("retry", "--reason=field_count", "--wait");
    expect(waited).to.include({ code: 1, stdout: "1 retry asked for: 1 rejected\n" });
    const none = await letters("retry", "--reason=no_such", "--wait", "--json");
    expect(none).to.include({ code: 0, stdout: '{"requested":0,"pending":0}\n' });
    running.kill("SIGTERM");
    await running.ended;
    await expectBalance(session);
  });

  it("exports the lines of the error directory's files", async () => {
    await writeBad(event("a1", "much"), Buffer.from([0xff, 0x2c]), event("a2", "more"));
    const written = jsonLines(await readFile(product.path("data", "error", "user-events-1.ndjson"), "utf8"));
    const all = await product.succeed(["dead-letters", "export"]);
    expect(jsonLines(all.stdout)).to.deep.equal(written);
    expect(written).to.have.length(3);
    const some = await product.succeed(["dead-letters", "export", "--reason=invalid_price"]);
    expect(jsonLines(some.stdout)).to.deep.equal([written[0], written[2]]);
  });

  it("purges only when --yes is typed, and leaves status as it was", async () => {
    await writeBad(event("a1", "much"), "one,two", event("a2", "more"));
    await product.succeed(["dead-letters", "retry", await idOf("a1")]);
    const before = await product.status();
    const refused = await product.run(["dead-letters", "purge"], { MILLRACE_DEAD_LETTERS_YES: "true" });
    expect(refused.code).to.equal(2);
    expect(refused.stderr).to.include(
      "would delete 2 dead letters for good and keep 1; their counts stay in status.",
    );
    expect(await session.query("select from dead_letters")).to.have.length(3);
    const past = await product.succeed(["dead-letters", "purge", "--before=2020-01-01", "--yes"]);
    expect(past.stdout).to.equal("deleted 0 dead letters, kept 0; their counts stay in status\n");
    const one = await product.succeed(["dead-letters", "purge", "--reason=field_count", "--yes"]);
    expect(one.stdout).to.equal("deleted 1 dead letter, kept 0; their counts stay in status\n");
    const rest = await product.succeed(["dead-letters", "purge", "--yes", "--json"]);
    expect(JSON.parse(rest.stdout)).to.deep.equal({ purged: 1, kept: 1 });
    expect(await product.status()).to.deep.equal(before);
  });

  it("refuses what it does not take, by name", async () => {
    const refusals: [string[], string][] = [
      [["look"], 'dead-letters must be followed by one of list, show, retry, export, purge, got "look"'],
      [["show"], "dead-letters show takes one id, got nothing."],
      [["list", "7"], 'dead-letters list takes no id, got "7".'],
      [["retry"], "dead-letters retry takes one id, or --reason, got nothing."],
      [["retry", "7", "--reason=r"], 'dead-letters retry takes one id, or --reason, got "7" and a reason.'],
      [["retry", "--reason=r", "--edit=x"], "--edit is for one letter, not for all of a reason."],
      [["list", "--edit=x", "--yes"], "dead-letters list does not take --edit: it is for retry."],
      [["export", "--before=2026-01-01"], "dead-letters export does not take --before: it is for purge."],
      [["list"], 'no pipeline "user-events" has run on this database.'],
    ];
    for (const [argv, message] of refusals) {
      const { code, stderr } = await letters(...argv);
      expect({ code, stderr }, argv.join(" ")).to.deep.include({ code: 2 });
      expect(stderr, argv.join(" ")).to.include(message);
    }
    await writeBad(event("a1", "much"));
    const more: [string[], string][] = [
      [["show", "x"], 'the id of a dead letter must be a number, got "x"'],
      [["show", "999"], 'pipeline "user-events" has no dead letter 999'],
      [
        ["retry", "1", "--edit=/no/such"],
        '--edit must name a file that can be read, got "/no/such" (ENOENT).',
      ],
    ];
    for (const [argv, message] of more) {
      const { code, stderr } = await letters(...argv);
      expect(stderr, argv.join(" ")).to.include(message);
      expect(code).to.equal(2);
    }
  });
});
