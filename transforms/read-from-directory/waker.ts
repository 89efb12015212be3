/** Ends a wait early when something seems to have happened; nothing depends on it. */
import type { InputDirectory } from "./input-directory.js";

/** Directories watched at most; the others are found by polling alone. */
const WATCHED_MAX = 64;
/** Names remembered from one wait; more are found by polling. */
const HINTS_MAX = 1000;

/** Watches directories as well as the system lets it. */
export class Waker {
  readonly #watchers = new Map<string, { close(): void }>();
  readonly #hints = new Set<string>();
  #rootInode: string | undefined;
  #isAwake = false;
  #resolve: (() => void) | undefined;

  constructor(
    readonly directory: InputDirectory,
    readonly isWatching: boolean,
  ) {}

  /** Whether something happened since the hints were taken. */
  get isAwake(): boolean {
    return this.#isAwake;
  }

  wake(): void {
    this.#isAwake = true;
    this.#resolve?.();
    this.#resolve = undefined;
  }

  /** Resolves with the next sign. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Paths that changed, as far as it was told. */
  takeHints(): string[] {
    const hints = [...this.#hints];
    this.#hints.clear();
    this.#isAwake = false;
    return hints;
  }

  /** Watches these directories (relative paths, the root first) from now on, and no others. */
  async watch(directories: readonly string[]): Promise<void> {
    if (!this.isWatching) return;
    const { fs, options } = this.directory;
    const root = await fs.status(options.root).catch(() => undefined);
    if (root?.inode !== this.#rootInode) this.close(); // made anew: the old watchers would never speak
    this.#rootInode = root?.inode;
    const wanted = new Set(directories.slice(0, WATCHED_MAX));
    for (const [path, watcher] of this.#watchers) {
      if (wanted.has(path)) continue;
      watcher.close();
      this.#watchers.delete(path);
    }
    for (const path of wanted) if (!this.#watchers.has(path)) this.#start(path);
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #start(path: string): void {
    const { fs } = this.directory;
    const onChange = (name: string | null) => {
      if (name !== null && this.#hints.size < HINTS_MAX)
        this.#hints.add(path === "" ? name : `${path}/${name}`);
      this.wake();
    };
    try {
      this.#watchers.set(path, fs.watch(this.directory.absolute(path), onChange));
    } catch {
      // no watcher to be had (too many, or gone already): polling finds everything without it
    }
  }
}
