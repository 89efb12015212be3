/** main(): commands with their exit codes and output, on a fake runner. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { CommandBench } from "./command-bench.js";
import { commitReport, settle } from "./fake-job.js";

let bench: CommandBench;
let input: string;
/** Hooks of the block that calls it. */
function useFreshState(): void {
  beforeEach(async () => {
    bench = new CommandBench();
    input = await mkdtemp(join(tmpdir(), "millrace-input-"));
  });
  afterEach(() => rm(input, { recursive: true }));
}

describe("pipeline", () => {
  useFreshState();

  it("runs on the embedded database, reports, and ends with 0", async () => {
    const code = bench.run("pipeline", `--input=${input}`, "--once");
    await bench.started();
    bench.job.emit({ type: "commit", commit: commitReport() });
    bench.job.end("DONE");
    expect(await code).to.equal(0);
    expect(bench.options).to.include({
      pipeline: "user-events",
      once: true,
      takeover: false,
      retryTimeoutMs: 60_000,
    });
    expect(bench.out).to.equal(
      "user-events  100 records/s  1,000 written  30 dead letters  no backlog  lag 500 ms\n" +
        "user-events  DONE  1,100 read: 1,000 written, 60 duplicates, 10 conflicts, 30 dead letters (invalid_price 30)\n",
    );
    expect(bench.err).to.equal(
      `2026-01-31T12:00:00.000Z info  user-events: ${input} into 127.0.0.1:6000/ecommerce_events as postgres (embedded), runner direct\n`,
    );
    expect(bench.metrics).to.have.length(1);
    expect(bench.monitored.map(({ early }) => early.map(({ type }) => type))).to.deep.equal([["commit"]]);
    expect(bench.monitorsClosed).to.equal(1);
    expect([bench.embeddedOpened, bench.embeddedClosed]).to.deep.equal([1, 1]);
    // a signal while the process ends would kill it if nobody caught it
    expect([bench.listenerCount("SIGINT"), bench.listenerCount("SIGTERM")]).to.deep.equal([1, 1]);
  });

  it("prints only JSON on stdout under --json, the end last", async () => {
    const code = bench.run("pipeline", `--input=${input}`, "--json");
    await bench.started();
    bench.job.emit({ type: "commit", commit: commitReport() });
    bench.emit("SIGTERM");
    expect(await code).to.equal(0);
    const events = bench.out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.map(({ event }) => event)).to.deep.equal(["commit", "end"]);
    expect(events[1]).to.include({ state: "DONE", exit_code: 0 });
    for (const line of bench.err.trimEnd().split("\n")) expect(JSON.parse(line)).to.have.property("msg");
  });

  it("ends with 1 and one clear message when the job fails", async () => {
    const code = bench.run("pipeline", `--input=${input}`);
    await bench.started();
    bench.job.end("FAILED", new Error("pipeline user-events is held by db1, pid 7"));
    expect(await code).to.equal(1);
    expect(bench.err.trimEnd().split("\n").slice(1)).to.deep.equal([
      "2026-01-31T12:00:00.000Z error pipeline user-events is held by db1, pid 7",
    ]);
    expect(bench.monitored).to.deep.equal([]);
  });

  it("opens no monitor with --monitor-port=0", async () => {
    const code = bench.run("pipeline", `--input=${input}`, "--monitor-port=0");
    await bench.started();
    bench.job.emit({ type: "commit", commit: commitReport() });
    bench.job.end("DONE");
    expect(await code).to.equal(0);
    expect(bench.monitored).to.deep.equal([]);
  });

  it("ends with 1 when the database refuses, and says so in JSON as well", async () => {
    bench.migrateErrors = [new Error("no such role, password=canary-7")];
    expect(await bench.run("pipeline", `--input=${input}`, "--json")).to.equal(1);
    expect(JSON.parse(bench.out)).to.deep.equal({
      event: "end",
      pipeline: "user-events",
      state: "FAILED",
      exit_code: 1,
      error: "no such role, password=***",
    });
    expect(bench.err).to.not.include("canary");
    expect(bench.embeddedClosed).to.equal(1);
  });

  it("waits without limit for a database that is away", async () => {
    bench.migrateErrors = Array.from({ length: 30 }, () => new Error("away"));
    const code = bench.run("pipeline", `--input=${input}`);
    while (bench.job.listeners === 0) {
      await settle();
      await bench.clock.advance(5_000);
    }
    bench.job.end("DONE");
    expect(await code).to.equal(0);
  });

  it("waits for --retry-timeout under --once", async () => {
    bench.migrateErrors = Array.from({ length: 30 }, () => new Error("away for long"));
    const code = bench.run("pipeline", `--input=${input}`, "--once", "--retry-timeout=8s");
    let isEnded = false;
    void code.then(() => {
      isEnded = true;
    });
    while (!isEnded) {
      await settle(); // time stands still until the first attempt, however long the modules take to load
      if (bench.migrateErrors.length < 30) await bench.clock.advance(500);
    }
    expect(await code).to.equal(1);
    expect(bench.clock.monotonicMs()).to.be.within(8_000, 9_000);
    expect(bench.err).to.match(/error away for long\n$/);
  });

  it("stops with 0 when told to while it waits for the database", async () => {
    bench.migrateErrors = Array.from({ length: 30 }, () => new Error("away"));
    const code = bench.run("pipeline", `--input=${input}`, "--json");
    while (bench.migrateErrors.length === 30) await settle(); // however long the modules take to load
    bench.emit("SIGINT");
    expect(await code).to.equal(0);
    expect(JSON.parse(bench.out)).to.include({ event: "end", state: "CANCELLED", exit_code: 0 });
  });

  it("stops at once at a second signal", async () => {
    const code = bench.run("pipeline", `--input=${input}`);
    await bench.started();
    bench.job.endsBy.drain = false;
    bench.emit("SIGTERM");
    await bench.clock.advance(1_500);
    bench.emit("SIGTERM");
    expect(bench.exits).to.deep.equal([143]);
    bench.job.end("CANCELLED");
    await code;
  });
});

