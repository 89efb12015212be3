/** Reads a segment of the log: every commit of it, and where a crash has torn the last one. */
import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import { LogDamagedError, LogFormatError, LogOfOthersError } from "./log-errors.js";
import { type SegmentFile, TRANSFER_BYTES_MAX } from "./log-files.js";
import {
  type CommitFacts,
  FIXED_BYTES,
  type Fixed,
  type Head,
  LOG_FORMAT_VERSION,
  possibleRecords,
  readFixed,
  readHead,
  readPayload,
} from "./log-record.js";

/** So much of a file is looked through at once. */
const LOOK_BYTES = 1 << 20;

export interface LogCommit {
  readonly facts: CommitFacts;
  readonly payload: Buffer;
}

export interface Segment {
  /** The snapshot, and the deltas behind it. */
  readonly commits: readonly [LogCommit, ...LogCommit[]];
  /** Up to the end of the last commit. */
  readonly bytes: number;
  /** Behind it: of a commit that was never synced. */
  readonly tornBytes: number;
}

/** What is there instead of a commit. */
interface Problem {
  readonly problem: string;
  /** No crash leaves it: whoever wrote what is there, or behind it, had synced all before. */
  readonly isCertain?: boolean;
}

/** A record's facts and where it ends. */
interface ReadCommit extends LogCommit {
  readonly end: number;
}

/**
 * Whose log it is, by the head of its first commit.
 * @throws LogOfOthersError; LogFormatError; LogDamagedError
 */
export async function checkOwner(folder: string, segment: SegmentFile, pipeline: string): Promise<void> {
  await withFile(folder, segment, async (handle, file) => {
    const { size } = await handle.stat();
    const found = await readHeadAt(handle, file, 0, size);
    if ("problem" in found) throw new LogDamagedError(file, 0, found.problem);
    checkFacts(JSON.parse(found.head.facts) as CommitFacts, { file, offset: 0, pipeline, segment });
  });
}

/**
 * All commits, and the file synced up to them, since whoever wrote the last one may not have come to it.
 * @throws LogDamagedError where anything but the end of the last commit is not as it was written
 */
export function readSegment(folder: string, segment: SegmentFile, pipeline: string): Promise<Segment> {
  return withFile(folder, segment, async (handle, file) => {
    const { size } = await handle.stat();
    const commits: LogCommit[] = [];
    let at = 0;
    while (at < size || commits.length === 0) {
      const found = await readCommitAt(handle, file, at, size);
      if ("problem" in found) {
        if (commits.length === 0 || found.isCertain || (await isHeadAfter(handle, at + 1, size)))
          throw new LogDamagedError(file, at, found.problem);
        break;
      }
      checkFacts(found.facts, { file, offset: at, pipeline, segment, before: commits.at(-1)?.facts });
      commits.push({ facts: found.facts, payload: found.payload });
      at = found.end;
    }
    await handle.datasync();
    return { commits: commits as [LogCommit, ...LogCommit[]], bytes: at, tornBytes: size - at };
  });
}

async function withFile<T>(
  folder: string,
  { name }: SegmentFile,
  use: (handle: FileHandle, file: string) => Promise<T>,
): Promise<T> {
  const file = path.join(folder, name);
  const handle = await open(file, "r");
  try {
    return await use(handle, file);
  } finally {
    await handle.close();
  }
}

async function readCommitAt(
  handle: FileHandle,
  file: string,
  offset: number,
  size: number,
): Promise<ReadCommit | Problem> {
  const found = await readHeadAt(handle, file, offset, size);
  if ("problem" in found) return found;
  const { head, fixed } = found;
  const from = offset + fixed.headBytes;
  const end = from + fixed.bodyBytes;
  if (end > size) return { problem: `its commit goes on to byte ${end}, but the file ends at ${size}` };
  const payload = readPayload(await readAt(handle, from, fixed.bodyBytes), head);
  if (payload === undefined)
    return { problem: "the state of its commit does not match its checksum", isCertain: end < size };
  return { facts: JSON.parse(head.facts) as CommitFacts, payload, end };
}

async function readHeadAt(
  handle: FileHandle,
  file: string,
  offset: number,
  size: number,
): Promise<{ readonly head: Head; readonly fixed: Fixed } | Problem> {
  if (offset + FIXED_BYTES > size) return { problem: `a commit's head is cut off at byte ${size}` };
  const fixed = readFixed(await readAt(handle, offset, FIXED_BYTES));
  if (fixed === undefined) return { problem: "no commit begins there" };
  if (offset + fixed.headBytes > size) return { problem: `a commit's head is cut off at byte ${size}` };
  const head = readHead(await readAt(handle, offset, fixed.headBytes), fixed);
  if (head === undefined) return { problem: "the head of its commit does not match its checksum" };
  if (fixed.offset !== offset)
    return { problem: `the commit there was written at byte ${fixed.offset}`, isCertain: true };
  if (head.version !== LOG_FORMAT_VERSION) throw new LogFormatError(file, head.version, LOG_FORMAT_VERSION);
  return { head, fixed };
}

/** Whether a commit was begun behind a place where none can be read: it need not stand where it was written any more. */
async function isHeadAfter(handle: FileHandle, from: number, size: number): Promise<boolean> {
  for (let at = from; at < size; at += LOOK_BYTES - FIXED_BYTES) {
    const bytes = await readAt(handle, at, Math.min(LOOK_BYTES, size - at));
    for (const { at: place, fixed } of possibleRecords(bytes)) {
      const offset = at + place;
      if (offset + fixed.headBytes > size) continue;
      if (readHead(await readAt(handle, offset, fixed.headBytes), fixed) !== undefined) return true;
    }
  }
  return false;
}

async function readAt(handle: FileHandle, offset: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytes);
  for (let filled = 0; filled < bytes; ) {
    const length = Math.min(bytes - filled, TRANSFER_BYTES_MAX);
    const { bytesRead } = await handle.read(buffer, filled, length, offset + filled);
    if (bytesRead === 0) throw new Error("a file of the commit log became shorter while it was read");
    filled += bytesRead;
  }
  return buffer;
}

interface Expected {
  readonly file: string;
  readonly offset: number;
  readonly pipeline: string;
  readonly segment: SegmentFile;
  readonly before?: CommitFacts | undefined;
}

/** That it is what must stand there: a file in another's place, or a part of one, has whole commits too. */
function checkFacts(facts: CommitFacts, { file, offset, pipeline, segment, before }: Expected): void {
  if (facts.pipeline !== pipeline) throw new LogOfOthersError(file, facts.pipeline, pipeline);
  const kind = offset === 0 ? "snapshot" : "delta";
  const epoch = before === undefined ? segment.epoch : before.epoch + 1;
  const { run } = segment;
  const runId = before?.runId ?? facts.runId;
  if (facts.kind === kind && facts.run === run && facts.epoch === epoch && facts.runId === runId) return;
  throw new LogDamagedError(
    file,
    offset,
    `there must be a ${kind}, epoch ${epoch} of run ${run} (${runId}), but there is a ${facts.kind}, epoch ` +
      `${facts.epoch} of run ${facts.run} (${facts.runId})`,
  );
}
