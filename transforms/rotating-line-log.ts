/** A log of JSON lines that rotates by size and never stands in the way of whoever writes to it. */
import { type FileHandle, mkdir, open, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** Limits of a `RotatingLineLog`, and where its troubles go. */
export interface RotatingLineLogOptions {
  /** A file is rotated before it would exceed this; a single longer line gets a file of its own. 50 MB. */
  readonly bytesMax?: number;
  /** Rotated files kept beside the current one: `.1` (newest) to `.<rotatedFilesMax>`. 5. */
  readonly rotatedFilesMax?: number;
  /** Lines waiting for the disk; what comes on top is dropped and counted. 10,000. */
  readonly queuedLinesMax?: number;
  /** Called once an outage: again only after a write has worked in between. */
  readonly onError?: (error: RotatingLineLogError) => void;
}

/** The log could not take lines; they are lost, the writer goes on. */
export class RotatingLineLogError extends Error {
  override readonly name = "RotatingLineLogError";
  readonly code = "log_write_failed";
}

/**
 * Appends JSON lines to a file. `append` returns at once and never throws; lines reach the file in
 * order, each whole, at most once. The file is opened anew for every write, so a removed log directory
 * comes back with the next line and an external rotation is followed.
 */
export class RotatingLineLog {
  readonly #path: string;
  readonly #bytesMax: number;
  readonly #rotatedFilesMax: number;
  readonly #queuedLinesMax: number;
  readonly #onError: (error: RotatingLineLogError) => void;
  #queue: Buffer[] = [];
  #writing: Promise<void> | undefined;
  #isClosed = false;
  #isFailing = false;
  #linesDropped = 0;

  constructor(path: string, options: RotatingLineLogOptions = {}) {
    this.#path = path;
    this.#bytesMax = options.bytesMax ?? 50_000_000;
    this.#rotatedFilesMax = options.rotatedFilesMax ?? 5;
    this.#queuedLinesMax = options.queuedLinesMax ?? 10_000;
    this.#onError = options.onError ?? (() => {});
  }

  /** Lines that never reached the file: the queue was full, the disk refused, or the log was closed. */
  get linesDropped(): number {
    return this.#linesDropped;
  }

  /** Queues one record as a line. */
  append(record: object): void {
    try {
      if (this.#isClosed || this.#queue.length >= this.#queuedLinesMax) {
        this.#linesDropped += 1;
        return;
      }
      this.#queue.push(Buffer.from(`${JSON.stringify(record)}\n`));
      this.#writing ??= this.#writeQueue();
    } catch (error) {
      this.#fail(1, error);
    }
  }

  /** Resolves when everything appended so far is in the file or dropped; never rejects. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  /** Flushes; what is appended afterwards is dropped. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.flush();
  }

  async #writeQueue(): Promise<void> {
    // Lets the lines of one turn of the event loop share one write.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const lines = this.#queue;
      this.#queue = [];
      await this.#writeLines(lines);
    }
    this.#writing = undefined;
  }

  async #writeLines(lines: readonly Buffer[]): Promise<void> {
    let written = 0;
    try {
      while (written < lines.length) written += await this.#fillFile(lines, written);
      this.#isFailing = false;
    } catch (error) {
      this.#fail(lines.length - written, error);
    }
  }

  /** Writes what fits into the current file; says how many lines, 0 when it rotated instead. */
  async #fillFile(lines: readonly Buffer[], from: number): Promise<number> {
    const file = await openForAppend(this.#path);
    let count = 0;
    try {
      let size = (await file.stat()).size;
      for (const line of lines.slice(from)) {
        if (size > 0 && size + line.length > this.#bytesMax) break;
        size += line.length;
        count += 1;
      }
      if (count > 0) await file.appendFile(Buffer.concat(lines.slice(from, from + count)));
    } finally {
      await file.close();
    }
    if (count === 0) await rotate(this.#path, this.#rotatedFilesMax);
    return count;
  }

  #fail(lines: number, cause: unknown): void {
    this.#linesDropped += lines;
    if (this.#isFailing) return;
    this.#isFailing = true;
    try {
      const why = cause instanceof Error ? cause.message : String(cause);
      this.#onError(new RotatingLineLogError(`log ${this.#path} must be writable, got: ${why}`, { cause }));
    } catch {
      // A log that cannot even complain still must not break the work it writes about.
    }
  }
}

async function openForAppend(path: string): Promise<FileHandle> {
  try {
    return await open(path, "a");
  } catch (error) {
    if (!isMissing(error)) throw error;
    await mkdir(dirname(path), { recursive: true });
    return await open(path, "a");
  }
}

/** Renames `.4` to `.5`, …, the file itself to `.1`; the oldest is overwritten. */
async function rotate(path: string, rotatedFilesMax: number): Promise<void> {
  for (let number = rotatedFilesMax; number >= 1; number--) {
    try {
      await rename(number === 1 ? path : `${path}.${number - 1}`, `${path}.${number}`);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
