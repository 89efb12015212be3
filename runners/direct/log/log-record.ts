/** A commit as bytes of the log: a head with its facts, the engine's state behind it, a checksum behind each. */
import { crc32 } from "node:zlib";
import type { StateShape } from "../../graph/state-shape.js";
import type { RecordCounts } from "../../job/job.js";

/** Of a record's facts and of what is in its payload; the head's layout is the same in every version. */
export const LOG_FORMAT_VERSION = 1;

/** What a commit is, beside the state. */
export interface CommitFacts {
  /** A snapshot is all state there is, a delta what changed since the commit before. */
  readonly kind: "snapshot" | "delta";
  readonly pipeline: string;
  /** Which of the folder's runs, counted from 1. */
  readonly run: number;
  readonly runId: string;
  readonly epoch: number;
  /** When it was committed, ms since 1970. */
  readonly atMs: number;
  /** Of this epoch, and of all up to it. */
  readonly counts: RecordCounts;
  readonly totals: RecordCounts;
  /** The largest event time committed. */
  readonly watermarkMs: number | null;
  /** How the state of the graph is written; in a snapshot alone, for all that follow. */
  readonly shape?: StateShape;
}

/*
 * 0   4  "MRCL"
 * 4   4  version
 * 8   4  bytes of the facts
 * 12  6  bytes of the payload
 * 18  6  the record's own offset in its file
 * 24     the facts, JSON
 *     4  CRC-32 of all of the above: the head ends here
 *        the payload
 *     4  CRC-32 of the payload, begun with the head's
 * All numbers are big-endian.
 */
const MAGIC = Buffer.from("MRCL");
export const FIXED_BYTES = 24;
const CRC_BYTES = 4;

/** The first bytes of a record, not yet known to be what was written. */
export interface Fixed {
  readonly version: number;
  /** Where in its file it was written. */
  readonly offset: number;
  /** With facts and checksum. */
  readonly headBytes: number;
  /** With its checksum. */
  readonly bodyBytes: number;
}

export interface Head {
  readonly version: number;
  /** As JSON: what it means is for the version to say. */
  readonly facts: string;
  readonly crc: number;
}

/** @param offset where in the file it will stand */
export function encodeRecord(facts: CommitFacts, payload: Uint8Array, offset: number): Buffer {
  const json = Buffer.from(JSON.stringify(facts));
  const record = Buffer.allocUnsafe(FIXED_BYTES + json.length + payload.length + 2 * CRC_BYTES);
  MAGIC.copy(record);
  record.writeUInt32BE(LOG_FORMAT_VERSION, 4);
  record.writeUInt32BE(json.length, 8);
  record.writeUIntBE(payload.length, 12, 6);
  record.writeUIntBE(offset, 18, 6);
  json.copy(record, FIXED_BYTES);
  const headEnd = FIXED_BYTES + json.length;
  const headCrc = crc32(record.subarray(0, headEnd));
  record.writeUInt32BE(headCrc, headEnd);
  record.set(payload, headEnd + CRC_BYTES);
  record.writeUInt32BE(crc32(payload, headCrc), record.length - CRC_BYTES);
  return record;
}

/** Undefined: no record begins there. @param bytes at least `FIXED_BYTES` */
export function readFixed(bytes: Buffer): Fixed | undefined {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  return {
    version: bytes.readUInt32BE(4),
    offset: bytes.readUIntBE(18, 6),
    headBytes: FIXED_BYTES + bytes.readUInt32BE(8) + CRC_BYTES,
    bodyBytes: bytes.readUIntBE(12, 6) + CRC_BYTES,
  };
}

/** Undefined: the bytes are not those that were written. @param bytes all `headBytes` */
export function readHead(bytes: Buffer, { version, headBytes }: Fixed): Head | undefined {
  const end = headBytes - CRC_BYTES;
  const crc = crc32(bytes.subarray(0, end));
  if (crc !== bytes.readUInt32BE(end)) return undefined;
  return { version, facts: bytes.toString("utf8", FIXED_BYTES, end), crc };
}

/** Undefined: the bytes are not those that were written. @param bytes all `bodyBytes` */
export function readPayload(bytes: Buffer, { crc }: Head): Buffer | undefined {
  const payload = bytes.subarray(0, bytes.length - CRC_BYTES);
  return crc32(payload, crc) === bytes.readUInt32BE(payload.length) ? payload : undefined;
}

/** Where in these bytes a record may begin: each needs a look at its head. */
export function* possibleRecords(bytes: Buffer): Generator<{ readonly at: number; readonly fixed: Fixed }> {
  for (let at = bytes.indexOf(MAGIC); at >= 0; at = bytes.indexOf(MAGIC, at + 1)) {
    if (at + FIXED_BYTES > bytes.length) return;
    const fixed = readFixed(bytes.subarray(at));
    if (fixed !== undefined) yield { at, fixed };
  }
}
