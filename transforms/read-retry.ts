/** Reads the one record of a retry, by the rules of the file in which it stood. */
import type { PendingRetry } from "../sql/dead-letter-retries.js";
import { InputRecord, type Problem, type ScannedRecord } from "./input-record.js";
import type { RecordFormat } from "./record-format.js";
import { RetriedRecord } from "./retried-record.js";

/** A record whose origin knows its letter. */
export interface RetriedInputRecord extends InputRecord {
  readonly origin: RetriedRecord;
}

/**
 * The record, with the problem that its reader finds, and its event time. Its fields are those of the file's header;
 * where that is not known any more, or of no use, those of an edited record are `columns`, and one as it stood is
 * rejected: what its fields are called would be a guess.
 */
export function readRetry(
  retry: PendingRetry,
  format: RecordFormat,
  columns: readonly string[],
): { readonly record: RetriedInputRecord; readonly timestampMs: number | undefined } {
  const scanned = scan(retry, format, columns);
  const record = new InputRecord(
    { fileId: retry.fileId, generation: retry.generation, path: retry.sourceFile },
    { ...placeOf(retry), ...scanned },
    new RetriedRecord(retry),
  ) as RetriedInputRecord;
  return { record, timestampMs: scanned.timestampMs };
}

type Scanned = Pick<ScannedRecord, "fields" | "problem" | "timestampMs">;

function scan(retry: PendingRetry, format: RecordFormat, columns: readonly string[]): Scanned {
  const { isEdited, raw, byteStart, byteEnd, header, sourceFile, generation } = retry;
  if (!isEdited && raw.length < byteEnd - byteStart) {
    const message = `the record is ${byteEnd - byteStart} bytes long, of which the first ${raw.length} are kept`;
    return refused({ reason: "record_too_long", messages: [message] });
  }
  if (header !== null) {
    const scanned = scanOne(retry, format, header);
    if (!isEdited || scanned.problem?.reason !== "missing_column") return scanned;
  }
  if (isEdited) return scanOne(retry, format, columns);
  const file = `${sourceFile}, generation ${generation}`;
  const message = `the header of ${file} is not known any more: retry it edited, as ${columns.join(", ")}`;
  return refused({ reason: "missing_column", messages: [message] });
}

function scanOne(retry: PendingRetry, format: RecordFormat, header: readonly string[]): Scanned {
  const reader = format.createReader({ byteOffset: retry.byteStart, line: retry.line, header });
  reader.push(retry.raw);
  reader.end();
  const first = reader.next();
  if (first === undefined)
    return refused({ reason: "invalid_record", messages: ["record: must not be empty"] });
  if (first.problem !== undefined || reader.next() === undefined) return first;
  return refused({ reason: "invalid_record", messages: ["record: must be one record, got several"] });
}

function refused(problem: Problem): Scanned {
  return { fields: undefined, problem, timestampMs: undefined };
}

function placeOf({ line, byteStart, byteEnd, raw }: PendingRetry): ScannedRecord {
  return { line, byteStart, byteEnd, chunk: raw, chunkStart: 0 };
}
