/** The live state of a watched directory, shared by all bundles of a run. */
import type { Clock, Log, ProcessContinuation } from "../primitives/do-fn.js";
import { Discovery } from "./discovery.js";
import { FileFinisher, type WhenDone } from "./file-finisher.js";
import { FileVisitor, type RecordTarget, type VisitorOptions } from "./file-visitor.js";
import { codeOf, type InputDirectory, isGone } from "./input-directory.js";
import { KnownFiles } from "./known-files.js";
import { Changes, SourceFile, type UnreadFile } from "./source-file.js";
import type { SourcePositions, StoredFile } from "./source-positions.js";
import { Waker } from "./waker.js";

const POLL_MS_MIN = 50;
const POLL_MS_MAX = 5000;
const POLL_GROWTH = 1.5;
/** Between two polls while there is work, and after a wake-up. */
const POLL_WHILE_READING_MS = 1000;
const WAKE_GAP_MS = 5;
/** A poll takes at most this share of the time: a huge directory is listed less often. */
const POLL_SHARE = 0.2;
const FILE_IDS_AT_ONCE = 32;
/** How long a change that can wait may keep waiting for a bundle that is committed anyway. */
const LATER_MS_MAX = 2000;
/** Files named in one report of progress. */
const PROGRESS_PATHS_MAX = 100;
/** In available-now mode a file that fails so often is given up for this run. */
const FAILURES_MAX = 3;

export interface DirectorySourceOptions extends VisitorOptions {
  readonly directory: InputDirectory;
  readonly positions: SourcePositions;
  readonly clock: Clock;
  readonly log: Log;
  readonly mode: "stream" | "available-now";
  readonly order: "oldest-first" | "newest-first";
  readonly doneAfterMs: number;
  readonly whenDone: WhenDone;
  readonly archiveDirectory: string;
  readonly isWatching: boolean;
}

/** The changed files of a bundle, as they stood when its `process` ended. */
export interface PositionsSnapshot {
  readonly files: readonly StoredFile[];
  /** By path, for a few of them: where reading started and ended. */
  readonly startOffset: Readonly<Record<string, number>>;
  readonly endOffset: Readonly<Record<string, number>>;
  /** Tells the source that they are committed. */
  committed(): void;
}

/** What is known and not read yet. */
export interface Backlog {
  readonly backlogBytes: number;
  readonly backlogFiles: number;
}

/** One process reads at a time; snapshots of several bundles may wait for their commit. */
export class DirectorySource {
  readonly #known = new KnownFiles();
  readonly #changes = new Changes();
  readonly #discovery: Discovery;
  readonly #visitor: FileVisitor;
  readonly #finisher: FileFinisher;
  readonly #waker: Waker;
  /** Seen and not opened: oldest first, taken from `#pendingAt` on; or newest last, taken from the end. */
  #pending: UnreadFile[] = [];
  #pendingAt = 0;
  #pendingBytes = 0;
  #due: SourceFile[] = [];
  #fileIds: number[] = [];
  #pollAtMs = 0;
  #pollDelayMs = POLL_MS_MIN;
  #pollEndedMs = Number.NEGATIVE_INFINITY;
  /** Whether an unread file was taken into work since the last poll. */
  #hasOpened = false;
  #laterSinceMs: number | undefined;
  #isBusy = false;

