/** runDemo(): generator and pipeline side by side, and the views at the end. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { runDemo } from "../../pipelines/commands/demo.js";
import { defaultsLayer, flagsLayer } from "../../pipelines/config/config-layer.js";
import { mergeConfig } from "../../pipelines/config.js";
import type { OpenDatabase } from "../../pipelines/open-database.js";
import type { Graph } from "../../pipelines/registry.js";
import type { VerbContext } from "../../pipelines/verb.js";
import { commitReport, FakeJob, listLog, ManualClock, settle, sourceProgress } from "./fake-job.js";

let input: string;
/** Hooks of the block that calls it. */
function useFreshState(): void {
  beforeEach(async () => {
    input = join(await mkdtemp(join(tmpdir(), "millrace-demo-")), "raw");
  });
  afterEach(() => rm(join(input, ".."), { recursive: true }));
}

const database: OpenDatabase = {
  connection: {},
  description: "here",
  isEmbedded: true,
  environment: {},
  close: async () => undefined,
};
const readViews = async () => [["v_event_summary", [{ event_type: "view", event_count: 7 }]]] as const;

/** A demo whose generator ends when the test says. */
function bench(generate: (context: VerbContext) => Promise<number>) {
  const [job, clock, stopper, out, log] = [
    new FakeJob(),
    new ManualClock(),
    new AbortController(),
    [] as string[],
    [] as string[],
  ];
  const loaded = mergeConfig([
    defaultsLayer(),
    flagsLayer(
      new Map<string, unknown>([
        ["input", input],
        ["demo.duration", "20"],
      ]),
    ),
  ]);
  const output = { write: (text: string) => out.push(text) };
  const context: VerbContext = {
    ...{
      verb: "demo",
      args: [],
      loaded,
      env: {},
      stdout: output,
      stderr: output,
      liveLine: undefined,
      clock,
    },
    log: listLog(log),
    stop: { requested: stopper.signal, end: () => undefined },
    openDatabase: async (options) => {
      expect(options).to.deep.equal({ embedded: true });
      return database;
    },
    parts: {
      clock,
      verbs: { generate: async () => generate },
      runners: { direct: async () => () => ({ run: async () => job }) },
      pipelines: { "user-events": async () => () => ({ graph: {} as Graph }) },
      loadEmbedded: () => Promise.reject(new Error("not asked for")),
      loadSchema: async () => ({ migrate: async () => undefined, isAway: () => false }),
      loadMonitor: async () => async () => ({ close: async () => undefined }),
      loadRecordLog: async () => () => ({ append: () => undefined, close: async () => undefined }),
    },
  };
  return { job, clock, stopper, out, log, context };
}

describe("runDemo()", () => {
  useFreshState();

  it("generates into the input folder, lets the pipeline catch up, drains it, and prints the views", async () => {
    let given: VerbContext | undefined;
    const { job, clock, out, context } = bench(async (generator) => {
      given = generator;
      return 0;
    });
    const code = runDemo(context, readViews);
    while (given === undefined) await settle();
    expect(given.loaded.config.generate).to.include({ duration: 20, eventsPerSecond: 10, output: input });
    job.emit({ type: "commit", commit: commitReport({ sources: [sourceProgress({ backlogBytes: 5 })] }) });
    await clock.advance(2_000);
    expect(job.calls, "a backlog is waited for").to.deep.equal([]);
    job.emit({ type: "commit", commit: commitReport() });
    await clock.advance(1_000);
    expect(job.calls, "so is silence").to.deep.equal([]);
    await clock.advance(1_000);
    expect(job.calls).to.deep.equal(["drain"]);
    expect(await code).to.equal(0);
    expect(out.at(-2)).to.equal(
      "\nv_event_summary: events by type\nevent_type  event_count\n──────────  ───────────\nview                  7\n",
    );
    expect(out.at(-1)).to.include("\n  npm run -s status\n");
  });

  it("cuts the views to the width of a terminal", async () => {
    const { job, stopper, out, context } = bench(async () => 0);
    const terminal = { ...context.stdout, isTTY: true, columns: 20 };
    const code = runDemo({ ...context, stdout: terminal }, readViews);
    while (job.listeners === 0) await settle();
    stopper.abort("SIGINT");
    expect(await code).to.equal(0);
    expect(out.at(-2)!.split("\n").slice(2)).to.deep.equal([
      "event_type  event_c…",
      "──────────  ───────…",
      "view               …",
      "",
    ]);
  });

  it("ends early at a signal, with the views", async () => {
    const { job, stopper, out, context } = bench(
      (generator) => new Promise((end) => generator.stop.requested.addEventListener("abort", () => end(0))),
    );
    const code = runDemo(context, readViews);
    while (job.listeners === 0) await settle();
    stopper.abort("SIGINT");
    expect(await code).to.equal(0);
    expect(out.at(-2)).to.include("v_event_summary");
  });

  it("ends with 1 and without views when the pipeline fails, and stops the generator", async () => {
    const { job, out, context, log } = bench(
      (generator) => new Promise((end) => generator.stop.requested.addEventListener("abort", () => end(0))),
    );
    const code = runDemo(context, readViews);
    while (job.listeners === 0) await settle();
    job.end("FAILED", new Error("the disk is gone"));
    expect(await code).to.equal(1);
    expect(out.join("")).to.not.include("v_event_summary");
    expect(log).to.include("error the disk is gone");
  });

  it("drains the pipeline before it reports that the generator failed", async () => {
    const { job, context } = bench(() => Promise.reject(new Error("no space")));
    const error = await runDemo(context, readViews).catch((thrown) => thrown);
    expect(error.message).to.equal("no space");
    expect(job.calls).to.deep.equal(["drain"]);
  });
});
