/** Looks at the directory: which files are new, grown, renamed, rewritten, gone. */
import type { Clock, Log } from "../primitives/do-fn.js";
import { atOnce } from "./at-once.js";
import type { FileStatus } from "./file-system.js";
import { identify, type Sighting } from "./identity.js";
import { codeOf, type InputDirectory } from "./input-directory.js";
import { Alias, type Known, type KnownFiles } from "./known-files.js";
import { parseAsideName } from "./name-filter.js";
import { type Changes, SourceFile, UnreadFile } from "./source-file.js";
import type { SourcePositions, StoredFile } from "./source-positions.js";

const NAMES_PER_QUERY = 1000;
/** Files in work that are looked at by one poll; where there are more, they take turns. */
const LIVE_LOOKS_MAX = 2000;
/** Finished files are looked at in turn, at this rate and at most so many by one poll. */
const FINISHED_LOOKS_PER_SECOND = 500;
const FINISHED_LOOKS_MAX = 2500;
/** A file that is gone is kept in mind for so long: a listing may miss a name while it is renamed. */
const MISSING_KEEP_MS = 10_000;

export interface DiscoveryOptions {
  readonly directory: InputDirectory;
  readonly known: KnownFiles;
  readonly positions: SourcePositions;
  readonly changes: Changes;
  readonly clock: Clock;
  readonly log: Log;
  readonly order: "oldest-first" | "newest-first";
  /** Finished files stay where they are, so that their names are all that must be kept. */
  readonly keepsFinished: boolean;
  /** Every finished file is looked at by the first poll already. */
  readonly looksAtAll: boolean;
  /** New files, in the order in which they are to be read. */
  readonly onNew: (files: UnreadFile[]) => void;
  /** A file set aside by an earlier run that this run does not know yet, or one that is not ours. */
  readonly onAside: (path: string, fileId: number) => Promise<void>;
}

/** The truth about the directory, one poll at a time. */
export class Discovery {
  /** Directories that the last listing entered. */
  directories: readonly string[] = [];
  /** Set once the files are to be taken as they are: names that are new are left for the next run. */
  isClosed = false;
  #scan = 0;
  #sweepAt = 0;
  #liveAt = 0;
  #sweptMs: number | undefined;
  #isUnreadable = false;
  readonly #warned = new Set<string>();

  constructor(readonly options: DiscoveryOptions) {}

