/** Files that are written with an epoch: pending before its commit, published after it, exactly once. */
import { mkdir, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { isCommitted } from "../sql/commits.js";
import type { SqlQueries } from "../sql/sql-session.js";
import { failpoint } from "./primitives/failpoint.js";

const PENDING_DIR = ".pending";
const PENDING_NAME = /^(?<pipeline>.+)-(?<epoch>\d+)-(?<runId>[0-9a-f-]{36})\.ndjson$/;

/** A file that waits for its commit. */
export interface PendingFile {
  readonly from: string;
  readonly to: string;
}

/**
 * One file an epoch in `directory`: `.pending/<pipeline>-<epoch>-<run_id>.ndjson`, fsynced before
 * COMMIT; `<pipeline>-<epoch>.ndjson` after it, the folder fsynced. A commit is identified by
 * (run_id, epoch), so that a fenced runner's file is never taken for the new runner's.
 */
export class EpochFiles {
  constructor(
    readonly directory: string,
    readonly pipeline: string,
  ) {}

  /**
   * Publishes what an earlier run left pending if its epoch was committed, and removes the rest.
   * Nothing already published is touched. Call it only once that run is fenced.
   */
  async recover(database: SqlQueries): Promise<void> {
    const pendingDir = path.join(this.directory, PENDING_DIR);
    await mkdir(pendingDir, { recursive: true });
    for (const name of (await readdir(pendingDir)).sort()) {
      const parts = PENDING_NAME.exec(name)?.groups;
      if (parts?.["pipeline"] !== this.pipeline) continue;
      const epoch = Number(parts["epoch"]);
      if (await isCommitted(database, this.pipeline, epoch, parts["runId"] as string)) {
        await this.publish({ from: path.join(pendingDir, name), to: this.#published(epoch) });
      } else {
        await rm(path.join(pendingDir, name));
      }
    }
  }

  /** Writes and fsyncs the epoch's file under its pending name: a text, or its parts as they come. */
  async writePending(
    epoch: number,
    runId: string,
    text: string | AsyncIterable<string>,
  ): Promise<PendingFile> {
    const pendingDir = path.join(this.directory, PENDING_DIR);
    await mkdir(pendingDir, { recursive: true });
    const from = path.join(pendingDir, `${this.pipeline}-${epoch}-${runId}.ndjson`);
    const file = await open(from, "w");
    try {
      await writeFile(file, text);
      await file.sync();
    } finally {
      await file.close();
    }
    await syncDirectory(pendingDir);
    return { from, to: this.#published(epoch) };
  }

  /**
   * Gives a committed epoch's file its final name; where another database's epoch of that number has
   * taken it, in the same folder, the name keeps the run_id. Nothing published is ever replaced.
   */
  async publish({ from, to }: PendingFile): Promise<void> {
    const isTaken = await exists(to);
    // A run that took over may have published it already, while this process was stopped.
    if (isTaken && !(await exists(from))) return;
    await rename(from, isTaken ? path.join(this.directory, path.basename(from)) : to);
    failpoint("after-publish");
    await syncDirectory(this.directory);
  }

  #published(epoch: number): string {
    return path.join(this.directory, `${this.pipeline}-${epoch}.ndjson`);
  }
}

function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
