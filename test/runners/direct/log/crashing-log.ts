/** Commits in a commit log, and crashes where a test says: before a commit, within its bytes, or right after it. */
import { stat, truncate } from "node:fs/promises";
import path from "node:path";
import type {
  CommitState,
  CommittedEpoch,
  Committer,
  Epoch,
  EpochState,
} from "../../../../runners/direct/epoch.js";
import type { CommitLog } from "../../../../runners/direct/log/commit-log.js";
import { LogCommitter } from "../../../../runners/direct/log/log-epoch.js";
import type { EpochMetrics } from "../../../../runners/job/metrics-store.js";
import { Crash } from "../../../support/memory-committer.js";
import type { Choice } from "../../../support/seeded-choice.js";
import { segmentsOf } from "./log-scene.js";

export type CrashPlace = "before" | "within" | "after";

export class CrashingLogCommitter implements Committer {
  readonly hasTransactions = false;
  readonly #committer: LogCommitter;

  constructor(
    log: CommitLog,
    private readonly folder: string,
    private readonly choice: Choice,
    /** Asked at each commit. */
    private readonly crashes: () => CrashPlace | undefined,
    private readonly onCommit: () => void,
  ) {
    this.#committer = new LogCommitter(log, () => 0);
  }

  get state(): CommitState {
    return this.#committer.state;
  }

  begin(metrics: EpochMetrics, earlier: Promise<unknown>): Epoch {
    const epoch = this.#committer.begin(metrics, earlier);
    const commit = epoch.commit.bind(epoch);
    epoch.commit = (state) => this.#commit(commit, state);
    return epoch;
  }

  whenBroken(callback: (error: unknown) => void): void {
    this.#committer.whenBroken(callback);
  }

  abandon(): Promise<void> {
    return this.#committer.abandon();
  }

  async #commit(commit: Epoch["commit"], state: EpochState | undefined): Promise<CommittedEpoch | undefined> {
    const crash = this.crashes();
    if (crash === "before") throw new Crash("before a commit");
    const before = await this.#newest();
    const committed = await commit(state);
    if (committed === undefined) return undefined;
    const after = await this.#newest();
    // A segment appears as a whole: there is no place within its first commit.
    if (crash === "within" && before.file === after.file) {
      await truncate(after.file, this.choice.between(before.bytes, after.bytes - 1));
      throw new Crash("within a commit");
    }
    this.onCommit();
    if (crash === "after") throw new Crash("after a commit");
    return committed;
  }

  async #newest(): Promise<{ readonly file: string; readonly bytes: number }> {
    const name = (await segmentsOf(this.folder)).at(-1);
    if (name === undefined) return { file: "", bytes: 0 };
    const file = path.join(this.folder, name);
    return { file, bytes: (await stat(file)).size };
  }
}
