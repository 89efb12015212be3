/** Runs a plan to its end through as many crashes as a test makes, each time from what is committed. */
import type { Committer } from "../../runners/direct/epoch.js";
import { Pausing } from "../../runners/direct/pausing.js";
import { runPlan } from "../../runners/direct/run-plan.js";
import type { ColdKeys } from "../../runners/engine/durable/cold-keys.js";
import type { StateRecord } from "../../runners/engine/durable/state-record.js";
import type { Plan } from "../../runners/graph/translate.js";
import { MetricsStore } from "../../runners/job/metrics-store.js";
import { systemClock } from "../../transforms/primitives/system-clock.js";
import { type CommittedMemory, Crash, MemoryCommitter } from "./memory-committer.js";

const RESTARTS_MAX = 1_000;
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

export interface RestartOptions {
  readonly bundleElementsMax: number;
  readonly once?: boolean;
  /** Before each start but the first. */
  readonly onRestart: () => void;
}

/** A process that runs the plan: where it begins, and where it commits. */
export interface Start {
  readonly committer: Committer;
  readonly restored: Iterable<StateRecord>;
  /** Has the records of keys. */
  readonly cold?: ColdKeys | undefined;
  /** It is gone, by a crash or at its end. */
  close(): Promise<void>;
}

/** @returns how often it crashed */
export function runThroughCrashes(
  plan: Plan,
  memory: CommittedMemory,
  options: RestartOptions,
): Promise<number> {
  const start = async (): Promise<Start> => ({
    committer: new MemoryCommitter(memory),
    restored: memory.store?.restored() ?? memory.restored,
    cold: memory.store,
    close: async () => undefined,
  });
  return runThroughStarts(plan, start, options);
}

/** @returns how often it crashed */
export async function runThroughStarts(
  plan: Plan,
  start: () => Promise<Start>,
  { bundleElementsMax, once = false, onRestart }: RestartOptions,
): Promise<number> {
  for (let crashes = 0; crashes < RESTARTS_MAX; crashes++) {
    const { committer, restored, cold, close } = await start();
    try {
      await runPlan(plan, {
        ...{ pipeline: "test", once, bundleElementsMax, clock: systemClock, log: SILENT },
        ...{ committer, restored: { records: restored, cold }, pausing: new Pausing() },
        metrics: new MetricsStore(() => 0),
        database: undefined,
        samples: undefined,
        drain: new AbortController().signal,
        stop: new AbortController().signal,
        cancel: new AbortController().signal,
        onStart: () => undefined,
        onCommit: () => undefined,
      });
      return crashes;
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      onRestart();
    } finally {
      await close();
    }
  }
  throw new Error(`the plan crashed more than ${RESTARTS_MAX} times`);
}
