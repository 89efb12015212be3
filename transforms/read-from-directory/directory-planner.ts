/** Looks at every file of the directory once: what is there to be read, and up to where. */
import type { Clock, Log } from "../primitives/do-fn.js";
import { atOnce } from "./at-once.js";
import { Discovery } from "./discovery.js";
import type { FileStatus, OpenFile } from "./file-system.js";
import { type Fingerprint, fingerprintAt, recognise } from "./fingerprint.js";
import { codeOf, type InputDirectory, isGone } from "./input-directory.js";
import { KnownFiles } from "./known-files.js";
import type { DirectoryConfig } from "./read-from-directory-config.js";
import { restoreAside } from "./restore-aside.js";
import { Changes, SourceFile, type UnreadFile } from "./source-file.js";
import type { SourcePositions, StoredFile } from "./source-positions.js";

/** A file that fails so often is left for the next run. */
const FAILURES_MAX = 3;
const WAIT_MS_MIN = 10;
const WAIT_MS_MAX = 1_000;

/** What an earlier run was to read of a file. */
export interface EarlierContent extends Fingerprint {
  readonly generation: number;
}

export interface PlannerOptions {
  readonly config: DirectoryConfig;
  readonly directory: InputDirectory;
  readonly positions: SourcePositions;
  /** Of these files, those that an earlier run had in its plan. */
  readonly earlier: (fileIds: readonly number[]) => Promise<ReadonlyMap<number, EarlierContent>>;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** A file of which there is more to read. */
export interface PlannedSource {
  /** Where reading begins. */
  readonly stored: StoredFile;
  /** Of all that is to be read or was read before; its offset is the end. */
  readonly content: Fingerprint;
  readonly isTailComplete: boolean;
}

export interface PlannerResult {
  /** In the order in which they are to be read. */
  readonly planned: readonly PlannedSource[];
  /** Files whose stored row is out of date, whether there is more to read or not. */
  readonly changed: readonly StoredFile[];
  /** Files that are at their end and need nothing but to be archived or deleted. */
  readonly finished: readonly StoredFile[];
}

/** Plans once. */
export class DirectoryPlanner {
  readonly #known = new KnownFiles();
  readonly #changes = new Changes();
  readonly #discovery: Discovery;
  readonly #planned = new Map<SourceFile, PlannedSource>();
  #unread: UnreadFile[] = [];
  #earlier: ReadonlyMap<number, EarlierContent> = new Map();
  #hasRestored = false;

