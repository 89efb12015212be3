/** publishDeadLetters: the file of an epoch's dead letters, made of the table where many workers have written them. */
import { deadLetterLine } from "../sql/dead-letter-line.js";
import { type DeadLetter, readDeadLetters } from "../sql/dead-letters.js";
import type { SqlQueries } from "../sql/sql-session.js";
import { EpochFiles } from "./epoch-files.js";
import type { EpochTransaction } from "./primitives/do-fn.js";
import { failpoint } from "./primitives/failpoint.js";

/** Characters that are written at once, or those of one line more. */
const PART_CHARACTERS = 256 * 1024;

/**
 * Writes the letters of `transaction.epoch` as `<pipeline>-<epoch>.ndjson` into `errorDir`, with the lines that the
 * direct runner writes, in the order of files and places: under a pending name now, in the transaction that commits
 * the epoch and before it does; under its own by the function returned, which is to be called after the commit. Of an
 * epoch without letters there is no file.
 *
 * Who is killed in between has the file published, or removed, by `recoverDeadLetters`. Memory is bounded, whatever
 * the number of letters.
 */
export async function publishDeadLetters(
  transaction: EpochTransaction,
  { pipeline, errorDir }: { readonly pipeline: string; readonly errorDir: string },
): Promise<() => Promise<void>> {
  const { epoch, runId } = transaction;
  const letters = readDeadLetters(transaction, pipeline, epoch);
  const first = await letters.next();
  if (first.done === true) return async () => undefined;
  const files = new EpochFiles(errorDir, pipeline);
  const pending = await files.writePending(epoch, runId, linesOf(first.value, letters, pipeline, epoch));
  failpoint("after-pending-file");
  return async () => {
    failpoint("before-publish");
    await files.publish(pending);
  };
}

/**
 * Publishes what an earlier run of the pipeline left pending if its epoch was committed, and removes the rest. Call it
 * at the start, once that run is fenced.
 */
export async function recoverDeadLetters(
  database: SqlQueries,
  { pipeline, errorDir }: { readonly pipeline: string; readonly errorDir: string },
): Promise<void> {
  await new EpochFiles(errorDir, pipeline).recover(database);
}

async function* linesOf(
  first: DeadLetter,
  others: AsyncIterable<DeadLetter>,
  pipeline: string,
  epoch: number,
): AsyncGenerator<string, void> {
  let lines = deadLetterLine(first, pipeline, epoch);
  for await (const letter of others) {
    if (lines.length >= PART_CHARACTERS) {
      yield lines;
      lines = "";
    }
    lines += deadLetterLine(letter, pipeline, epoch);
  }
  yield lines;
}
