/** The input directory as a run planned it: files that are what they were then, and end where they ended. */

import type { FileRange } from "./file-range.js";
import type { FileStatus, OpenFile } from "./file-system.js";
import { recognise } from "./fingerprint.js";
import { codeOf, type InputDirectory } from "./input-directory.js";

/** A file is not what was planned: its run cannot go on, a new one plans it anew. */
export class FileChangedError extends Error {
  override readonly name = "FileChangedError";
  readonly code = "MILLRACE_FILE_CHANGED";
}

/**
 * Opens the file of a range as it was when it was planned: with the range's end for its own, however it has
 * grown, and quiet if it was quiet then.
 * @throws FileChangedError when it was replaced, cut or cannot be read
 */
export async function openPlanned(directory: InputDirectory, range: FileRange): Promise<OpenFile> {
  const { file } = range;
  let open: OpenFile;
  try {
    open = await directory.open(file.path);
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    throw new FileChangedError(`${nameOf(range)} cannot be opened any more (${code})`, { cause: error });
  }
  try {
    await checkIdentity(open, range);
  } catch (error) {
    await open.close();
    throw error;
  }
  return new PlannedFile(open, range);
}

async function checkIdentity(open: OpenFile, range: FileRange): Promise<void> {
  const { inode, byte_end: rawOffset, planned_head_hash: headHash, planned_tail_hash: tailHash } = range.file;
  const status = await open.status();
  if (status.kind !== "file" || status.inode !== inode) {
    throw new FileChangedError(
      `${nameOf(range)} was replaced after it was planned: its inode was ${inode}, now it is ${status.inode}`,
    );
  }
  if (status.size < rawOffset) {
    throw new FileChangedError(
      `${nameOf(range)} shrank after it was planned: from ${rawOffset} bytes to ${status.size}`,
    );
  }
  if ((await recognise(open, status.size, { rawOffset, headHash, tailHash })) === undefined) {
    throw new FileChangedError(
      `${nameOf(range)} was rewritten after it was planned: its first or last bytes before ${rawOffset} differ`,
    );
  }
}

/** For messages. */
export function nameOf({ file, start, byteEnd }: FileRange): string {
  return `file "${file.path}" (id ${file.file_id}, bytes ${start.rawOffset}-${byteEnd})`;
}

class PlannedFile implements OpenFile {
  constructor(
    private readonly open: OpenFile,
    private readonly range: FileRange,
  ) {}

  async status(): Promise<FileStatus> {
    const { file, byteEnd, end } = this.range;
    // one byte more than may be read says that the file goes on, and that its tail is not complete
    const size = end === null && !file.is_tail_complete ? byteEnd + 1 : byteEnd;
    return { kind: "file", inode: file.inode, size, mtimeNs: BigInt(file.mtime_ns) };
  }

  read(buffer: Buffer, position: number): Promise<number> {
    const length = Math.max(0, Math.min(buffer.length, this.range.byteEnd - position));
    return this.open.read(buffer.subarray(0, length), position);
  }

  close(): Promise<void> {
    return this.open.close();
  }
}
