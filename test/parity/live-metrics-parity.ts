/** `live-metrics` on the input of parity: its tables against a batch on the direct runner, and a refusal by name on others. */
import { spawnSync } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchServer, withSession } from "../bench/bench-server.js";
import { pipelineCommand } from "../bench/pipeline-command.js";
import { type Measurement, measure } from "../bench/process-meter.js";
import { batchRows, LIVE_TABLES, liveRows } from "../live-metrics/batch-recomputation.js";
import { type ParityRunner, parityRunners } from "./parity-runs.js";

const LIVE = "--pipeline=live-metrics";
const RUN_MS_MAX = 30 * 60_000;
/** Of the command line: what it was told cannot be. */
const USAGE_EXIT_CODE = 2;

/** What a runner has made of live-metrics. */
export interface LiveOutcome {
  /** Undefined where it was refused. */
  readonly measured: Measurement | undefined;
  readonly rows: number;
  /** What it says, or how it refuses. */
  readonly text: string;
  readonly isRight: boolean;
}

/** Runs it to the end, and user-events beside it, from whose rows the tables are computed in one go. */
export async function runLiveMetrics(server: BenchServer, input: string): Promise<LiveOutcome> {
  const database = await server.migrated();
  const work = await mkdtemp(join(tmpdir(), "millrace-parity-live-"));
  try {
    const raw = join(work, "raw");
    await cp(input, raw, { recursive: true, preserveTimestamps: true });
    const run = (...flags: string[]) => {
      const all = ["--once", "--log-level=warn", "--quiet-ms=100", "--monitor-port=0", ...flags];
      const command = pipelineCommand({ input: raw, url: database.url, work, flags: all });
      return measure({ ...command, postmasterPid: server.postmasterPid, timeoutMs: RUN_MS_MAX });
    };
    await run();
    const measured = await run(LIVE, "--drain");
    return await withSession(database.connection, async (session) => {
      let rows = 0;
      const wrong: string[] = [];
      for (const table of LIVE_TABLES) {
        const [live, batch] = [await liveRows(session, table), await batchRows(session, table)];
        rows += live.length;
        const at = Array.from(live.length > batch.length ? live : batch).findIndex(
          (_, place) => live[place] !== batch[place],
        );
        if (live.length === 0) wrong.push(`${table} is empty`);
        if (at >= 0) wrong.push(`${table}, row ${at}: ${live[at]}, not ${batch[at]}`);
      }
      const isRight = wrong.length === 0;
      return { measured, rows, isRight, text: isRight ? "as a batch" : wrong.join("; ") };
    });
  } finally {
    await database.drop();
    await rm(work, { recursive: true, force: true });
  }
}

/** Asks a runner that cannot tell a step how far event time has come: it must say so before anything runs. */
export async function refuseLiveMetrics(
  server: BenchServer,
  runner: ParityRunner,
  input: string,
): Promise<LiveOutcome> {
  const database = await server.migrated();
  const work = await mkdtemp(join(tmpdir(), "millrace-parity-live-"));
  try {
    const flags = [LIVE, "--once", "--monitor-port=0", ...parityRunners[runner]];
    const { command, args, env } = pipelineCommand({ input, url: database.url, work, flags });
    const options = { env: { ...process.env, ...env }, encoding: "utf8", timeout: RUN_MS_MAX } as const;
    const { status, stderr } = spawnSync(command, args, options);
    const name = parityRunners[runner][0].replace("--runner=", "");
    const refusal = `pipeline "live-metrics" is for --runner=direct: runner "${name}" does not tell`;
    const isRight = status === USAGE_EXIT_CODE && stderr.includes(refusal);
    const text = isRight ? "refused by name" : `ended with ${status}: ${stderr}`;
    return { measured: undefined, rows: 0, text, isRight };
  } finally {
    await database.drop();
    await rm(work, { recursive: true, force: true });
  }
}
