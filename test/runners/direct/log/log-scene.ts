/** A commit log in a folder of its own, written and read as tests need it. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { NO_COUNTS } from "../../../../runners/bundle/bundle-ledger.js";
import type { EpochState } from "../../../../runners/direct/epoch.js";
import { CommitLog, type CommitLogOptions } from "../../../../runners/direct/log/commit-log.js";
import type { StateRecord } from "../../../../runners/engine/durable/state-record.js";
import type { Log } from "../../../../transforms/primitives/do-fn.js";
import { systemClock } from "../../../../transforms/primitives/system-clock.js";

export const PIPELINE = "test";
export const SHAPE = { Step: { 'state "sum"': "value of varint" } };

const folders: string[] = [];

export async function newFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "millrace-test-log-"));
  folders.push(folder);
  return folder;
}

export async function removeFolders(): Promise<void> {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
}

/** Keeps what it was told, by level. */
export class Said implements Log {
  readonly lines: string[] = [];
  debug(): void {}
  info(message: string): void {
    this.lines.push(`info ${message}`);
  }
  warn(message: string): void {
    this.lines.push(`warn ${message}`);
  }
  error(message: string): void {
    this.lines.push(`error ${message}`);
  }
}

export function openLog(folder: string, options: Partial<CommitLogOptions> = {}): Promise<CommitLog> {
  return CommitLog.open({
    ...{ folder, pipeline: PIPELINE, shape: SHAPE, takeover: false },
    ...{ clock: systemClock, log: new Said(), signal: new AbortController().signal },
    ...options,
  });
}

/** State of as many records as were put, each once a commit. */
export class CountedState implements EpochState {
  readonly hasChanges = true;
  readonly records: StateRecord[] = [];
  #taken: number;

  constructor(restored: Iterable<StateRecord> = []) {
    this.records.push(...restored);
    this.#taken = this.records.length;
  }

  put(text: string): this {
    this.records.push({ key: `test 1:s${text.length}:${text}`, value: Buffer.from(`value of ${text}`) });
    return this;
  }

  takeDelta() {
    const puts = this.records.slice(this.#taken);
    this.#taken = this.records.length;
    return { puts, removed: [] };
  }

  takeSnapshot() {
    this.#taken = this.records.length;
    return this.records;
  }
}

/** Commits `<prefix><epoch>` into the state. */
export async function commit(log: CommitLog, state: CountedState, prefix = "e"): Promise<void> {
  const epoch = log.state.epoch + 1;
  const facts = { epoch, atMs: 0, counts: NO_COUNTS, totals: NO_COUNTS, watermarkMs: epoch * 10 };
  await log.commit(facts, state.put(`${prefix}${epoch}`));
  log.state.epoch = epoch;
}

/** What was put, in the order of keys. */
export function textsOf(records: Iterable<StateRecord>): string[] {
  return Array.from(records, ({ value }) => Buffer.from(value).toString().replace("value of ", "")).sort();
}

export async function segmentsOf(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith(".log")).sort();
}

/** What is rejected. */
export async function failure(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => {
      throw new Error("it did not fail");
    },
    (error: Error) => error,
  );
}