  private constructor(readonly options: DirectorySourceOptions) {
    const shared = { ...options, known: this.#known, changes: this.#changes };
    const nowMs = () => options.clock.monotonicMs();
    this.#visitor = new FileVisitor(options);
    this.#finisher = new FileFinisher({ ...shared, nowMs });
    this.#waker = new Waker(options.directory, options.isWatching);
    this.#discovery = new Discovery({
      ...shared,
      keepsFinished: options.whenDone === "leave",
      looksAtAll: options.mode === "available-now",
      onNew: (files) => this.#addPending(files),
      onAside: (path, fileId) => this.#finisher.adopt(path, fileId),
    });
  }

  /** Loads the committed positions. */
  static async open(options: DirectorySourceOptions): Promise<DirectorySource> {
    const source = new DirectorySource(options);
    for (const stored of await options.positions.load()) {
      source.#known.add(SourceFile.fromStored(stored, options.clock.monotonicMs(), source.#changes));
    }
    return source;
  }

  /**
   * Fills a bundle: until it takes no more or there is nothing to read now.
   * @throws what the bundle's outputs throw; the trouble of single files is logged and retried.
   */
  async read(target: RecordTarget): Promise<ProcessContinuation> {
    if (this.#isBusy) throw new Error("two bundles read the same directory source at once");
    this.#isBusy = true;
    try {
      for (;;) {
        if (this.options.signal.aborted || target.isFull) return { resume: true, delayMs: 0 };
        const file = await this.#next();
        if (file === undefined) return this.#rest();
        if (!(await this.#visit(file, target))) return { resume: true, delayMs: 0 };
      }
    } finally {
      this.#isBusy = false;
    }
  }

  /** What must be stored with the bundle that ends now; undefined when nothing must. */
  snapshot(): PositionsSnapshot | undefined {
    const { urgent, later } = this.#changes;
    const nowMs = this.options.clock.monotonicMs();
    if (later.size > 0) this.#laterSinceMs ??= nowMs;
    const isLate = this.#laterSinceMs !== undefined && nowMs - this.#laterSinceMs >= LATER_MS_MAX;
    const mustEnd = this.options.mode === "available-now" && this.#isFinished();
    if (urgent.size === 0 && !(later.size > 0 && (isLate || mustEnd))) return undefined;
    const changed = [...new Set([...urgent, ...later])].map((file) => ({ file, version: file.version }));
    urgent.clear();
    later.clear();
    this.#laterSinceMs = undefined;
    const startOffset: Record<string, number> = {};
    const endOffset: Record<string, number> = {};
    for (const { file } of changed.slice(0, PROGRESS_PATHS_MAX)) {
      startOffset[file.path] = Math.min(file.toldOffset, file.position.byteOffset);
      endOffset[file.path] = file.position.byteOffset;
    }
    for (const { file } of changed) file.toldOffset = file.position.byteOffset;
    return {
      files: changed.map(({ file }) => file.toStored()),
      startOffset,
      endOffset,
      committed: () => {
        for (const { file, version } of changed) this.#committed(file, version);
        this.#waker.wake();
      },
    };
  }

  backlog(): Backlog {
    let backlogBytes = this.#pendingBytes;
    let backlogFiles = this.#pending.length - this.#pendingAt;
    for (const file of this.#known.byId.values()) {
      const bytes = file.missingSinceMs === undefined ? file.unreadBytes : 0;
      backlogBytes += bytes;
      if (bytes > 0) backlogFiles++;
    }
    return { backlogBytes, backlogFiles };
  }

  close(): void {
    this.#waker.close();
    this.#visitor.close();
  }

  get #nowMs(): number {
    return this.options.clock.monotonicMs();
  }

  /** The file to read next: one in work, else the next unread one; polls when it is time. */
  async #next(): Promise<SourceFile | undefined> {
    for (;;) {
      const isIdle = this.#due.length === 0 && this.#pendingAt >= this.#pending.length;
      if (this.#isPollDue(isIdle)) {
        await this.#poll();
        continue;
      }
      const file = this.#due.shift() ?? (await this.#openNext());
      if (file !== undefined) return file;
      if (isIdle) return undefined;
    }
  }

  #isPollDue(isIdle: boolean): boolean {
    const nowMs = this.#nowMs;
    if (!isIdle) {
      // files that grow all the time must not keep the unread ones waiting: one of those between two polls
      const isFair = this.#hasOpened || this.options.order === "newest-first";
      return this.#due.length === 0 && isFair && nowMs - this.#pollEndedMs >= POLL_WHILE_READING_MS;
    }
    if (nowMs >= this.#pollAtMs) return true;
    return this.#waker.isAwake && nowMs >= this.#pollEndedMs + WAKE_GAP_MS;
  }

  async #poll(): Promise<void> {
    const startMs = this.#nowMs;
    const { mode } = this.options;
    const hasNews = await this.#discovery.poll(this.#waker.takeHints());
    await this.#waker.watch(this.#discovery.directories);
    if (mode === "available-now" && !this.#discovery.isClosed) this.#closeSnapshot();
    const nowMs = this.#nowMs;
    this.#pollEndedMs = nowMs;
    this.#hasOpened = false;
    this.#pollDelayMs = hasNews ? POLL_MS_MIN : Math.min(POLL_MS_MAX, this.#pollDelayMs * POLL_GROWTH);
    const restMs = (nowMs - startMs) * (1 / POLL_SHARE - 1);
    this.#pollAtMs = nowMs + Math.max(this.#pollDelayMs, Math.min(restMs, POLL_MS_MAX));
    await this.#takeStock();
  }

  /** What exists now, as large as it is now, is what this run reads. */
  #closeSnapshot(): void {
    this.#discovery.isClosed = true;
    for (const file of this.#known.byId.values()) file.limit = file.size;
  }

  /** Judges every file in work: to be read, done, to be moved; and when to look again. */
  async #takeStock(): Promise<void> {
    const { clock, quietMs } = this.options;
    const wallMs = clock.now();
    this.#due = [];
    for (const file of [...this.#known.byId.values()]) {
      await this.#judge(file);
      const nowMs = this.#nowMs;
      if (file.needsVisit(quietMs, nowMs, wallMs)) this.#due.push(file);
      this.#pollAtMs = Math.min(this.#pollAtMs, this.#deadlineMs(file, nowMs, wallMs));
    }
    const isNewestFirst = this.options.order === "newest-first";
    this.#due.sort((a, b) => (isNewestFirst ? b.fileId - a.fileId : a.fileId - b.fileId));
  }

  /** When the file wants to be looked at, whatever the pace of polling. */
  #deadlineMs(file: SourceFile, nowMs: number, wallMs: number): number {
    const { quietMs, doneAfterMs } = this.options;
    const never = Number.POSITIVE_INFINITY;
    if (file.missingSinceMs !== undefined || file.hasLeft) return never;
    if (file.blockedUntilMs > nowMs) return file.blockedUntilMs;
    if (file.isSuspect) return nowMs;
    if (file.size > file.limit) return never;
    if (file.hasTail) return Math.max(nowMs, file.quietAtMs(quietMs, nowMs, wallMs));
    if (file.isFinished || !file.isAtEnd) return never;
    return Math.max(nowMs, file.quietAtMs(doneAfterMs, nowMs, wallMs));
  }

  /** Whether all of the file was read and has been quiet for long enough. */
  async #judge(file: SourceFile): Promise<void> {
    const { whenDone, doneAfterMs, clock } = this.options;
    const isAtEnd = file.isAtEnd && !file.hasTail && file.visitedTo === file.size && !file.isSuspect;
    if (!isAtEnd || file.missingSinceMs !== undefined) return;
    if (!file.isQuiet(doneAfterMs, this.#nowMs, clock.now())) return;
    if (file.state === "reading" || file.state === "ended") {
      file.state = "done";
      file.changed(whenDone === "leave" ? "later" : "urgent");
    }
    if (!file.isFinished || !file.isCommitted) return;
    if (whenDone === "leave") this.#known.finish(file);
    else if (file.blockedUntilMs <= this.#nowMs) {
      await this.#finisher.finish(file);
      if (!file.isAtEnd) this.#pollAtMs = this.#nowMs;
    }
  }

  /** Reads a file as far as it goes; false when the bundle takes no more. */
  async #visit(file: SourceFile, target: RecordTarget): Promise<boolean> {
    const { log } = this.options;
    try {
      const outcome = await this.#visitor.visit(file, target);
      if (outcome !== "suspect" && file.failures > 0) log.info("file can be read again", { path: file.path });
      file.failures = 0;
      if (outcome === "stopped") this.#due.unshift(file);
      else if (outcome === "suspect") await this.#suspect(file);
      else await this.#judge(file);
      this.#pollAtMs = Math.min(
        this.#pollAtMs,
        this.#deadlineMs(file, this.#nowMs, this.options.clock.now()),
      );
      return outcome !== "stopped";
    } catch (error) {
      if (!isFileError(error)) throw error;
      if (isGone(error)) this.#waker.wake(); // renamed or removed: the next listing tells
      const facts = { path: file.path, code: codeOf(error) };
      if (file.block(this.#nowMs) && !isGone(error)) log.warn("file cannot be read: trying again", facts);
      this.#pollAtMs = Math.min(this.#pollAtMs, file.blockedUntilMs);
      return true;
    }
  }

  async #suspect(file: SourceFile): Promise<void> {
    this.#waker.wake();
    if (file.asidePath === undefined) return;
    await this.#finisher.restore(file.asidePath, file.fileId, file);
  }

  #addPending(files: readonly UnreadFile[]): void {
    for (const file of files) this.#pendingBytes += file.size;
    const isNewestFirst = this.options.order === "newest-first";
    for (const file of isNewestFirst ? files.toReversed() : files) this.#pending.push(file);
  }

  /** Takes the next unread file into work. */
  async #openNext(): Promise<SourceFile | undefined> {
    const isNewestFirst = this.options.order === "newest-first";
    for (;;) {
      const unread = isNewestFirst ? this.#pending.pop() : this.#pending[this.#pendingAt++];
      if (unread === undefined || this.#pendingAt === this.#pending.length) {
        if (!isNewestFirst) this.#pending = [];
        this.#pendingAt = 0;
      }
      if (unread === undefined) return undefined;
      this.#pendingBytes -= unread.size;
      this.#hasOpened = true;
      if (unread.isGone) continue;
      if (this.#fileIds.length === 0) {
        this.#fileIds = await this.options.positions.reserveFileIds(FILE_IDS_AT_ONCE);
        this.#fileIds.reverse();
      }
      const status = { kind: "file", inode: unread.inode, size: unread.size, mtimeNs: 0n } as const;
      this.#known.removeName(unread);
      const file = new SourceFile(this.#fileIds.pop()!, unread.path, 0, status, this.#nowMs, this.#changes);
      file.seenIn = unread.seenIn;
      if (this.options.mode === "available-now") file.limit = unread.size;
      this.#known.add(file);
      file.changed();
      return file;
    }
  }

  /** Nothing to read now: when to come back, or the end. */
  #rest(): ProcessContinuation {
    const nowMs = this.#nowMs;
    if (this.options.mode === "available-now" && this.#isFinished()) {
      for (const file of this.#known.byId.values()) {
        if (file.failures > 0) this.options.log.error("file is left for the next run", { path: file.path });
      }
      return { resume: false };
    }
    if (this.#changes.later.size > 0) this.#pollAtMs = Math.min(this.#pollAtMs, nowMs + LATER_MS_MAX);
    const gapMs = this.#waker.isAwake ? this.#pollEndedMs + WAKE_GAP_MS - nowMs : Number.POSITIVE_INFINITY;
    const delayMs = Math.max(0, Math.min(this.#pollAtMs - nowMs, gapMs));
    return { resume: true, delayMs, wake: this.#waker.wait() };
  }

  /** In available-now mode: everything of the snapshot was read, and moved where that is wanted. */
  #isFinished(): boolean {
    if (!this.#discovery.isClosed || this.#due.length > 0 || this.#pendingAt < this.#pending.length)
      return false;
    for (const file of this.#known.byId.values()) {
      if (file.missingSinceMs !== undefined || file.hasLeft || file.failures >= FAILURES_MAX) continue;
      if (!file.isAtEnd || file.isSuspect) return false;
      if (file.size > file.limit) continue; // it grows: the rest belongs to the next run
      if (file.hasTail) return false;
      if (this.options.whenDone !== "leave") return false;
    }
    return true;
  }

  #committed(file: SourceFile, version: number): void {
    file.committedVersion = Math.max(file.committedVersion, version);
    if (!file.isCommitted) return;
    if (file.hasLeft) this.#known.forget(file);
    else if (this.options.whenDone !== "leave" && file.isFinished) this.#pollAtMs = this.#nowMs;
  }
}

function isFileError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error && codeOf(error) !== undefined;
}
