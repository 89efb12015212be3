/** What happens to a file whose end is committed: nothing, or it leaves the input directory. */
import { basename, dirname, extname, join } from "node:path";
import type { Log } from "../primitives/do-fn.js";
import type { FileSystem, OpenFile } from "./file-system.js";
import { codeOf, type InputDirectory, isGone } from "./input-directory.js";
import type { KnownFiles } from "./known-files.js";
import { asideName } from "./name-filter.js";
import { restoreAside } from "./restore-aside.js";
import { type Changes, SourceFile } from "./source-file.js";
import type { SourcePositions } from "./source-positions.js";

export type WhenDone = "leave" | "archive" | "delete";

const COMPARE_BYTES = 256 * 1024;

export interface FinisherOptions {
  readonly directory: InputDirectory;
  readonly known: KnownFiles;
  readonly positions: SourcePositions;
  readonly changes: Changes;
  readonly log: Log;
  readonly whenDone: WhenDone;
  /** Absolute; used by `archive`. */
  readonly archiveDirectory: string;
  readonly nowMs: () => number;
}

/**
 * Archives or deletes in two steps, each of which a crash may interrupt: the file is renamed aside (a
 * dot file in the same directory, named by its id, so that no new writer finds it), read once more for
 * what was appended in between, and only when that is committed it goes.
 */
export class FileFinisher {
  constructor(readonly options: FinisherOptions) {}

  /** Takes the next step with a file that is at its end, quiet and committed. Never throws for one file. */
  async finish(file: SourceFile): Promise<void> {
    const { nowMs, log } = this.options;
    try {
      if (file.asidePath === undefined) await this.#setAside(file);
      else await this.#dispose(file, file.asidePath);
      file.failures = 0;
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      const facts = { path: file.path, whenDone: this.options.whenDone, code };
      if (file.block(nowMs())) log.warn("finished file cannot be moved: trying again", facts);
    }
  }

  /** A file found aside that is not in work: an earlier run was interrupted between the steps. */
  async adopt(path: string, fileId: number): Promise<void> {
    const { known, positions, changes, nowMs, whenDone } = this.options;
    let file = known.byId.get(fileId);
    if (file === undefined) {
      const [stored] = await positions.findById([fileId]);
      if (stored !== undefined) file = SourceFile.fromStored(stored, nowMs(), changes);
    }
    const isOurs = file !== undefined && file.asidePath === undefined && whenDone !== "leave";
    if (file === undefined || !isOurs) return await this.restore(path, fileId, file);
    known.removeName(file);
    known.byId.set(fileId, file);
    file.asidePath = path;
    file.isAtEnd = false;
    file.isThere();
  }

  /** Gives a file that was set aside a visible name again, so that it is read like any other. */
  async restore(path: string, fileId: number, file: SourceFile | undefined): Promise<void> {
    const { directory, known, log } = this.options;
    const { original, to } = await restoreAside(directory, log, path, fileId);
    if (file === undefined) return;
    file.asidePath = undefined;
    if (to === original && known.byPath.get(original) === undefined) known.add(file);
  }

  async #setAside(file: SourceFile): Promise<void> {
    const { directory, known } = this.options;
    const status = await directory.fs.status(directory.absolute(file.path));
    if (status.inode !== file.inode || status.size !== file.visitedTo) {
      file.isAtEnd = false; // somebody was faster: the next visit sees what it is now
      return;
    }
    const name = asideName(file.fileId, basename(file.path));
    const path = dirname(file.path) === "." ? name : `${dirname(file.path)}/${name}`;
    await directory.fs.rename(directory.absolute(file.path), directory.absolute(path));
    known.removeName(file);
    file.asidePath = path;
    file.isAtEnd = false; // looked at again before it goes
  }

  async #dispose(file: SourceFile, asidePath: string): Promise<void> {
    const { directory, whenDone, archiveDirectory, log } = this.options;
    const from = directory.absolute(asidePath);
    if (whenDone === "delete") await directory.fs.remove(from);
    else {
      const folder = join(archiveDirectory, dirname(file.path));
      await directory.fs.makeDirectory(folder);
      const to = await this.#archive(from, folder, file);
      await directory.fs.syncDirectory(folder);
      log.debug("file archived", { path: file.path, to });
    }
    await directory.fs.syncDirectory(dirname(from));
    file.state = whenDone === "delete" ? "deleted" : "archived";
    file.changed();
  }

  /** Moves the file under a name that is free: its own, or one with its id. */
  async #archive(from: string, folder: string, file: SourceFile): Promise<string> {
    const { fs } = this.options.directory;
    const plain = join(folder, basename(file.path));
    let to = plain;
    if (await exists(fs, plain)) to = join(folder, nameWithId(basename(file.path), file.fileId));
    try {
      await fs.rename(from, to);
      return to;
    } catch (error) {
      if (codeOf(error) !== "EXDEV") throw error;
    }
    // another file system: an earlier run may have copied it and not come to remove it
    if (to === plain || !(await hasEqualContent(fs, from, plain))) {
      const partial = join(folder, `.millrace-archive.${file.fileId}`);
      await fs.copyDurably(from, partial);
      await fs.rename(partial, to);
      await fs.syncDirectory(folder);
    }
    await fs.remove(from);
    return to;
  }
}

/** `a.csv.gz`, 7 → `a.7.csv.gz`. */
function nameWithId(name: string, fileId: number): string {
  const compressed = name.endsWith(".gz") ? ".gz" : "";
  const plain = name.slice(0, name.length - compressed.length);
  const extension = extname(plain);
  return `${plain.slice(0, plain.length - extension.length)}.${fileId}${extension}${compressed}`;
}

async function exists(fs: FileSystem, path: string): Promise<boolean> {
  try {
    await fs.status(path);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

async function hasEqualContent(fs: FileSystem, a: string, b: string): Promise<boolean> {
  const files: OpenFile[] = [];
  try {
    for (const path of [a, b]) files.push(await fs.open(path));
    const [one, other] = files as [OpenFile, OpenFile];
    const buffers = [Buffer.alloc(COMPARE_BYTES), Buffer.alloc(COMPARE_BYTES)] as const;
    for (let at = 0; ; at += COMPARE_BYTES) {
      const [left, right] = [await one.read(buffers[0], at), await other.read(buffers[1], at)];
      if (left !== right || buffers[0].compare(buffers[1], 0, right, 0, left) !== 0) return false;
      if (left < COMPARE_BYTES) return true;
    }
  } finally {
    for (const file of files) await file.close();
  }
}
