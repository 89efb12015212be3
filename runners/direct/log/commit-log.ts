/** A pipeline's commits in a folder: recovered, owned by one run, appended to. */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { Clock, Log } from "../../../transforms/primitives/do-fn.js";
import { failpoint } from "../../../transforms/primitives/failpoint.js";
import { NO_COUNTS } from "../../bundle/bundle-ledger.js";
import type { StateRecord } from "../../engine/durable/state-record.js";
import { refuseOtherShape, type StateShape } from "../../graph/state-shape.js";
import type { CommitState, EpochState } from "../epoch.js";
import { Records, SNAPSHOT_EPOCHS, SnapshotSchedule, StateTurns, unpacked } from "../packed-state.js";
import { isMissing, prune, syncFolder } from "./log-files.js";
import { type ClaimOptions, LogOwner } from "./log-owner.js";
import type { CommitFacts } from "./log-record.js";
import { readSegment, type Segment } from "./read-segment.js";
import { SegmentWriter } from "./segment-writer.js";

/** So often a run that commits nothing looks whether it was taken over. */
const FENCE_POLL_MS = 1_000;

export interface CommitLogOptions extends ClaimOptions {
  /** How the state of the graph is written. */
  readonly shape: StateShape;
  readonly clock: Clock;
  readonly log: Log;
  /** Epochs from one snapshot to the next. */
  readonly snapshotEpochs?: number | undefined;
}

/** What an epoch commits beside its state. */
export type EpochFacts = Pick<CommitFacts, "epoch" | "atMs" | "counts" | "totals" | "watermarkMs">;

/** How long a commit took, in ms: its state, its record. */
export interface CommitTimes {
  readonly packMs: number;
  readonly writeMs: number;
}

export class CommitLog {
  /** Where the last commit has left the pipeline. */
  readonly state: CommitState;
  /** To be gone through once. */
  readonly restored: Iterable<StateRecord>;
  readonly #options: CommitLogOptions;
  readonly #owner: LogOwner;
  readonly #turns: StateTurns;
  readonly #ended = new AbortController();
  #writer: SegmentWriter | undefined;
  /** The commit under way, or the last one. */
  #committing: Promise<unknown> = Promise.resolve();

  private constructor(options: CommitLogOptions, owner: LogOwner, base: Base) {
    this.state = base.state;
    this.restored = base.records.handOut();
    this.#options = options;
    this.#owner = owner;
    const none = { snapshotEpoch: Number.NEGATIVE_INFINITY, snapshotBytes: 0, deltaBytes: 0 };
    this.#turns = new StateTurns(new SnapshotSchedule(options.snapshotEpochs ?? SNAPSHOT_EPOCHS, none));
  }

  /**
   * Claims the log for a new run and reads it; nothing of it is changed before the first commit.
   * @throws PipelineLockedError while another process runs the pipeline, unless `takeover`
   * @throws LogOfOthersError, LogFormatError, StateFormatError, StateShapeError, LogDamagedError
   */
  static async open(asked: CommitLogOptions): Promise<CommitLog> {
    const options = { ...asked, folder: path.resolve(asked.folder) };
    await makeFolder(options.folder);
    const owner = await LogOwner.claim(options);
    try {
      const base = await recover(options, owner);
      failpoint("after-recovery");
      return new CommitLog(options, owner, base);
    } catch (error) {
      const fenced = isMissing(error) ? owner.fenced() : undefined;
      await owner.leave();
      throw fenced ?? error;
    }
  }

  /**
   * Resolves when it is on the disk and no other run had come before that.
   * @throws FencedError when another run has taken over; what of the commit counts, that run has decided
   */
  commit(facts: EpochFacts, state: EpochState): Promise<CommitTimes> {
    const committing = this.#commit(facts, state);
    this.#committing = committing.catch(() => this.#ended.abort());
    return committing;
  }

  /** Calls back when another run has taken over, also while there is nothing to commit. */
  whenBroken(callback: (error: unknown) => void): void {
    void this.#watch(callback);
  }

