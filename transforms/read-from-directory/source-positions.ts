/** Where the source keeps how far each file was read. */
import type { SqlTransaction } from "../../sql/sql-session.js";

/**
 * `reading`: more may come. `ended`: its last record had no newline and was taken as complete.
 * `done`: at its end and quiet. `corrupt`: a gzip file that breaks off or breaks. `missing`: gone from the directory. `archived`, `deleted`: by us.
 * `replaced`: another known file took its name.
 */
export type StoredState =
  | "reading"
  | "ended"
  | "done"
  | "corrupt"
  | "missing"
  | "archived"
  | "deleted"
  | "replaced";

/** One file as it is stored: plain data. Offsets of `.gz` files count inflated bytes, except `rawOffset`. */
export interface StoredFile {
  readonly fileId: number;
  /** Relative to the input directory, with `/`. */
  readonly path: string;
  readonly generation: number;
  readonly inode: string;
  readonly byteOffset: number;
  readonly line: number;
  readonly header: readonly string[] | null;
  /** Bytes of the file as stored that the fingerprints are about. */
  readonly rawOffset: number;
  /** Of the first and the last min(4 KiB, rawOffset) bytes before `rawOffset`; empty when that is 0. */
  readonly headHash: string;
  readonly tailHash: string;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly state: StoredState;
  /** Where the last record ended without a newline, and the line it started on. */
  readonly endedAtByte: number | null;
  readonly endedAtLine: number | null;
}

/** Files still in the directory as far as the store knows: not `archived`, `deleted` or `replaced`. */
export interface SourcePositions {
  /** Files in state `reading` or `ended`. */
  load(): Promise<StoredFile[]>;
  /** Files of these paths that are still in the directory; newest file id first. */
  findByPath(paths: readonly string[]): Promise<StoredFile[]>;
  /** Files of these inodes that are still in the directory; newest file id first. */
  findByInode(inodes: readonly string[]): Promise<StoredFile[]>;
  findById(fileIds: readonly number[]): Promise<StoredFile[]>;
  /** New ids, never given to anyone else. */
  reserveFileIds(count: number): Promise<number[]>;
  /** Writes the files as they are given, in the bundle's own transaction. */
  save(transaction: SqlTransaction, files: readonly StoredFile[]): Promise<void>;
}
