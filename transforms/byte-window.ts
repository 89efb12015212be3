/** The bytes that a scanner has been given and has not yet passed, in one piece however they arrived. */
export class ByteWindow {
  /** Only the first `length` bytes count; they never change, so records may keep views of them. */
  bytes: Buffer = Buffer.alloc(0);
  length = 0;
  /** Bytes copied so far, into grown buffers and into text: a measure of work, linear in the input. */
  copiedBytes = 0;
  private isOwned = false;
  private text: string | undefined;
  private textStart = 0;

  /** @param fileOffset offset in the file of the window's first byte */
  constructor(public fileOffset: number) {}

  /**
   * Adds the bytes that follow and forgets those before index `keepFrom`.
   * @returns by how much the indices of kept bytes became smaller
   */
  append(chunk: Buffer, keepFrom: number): number {
    const kept = this.length - keepFrom;
    this.text = undefined;
    if (kept === 0) {
      this.replace(chunk, chunk.length, keepFrom, false);
      return keepFrom;
    }
    this.copiedBytes += chunk.length;
    if (this.isOwned && this.bytes.length - this.length >= chunk.length) {
      chunk.copy(this.bytes, this.length);
      this.length += chunk.length;
      return 0;
    }
    // A long record that comes in small chunks finds room for as much again, so that each of its bytes
    // is moved a constant number of times; a short rest before a large chunk takes no more than it needs.
    const needed = kept + chunk.length;
    const grown = Buffer.allocUnsafe(kept >= chunk.length ? 2 * needed : needed);
    this.bytes.copy(grown, 0, keepFrom, this.length);
    chunk.copy(grown, kept);
    this.copiedBytes += kept;
    this.replace(grown, needed, keepFrom, true);
    return keepFrom;
  }

  /**
   * Bytes that are all below 0x80 as a string. One string is made for the whole window and sliced, which
   * is far cheaper than decoding each field.
   * @param recordStart start of the record that the bytes belong to; must not go back between appends
   */
  asciiSlice(recordStart: number, from: number, to: number): string {
    if (this.text === undefined) {
      this.text = this.bytes.toString("latin1", recordStart, this.length);
      this.textStart = recordStart;
      this.copiedBytes += this.text.length;
    }
    return this.text.slice(from - this.textStart, to - this.textStart);
  }

  private replace(bytes: Buffer, length: number, forgotten: number, isOwned: boolean): void {
    this.bytes = bytes;
    this.length = length;
    this.fileOffset += forgotten;
    this.isOwned = isOwned;
  }
}