  /** Polls once; true when anything was new. @param hints paths that a watcher named. */
  async poll(hints: Iterable<string>): Promise<boolean> {
    const names = await this.#list();
    if (names === undefined) return false;
    const { known, onAside } = this.options;
    for (const { path, fileId } of names.asides) await onAside(path, fileId);
    const unknown = await this.#recall(names.fresh);
    const sightings: Sighting[] = [];
    let hasNews = false;
    const slots = [...this.#slotsToLookAt(hints), ...unknown.slots];
    await this.#lookAtFinished(slots);
    await atOnce(this.#liveToLookAt(hints), async (file) => {
      const status = await this.#look(file.asidePath ?? file.path);
      if (status === undefined) {
        if (file.seenIn === this.#scan) file.block(this.#nowMs); // there, and nothing that can be read
        return;
      }
      file.isThere();
      const isOther = status.inode !== file.inode || status.size < file.fingerprint.rawOffset;
      if (file.asidePath === undefined && (isOther || file.isSuspect)) {
        sightings.push({ path: file.path, status });
      } else if (file.observe(status, this.#nowMs)) hasNews = true;
    });
    await atOnce(unknown.paths, async (path) => {
      const status = await this.#look(path);
      if (status !== undefined) sightings.push({ path, status });
    });
    if (sightings.length > 0) {
      const nowMs = () => this.#nowMs;
      this.#take(await identify(sightings, { ...this.options, nowMs }));
      hasNews = true;
    }
    if (names.seen < known.byPath.size) await this.#missVanished();
    return hasNews;
  }

  get #nowMs(): number {
    return this.options.clock.monotonicMs();
  }

  async #list() {
    const { directory, known, log } = this.options;
    const scan = ++this.#scan;
    const fresh: string[] = [];
    const asides: { path: string; fileId: number }[] = [];
    let seen = 0;
    const onFile = (path: string) => {
      const file = known.byPath.get(path);
      if (file === undefined || isStale(file, known)) fresh.push(path);
      else if (typeof file === "number") known.finished.seenIn[file] = scan;
      else file.seenIn = scan;
      seen++;
    };
    const onAside = (path: string) => {
      const { fileId } = parseAsideName(path.slice(path.lastIndexOf("/") + 1))!;
      if (known.byId.get(fileId)?.asidePath !== path) asides.push({ path, fileId });
    };
    try {
      this.directories = await directory.list(onFile, onAside);
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      const facts = { directory: directory.options.root, code };
      this.directories = [];
      if (this.options.looksAtAll && !this.isClosed) {
        throw new Error(`the input directory ${facts.directory} cannot be read (${code})`, { cause: error });
      }
      if (!this.#isUnreadable) log.warn("the input directory cannot be read: trying again", facts);
      this.#isUnreadable = true;
      return undefined;
    }
    if (this.#isUnreadable)
      log.info("the input directory can be read again", { directory: directory.options.root });
    this.#isUnreadable = false;
    return { fresh, asides, seen };
  }

  /** Names unknown to memory may be known to the store; returns those that are not. */
  async #recall(names: readonly string[]): Promise<{ paths: string[]; slots: number[] }> {
    const { known, positions, keepsFinished, looksAtAll } = this.options;
    const paths: string[] = [];
    const slots: number[] = [];
    for (let i = 0; i < names.length; i += NAMES_PER_QUERY) {
      const some = names.slice(i, i + NAMES_PER_QUERY);
      const found = new Map<string, StoredFile>();
      for (const file of await positions.findByPath(some)) {
        if (!known.byId.has(file.fileId) && !found.has(file.path)) found.set(file.path, file);
      }
      for (const path of some) {
        const stored = found.get(path);
        if (stored === undefined) {
          paths.push(path);
        } else if (keepsFinished && (stored.state === "done" || stored.state === "corrupt")) {
          known.finish(stored);
          const slot = known.byPath.get(path) as number;
          known.finished.seenIn[slot] = this.#scan;
          if (looksAtAll) slots.push(slot);
        } else this.#revive(stored);
      }
    }
    return { paths, slots };
  }

  #revive(stored: StoredFile): void {
    const { known, changes } = this.options;
    const file = SourceFile.fromStored(stored, this.#nowMs, changes);
    file.isThere();
    file.seenIn = this.#scan;
    if (this.isClosed) file.limit = file.size;
    known.add(file);
  }

  /** New files become unread ones. */
  #take(fresh: readonly Sighting[]): void {
    if (this.isClosed) return;
    const { known, onNew } = this.options;
    const files: UnreadFile[] = [];
    for (const { path, status } of this.options.order === "newest-first" ? newestFirst(fresh) : fresh) {
      known.removePath(path);
      const other = known.byInode.get(status.inode);
      const isSecondName = other !== undefined && other.seenIn === this.#scan && other.path !== path;
      const file = isSecondName
        ? new Alias(path, status.inode, other.path)
        : new UnreadFile(path, status.inode, status.size);
      file.seenIn = this.#scan;
      if (file instanceof Alias) known.byPath.set(path, file);
      else {
        known.add(file);
        files.push(file);
      }
    }
    onNew(files);
  }

  #liveToLookAt(hints: Iterable<string>): Set<SourceFile> {
    const { known } = this.options;
    const all = [...known.byId.values()].filter((file) => !file.hasLeft);
    if (all.length <= LIVE_LOOKS_MAX) return new Set(all);
    const chosen = new Set(all.filter((file) => file.isSuspect));
    for (const path of hints) {
      const file = known.byPath.get(path);
      if (file instanceof SourceFile) chosen.add(file);
    }
    for (let i = 0; i < LIVE_LOOKS_MAX; i++) chosen.add(all[this.#liveAt++ % all.length]!);
    return chosen;
  }

  /** The next finished files of the slow round, and those a watcher named. */
  #slotsToLookAt(hints: Iterable<string>): number[] {
    const { byPath, finished } = this.options.known;
    const slots = new Set<number>();
    for (const path of hints) {
      const slot = byPath.get(path);
      if (typeof slot === "number") slots.add(slot);
    }
    const nowMs = this.#nowMs;
    const elapsedMs = nowMs - (this.#sweptMs ?? nowMs - 1000);
    const count = Math.min(FINISHED_LOOKS_MAX, Math.floor((elapsedMs / 1000) * FINISHED_LOOKS_PER_SECOND));
    if (count > 0) this.#sweptMs = nowMs;
    for (let i = 0; i < Math.min(count, finished.paths.length); i++) {
      slots.add(this.#sweepAt++ % finished.paths.length);
    }
    return [...slots];
  }

  /** Finished files that look different come back to life, as they are stored. */
  async #lookAtFinished(slots: readonly number[]): Promise<void> {
    const { known, positions } = this.options;
    const changed: number[] = [];
    await atOnce(slots, async (slot) => {
      const path = known.finished.paths[slot];
      const status = path === undefined ? undefined : await this.#look(path);
      if (status !== undefined && !known.finished.isUnchanged(slot, status))
        changed.push(known.finished.fileIds[slot]!);
    });
    if (changed.length === 0) return;
    for (const stored of await positions.findById(changed)) this.#revive(stored);
  }

  /** Names that were not in the listing: finished files are forgotten (the store knows them), others missed. */
  async #missVanished(): Promise<void> {
    const { known } = this.options;
    const unseen: SourceFile[] = [];
    for (const [path, file] of known.byPath) {
      const seenIn = typeof file === "number" ? known.finished.seenIn[file] : file.seenIn;
      if (seenIn === this.#scan) continue;
      if (file instanceof SourceFile) unseen.push(file);
      else {
        if (file instanceof UnreadFile) this.#dropUnread(file);
        known.removePath(path);
      }
    }
    for (const file of unseen) {
      if ((await this.#look(file.path)) === undefined) this.#miss(file);
    }
  }

  #dropUnread(file: UnreadFile): void {
    file.isGone = true;
    this.options.known.removeName(file);
    this.options.log.info("file vanished before it was read", { path: file.path });
  }

  #miss(file: SourceFile): void {
    const { known, log } = this.options;
    const nowMs = this.#nowMs;
    if (file.missingSinceMs === undefined) {
      file.missingSinceMs = nowMs;
      const isUnread = file.unreadBytes > 0 || file.hasTail || !file.isAtEnd;
      const facts = { path: file.path, unreadBytes: file.unreadBytes };
      if (isUnread && !file.isFinished) log.warn("file vanished before its end was read", facts);
    } else if (nowMs - file.missingSinceMs > MISSING_KEEP_MS) {
      if (file.state !== "missing") {
        file.state = "missing";
        file.changed("later");
      } else if (file.isCommitted) known.forget(file);
    }
  }

  async #look(path: string): Promise<FileStatus | undefined> {
    try {
      return await this.options.directory.look(path);
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      if (this.#warned.size < 1000 && !this.#warned.has(path)) {
        this.#warned.add(path);
        this.options.log.warn("file cannot be looked at: trying again", { path, code });
      }
      return undefined;
    }
  }
}

/** By mtime descending, then name; what comes in is by mtime, then name. */
function newestFirst(fresh: readonly Sighting[]): Sighting[] {
  return fresh.toSorted((a, b) =>
    a.status.mtimeNs < b.status.mtimeNs ? 1 : a.status.mtimeNs > b.status.mtimeNs ? -1 : 0,
  );
}

/** An alias whose file is no longer where it was must be looked at again. */
function isStale(file: Known, known: KnownFiles): boolean {
  if (!(file instanceof Alias)) return false;
  const of = known.byPath.get(file.of);
  if (of === undefined || of instanceof Alias) return true;
  return typeof of !== "number" && of.inode !== file.inode;
}
