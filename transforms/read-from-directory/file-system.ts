/** What the source needs of a file system: one real implementation here, others in tests. */
import type { BigIntStats, Dirent } from "node:fs";
import { constants, watch } from "node:fs";
import * as fs from "node:fs/promises";

export type FileKind = "file" | "directory" | "symlink" | "other";

export interface FileStatus {
  readonly kind: FileKind;
  /** Decimal; the device number is left out on purpose: it changes when a network share is remounted. */
  readonly inode: string;
  readonly size: number;
  readonly mtimeNs: bigint;
}

/** A file open for reading. */
export interface OpenFile {
  status(): Promise<FileStatus>;
  /** Fills `buffer` from `position` on; fewer bytes than asked for mean the end of the file. */
  read(buffer: Buffer, position: number): Promise<number>;
  close(): Promise<void>;
}

/** All paths are absolute. Errors are Node's, with `code`. */
export interface FileSystem {
  /** Calls back for every entry; `kind` is undefined where the file system does not say. */
  list(directory: string, each: (name: string, kind: FileKind | undefined) => void): Promise<void>;
  /** Does not follow a symbolic link. */
  status(path: string): Promise<FileStatus>;
  realPath(path: string): Promise<string>;
  /** Opens for reading; never follows a link in the last component, never blocks on a FIFO. */
  open(path: string): Promise<OpenFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  makeDirectory(path: string): Promise<void>;
  /** Copies the content and makes it durable before it resolves. */
  copyDurably(from: string, to: string): Promise<void>;
  /** Makes the names in a directory durable. */
  syncDirectory(directory: string): Promise<void>;
  /** Calls back with the name of whatever seems to have changed. Best effort: it may say nothing. */
  watch(directory: string, onChange: (name: string | null) => void): { close(): void };
}

/** The file system of this machine. */
export const realFileSystem: FileSystem = {
  async list(directory, each) {
    for await (const entry of await fs.opendir(directory, { bufferSize: 1024 }))
      each(entry.name, kindOf(entry));
  },
  async status(path) {
    return toStatus(await fs.lstat(path, { bigint: true }));
  },
  realPath: (path) => fs.realpath(path),
  async open(path) {
    return new RealFile(
      await fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK),
    );
  },
  rename: (from, to) => fs.rename(from, to),
  remove: (path) => fs.unlink(path),
  async makeDirectory(path) {
    await fs.mkdir(path, { recursive: true });
  },
  async copyDurably(from, to) {
    await fs.copyFile(from, to);
    await sync(to);
  },
  syncDirectory: (directory) => sync(directory),
  watch(directory, onChange) {
    const watcher = watch(directory, { persistent: false }, (_event, name) => onChange(name));
    watcher.on("error", () => watcher.close()); // polling finds everything without it
    return watcher;
  },
};

class RealFile implements OpenFile {
  constructor(readonly handle: fs.FileHandle) {}
  async status(): Promise<FileStatus> {
    return toStatus(await this.handle.stat({ bigint: true }));
  }
  async read(buffer: Buffer, position: number): Promise<number> {
    let filled = 0;
    while (filled < buffer.length) {
      const { bytesRead } = await this.handle.read(buffer, filled, buffer.length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  }
  close(): Promise<void> {
    return this.handle.close();
  }
}

async function sync(path: string): Promise<void> {
  const handle = await fs.open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function toStatus(stats: BigIntStats): FileStatus {
  return {
    kind: kindOf(stats) ?? "other",
    inode: String(stats.ino),
    size: Number(stats.size),
    mtimeNs: stats.mtimeNs,
  };
}

function kindOf(entry: Dirent | BigIntStats): FileKind | undefined {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "directory";
  if (entry.isSymbolicLink()) return "symlink";
  const isKnown = entry.isFIFO() || entry.isSocket() || entry.isBlockDevice() || entry.isCharacterDevice();
  return isKnown ? "other" : undefined;
}
