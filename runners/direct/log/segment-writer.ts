/** Appends commits to a segment of the log; each is on the disk before it counts. */
import { type FileHandle, open, rename } from "node:fs/promises";
import path from "node:path";
import { failpoint } from "../../../transforms/primitives/failpoint.js";
import { segmentName, syncFolder, writeAt } from "./log-files.js";
import { type CommitFacts, encodeRecord } from "./log-record.js";

export class SegmentWriter {
  readonly #handle: FileHandle;
  #bytes: number;

  private constructor(handle: FileHandle, bytes: number) {
    this.#handle = handle;
    this.#bytes = bytes;
  }

  /**
   * Begins a segment with a snapshot. The commit is the renaming: a file under a segment's name is whole.
   * @param facts of the snapshot
   */
  static async begin(folder: string, facts: CommitFacts, state: Uint8Array): Promise<SegmentWriter> {
    const file = path.join(folder, segmentName(facts.run, facts.epoch));
    const draft = `${file}.tmp`;
    failpoint("before-snapshot");
    const record = encodeRecord(facts, state, 0);
    const handle = await open(draft, "wx");
    try {
      await writeAt(handle, record, 0);
      failpoint("after-snapshot-write");
      await handle.sync();
      failpoint("after-snapshot-sync");
      await rename(draft, file);
      failpoint("after-snapshot-rename");
      await syncFolder(folder);
      failpoint("after-snapshot-folder-sync");
    } catch (error) {
      await handle.close();
      throw error;
    }
    return new SegmentWriter(handle, record.length);
  }

  /** After an error nothing more may be appended: what of the commit is there, the next start sees. */
  async append(facts: CommitFacts, state: Uint8Array): Promise<void> {
    const record = encodeRecord(facts, state, this.#bytes);
    failpoint("before-append");
    await writeAt(this.#handle, record, this.#bytes);
    failpoint("after-append");
    await this.#handle.datasync();
    failpoint("after-sync");
    this.#bytes += record.length;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
