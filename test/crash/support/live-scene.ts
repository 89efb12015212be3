/** live-metrics at work in a workspace in which user-events has read the same input. */
import { expect } from "chai";
import type { SqlQueries } from "../../../sql/sql-session.js";
import { writeLateInput } from "../../live-metrics/late-input.js";
import { ask, PipelineProcess, runOnce, type Workspace } from "../../support/pipeline-process.js";
import { Choice } from "../../support/seeded-choice.js";

const MINUTE_MS = 60_000;
const EVENTS = 6_000;
/** Some forty epochs. */
const EPOCH_RECORDS_MAX = 150;
const INPUT = {
  ...{ events: EVENTS, rowsPerFile: EVENTS / 12, stepMs: 3_000, users: 300 },
  ...{ disorderMs: 10 * MINUTE_MS, lateMs: 20 * MINUTE_MS },
};
const FLAGS = [
  ...["--pipeline=live-metrics", "--quiet-ms=50", "--log-level=warn", "--monitor-port=0", "--idle-ms=1h"],
  ...[`--out-of-orderness-ms=${MINUTE_MS}`, `--allowed-lateness-ms=${60 * MINUTE_MS}`],
  `--epoch-records-max=${EPOCH_RECORDS_MAX}`,
];

/** Writes the input and lets user-events read it. @returns how many records there are */
export async function prepareLiveMetrics(workspace: Workspace, seed: number): Promise<number> {
  await writeLateInput(workspace.inputDir, INPUT, new Choice(seed));
  await runOnce(workspace, { flags: ["--quiet-ms=50", "--epoch-records-max=20000", "--log-level=warn"] });
  const [pipeline] = await ask<{ records_read: number }>(workspace, "select records_read from pipelines");
  return pipeline!.records_read;
}

/** A stream, unless the flags say something else. */
export function startLiveMetrics(workspace: Workspace, flags: readonly string[] = []): PipelineProcess {
  return new PipelineProcess(workspace, { flags: [...FLAGS, ...flags] });
}

/** To the end of time: all windows close. */
export async function drainLiveMetrics(workspace: Workspace): Promise<void> {
  await runOnce(workspace, { flags: [...FLAGS, "--drain"] });
}

/** State of an epoch is its commit's, and none is ahead of what is committed. */
export async function expectStateOfCommits(queries: SqlQueries): Promise<void> {
  const stored = await queries.query<{ is_commits: boolean }>(
    `select c.run_id is not distinct from s.run_id as is_commits
     from (select pipeline, shard, epoch, run_id from state_deltas
       union all select pipeline, shard, epoch, run_id from state_snapshots) s
     left join commits c using (pipeline, shard, epoch)`,
  );
  expect(stored.length, "chunks of state").to.be.greaterThan(0);
  expect(
    stored.every(({ is_commits }) => is_commits),
    "all state is of the run that committed its epoch",
  ).to.equal(true);
}
