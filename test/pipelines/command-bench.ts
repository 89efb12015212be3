/** A whole command line in this process, on a fake runner, a fake database and a clock that stands still. */
import { EventEmitter } from "node:events";
import { main } from "../../pipelines/main.js";
import type { Graph } from "../../pipelines/registry.js";
import type { BeforeMonitor, Parts } from "../../pipelines/verb.js";
import type { RunnerOptions } from "../../runners/job/runner.js";
import { FakeJob, ManualClock } from "./fake-job.js";

/** A command line whose process, database and runner are the test's own. */
export class CommandBench extends EventEmitter {
  readonly clock = new ManualClock();
  readonly job = new FakeJob();
  readonly metrics: object[] = [];
  readonly exits: number[] = [];
  out = "";
  err = "";
  title = "node";
  env: Record<string, string> = {};
  options: RunnerOptions | undefined;
  embeddedOpened = 0;
  embeddedClosed = 0;
  /** What each monitor that was opened was told of the time before it. */
  monitored: BeforeMonitor[] = [];
  monitorsClosed = 0;
  /** What `migrate` throws, in order. */
  migrateErrors: Error[] = [];
  readonly stdout = { write: (text: string) => this.keep("out", text) };
  readonly stderr = { write: (text: string) => this.keep("err", text) };
  private keep(stream: "out" | "err", text: string): void {
    this[stream] += text;
  }
  exit(code: number): void {
    this.exits.push(code);
  }

  readonly parts: Parts = {
    clock: this.clock,
    verbs: {
      pipeline: async () => (await import("../../pipelines/commands/pipeline.js")).runPipeline,
      status: async () => async (context) => {
        context.stdout.write(`${(await context.openDatabase()).description}\n`);
        return 0;
      },
    },
    runners: {
      direct: async () => () => ({
        run: async (_graph, options) => {
          this.options = options;
          return this.job;
        },
      }),
    },
    pipelines: { "user-events": async () => () => ({ graph: {} as Graph }) },
    loadEmbedded: async () => async () => {
      this.embeddedOpened++;
      const connection = { host: "127.0.0.1", port: 6000, user: "postgres", database: "ecommerce_events" };
      return {
        connection,
        url: "postgres://…",
        pgpassFile: "x",
        close: async () => void this.embeddedClosed++,
      };
    },
    loadSchema: async () => ({
      migrate: async () => {
        const error = this.migrateErrors.shift();
        if (error !== undefined) throw error;
      },
      isAway: (error) => (error as Error).message.startsWith("away"),
    }),
    loadRecordLog: async () => () => ({
      append: (record) => void this.metrics.push(record),
      close: async () => undefined,
    }),
    loadMonitor: async () => async (_context, _run, before) => {
      this.monitored.push(before);
      return { close: async () => void this.monitorsClosed++ };
    },
  };

  run(...argv: string[]): Promise<number> {
    return main(argv, this.parts, this as never);
  }

  /** Waits until the job is followed. */
  async started(): Promise<void> {
    // a busy machine may take seconds to load the command's modules
    for (const untilMs = Date.now() + 20_000; this.job.listeners === 0 && Date.now() < untilMs; ) {
      await new Promise((wake) => setTimeout(wake, 5));
    }
  }
}
