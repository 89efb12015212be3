/** Reads a file from its position as far as it goes now, record by record. */
import { setImmediate } from "node:timers/promises";
import type { FileRef, Problem, ScannedRecord } from "../input-record.js";
import type { Clock } from "../primitives/do-fn.js";
import type { ReaderPosition, RecordFormat } from "../record-format.js";
import type { OpenFile } from "./file-system.js";
import { recognise } from "./fingerprint.js";
import type { InputDirectory } from "./input-directory.js";
import { createSession, type ReadingSession, readerAt } from "./reading-session.js";
import type { SourceFile } from "./source-file.js";

/** Records emitted before everything else that waits in this process gets its turn: well below a millisecond. */
const RECORDS_PER_TURN = 100;
/**
 * Sessions kept between visits: of gzip files, which would have to be inflated again from the start, and of
 * files with a rest longer than `KEPT_REST_BYTES`, which would have to be read again with every growth.
 */
const SESSIONS_MAX = 8;
const KEPT_REST_BYTES = 256 * 1024;
/** A continued last record is cut into dead letters of at most this size. */
const CONTINUATION_BYTES_MAX = 1024 * 1024;
const NEWLINE = 0x0a;

/** The bundle that takes the records. */
export interface RecordTarget {
  /** Asks for room for one more record; false: stop here. What was claimed and not used stays claimed. */
  claim(): boolean;
  emit(file: FileRef, record: ScannedRecord): void;
  addBytes(count: number): void;
  /** Whether the bundle has enough; asked between chunks. */
  readonly isFull: boolean;
}

/** `at-end`: nothing more now. `stopped`: the bundle ends here. `suspect`: the file must be identified. */
export type VisitOutcome = "at-end" | "stopped" | "suspect";

export interface VisitorOptions {
  readonly directory: Pick<InputDirectory, "open">;
  readonly format: RecordFormat;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly quietMs: number;
}

/** Keeps at most one plain file open at a time. */
export class FileVisitor {
  readonly #sessions = new Map<SourceFile, ReadingSession>();

  constructor(readonly options: VisitorOptions) {}

