/** Runs a plan to its end through as many crashes as a test makes, each time from what is committed. */
import { Pausing } from "../../runners/direct/pausing.js";
import { runPlan } from "../../runners/direct/run-plan.js";
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

/** @returns how often it crashed */
export async function runThroughCrashes(
  plan: Plan,
  memory: CommittedMemory,
  { bundleElementsMax, once = false, onRestart }: RestartOptions,
): Promise<number> {
  for (let crashes = 0; crashes < RESTARTS_MAX; crashes++) {
    try {
      await runPlan(plan, {
        ...{ pipeline: "test", once, bundleElementsMax, clock: systemClock, log: SILENT },
        committer: new MemoryCommitter(memory),
        metrics: new MetricsStore(() => 0),
        database: undefined,
        restored: { records: memory.restored },
        samples: undefined,
        pausing: new Pausing(),
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
    }
  }
  throw new Error(`the plan crashed more than ${RESTARTS_MAX} times`);
}
