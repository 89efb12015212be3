/** The files that were seen and not opened yet, in the order in which they are to be read. */
import type { UnreadFile } from "./source-file.js";

/** A queue of many: each listing's files come after those of the one before, or before them. */
export class UnreadFiles {
  #files: UnreadFile[] = [];
  /** Oldest first: the next one. Newest first, the next one is the last. */
  #at = 0;
  #bytes = 0;

  constructor(readonly order: "oldest-first" | "newest-first") {}

  get count(): number {
    return this.#files.length - this.#at;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Adds the new files of one listing, in reading order. */
  add(files: readonly UnreadFile[]): void {
    for (const file of files) this.#bytes += file.size;
    for (const file of this.order === "newest-first" ? files.toReversed() : files) this.#files.push(file);
  }

  /** Takes the next one that is still there. */
  take(): UnreadFile | undefined {
    while (this.count > 0) {
      const file = this.order === "newest-first" ? this.#files.pop()! : this.#files[this.#at++]!;
      if (this.count === 0) {
        this.#files = [];
        this.#at = 0;
      }
      this.#bytes -= file.size;
      if (!file.isGone) return file;
    }
    return undefined;
  }
}
