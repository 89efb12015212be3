/** Positions kept in PostgreSQL: written in the bundle's transaction, read outside of any. */
import {
  type SourcePositionRow,
  selectPositionsById,
  selectPositionsByInode,
  selectPositionsByPath,
  selectPositionsByState,
  takeFileIds,
  upsertPositions,
} from "../../sql/source-positions.js";
import type { SqlQueries } from "../../sql/sql-session.js";
import type { SourcePositions, StoredFile, StoredState } from "./source-positions.js";

/** The rows of one pipeline in `source_files`. */
export function storedPositions(database: SqlQueries, pipeline: string): SourcePositions {
  const read = async (rows: Promise<SourcePositionRow[]>) => (await rows).map(fromRow);
  return {
    load: () => read(selectPositionsByState(database, pipeline, ["reading", "ended"])),
    findByPath: (paths) => read(selectPositionsByPath(database, pipeline, paths)),
    findByInode: (inodes) => read(selectPositionsByInode(database, pipeline, inodes)),
    findById: (fileIds) => read(selectPositionsById(database, pipeline, fileIds)),
    reserveFileIds: (count) => takeFileIds(database, count),
    save: (transaction, files) => upsertPositions(transaction, pipeline, files.map(toRow)),
  };
}

/** A stored file as its row has it. */
export function fromRow(row: SourcePositionRow): StoredFile {
  return {
    fileId: row.file_id,
    path: row.path,
    generation: row.generation,
    inode: row.inode,
    byteOffset: row.byte_offset,
    line: row.line,
    header: row.header,
    rawOffset: row.raw_offset,
    headHash: row.head_hash ?? "",
    tailHash: row.tail_hash ?? "",
    size: row.size,
    mtimeNs: BigInt(row.mtime_ns),
    state: row.state as StoredState, // the column's check allows no other
    endedAtByte: row.ended_at_byte,
    endedAtLine: row.ended_at_line,
  };
}

/** The row of a file, plain JSON. */
export function toRow(file: StoredFile): SourcePositionRow {
  return {
    file_id: file.fileId,
    path: file.path,
    generation: file.generation,
    inode: file.inode,
    byte_offset: file.byteOffset,
    line: file.line,
    header: file.header,
    raw_offset: file.rawOffset,
    head_hash: file.headHash,
    tail_hash: file.tailHash,
    size: file.size,
    mtime_ns: String(file.mtimeNs),
    state: file.state,
    ended_at_byte: file.endedAtByte,
    ended_at_line: file.endedAtLine,
  };
}
