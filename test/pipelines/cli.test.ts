/** dist/pipelines/cli.js as a process: exit codes of what is refused, the help, and a start that stays fast. */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { settings } from "../../pipelines/config/settings.js";
import { verbs } from "../../pipelines/verbs.js";
import { parts } from "../../pipelines/wiring.js";

const cli = fileURLToPath(new URL("../../pipelines/cli.js", import.meta.url));

let cwd: string;
/** Hooks of the block that calls it. */
function useFreshState(): void {
  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), "millrace-cli-"));
  });
  after(() => rm(cwd, { recursive: true }));
}

/** Runs the command in an empty folder, with nothing of ours in its environment. */
async function run(argv: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [cli, ...argv], { cwd, env: { PATH: process.env["PATH"], ...env } });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, stdout, stderr };
}

describe("cli.js ends with 2 and says what to put right", () => {
  useFreshState();

  it("for a database of sinks whose variable cannot be read", async () => {
    const env = { MILLRACE_SINK_REPORTS_URL: "canary-12" };
    const { code, stderr } = await run(["pipeline", "--input=."], env);
    expect(code).to.equal(2);
    expect(stderr)
      .to.match(/^millrace: database of sinks: MILLRACE_SINK_REPORTS_URL: /)
      .and.not.include("canary-12");
  });

  const refusals: [string, string[], RegExp][] = [
    ["no verb", [], /^Usage: millrace/],
    ["an unknown verb", ["pipelin"], /^millrace: unknown command "pipelin"\. Did you mean "pipeline"\?\n$/],
    [
      "an unknown flag",
      ["pipeline", "--inptu=x"],
      /^millrace: unknown option "--inptu"\. Did you mean "--input"\?\n$/,
    ],
    [
      "a flag of other verbs, without its value",
      ["demo", "--database-url=postgres://ann:canary-11@h/d"],
      /^millrace: demo does not take --database-url: it is for pipeline, status, dead-letters, savepoints, migrate, worker\.\n$/,
    ],
    [
      "a switch of other verbs, taken back",
      ["db", "url", "--no-json"],
      /^millrace: db does not take --no-json: it is for pipeline, status, dead-letters, savepoints, migrate, graph\.\n$/,
    ],
    [
      "--json of the generator, whose manifest is JSON",
      ["generate", "--json"],
      /^millrace: generate does not take --json: it is for pipeline, status, dead-letters, savepoints, migrate, graph\.\n$/,
    ],
    [
      "a flag before its verb",
      ["--once", "pipeline"],
      /^millrace: --once must follow its command: it is for pipeline, graph\.\n$/,
    ],
    [
      "two formats of a graph",
      ["graph", "--json", "--format=dot"],
      /^millrace: --json asks for json, --format for dot\. Keep one\.\n$/,
    ],
    [
      "a statement where none is taken",
      ["db", "stop", "select 1"],
      /^millrace: db stop takes no statement, got "select 1"\n$/,
    ],
    [
      "an unknown runner",
      ["pipeline", "--runner=drect"],
      /^millrace: runner must be one of .*, got "drect" \(from --runner\)\./m,
    ],
    [
      "an unknown pipeline",
      ["pipeline", "--pipeline=user-event"],
      /^millrace: pipeline must be one of .*, got "user-event" \(from --pipeline\)\./m,
    ],
    [
      "a bad value",
      ["pipeline", "--quiet-ms=soon"],
      /^millrace: quietMs must be a duration in ms or like "10s", got "soon" \(from --quiet-ms\)\. Try 1000 or "1s"\.\n$/,
    ],
  ];
  for (const [what, argv, text] of refusals) {
    it(what, async () => {
      const { code, stdout, stderr } = await run(argv);
      expect(stderr).to.match(text);
      expect([code, stdout]).to.deep.equal([2, ""]);
    });
  }

  it("a missing input folder", async () => {
    const { code, stderr } = await run(["pipeline"]);
    expect(stderr.split("\n")).to.include(
      'millrace: input must be an existing folder, got "data/raw" (from default). Create it: mkdir -p data/raw',
    );
    expect(code).to.equal(2);
  });

  it("an unknown key in millrace.yaml", async () => {
    await writeFile(join(cwd, "millrace.yaml"), "input: x\nquitMs: 5\n");
    const { code, stderr } = await run(["pipeline"]);
    await rm(join(cwd, "millrace.yaml"));
    expect(stderr).to.equal('millrace: unknown key "quitMs" in millrace.yaml:2. Did you mean "quietMs"?\n');
    expect(code).to.equal(2);
  });

  it("an unknown variable", async () => {
    const { code, stderr } = await run(["pipeline"], { MILLRACE_INPTU: "x" });
    expect(stderr).to.equal(
      'millrace: unknown variable MILLRACE_INPTU in the environment. Did you mean "MILLRACE_INPUT"?\n',
    );
    expect(code).to.equal(2);
  });

  it("a database URL, without showing its password", async () => {
    const { code, stdout, stderr } = await run(["pipeline", "--database-url=postgre://ann:canary-10@h/d"]);
    expect(code).to.equal(2);
    expect(stderr).to.include("databaseUrl must be a URL like");
    expect(stdout + stderr).to.not.include("canary");
  });
});

describe("cli.js --help", () => {
  useFreshState();

  for (const verb of verbs.filter(({ name }) => name in parts.verbs)) {
    it(`lists all options of ${verb.name}`, async () => {
      const { code, stdout } = await run([verb.name, "--help"]);
      expect(code).to.equal(0);
      for (const path of verb.settings) expect(stdout).to.include(settings.get(path)!.flag);
    });
  }

  it("loads neither zod nor apache-beam nor the driver", async () => {
    const hooks =
      'import{writeSync}from"node:fs";export async function load(u,c,n){writeSync(2,u+"\\n");return n(u,c)}';
    await writeFile(join(cwd, "hooks.mjs"), hooks);
    await writeFile(
      join(cwd, "trace.mjs"),
      'import{register}from"node:module";register("./hooks.mjs",import.meta.url)',
    );
    const { stderr } = await run(["pipeline", "--help"], {
      NODE_OPTIONS: `--import ${join(cwd, "trace.mjs")}`,
    });
    const loaded = [...stderr.matchAll(/node_modules\/([^/]+)/g)].map((match) => match[1]);
    expect([...new Set(loaded)]).to.deep.equal(["commander"]);
  });
});
