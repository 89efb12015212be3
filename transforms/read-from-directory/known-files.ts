/** Every name in the input directory that is known, as small as can be. */
import type { FileStatus } from "./file-system.js";
import { SourceFile, type UnreadFile } from "./source-file.js";
import type { StoredFile } from "./source-positions.js";

/** Another name of a known file: a hard link, or a symbolic link to it. */
export class Alias {
  seenIn = 0;
  constructor(
    readonly path: string,
    readonly inode: string,
    /** The path under which the file is read. */
    readonly of: string,
  ) {}
}

/** A number is the slot of a finished file. */
export type Known = SourceFile | UnreadFile | Alias | number;

/** Finds files by path, id and inode; finished and committed ones take only their name and a slot. */
export class KnownFiles {
  readonly byPath = new Map<string, Known>();
  readonly byId = new Map<number, SourceFile>();
  readonly byInode = new Map<string, SourceFile | UnreadFile>();
  readonly finished = new FinishedFiles();

  /** Makes a file known under its path, id and inode. */
  add(file: SourceFile | UnreadFile): void {
    this.#release(file.path);
    this.byPath.set(file.path, file);
    this.byInode.set(file.inode, file);
    if (file instanceof SourceFile) this.byId.set(file.fileId, file);
  }

  /** Takes its name (not its id: what is uncommitted must be found until it is committed). */
  removeName(file: SourceFile | UnreadFile): void {
    if (this.byPath.get(file.path) === file) this.byPath.delete(file.path);
    if (this.byInode.get(file.inode) === file) this.byInode.delete(file.inode);
  }

  forget(file: SourceFile): void {
    this.removeName(file);
    if (this.byId.get(file.fileId) === file) this.byId.delete(file.fileId);
  }

  setInode(file: SourceFile | UnreadFile, inode: string): void {
    if (this.byInode.get(file.inode) === file) this.byInode.delete(file.inode);
    file.inode = inode;
    this.byInode.set(inode, file);
  }

  /** A file that is at its end, quiet and committed: from now on only its name is kept. */
  finish(stored: Pick<StoredFile, "path" | "fileId" | "inode" | "size" | "mtimeNs">): void {
    const file = this.byId.get(stored.fileId);
    if (file !== undefined) this.forget(file);
    this.#release(stored.path);
    this.byPath.set(stored.path, this.finished.add(stored));
  }

  removePath(path: string): void {
    this.#release(path);
    this.byPath.delete(path);
  }

  /** Frees the slot of a finished file at this path, if there is one. */
  #release(path: string): void {
    const known = this.byPath.get(path);
    if (typeof known === "number") this.finished.remove(known);
  }
}

const GROWTH = 1.5;

/** Columns of numbers instead of objects: a million finished files stay below 150 MB. */
export class FinishedFiles {
  readonly paths: (string | undefined)[] = [];
  /** The listing in which the name was last seen. */
  seenIn = new Uint32Array(1024);
  fileIds = new Float64Array(1024);
  #sizes = new Float64Array(1024);
  #inodes = new BigUint64Array(1024);
  #mtimesNs = new BigInt64Array(1024);
  readonly #free: number[] = [];

  add(file: Pick<StoredFile, "path" | "fileId" | "inode" | "size" | "mtimeNs">): number {
    const slot = this.#free.pop() ?? this.paths.length;
    if (slot === this.seenIn.length) this.#grow();
    this.paths[slot] = file.path;
    this.seenIn[slot] = 0;
    this.fileIds[slot] = file.fileId;
    this.#sizes[slot] = file.size;
    this.#inodes[slot] = BigInt(file.inode);
    this.#mtimesNs[slot] = file.mtimeNs;
    return slot;
  }

  remove(slot: number): void {
    this.paths[slot] = undefined;
    this.#free.push(slot);
  }

  /** Whether it still looks as it did when it was finished. */
  isUnchanged(slot: number, status: FileStatus): boolean {
    return (
      this.#sizes[slot] === status.size &&
      this.#mtimesNs[slot] === status.mtimeNs &&
      this.#inodes[slot] === BigInt(status.inode)
    );
  }

  #grow(): void {
    const length = Math.ceil(this.seenIn.length * GROWTH);
    const copy = <T extends { set(from: T): void }>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    this.seenIn = copy(new Uint32Array(length), this.seenIn);
    this.fileIds = copy(new Float64Array(length), this.fileIds);
    this.#sizes = copy(new Float64Array(length), this.#sizes);
    this.#inodes = copy(new BigUint64Array(length), this.#inodes);
    this.#mtimesNs = copy(new BigInt64Array(length), this.#mtimesNs);
  }
}
