/** The input directory: its files by relative path, and what may be opened at all. */
import { join, sep } from "node:path";
import type { FileStatus, FileSystem, OpenFile } from "./file-system.js";
import { isSetAside, parseAsideName } from "./name-filter.js";

export interface InputDirectoryOptions {
  /** Absolute. */
  readonly root: string;
  readonly isRecursive: boolean;
  /** `inside`: symbolic links to files that lie in the directory; `never`: none. */
  readonly symlinks: "inside" | "never";
  /** Directories (absolute) that are never entered, e.g. the archive. */
  readonly excluded: readonly string[];
  readonly isInput: (path: string) => boolean;
}

/** Reads names and opens files; never opens what is not a regular file, never leaves the directory. */
export class InputDirectory {
  constructor(
    readonly fs: FileSystem,
    readonly options: InputDirectoryOptions,
  ) {}

  absolute(path: string): string {
    return join(this.options.root, path);
  }

  /**
   * Lists the input once: `onFile` for every name that may be input (it may still not be a regular
   * file), `onAside` for files that were set aside to be finished. Returns the directories it entered.
   * @throws Node's error when the root cannot be read; a subdirectory that cannot is skipped.
   */
  async list(onFile: (path: string) => void, onAside: (path: string) => void): Promise<string[]> {
    const { fs, options } = this;
    const entered: string[] = [];
    const queue = [""];
    for (let directory = queue.pop(); directory !== undefined; directory = queue.pop()) {
      const prefix = directory === "" ? "" : `${directory}/`;
      const each = (name: string, kind: string | undefined) => {
        const path = prefix + name;
        if (kind === "directory") {
          const mayEnter = options.isRecursive && !isSetAside(name);
          if (mayEnter && !options.excluded.includes(this.absolute(path))) queue.push(path);
        } else if (kind !== "other" && options.isInput(path)) onFile(path);
        else if (name.startsWith(".millrace-done.") && parseAsideName(name) !== undefined) onAside(path);
      };
      try {
        await fs.list(this.absolute(directory), each);
        entered.push(directory);
      } catch (error) {
        if (directory === "") throw error; // a subdirectory is looked at again by the next listing
      }
    }
    return entered;
  }

  /**
   * What stands at a path: undefined when it is gone, no regular file, or out of bounds.
   * @throws Node's error when it cannot be told.
   */
  async look(path: string): Promise<FileStatus | undefined> {
    try {
      const status = await this.fs.status(this.absolute(path));
      if (status.kind === "file") return status;
      if (status.kind !== "symlink") return undefined;
      const target = await this.#follow(path);
      if (target === undefined) return undefined;
      const behind = await this.fs.status(target);
      return behind.kind === "file" ? behind : undefined;
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  /** Opens a file of the directory for reading. @throws Node's error. */
  async open(path: string): Promise<OpenFile> {
    try {
      return await this.fs.open(this.absolute(path));
    } catch (error) {
      if (codeOf(error) !== "ELOOP") throw error; // ELOOP: the name is a symbolic link
      const target = await this.#follow(path);
      if (target === undefined) throw error;
      return await this.fs.open(target);
    }
  }

  /** Where a symbolic link leads, if it may be followed. */
  async #follow(path: string): Promise<string | undefined> {
    if (this.options.symlinks === "never") return undefined;
    const root = await this.fs.realPath(this.options.root);
    const target = await this.fs.realPath(this.absolute(path));
    return target.startsWith(root + sep) ? target : undefined;
  }
}

/** The `code` of one of Node's errors. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

/** Whether an error says that there is nothing (any more) at the path. */
export function isGone(error: unknown): boolean {
  const code = codeOf(error);
  return code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP";
}
