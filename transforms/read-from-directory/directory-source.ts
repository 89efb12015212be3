/** The live state of a watched directory, shared by all bundles of a run. */
import type { Clock, Log, ProcessContinuation } from "../primitives/do-fn.js";
import { Discovery } from "./discovery.js";
import { FileFinisher, type WhenDone } from "./file-finisher.js";
import type { VisitorOptions } from "./file-visitor.js";
import { codeOf, type InputDirectory, isGone } from "./input-directory.js";
import { KnownFiles } from "./known-files.js";
import { PollPace } from "./poll-pace.js";
import { type PositionsSnapshot, takeSnapshot } from "./positions-snapshot.js";
import { Changes, SourceFile } from "./source-file.js";
import type { SourcePositions } from "./source-positions.js";
import { UnreadFiles } from "./unread-files.js";
import type { SourceTarget, Visitor } from "./visitor.js";
import { Waker } from "./waker.js";

const FILE_IDS_AT_ONCE = 32;
/** How long a change that can wait may keep waiting for a bundle that is committed anyway. */
const LATER_MS_MAX = 2000;
/** In available-now mode a file that fails so often is given up for this run. */
const FAILURES_MAX = 3;

export interface DirectorySourceOptions extends Pick<VisitorOptions, "signal" | "quietMs"> {
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

/** What is known and not read yet. */
export interface Backlog {
  readonly backlogBytes: number;
  readonly backlogFiles: number;
}

/** One process reads at a time; snapshots of several bundles may wait for their commit. */
export class DirectorySource<Target extends SourceTarget> {
  readonly #known = new KnownFiles();
  readonly #changes = new Changes();
  readonly #discovery: Discovery;
  readonly #visitor: Visitor<Target>;
  readonly #finisher: FileFinisher;
  readonly #waker: Waker;
  readonly #unread: UnreadFiles;
  readonly #pace = new PollPace();
  #due: SourceFile[] = [];
  #fileIds: number[] = [];
  /** Whether an unread file was taken into work since the last poll. */
  #hasOpened = false;
  #laterSinceMs: number | undefined;
  #isBusy = false;

  private constructor(
    readonly options: DirectorySourceOptions,
    visitor: Visitor<Target>,
  ) {
    const shared = { ...options, known: this.#known, changes: this.#changes };
    const nowMs = () => options.clock.monotonicMs();
    this.#unread = new UnreadFiles(options.order);
    this.#visitor = visitor;
    this.#finisher = new FileFinisher({ ...shared, nowMs });
    this.#waker = new Waker(options.directory, options.isWatching);
    this.#discovery = new Discovery({
      ...shared,
      keepsFinished: options.whenDone === "leave",
      looksAtAll: options.mode === "available-now",
      onNew: (files) => this.#unread.add(files),
      onAside: (path, fileId) => this.#finisher.adopt(path, fileId),
    });
  }

  /** Loads the committed positions. */
  static async open<Target extends SourceTarget>(
    options: DirectorySourceOptions,
    visitor: Visitor<Target>,
  ): Promise<DirectorySource<Target>> {
    const source = new DirectorySource(options, visitor);
    for (const stored of await options.positions.load()) {
      source.#known.add(SourceFile.fromStored(stored, options.clock.monotonicMs(), source.#changes));
    }
    return source;
  }

