/** A file that the source is reading or has read a moment ago. */
import type { FileRef } from "../input-record.js";
import type { ReaderPosition } from "../record-format.js";
import type { FileStatus } from "./file-system.js";
import { type Fingerprint, NOTHING_CONSUMED } from "./fingerprint.js";
import type { StoredFile, StoredState } from "./source-positions.js";

/** A file seen and not opened yet: there may be a million of them. */
export class UnreadFile {
  /** The listing in which its name was last seen. */
  seenIn = 0;
  isGone = false;
  constructor(
    public path: string,
    public inode: string,
    public size: number,
  ) {}
}

/** Files whose stored row is out of date. */
export class Changes {
  /** To be stored with the next bundle, whatever else is in it. */
  readonly urgent = new Set<SourceFile>();
  /** To be stored with a bundle that is committed anyway, or when this has lasted too long. */
  readonly later = new Set<SourceFile>();
}

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 30_000;

export class SourceFile {
  /** One object for all records until path or generation changes. */
  ref: FileRef;
  inode: string;
  /** As last seen; what lies beyond `limit` belongs to the next run. */
  size = 0;
  mtimeNs = 0n;
  limit = Number.POSITIVE_INFINITY;
  /** Monotonic time at which the size was last seen to change, or the file was first seen. */
  changedAtMs: number;
  position: ReaderPosition = { byteOffset: 0, line: 1, header: null };
  fingerprint: Fingerprint = NOTHING_CONSUMED;
  state: StoredState = "reading";
  endedAtByte: number | null = null;
  endedAtLine: number | null = null;

  /** What the last look inside found: all bytes up to `visitedTo` of the file as it was then. */
  isAtEnd = false;
  visitedTo = -1;
  visitedMtimeNs = -1n;
  /** Bytes behind the last complete record wait for a newline or for quiet. */
  hasTail = false;
  /** It does not begin with what was consumed: to be identified again. */
  isSuspect = false;
  /** Full path under which a finished file waits to be archived or deleted. */
  asidePath: string | undefined;

  /** The listing in which its name was last seen, and since when (monotonic) it is gone. */
  seenIn = 0;
  missingSinceMs: number | undefined;

  /** Changes so far, and the last of them known to be committed. */
  version = 0;
  committedVersion = 0;

  /** Where the position stood when it was last told as progress. */
  toldOffset = 0;
  blockedUntilMs = 0;
  failures = 0;

  constructor(
    fileId: number,
    path: string,
    generation: number,
    status: FileStatus,
    nowMs: number,
    private readonly changes: Changes,
  ) {
    this.ref = { fileId, generation, path };
    this.inode = status.inode;
    this.size = status.size;
    this.mtimeNs = status.mtimeNs;
    this.changedAtMs = nowMs;
  }

  get path(): string {
    return this.ref.path;
  }
  get fileId(): number {
    return this.ref.fileId;
  }
  get isGzip(): boolean {
    return this.path.endsWith(".gz");
  }
  /** How far it may be read now. */
  get readableSize(): number {
    return Math.min(this.size, this.limit);
  }
  get isCommitted(): boolean {
    return this.version === this.committedVersion;
  }
  /** Bytes as stored that nobody has looked at. */
  get unreadBytes(): number {
    return Math.max(0, this.readableSize - Math.max(0, this.visitedTo, this.fingerprint.rawOffset));
  }

  /** Whether its end was found and dealt with. */
  get isFinished(): boolean {
    return this.state === "done" || this.state === "corrupt";
  }

  /** Whether it is out of the directory for good. */
  get hasLeft(): boolean {
    return this.state === "archived" || this.state === "deleted" || this.state === "replaced";
  }

  /** It has been seen (again). */
  isThere(): void {
    this.missingSinceMs = undefined;
    if (this.state !== "missing") return;
    this.state = this.endedAtByte === null ? "reading" : "ended";
    this.changed("later");
  }

  /** Its stored row must change: `later` when a crash before that costs nothing but work. */
  changed(when: "urgent" | "later" = "urgent"): void {
    this.version++;
    this.changes[when].add(this);
  }

