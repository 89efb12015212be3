/** loadConfig() and mergeConfig(): which layer wins, where a value came from, and every refusal word for word. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import {
  defaultsLayer,
  environmentLayer,
  flagsLayer,
  type Layer,
} from "../../pipelines/config/config-layer.js";
import { configSchema } from "../../pipelines/config/config-schema.js";
import { parseConfigFile } from "../../pipelines/config/read-config-file.js";
import { settings } from "../../pipelines/config/settings.js";
import { loadConfig, mergeConfig } from "../../pipelines/config.js";
import { UsageError } from "../../pipelines/usage-error.js";

const flags = (values: Record<string, unknown>) => flagsLayer(new Map(Object.entries(values)));
const merge = (...layers: Layer[]) => mergeConfig([defaultsLayer(), ...layers]);
const problemsOf = (run: () => unknown): readonly string[] => {
  try {
    run();
  } catch (error) {
    if (error instanceof UsageError) return error.problems;
    throw error;
  }
  throw new Error("nothing was refused");
};

describe("mergeConfig()", () => {
  it("has a default for every setting that needs one", () => {
    const { config, origins } = merge();
    expect(config).to.deep.equal({
      runner: "direct",
      pipeline: "user-events",
      input: "data/raw",
      once: false,
      takeover: false,
      errorDir: "data/error",
      stateDir: ".millrace",
      stateDurability: "database",
      stateMemory: 64 * 1024 * 1024,
      logDir: "logs",
      quietMs: 1_000,
      outOfOrdernessMs: 60_000,
      idleMs: 60_000,
      allowedLatenessMs: 600_000,
      drain: false,
      doneAfterMs: 10_000,
      whenDone: "leave",
      archiveDir: "data/processed/raw",
      newestFirst: false,
      glob: ["*.csv", "*.csv.gz"],
      recursive: false,
      delimiter: ",",
      horizonRecords: 65_536,
      epochRecordsMax: 20_000,
      epochBytesMax: 8_388_608,
      retryTimeout: 60_000,
      drainTimeout: 30_000,
      environment: "loopback",
      parallelism: 2,
      streaming: false,
      monitorPort: 4_040,
      monitorHost: "127.0.0.1",
      monitorInsecure: false,
      monitorSamples: 0,
      json: false,
      logLevel: "info",
      savepoints: { yes: false },
      status: { watch: false },
      generate: {
        eventsPerSecond: 10,
        asFastAsPossible: false,
        output: "data/raw",
        rowsPerFile: 10_000,
        malformedRate: 0.01,
        duplicateRate: 0.02,
      },
      graph: { format: "mermaid" },
      deadLetters: { limit: 50, raw: false, wait: false, yes: false },
      demo: { duration: 60, eventsPerSecond: 10 },
      jobServer: { port: 8_099, heap: 2 * 1024 ** 3 },
      worker: { port: 50_000, host: "127.0.0.1", processes: 1 },
    });
    expect(origins.get("quietMs")).to.deep.equal({ layer: "default", name: "default" });
    expect(origins.has("databaseUrl")).to.equal(false);
  });

  it("knows in its schema exactly what the flags and variables offer", () => {
    const shape = configSchema.shape;
    const paths = Object.entries(shape).flatMap(([key, leaf]) =>
      "shape" in leaf ? Object.keys(leaf.shape).map((inner) => `${key}.${inner}`) : [key],
    );
    expect([...settings.keys()].sort()).to.deep.equal(paths.sort());
  });

  it("lets the file beat defaults, the environment beat the file, flags beat all, and tells who won", async () => {
    const file = await parseConfigFile(
      "quietMs: 1\ndoneAfterMs: 2\nhorizonRecords: 3\ngenerate:\n  seed: 4\n",
      "millrace.yaml",
    );
    const env = environmentLayer({
      MILLRACE_DONE_AFTER_MS: "20",
      MILLRACE_HORIZON_RECORDS: "30",
      MILLRACE_GENERATE_EVENTS: "40",
    });
    const { config, origins } = merge(file, env, flags({ horizonRecords: "300" }));
    expect([config.quietMs, config.doneAfterMs, config.horizonRecords]).to.deep.equal([1, 20, 300]);
    expect([config.generate.seed, config.generate.events]).to.deep.equal([4, 40]);
    expect(origins.get("quietMs")).to.deep.equal({ layer: "file", name: "millrace.yaml:1" });
    expect(origins.get("generate.seed")).to.deep.equal({ layer: "file", name: "millrace.yaml:5" });
    expect(origins.get("doneAfterMs")).to.deep.equal({
      layer: "environment",
      name: "MILLRACE_DONE_AFTER_MS",
    });
    expect(origins.get("horizonRecords")).to.deep.equal({ layer: "flag", name: "--horizon-records" });
  });

  it("lets a flag take back what the environment turned on", () => {
    const env = environmentLayer({ MILLRACE_ONCE: "true" });
    expect(merge(env).config.once).to.equal(true);
    expect(merge(env, flags({ once: false })).config.once).to.equal(false);
  });

  it("reads durations, sizes, lists and characters as people write them", () => {
    const { config } = merge(
      flags({
        quietMs: "2.5s",
        drainTimeout: "1m",
        epochBytesMax: "1MiB",
        glob: "*.{csv,txt}, b.csv",
        delimiter: "\\t",
      }),
    );
    expect(config).to.include({
      quietMs: 2_500,
      drainTimeout: 60_000,
      epochBytesMax: 1_048_576,
      delimiter: "\t",
    });
    expect(config.glob).to.deep.equal(["*.{csv,txt}", "b.csv"]);
    expect(
      merge(flags({ "generate.duration": "60", "generate.start": "2026-01-31 12:00:00" })).config.generate,
    ).to.include({
      duration: 60,
      start: "2026-01-31T12:00:00.000Z",
    });
  });

  it("counts an empty variable as not set", () => {
    expect(merge(environmentLayer({ MILLRACE_INPUT: "" })).config.input).to.equal("data/raw");
  });

  it("leaves alone the variables of failpoints, of a Kubernetes service, and of databases that sinks name", () => {
    const env = {
      MILLRACE_SINK_REPORTS_URL: "postgres://there/db",
      MILLRACE_SINK_OLD_REPORTS_URL_FILE: "/run/secrets/reports",
      MILLRACE_FAILPOINT: "x",
      MILLRACE_SERVICE_HOST: "10.0.0.1",
      MILLRACE_PORT_5432_TCP: "tcp://",
      MILLRACE_CONFIG: "a",
    };
    expect(environmentLayer(env).size).to.equal(0);
  });
});

describe("mergeConfig() refuses", () => {
  const refusals: [string, () => unknown, string][] = [
    [
      "a bad duration",
      () => merge(flags({ quietMs: "soon" })),
      'quietMs must be a duration in ms or like "10s", got "soon" (from --quiet-ms). Try 1000 or "1s".',
    ],
    [
      "a negative duration",
      () => merge(environmentLayer({ MILLRACE_QUIET_MS: "-5" })),
      'quietMs must be a duration in ms or like "10s", got "-5" (from MILLRACE_QUIET_MS). Try 1000 or "1s".',
    ],
    [
      "an unknown choice",
      () => merge(environmentLayer({ MILLRACE_LOG_LEVEL: "inf" })),
      'logLevel must be one of debug, info, warn, error, got "inf" (from MILLRACE_LOG_LEVEL). Did you mean "info"?',
    ],
    [
      "a choice that is near to nothing",
      () => merge(flags({ whenDone: "frobnicate" })),
      'whenDone must be one of leave, archive, delete, got "frobnicate" (from --when-done).',
    ],
    [
      "a bad switch",
      () => merge(environmentLayer({ MILLRACE_ONCE: "yes" })),
      'once must be true or false, got "yes" (from MILLRACE_ONCE).',
    ],
    [
      "a share above one",
      () => merge(flags({ "generate.malformedRate": "1.5" })),
      'generate.malformedRate must be a number from 0 to 1, got "1.5" (from --malformed-rate). Try 0.01.',
    ],
    [
      "a horizon above its limit",
      () => merge(flags({ horizonRecords: "4194305" })),
      'horizonRecords must be a whole number from 1 to 4194304, got "4194305" (from --horizon-records). Try 65536.',
    ],
    [
      "an unknown variable",
      () => merge(environmentLayer({ MILLRACE_INPTU: "x" })),
      'unknown variable MILLRACE_INPTU in the environment. Did you mean "MILLRACE_INPUT"?',
    ],
    [
      "a database URL, without showing it",
      () => merge(flags({ databaseUrl: "mysql://me:canary-password@db/x" })),
      'databaseUrl must be a URL like "postgres://user@host:5432/database", got something else (from --database-url).',
    ],
    [
      "two names for the database in one layer",
      () => merge(environmentLayer({ DATABASE_URL: "postgres://a/b", DATABASE_URL_FILE: "/run/url" })),
      "DATABASE_URL and DATABASE_URL_FILE name two databases. Keep one.",
    ],
    [
      "an archive inside the input",
      () => merge(flags({ whenDone: "archive", archiveDir: "./data/raw/done" })),
      'archiveDir must not be in the input folder "data/raw", got "./data/raw/done" (from --archive-dir): archived files would be read again.',
    ],
    [
      "an interval of nothing",
      () => merge(flags({ interval: "0s", runner: "spark" })),
      'interval must be a duration above 0 in seconds or like "10s", got "0s" (from --interval). Try "10s".',
    ],
    [
      "an interval that is no duration",
      () => merge(environmentLayer({ MILLRACE_INTERVAL: "often", MILLRACE_RUNNER: "spark" })),
      'interval must be a duration above 0 in seconds or like "10s", got "often" (from MILLRACE_INTERVAL). Try "10s".',
    ],
    [
      "an interval with --once",
      () => merge(flags({ interval: "10s", runner: "spark", once: true })),
      "interval (from --interval) goes on until it is stopped, once (from --once) does not. Keep one.",
    ],
    [
      "an interval on the direct runner",
      () => merge(flags({ interval: "10s" })),
      'interval (from --interval) is for runners on job servers, not for runner "direct" (from default), which reads what is new as it comes.',
    ],
  ];
  for (const [what, run, text] of refusals) {
    it(what, () => expect(problemsOf(run)).to.deep.equal([text]));
  }

  it("keys of the file by path and line, all at once", async () => {
    const file = await parseConfigFile(
      "quitMs: 5\ngenerate:\n  evnts: 5\ngraph: text\nonce: 3\n",
      "millrace.yaml",
    );
    expect(problemsOf(() => merge(file))).to.have.members([
      'unknown key "quitMs" in millrace.yaml:1. Did you mean "quietMs"?',
      'unknown key "generate.evnts" in millrace.yaml:3. Did you mean "generate.events"?',
      "graph must be a map of settings (from millrace.yaml:4).",
      "once must be true or false, got 3 (from millrace.yaml:5).",
    ]);
  });
});

describe("loadConfig()", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "millrace-config-"));
  });
  after(() => rm(folder, { recursive: true }));

  it("reads the file that the flag names rather than the variable's", async () => {
    await writeFile(join(folder, "a.yaml"), "input: from-a\n");
    const env = { MILLRACE_CONFIG: join(folder, "b.yaml") };
    const { config, origins } = await loadConfig({ flags: new Map(), env, file: join(folder, "a.yaml") });
    expect(config.input).to.equal("from-a");
    expect(origins.get("input")?.name).to.equal(`${join(folder, "a.yaml")}:1`);
  });

  it("refuses a named file that is missing", async () => {
    const path = join(folder, "missing.yaml");
    const error = await loadConfig({ flags: new Map(), env: { MILLRACE_CONFIG: path } }).catch(
      (thrown) => thrown,
    );
    expect(error.problems).to.deep.equal([`the configuration file must be readable, got "${path}" (ENOENT)`]);
  });

  it("refuses what is no map of settings, with the line", async () => {
    for (const [text, problem] of [
      ["- input\n", 'x.yaml must be a map of settings, like "input: data/raw"'],
      [
        "input: [\n",
        "x.yaml:2: Flow sequence in block collection must be sufficiently indented and end with a ]",
      ],
      ["input: a\ninput: b\n", "x.yaml:2: Map keys must be unique"],
    ] as const) {
      const error = await parseConfigFile(text, "x.yaml").catch((thrown) => thrown);
      expect(error.problems, text).to.deep.equal([problem]);
    }
  });

  it("takes an empty file as nothing said", async () => {
    expect((await parseConfigFile("# nothing\n", "x.yaml")).size).to.equal(0);
  });
});
