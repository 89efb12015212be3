/** Which run owns the log: claimed by making a file that nobody else can make, and lost to whoever makes the next. */
import { randomUUID } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { link, open, readFile, rename } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import type { Holder } from "../../../sql/pipelines.js";
import type { Clock, Log } from "../../../transforms/primitives/do-fn.js";
import { failpoint } from "../../../transforms/primitives/failpoint.js";
import { describeHolder, isAlive, self } from "../../run/process-holder.js";
import { FencedError, LOCK_POLL_MS, LOCK_WAIT_MS, PipelineLockedError } from "../../run/run-start.js";
import { LogOfOthersError } from "./log-errors.js";
import { isMissing, type LogFiles, lastRun, listLog, ownerName, remove, syncFolder } from "./log-files.js";
import { checkOwner } from "./read-segment.js";

/** What an owner's file holds. */
interface Owner {
  readonly pipeline: string;
  readonly runId: string;
  readonly holder: Holder;
  /** It has come to its end. */
  readonly hasLeft: boolean;
}

export interface ClaimOptions {
  readonly folder: string;
  readonly pipeline: string;
  /** Own the log whoever else does. */
  readonly takeover: boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * The claim of one run. Whoever claims looks at the log only afterwards, and whoever commits looks for a claim behind its
 * own only afterwards: so of a commit and a claim at the same time, one at least sees the other. Either the next run has
 * the commit, or the committer learns that it is none.
 */
export class LogOwner {
  readonly run: number;
  readonly runId: string;
  /** As of the claim. */
  readonly files: LogFiles;
  readonly #folder: string;
  readonly #pipeline: string;

  private constructor(options: ClaimOptions, runId: string, run: number, files: LogFiles) {
    this.run = run;
    this.runId = runId;
    this.files = files;
    this.#folder = options.folder;
    this.#pipeline = options.pipeline;
  }

  /**
   * @throws PipelineLockedError naming the owner, when that does not leave within 15 s
   * @throws LogOfOthersError; LogFormatError; LogDamagedError when the log cannot be this pipeline's
   */
  static async claim(options: ClaimOptions): Promise<LogOwner> {
    const { folder, clock, log, signal, pipeline } = options;
    const deadlineMs = clock.monotonicMs() + LOCK_WAIT_MS;
    const runId = randomUUID();
    let told = false;
    for (;;) {
      signal.throwIfAborted();
      const files = await listLog(folder);
      const holder = await holderOf(files, options);
      if (holder !== undefined && !options.takeover) {
        if (clock.monotonicMs() >= deadlineMs) throw locked(options, holder);
        if (!told) log.info(`waiting for pipeline "${pipeline}" in ${folder}, held by ${holder}`);
        told = true;
        await clock.sleep(LOCK_POLL_MS, signal);
        continue;
      }
      if (holder !== undefined) log.warn(`taking pipeline "${pipeline}" in ${folder} over from ${holder}`);
      const run = lastRun(files) + 1;
      failpoint("before-claim");
      const claimed = await claimRun(options, run, { pipeline, runId, holder: self(), hasLeft: false });
      if (claimed !== undefined) return new LogOwner(options, runId, run, claimed);
    }
  }

  /**
   * That the run still owns the log: call it after something was synced that is to count. Two looks at a local folder
   * take less than a turn of the event loop each would.
   * @throws FencedError
   */
  check(): void {
    // In this order: the next one's file goes only after this one's is gone. Somebody who had counted long ago may have
    // made one of this name again, for a moment.
    const isLast = statSync(this.#fileOf(this.run + 1), { throwIfNoEntry: false }) === undefined;
    if (isLast && ownerOf(readIfThere(this.#fileOf(this.run)))?.runId === this.runId) return;
    throw new FencedError(
      `pipeline "${this.#pipeline}" was taken over in ${this.#folder}: its run is no longer ${this.runId}`,
    );
  }

  /** The error, if there is one, that `check` throws. */
  fenced(): FencedError | undefined {
    try {
      this.check();
      return undefined;
    } catch (error) {
      if (error instanceof FencedError) return error;
      throw error;
    }
  }

  /** So that the next run need not wait for this process. */
  async leave(): Promise<void> {
    if (this.fenced() !== undefined) return;
    const { runId } = this;
    const draft = await writeOwner(this.#folder, this.run, {
      ...{ pipeline: this.#pipeline, runId, holder: self(), hasLeft: true },
    });
    await rename(draft, this.#fileOf(this.run));
  }

  #fileOf(run: number): string {
    return path.join(this.#folder, ownerName(run));
  }
}

/** Who must not be disturbed, as people know them; undefined: nobody. */
async function holderOf(files: LogFiles, { folder, pipeline }: ClaimOptions): Promise<string | undefined> {
  const segment = files.segments.at(-1);
  const last = files.owners.at(-1);
  try {
    if (segment !== undefined) await checkOwner(folder, segment, pipeline);
    if (last === undefined) return undefined;
    const file = path.join(folder, last.name);
    const owner = ownerOf(await readFile(file, "utf8"));
    if (owner === undefined) return `somebody whom ${file} does not name`;
    if (owner.pipeline !== pipeline) throw new LogOfOthersError(file, owner.pipeline, pipeline);
    const { holder, hasLeft } = owner;
    if (hasLeft || (holder.host === hostname() && !isAlive(holder))) return undefined;
    return describeHolder(holder);
  } catch (error) {
    // Removed while we looked, by whoever has come since.
    if (isMissing(error)) return "somebody who has just come";
    throw error;
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (isMissing(error)) return "";
    throw error;
  }
}

/** Undefined: the text is no owner's; the caller names the file. */
function ownerOf(text: string): Owner | undefined {
  try {
    const owner = JSON.parse(text) as Partial<Owner> | null;
    const isWhole = typeof owner?.pipeline === "string" && typeof owner.holder?.pid === "number";
    return isWhole ? (owner as Owner) : undefined;
  } catch {
    return undefined;
  }
}

/** What there is of the log once the run is claimed; undefined when somebody else was first. */
async function claimRun({ folder }: ClaimOptions, run: number, owner: Owner): Promise<LogFiles | undefined> {
  const draft = await writeOwner(folder, run, owner);
  const file = path.join(folder, ownerName(run));
  try {
    // Unlike a renaming, it does not take the place of a file that is there.
    await link(draft, file);
  } catch (error) {
    // Missing is the draft: forgotten together with the number, by whoever has come and gone on since.
    if ((error as NodeJS.ErrnoException).code === "EEXIST" || isMissing(error)) return undefined;
    throw error;
  } finally {
    await remove(draft);
  }
  failpoint("after-claim");
  await syncFolder(folder);
  const files = await listLog(folder);
  // Others may have come, gone and been forgotten since we counted: then the number was not free.
  // The file stays, as those before it may look for it; whoever came behind it removes it.
  const isFree = lastRun(files) === run && files.segments.every((segment) => segment.run < run);
  return isFree ? files : undefined;
}

/** Whole on the disk, under a name that only this call has. */
async function writeOwner(folder: string, run: number, owner: Owner): Promise<string> {
  const draft = path.join(folder, `${ownerName(run)}.${randomUUID()}.tmp`);
  const handle = await open(draft, "wx");
  try {
    await handle.writeFile(`${JSON.stringify(owner)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return draft;
}

function locked({ folder, pipeline }: ClaimOptions, holder: string): PipelineLockedError {
  return new PipelineLockedError(
    `pipeline "${pipeline}" is run in ${folder} by ${holder}; waited ${LOCK_WAIT_MS / 1000} s. Stop it, or start ` +
      "with `takeover`",
  );
}