  /** Takes in what a look from outside showed; true when the file grew, shrank or was touched. */
  observe(status: FileStatus, nowMs: number): boolean {
    const isNew = status.size !== this.size || status.mtimeNs !== this.mtimeNs;
    if (status.size !== this.size) this.changedAtMs = nowMs;
    this.size = status.size;
    this.mtimeNs = status.mtimeNs;
    if (isNew && this.state === "done" && status.size > this.visitedTo) {
      this.state = this.endedAtByte === null ? "reading" : "ended";
    }
    return isNew;
  }

  /** No growth for `quietMs`, by our own watching or by the file's own time. */
  isQuiet(quietMs: number, nowMs: number, wallMs: number): boolean {
    return this.quietAtMs(quietMs, nowMs, wallMs) <= nowMs;
  }

  /** Monotonic time at which it will have been quiet for so long. */
  quietAtMs(quietMs: number, nowMs: number, wallMs: number): number {
    const byWatching = this.changedAtMs + quietMs;
    const byItsTime = nowMs + quietMs - (wallMs - Number(this.mtimeNs / 1_000_000n));
    return Math.min(byWatching, byItsTime);
  }

  /** Whether there may be something to read now. */
  needsVisit(quietMs: number, nowMs: number, wallMs: number): boolean {
    if (this.isSuspect || this.hasLeft || this.missingSinceMs !== undefined) return false;
    if (this.blockedUntilMs > nowMs) return false;
    if (!this.isAtEnd || this.readableSize !== this.visitedTo) return true;
    if (this.size > this.limit) return false;
    if (this.mtimeNs !== this.visitedMtimeNs) return true;
    return this.hasTail && this.isQuiet(quietMs, nowMs, wallMs);
  }

  /** An operation failed: others go on, this one is tried again, ever more slowly. True the first time. */
  block(nowMs: number): boolean {
    const delayMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(this.failures, 10));
    this.blockedUntilMs = nowMs + delayMs;
    return this.failures++ === 0;
  }

  renameTo(path: string): void {
    this.ref = { ...this.ref, path };
    this.isThere();
    this.isSuspect = false;
    this.blockedUntilMs = 0;
    this.failures = 0;
    this.changed();
  }

  /** Starts anew: the same path shows other content. */
  startGeneration(status: FileStatus, nowMs: number): void {
    this.ref = { ...this.ref, generation: this.ref.generation + 1 };
    this.inode = status.inode;
    this.size = status.size;
    this.mtimeNs = status.mtimeNs;
    this.changedAtMs = nowMs;
    this.position = { byteOffset: 0, line: 1, header: null };
    this.fingerprint = NOTHING_CONSUMED;
    this.state = "reading";
    this.endedAtByte = null;
    this.endedAtLine = null;
    this.isAtEnd = false;
    this.visitedTo = -1;
    this.hasTail = false;
    this.isSuspect = false;
    this.missingSinceMs = undefined;
    this.changed();
  }

  toStored(): StoredFile {
    const { fileId, generation, path } = this.ref;
    const { inode, size, mtimeNs, state, endedAtByte, endedAtLine } = this;
    const { byteOffset, line, header } = this.position;
    const position = { byteOffset, line, header, ...this.fingerprint };
    return { fileId, path, generation, inode, ...position, size, mtimeNs, state, endedAtByte, endedAtLine };
  }

  /** A file as it was committed; it is looked into before it counts as read to its end. */
  static fromStored(stored: StoredFile, nowMs: number, changes: Changes): SourceFile {
    const status = { kind: "file", inode: stored.inode, size: stored.size, mtimeNs: stored.mtimeNs } as const;
    const file = new SourceFile(stored.fileId, stored.path, stored.generation, status, nowMs, changes);
    file.position = { byteOffset: stored.byteOffset, line: stored.line, header: stored.header };
    const { rawOffset, headHash, tailHash } = stored;
    file.fingerprint = { rawOffset, headHash, tailHash };
    file.toldOffset = stored.byteOffset;
    file.state = stored.state;
    file.endedAtByte = stored.endedAtByte;
    file.endedAtLine = stored.endedAtLine;
    return file;
  }
}