  /** Nothing is committed any more. Resolves when nothing is under way. */
  async abandon(): Promise<void> {
    this.#ended.abort();
    await this.#committing;
  }

  /** Lets the next run begin. */
  async close(): Promise<void> {
    await this.abandon();
    await this.#writer?.close();
    await this.#owner.leave();
  }

  async #commit(facts: EpochFacts, state: EpochState): Promise<CommitTimes> {
    const { clock } = this.#options;
    if (this.#ended.signal.aborted) throw new Error("the run has ended: nothing of it is committed any more");
    const startMs = clock.monotonicMs();
    const { isSnapshot, bytes } = await this.#turns.take(facts.epoch, state);
    const packedMs = clock.monotonicMs();
    try {
      await (isSnapshot ? this.#writeSnapshot(facts, bytes) : this.#append(facts, bytes));
    } catch (error) {
      // Its files may have gone to whoever has taken over.
      throw this.#owner.fenced() ?? error;
    }
    return { packMs: packedMs - startMs, writeMs: clock.monotonicMs() - packedMs };
  }

  async #append(facts: EpochFacts, bytes: Buffer): Promise<void> {
    if (this.#writer === undefined) throw new Error("a run's first commit must be a snapshot");
    await this.#writer.append(this.#factsOf("delta", facts), bytes);
    this.#owner.check();
  }

  /** It begins a segment, and the ones before it are not needed any more. */
  async #writeSnapshot(facts: EpochFacts, bytes: Buffer): Promise<void> {
    const { folder, shape } = this.#options;
    const before = this.#writer;
    // Not to leave a whole state behind where nobody will look for it.
    this.#owner.check();
    this.#writer = await SegmentWriter.begin(folder, { ...this.#factsOf("snapshot", facts), shape }, bytes);
    await before?.close();
    this.#owner.check();
    await prune(folder, { run: this.#owner.run, epoch: facts.epoch });
    failpoint("after-prune");
  }

  #factsOf(kind: CommitFacts["kind"], facts: EpochFacts): CommitFacts {
    const { run, runId } = this.#owner;
    return { kind, pipeline: this.#options.pipeline, run, runId, ...facts };
  }

  async #watch(callback: (error: unknown) => void): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#ended;
    for (;;) {
      await clock.sleep(FENCE_POLL_MS, signal);
      if (signal.aborted) return;
      try {
        this.#owner.check();
      } catch (error) {
        callback(error);
        return;
      }
    }
  }
}

/** What the log held when it was claimed. */
interface Base {
  readonly state: CommitState;
  readonly records: Records;
}

async function recover(options: CommitLogOptions, { files, runId }: LogOwner): Promise<Base> {
  const { folder, pipeline, shape, log } = options;
  const file = files.segments.at(-1);
  if (file === undefined)
    return { state: { runId, epoch: 0, totals: NO_COUNTS, watermarkMs: null }, records: new Records() };
  const segment = await readSegment(folder, file, pipeline);
  // A renaming that was not synced is made to last before anything is done because of it.
  await syncFolder(folder);
  const { facts } = segment.commits.at(-1) ?? segment.commits[0];
  const { epoch, totals, watermarkMs } = facts;
  if (segment.tornBytes > 0) log.warn(tornText(path.join(folder, file.name), segment, epoch));
  refuseOtherShape(pipeline, segment.commits[0].facts.shape, shape);
  const records = new Records();
  for (const { payload } of segment.commits)
    for await (const delta of unpacked([payload])) records.add(delta);
  return { state: { runId, epoch, totals, watermarkMs }, records: records.finish() };
}

function tornText(file: string, { bytes, tornBytes }: Segment, epoch: number): string {
  return (
    `${file} ends in ${tornBytes} bytes, from byte ${bytes} on, of a commit that was never finished: the pipeline ` +
    `goes on from epoch ${epoch}`
  );
}

async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = path.dirname(made))
    await syncFolder(path.dirname(made));
}