  constructor(readonly options: PlannerOptions) {
    const { config, directory } = options;
    this.#discovery = new Discovery({
      ...options,
      known: this.#known,
      changes: this.#changes,
      order: config.order,
      keepsFinished: config.whenDone === "leave",
      looksAtAll: true,
      onNew: (files) => void this.#unread.push(...files),
      onAside: async (path, fileId) => {
        await restoreAside(directory, options.log, path, fileId);
        this.#hasRestored = true;
      },
    });
  }

  /** @throws when the directory cannot be listed */
  async plan(): Promise<PlannerResult> {
    const { positions } = this.options;
    for (const stored of await positions.load()) {
      this.#known.add(SourceFile.fromStored(stored, this.#nowMs, this.#changes));
    }
    await this.#discovery.poll([]);
    if (this.#hasRestored) await this.#discovery.poll([]);
    this.#discovery.isClosed = true;
    const files = await this.#inOrder();
    this.#earlier = await this.options.earlier(files.map(({ fileId }) => fileId));
    await this.#inspectAll(files);
    const isIdle = (file: SourceFile) => file.isFinished && !this.#planned.has(file);
    const { urgent, later } = this.#changes;
    return {
      planned: files.flatMap((file) => this.#planned.get(file) ?? []),
      changed: [...new Set([...urgent, ...later])].map((file) => file.toStored()),
      finished: files.filter(isIdle).map((file) => file.toStored()),
    };
  }

  get #nowMs(): number {
    return this.options.clock.monotonicMs();
  }

  /** Files in work, then new ones with ids of their own. */
  async #inOrder(): Promise<SourceFile[]> {
    const { config, positions } = this.options;
    const isNewestFirst = config.order === "newest-first";
    const known = [...this.#known.byId.values()].filter((file) => !file.hasLeft);
    known.sort((a, b) => (isNewestFirst ? b.fileId - a.fileId : a.fileId - b.fileId));
    const unread = this.#unread.filter((file) => !file.isGone);
    const ids = await positions.reserveFileIds(unread.length);
    const fresh = unread.map(({ path, inode, size }, i) => {
      const status = { kind: "file", inode, size, mtimeNs: 0n } as const;
      const file = new SourceFile(ids[i]!, path, 0, status, this.#nowMs, this.#changes);
      this.#known.add(file);
      file.changed();
      return file;
    });
    return [...known, ...fresh];
  }

  /** Until each file is planned, has nothing to be read, or cannot be read. */
  async #inspectAll(files: readonly SourceFile[]): Promise<void> {
    const { clock, config, signal } = this.options;
    let pending = new Set(files.filter((file) => file.missingSinceMs === undefined));
    for (;;) {
      const waiting = new Set<SourceFile>();
      await atOnce(pending, async (file) => {
        signal.throwIfAborted();
        if (file.blockedUntilMs > this.#nowMs || !(await this.#inspect(file))) waiting.add(file);
      });
      if (waiting.size === 0) return;
      pending = waiting;
      const suspects = [...waiting].filter((file) => file.isSuspect);
      if (suspects.length > 0) await this.#discovery.poll([]);
      const wallMs = clock.now();
      const dueMs = [...waiting].map((file) =>
        file.blockedUntilMs > this.#nowMs
          ? file.blockedUntilMs
          : file.quietAtMs(config.quietMs, this.#nowMs, wallMs),
      );
      const delayMs = dueMs.reduce((least, ms) => Math.min(least, ms - this.#nowMs), WAIT_MS_MAX);
      await clock.sleep(Math.max(WAIT_MS_MIN, delayMs), signal);
      signal.throwIfAborted();
    }
  }

  /** Looks into a file; false: to be looked at again. */
  async #inspect(file: SourceFile): Promise<boolean> {
    const { directory, log } = this.options;
    try {
      const open = await directory.open(file.path);
      try {
        const isSettled = await this.#judge(file, open);
        file.failures = 0;
        return isSettled;
      } finally {
        await open.close();
      }
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      const facts = { path: file.path, code };
      if (isGone(error)) {
        log.warn("file vanished before it was planned", facts);
        return true;
      }
      if (file.block(this.#nowMs)) log.warn("file cannot be read: trying again", facts);
      if (file.failures >= FAILURES_MAX) log.error("file is left for the next run", facts);
      return file.failures >= FAILURES_MAX;
    }
  }

  async #judge(file: SourceFile, open: OpenFile): Promise<boolean> {
    const status = await open.status();
    const isOther = status.kind !== "file" || status.inode !== file.inode;
    if (isOther || (await recognise(open, status.size, file.fingerprint)) === undefined) {
      file.isSuspect = true;
      file.limit = Number.POSITIVE_INFINITY;
      return false;
    }
    file.isSuspect = false;
    file.observe(status, this.#nowMs);
    const earlier = this.#earlier.get(file.fileId);
    if (earlier !== undefined && earlier.generation === file.ref.generation) {
      if ((await recognise(open, status.size, earlier)) === undefined) this.#startAnew(file, status);
    }
    if (file.limit === Number.POSITIVE_INFINITY) file.limit = file.size;
    const isTailComplete = file.size <= file.limit;
    if (isTailComplete && !this.#isQuiet(file)) return false;
    // what a gzip file still holds back only reading it can tell
    const hasMore = file.isGzip ? file.state !== "done" : file.limit > file.position.byteOffset;
    if (hasMore) {
      const content = await fingerprintAt(open, file.limit, file.fingerprint);
      this.#planned.set(file, { stored: file.toStored(), content, isTailComplete });
    } else if (isTailComplete && !file.isFinished) {
      file.state = "done";
      file.changed();
    }
    return true;
  }

  /** An earlier run may have written some of what the file held before: its records are not this content's. */
  #startAnew(file: SourceFile, status: FileStatus): void {
    file.startGeneration(status, this.#nowMs);
    file.limit = status.size;
    const { generation } = file.ref;
    this.options.log.warn("file was rewritten since an earlier run planned it: reading it anew", {
      path: file.path,
      generation,
    });
  }

  #isQuiet(file: SourceFile): boolean {
    const { clock, config } = this.options;
    return file.isQuiet(config.quietMs, this.#nowMs, clock.now());
  }
}
