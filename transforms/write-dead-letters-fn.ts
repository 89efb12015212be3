/** The DoFn of `writeDeadLetters`: a row in `dead_letters` and a line in a file, both with the epoch. */
import { insertDeadLetters, printableMessages } from "../sql/dead-letters.js";
import { EpochFiles } from "./epoch-files.js";
import type { DeadLetter } from "./input-record.js";
import type {
  BundleContext,
  DoFn,
  FinishBundleContext,
  ProcessContext,
  SetupContext,
} from "./primitives/do-fn.js";
import { failpoint } from "./primitives/failpoint.js";
import { registerDoFn } from "./primitives/fn-registry.js";

export interface WriteDeadLettersConfig {
  /** Folder of the NDJSON files, e.g. `data/error`. */
  readonly errorDir: string;
}

/**
 * Keeps every record that cannot become a row: in the table, in the transaction of the epoch, and as
 * NDJSON in the error folder, under a pending name before the commit and renamed after it. Both
 * exactly once, whatever is killed.
 */
export class WriteDeadLettersFn implements DoFn<DeadLetter> {
  readonly #errorDir: string;
  #pipeline = "";
  #files: EpochFiles | undefined;
  #letters: DeadLetter[] = [];

  constructor(config: WriteDeadLettersConfig) {
    this.#errorDir = config.errorDir;
  }

  async setup(context: SetupContext): Promise<void> {
    this.#pipeline = context.pipeline;
    const ready = context.shared("files", async () => {
      const files = new EpochFiles(this.#errorDir, context.pipeline);
      await files.recover(context.database);
      return files;
    });
    this.#files = await ready;
  }

  startBundle(_context: BundleContext): void {
    this.#letters = [];
  }

  process(letter: DeadLetter, context: ProcessContext): void {
    context.ledger.addDeadLetter(letter.record.file.fileId, letter.problem.reason);
    this.#letters.push(letter);
  }

  async finishBundle(context: FinishBundleContext): Promise<void> {
    if (this.#letters.length === 0) return;
    const transaction = await context.transaction();
    const rows = this.#letters.map(({ record, problem }) => ({
      fileId: record.file.fileId,
      generation: record.file.generation,
      sourceFile: record.file.path,
      line: record.line,
      byteStart: record.byteStart,
      byteEnd: record.byteEnd,
      reason: problem.reason,
      messages: [...problem.messages],
      raw: record.raw,
    }));
    await insertDeadLetters(transaction, this.#pipeline, transaction.epoch, rows);
    failpoint("after-dead-letters");
    const files = this.#files as EpochFiles;
    const lines = this.#letters.map((letter) => toLine(letter, this.#pipeline, transaction.epoch));
    const pending = await files.writePending(transaction.epoch, transaction.runId, lines.join(""));
    failpoint("after-pending-file");
    context.afterCommit(() => {
      failpoint("before-publish");
      return files.publish(pending);
    });
    this.#letters = [];
  }
}

/** One NDJSON line; `raw` is base64 when the bytes are no valid UTF-8 (`raw_encoding` says which). */
function toLine({ record, problem }: DeadLetter, pipeline: string, epoch: number): string {
  const raw = record.raw;
  const text = raw.toString("utf8");
  const isText = Buffer.from(text, "utf8").equals(raw);
  return `${JSON.stringify({
    pipeline,
    epoch,
    source_file: record.file.path,
    file_id: record.file.fileId,
    generation: record.file.generation,
    line: record.line,
    byte_start: record.byteStart,
    byte_end: record.byteEnd,
    reason: problem.reason,
    messages: printableMessages(problem.messages),
    raw: isText ? text : raw.toString("base64"),
    raw_encoding: isText ? "utf8" : "base64",
  })}\n`;
}

export const WRITE_DEAD_LETTERS_FN = registerDoFn(
  "write_dead_letters@1",
  (config: WriteDeadLettersConfig) => new WriteDeadLettersFn(config),
);