describe("pipeline refuses", () => {
  useFreshState();

  const refusals: [string, string[], string][] = [
    [
      "an unknown runner",
      ["--runner=drect", "--input=."],
      'millrace: runner must be one of direct, got "drect" (from --runner). Did you mean "direct"?\n',
    ],
    [
      "an unknown pipeline",
      ["--pipeline=user-event", "--input=."],
      'millrace: pipeline must be one of user-events, got "user-event" (from --pipeline). Did you mean "user-events"?\n',
    ],
    ["an unknown flag", ["--inptu=x"], 'millrace: unknown option "--inptu". Did you mean "--input"?\n'],
    ["a flag without its value", ["--input"], "millrace: option '--input <DIR>' argument missing\n"],
    [
      "an action that it has not",
      ["x"],
      'millrace: pipeline may be followed by one of attach, drain, cancel, pause, resume, got "x"\n',
    ],
    [
      "two arguments",
      ["drain", "now"],
      "millrace: too many arguments for 'pipeline'. Expected 1 argument but got 2.\n",
    ],
    [
      "a page for others without TLS",
      ["--monitor-host=0.0.0.0"],
      'millrace: monitorHost "0.0.0.0" can be reached by others: give --monitor-tls-cert and --monitor-tls-key, or ' +
        "--monitor-insecure where the network is your own.\n",
    ],
    [
      "a certificate without its key",
      ["--monitor-tls-cert=x"],
      "millrace: monitorTlsCert and monitorTlsKey belong together: give both or neither.\n",
    ],
  ];
  for (const [what, argv, text] of refusals) {
    it(`${what} with 2`, async () => {
      expect(await bench.run("pipeline", ...argv)).to.equal(2);
      expect([bench.err, bench.out, bench.embeddedOpened]).to.deep.equal([text, "", 0]);
    });
  }

  it("a missing input folder with 2, and suggests the near one", async () => {
    const near = join(input, "events");
    await mkdir(near);
    expect(await bench.run("pipeline", `--input=${join(input, "event")}`)).to.equal(2);
    expect(bench.err).to.equal(
      `millrace: input must be an existing folder, got "${input}/event" (from --input). Did you mean "${near}"?\n`,
    );
    bench.err = "";
    expect(await bench.run("pipeline", `--input=${join(input, "quite-other")}`)).to.equal(2);
    expect(bench.err).to.equal(
      `millrace: input must be an existing folder, got "${input}/quite-other" (from --input). Create it: mkdir -p ${input}/quite-other\n`,
    );
  });

  it("a file as input folder with 2", async () => {
    const file = join(input, "a.csv");
    await writeFile(file, "");
    expect(await bench.run("pipeline", `--input=${file}`)).to.equal(2);
    expect(bench.err).to.equal(`millrace: input must be an existing folder, got "${file}" (from --input).\n`);
  });

  it("a misspelt flag without showing its password", async () => {
    expect(await bench.run("pipeline", "--databse-url=postgres://a:canary-8@h/d")).to.equal(2);
    expect(bench.err).to.equal('millrace: unknown option "--databse-url". Did you mean "--database-url"?\n');
  });
});