  /**
   * Fills a bundle: until it takes no more or there is nothing to read now.
   * @throws what the bundle's outputs throw; the trouble of single files is logged and retried.
   */
  async read(target: Target): Promise<ProcessContinuation> {
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
    this.#laterSinceMs = undefined;
    return takeSnapshot(this.#changes, (file) => {
      if (file.hasLeft) this.#known.forget(file);
      else if (this.options.whenDone === "leave" || !file.isFinished) return;
      this.#pace.notLaterThan(this.#nowMs);
      this.#waker.wake();
    });
  }

  backlog(): Backlog {
    let { bytes: backlogBytes, count: backlogFiles } = this.#unread;
    for (const file of this.#known.byId.values()) {
      if (!hasMore(file)) continue;
      backlogBytes += file.unreadBytes;
      backlogFiles++;
    }
    return { backlogBytes, backlogFiles };
  }

  /** Ids of the files in work of which more is there to be read. */
  get unfinished(): Set<number> {
    const files = [...this.#known.byId.values()];
    return new Set(files.filter(hasMore).map((file) => file.fileId));
  }

  /** Everything that is known was read. */
  get isIdle(): boolean {
    return this.#unread.count === 0 && ![...this.#known.byId.values()].some(hasMore);
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
      const isIdle = this.#due.length === 0 && this.#unread.count === 0;
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
    if (isIdle) return this.#pace.isDue(this.#nowMs, this.#waker.isAwake);
    // files that grow all the time must not keep the unread ones waiting: one of those between two polls
    const isFair = this.#hasOpened || this.options.order === "newest-first";
    return this.#due.length === 0 && isFair && this.#pace.isDueWhileReading(this.#nowMs);
  }

  async #poll(): Promise<void> {
    const startMs = this.#nowMs;
    const { mode } = this.options;
    const hasNews = await this.#discovery.poll(this.#waker.takeHints());
    await this.#waker.watch(this.#discovery.directories);
    if (mode === "available-now" && !this.#discovery.isClosed) this.#closeSnapshot();
    this.#hasOpened = false;
    this.#pace.polled(startMs, this.#nowMs, hasNews);
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
      this.#pace.notLaterThan(this.#deadlineMs(file, nowMs, wallMs));
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
      if (!file.isAtEnd) this.#pace.notLaterThan(this.#nowMs);
    }
  }

  /** Reads a file as far as it goes; false when the bundle takes no more. */
  async #visit(file: SourceFile, target: Target): Promise<boolean> {
    const { log } = this.options;
    try {
      const outcome = await this.#visitor.visit(file, target);
      if (outcome !== "suspect" && file.failures > 0) log.info("file can be read again", { path: file.path });
      file.failures = 0;
      if (outcome === "stopped") this.#due.unshift(file);
      else if (outcome === "suspect") await this.#suspect(file);
      else await this.#judge(file);
      this.#pace.notLaterThan(this.#deadlineMs(file, this.#nowMs, this.options.clock.now()));
      return outcome !== "stopped";
    } catch (error) {
      if (!isFileError(error)) throw error;
      if (isGone(error)) this.#waker.wake(); // renamed or removed: the next listing tells
      const facts = { path: file.path, code: codeOf(error) };
      if (file.block(this.#nowMs) && !isGone(error)) log.warn("file cannot be read: trying again", facts);
      this.#pace.notLaterThan(file.blockedUntilMs);
      return true;
    }
  }

  async #suspect(file: SourceFile): Promise<void> {
    this.#waker.wake();
    if (file.asidePath === undefined) return;
    await this.#finisher.restore(file.asidePath, file.fileId, file);
  }

  /** Takes the next unread file into work. */
  async #openNext(): Promise<SourceFile | undefined> {
    const { positions, mode } = this.options;
    const unread = this.#unread.take();
    if (unread === undefined) return undefined;
    this.#hasOpened = true;
    if (this.#fileIds.length === 0)
      this.#fileIds = (await positions.reserveFileIds(FILE_IDS_AT_ONCE)).reverse();
    const status = { kind: "file", inode: unread.inode, size: unread.size, mtimeNs: 0n } as const;
    this.#known.removeName(unread);
    const file = new SourceFile(this.#fileIds.pop()!, unread.path, 0, status, this.#nowMs, this.#changes);
    file.seenIn = unread.seenIn;
    if (mode === "available-now") file.limit = unread.size;
    this.#known.add(file);
    file.changed();
    return file;
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
    if (this.#changes.later.size > 0) this.#pace.notLaterThan(nowMs + LATER_MS_MAX);
    const delayMs = this.#pace.delayMs(nowMs, this.#waker.isAwake);
    // already woken: the gap after a poll is all there is to wait for
    return this.#waker.isAwake
      ? { resume: true, delayMs }
      : { resume: true, delayMs, wake: this.#waker.wait() };
  }

  /** In available-now mode: everything of the snapshot was read, and moved where that is wanted. */
  #isFinished(): boolean {
    if (!this.#discovery.isClosed || this.#due.length > 0 || this.#unread.count > 0) return false;
    for (const file of this.#known.byId.values()) {
      if (file.missingSinceMs !== undefined || file.hasLeft || file.failures >= FAILURES_MAX) continue;
      if (!file.isAtEnd || file.isSuspect) return false;
      if (file.size > file.limit) continue; // it grows: the rest belongs to the next run
      if (file.hasTail) return false;
      if (this.options.whenDone !== "leave") return false;
    }
    return true;
  }
}

function hasMore(file: SourceFile): boolean {
  return file.missingSinceMs === undefined && file.unreadBytes > 0;
}

function isFileError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error && codeOf(error) !== undefined;
}