  /**
   * Hands the file's next records to the bundle and moves its position and fingerprint.
   * @throws Node's error when it cannot be read.
   */
  async visit(file: SourceFile, target: RecordTarget): Promise<VisitOutcome> {
    const { directory, clock } = this.options;
    const open = await directory.open(file.asidePath ?? file.path);
    try {
      const status = await open.status();
      const isOther = status.kind !== "file" || status.inode !== file.inode;
      const before = isOther ? undefined : await recognise(open, status.size, file.fingerprint);
      if (before === undefined) {
        this.#drop(file);
        file.isSuspect = true;
        return "suspect";
      }
      file.observe(status, clock.monotonicMs());
      if ((await this.#sessions.get(file)?.isCurrent(open)) === false) this.#drop(file);
      const session = this.#sessions.get(file) ?? createSession(file, this.options.format, before);
      return await this.#read(new Visit(file, session, open, target));
    } finally {
      await open.close();
    }
  }

  close(): void {
    for (const file of [...this.#sessions.keys()]) this.#drop(file);
  }

  async #read(visit: Visit): Promise<VisitOutcome> {
    const { file, session } = visit;
    const before = positionKey(file);
    let outcome: VisitOutcome | undefined;
    try {
      outcome = await this.#readOn(visit);
      return outcome;
    } finally {
      // also when reading failed: the records before it have been emitted
      file.isAtEnd = outcome === "at-end";
      file.visitedTo = file.isAtEnd ? file.readableSize : -1;
      file.visitedMtimeNs = file.mtimeNs;
      if (!visit.isSettled) file.position = { ...session.reader.position };
      file.fingerprint = session.fingerprint(file.position);
      if (positionKey(file) !== before) file.changed();
      const isWorthIt = file.isGzip || session.tape.end - file.position.byteOffset > KEPT_REST_BYTES;
      if (outcome !== undefined && isWorthIt && !visit.hasEnded) this.#keep(file, session);
      else {
        this.#sessions.delete(file);
        session.close();
      }
    }
  }

  async #readOn(visit: Visit): Promise<VisitOutcome> {
    const { file, session, target } = visit;
    if (file.endedAtByte !== null) {
      const outcome = await this.#readContinuation(visit);
      if (outcome !== "passed") return outcome;
    }
    for (;;) {
      if (!(await visit.drain())) return "stopped";
      if ((target.isFull && visit.emitted > 0) || this.options.signal.aborted) return "stopped";
      const chunk = await session.next(visit.open, file.readableSize);
      if (chunk === undefined) break;
      visit.push(chunk);
    }
    if (session.corruption !== undefined) return reportCorruption(visit, session.corruption);
    file.hasTail = file.isGzip || session.tape.end > session.reader.position.byteOffset;
    if (!file.hasTail || file.size > file.limit || !this.#isQuiet(file)) return "at-end";
    return await endQuietFile(visit);
  }

  /**
   * The last record had no newline and was taken as complete. A newline now is just its end; anything
   * before it is one dead letter. `passed`: done with, the reader stands on the line after it.
   */
  async #readContinuation(visit: Visit): Promise<VisitOutcome | "passed"> {
    const { file, session } = visit;
    const start = file.position.byteOffset;
    let newlineAt = -1;
    let chunk: Buffer | undefined;
    while (newlineAt < 0 && session.tape.end - start < CONTINUATION_BYTES_MAX) {
      chunk = await session.next(visit.open, file.readableSize);
      if (chunk === undefined) break;
      visit.target.addBytes(chunk.length);
      const index = chunk.indexOf(NEWLINE);
      if (index >= 0) newlineAt = session.tape.end - chunk.length + index;
    }
    const end = newlineAt < 0 ? session.tape.end : newlineAt;
    visit.isSettled = true;
    file.hasTail = end > start;
    visit.hasEnded = true; // the reader was passed by: a session is not to be used again
    if (newlineAt < 0) {
      if (end === start) return "at-end";
      const isLong = end - start >= CONTINUATION_BYTES_MAX;
      if (!isLong && (file.size > file.limit || !this.#isQuiet(file))) return "at-end";
    }
    const continuation = session.tape.slice(start, end);
    const isHarmless = newlineAt >= 0 && (end === start || (end === start + 1 && continuation[0] === 0x0d));
    const range = { start, end, line: file.position.line };
    if (!isHarmless && !visit.emitProblem(range, continuation, continued(file))) return "stopped";
    file.hasTail = false;
    const { line, header } = file.position;
    if (newlineAt < 0) {
      file.position = { byteOffset: end, line, header };
      file.endedAtByte = end;
      return end - start >= CONTINUATION_BYTES_MAX ? "stopped" : "at-end";
    }
    file.position = { byteOffset: newlineAt + 1, line: line + 1, header };
    file.endedAtByte = null;
    file.endedAtLine = null;
    file.state = "reading";
    session.reader = readerAt(this.options.format, file.position);
    visit.isSettled = false;
    visit.hasEnded = false;
    const rest = session.tape.slice(newlineAt + 1, session.tape.end);
    if (rest.length > 0) session.reader.push(rest);
    return "passed";
  }

  #isQuiet(file: SourceFile): boolean {
    const { clock, quietMs } = this.options;
    return file.isQuiet(quietMs, clock.monotonicMs(), clock.now());
  }

  #keep(file: SourceFile, session: ReadingSession): void {
    this.#sessions.delete(file);
    this.#sessions.set(file, session);
    const oldest = this.#sessions.keys().next().value;
    if (this.#sessions.size > SESSIONS_MAX && oldest !== undefined) this.#drop(oldest);
  }

  /** Forgets what was inflated. */
  #drop(file: SourceFile): void {
    this.#sessions.get(file)?.close();
    this.#sessions.delete(file);
  }
}

/** One visit's hands: the session, the open file, the bundle. */
class Visit {
  emitted = 0;
  last: ScannedRecord | undefined;
  /** The reader was told that this is the end: it cannot be used for what comes later. */
  hasEnded = false;
  /** The file's position has been set; else the reader's is taken. */
  isSettled = false;

  constructor(
    readonly file: SourceFile,
    readonly session: ReadingSession,
    readonly open: OpenFile,
    readonly target: RecordTarget,
  ) {}

  push(chunk: Buffer): void {
    this.target.addBytes(chunk.length);
    this.session.reader.push(chunk);
  }

  /** Emits the records that are complete; false when the bundle takes no more. */
  async drain(): Promise<boolean> {
    for (;;) {
      const outcome = this.#drainSome();
      if (outcome !== "more") return outcome === "drained";
      await setImmediate();
    }
  }

  /** Without a break the answers of the database to the commit in flight would wait for a whole chunk. */
  #drainSome(): "drained" | "full" | "more" {
    const { target, session, file } = this;
    for (let left = RECORDS_PER_TURN; left > 0; left--) {
      if (!target.claim()) return "full";
      const record = session.reader.next();
      if (record === undefined) return "drained";
      if (this.emitted === 0 && file.state !== "reading") file.state = "reading";
      this.emitted++;
      this.last = record;
      target.emit(file.ref, record);
    }
    return "more";
  }

  /** A dead letter for a range; `raw` is its beginning where it is a giant's. */
  emitProblem(range: { start: number; end: number; line: number }, raw: Buffer, problem: Problem): boolean {
    if (!this.target.claim()) return false;
    const { start: byteStart, end: byteEnd, line } = range;
    this.target.emit(this.file.ref, { line, byteStart, byteEnd, problem, chunk: raw, chunkStart: 0 });
    this.emitted++;
    return true;
  }
}

/** The file is quiet: what stands behind the last newline is its last record. */
async function endQuietFile(visit: Visit): Promise<VisitOutcome> {
  const { file, session } = visit;
  visit.hasEnded = true;
  for (let chunk = await session.finish(); chunk !== undefined; chunk = await session.finish()) {
    visit.push(chunk);
    if (!(await visit.drain())) return "stopped";
  }
  if (session.corruption !== undefined) return reportCorruption(visit, session.corruption);
  const start = { ...session.reader.position };
  visit.last = undefined;
  session.reader.end();
  if (!(await visit.drain())) return "stopped";
  settleAtEnd(visit, start, visit.last);
  if (session.tape.end > start.byteOffset) file.state = "ended";
  return "at-end";
}

/** A gzip file broke: the records before are kept, the rest is one dead letter. */
function reportCorruption(visit: Visit, corruption: string): VisitOutcome {
  const { file, session } = visit;
  visit.hasEnded = true;
  const start = { ...session.reader.position };
  const rest = session.tape.slice(start.byteOffset, session.tape.end);
  // read again after it was reported, and nothing more came out: it is the same break
  const isReported = file.state === "corrupt" && rest.length === 0;
  const end = session.tape.end;
  if (!isReported) {
    const messages = [`the gzip data breaks after ${end} inflated bytes: ${corruption}`];
    // a range of its own even where a record starts right here once the file goes on: the byte before
    const isBetween = rest.length === 0 && end > 0;
    const range = {
      start: isBetween ? end - 1 : start.byteOffset,
      end,
      line: isBetween ? start.line - 1 : start.line,
    };
    const raw = isBetween ? Buffer.from("\n") : rest;
    if (!visit.emitProblem(range, raw, { reason: "corrupt_gzip", messages })) return "stopped";
  }
  settleAtEnd(visit, start, undefined);
  file.state = "corrupt";
  return "at-end";
}

/** Everything up to the end of the tape is dealt with; `start` is where the last whole record ended. */
function settleAtEnd(visit: Visit, start: ReaderPosition, last: ScannedRecord | undefined): void {
  const { file, session } = visit;
  const { end } = session.tape;
  const line = start.line + session.tape.newlines(start.byteOffset, end);
  file.position = { byteOffset: end, line, header: session.reader.position.header };
  visit.isSettled = true;
  file.hasTail = false;
  if (start.byteOffset === end || session.tape.slice(end - 1, end)[0] === NEWLINE) return;
  file.endedAtByte = end;
  file.endedAtLine = last?.line ?? start.line;
}

function continued(file: SourceFile): Problem {
  const messages = [
    `continues line ${file.endedAtLine}, which was taken as complete at byte ${file.endedAtByte} when the file was quiet`,
  ];
  return { reason: "continued_after_quiet", messages };
}

function positionKey(file: SourceFile): string {
  const { byteOffset, line, header } = file.position;
  return `${byteOffset} ${line} ${header === null} ${file.endedAtByte} ${file.endedAtLine} ${file.state}`;
}
