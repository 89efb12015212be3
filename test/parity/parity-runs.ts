/** One run of `user-events` on a runner, in a process of its own and a database of its own, measured and read. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchServer, withSession } from "../bench/bench-server.js";
import { pipelineCommand } from "../bench/pipeline-command.js";
import { type Measurement, measure } from "../bench/process-meter.js";
import { FORBIDDEN } from "../e2e/troubled-input.js";
import { type ParityResult, readResult } from "./parity-result.js";

/** Flags of each runner that can read what is there and end. */
export const parityRunners = {
  direct: ["--runner=direct"],
  spark: ["--runner=spark"],
  flink: ["--runner=flink"],
  "flink-streaming": ["--runner=flink", "--streaming"],
  prism: ["--runner=prism"],
} as const;
export type ParityRunner = keyof typeof parityRunners;

export interface ParityRun extends Measurement {
  readonly result: ParityResult;
}

const RUN_MS_MAX = 30 * 60_000;

/** Rows with this product are refused by the table, on every runner alike. */
export const REFUSE = `create function refuse() returns trigger language plpgsql as $$ begin
    raise exception 'forbidden product' using errcode = 'P0001';
  end $$;
  create trigger refuse before insert on user_events for each row when (new.product_id = '${FORBIDDEN}')
    execute function refuse()`;

/** @throws with the end of the run's output when it fails. */
export async function runParity(
  server: BenchServer,
  runner: ParityRunner,
  input: string,
  flags: readonly string[] = [],
): Promise<ParityRun> {
  const database = await server.migrated();
  const work = await mkdtemp(join(tmpdir(), `millrace-parity-${runner}-`));
  try {
    const raw = join(work, "raw");
    await cp(input, raw, { recursive: true, preserveTimestamps: true });
    await withSession(database.connection, (session) => session.query(REFUSE));
    const command = pipelineCommand({
      ...{ input: raw, url: database.url, work },
      flags: ["--once", "--log-level=warn", "--quiet-ms=100", ...parityRunners[runner], ...flags],
    });
    const { postmasterPid } = server;
    const measured = await measure({ ...command, postmasterPid, timeoutMs: RUN_MS_MAX });
    const result = await withSession(database.connection, (session) =>
      readResult(session, join(work, "error")),
    );
    return { ...measured, result };
  } finally {
    await database.drop();
    await rm(work, { recursive: true, force: true });
  }
}
