/** By what a file is known again: hashes of the first and last bytes that were consumed. */
import { hash } from "node:crypto";
import type { OpenFile } from "./file-system.js";
import type { Tape } from "./tape.js";

/** How many bytes at each end count. */
export const FINGERPRINT_BYTES = 4096;

export interface Fingerprint {
  /** Bytes before this offset were consumed. */
  readonly rawOffset: number;
  /** Of the first min(4 KiB, rawOffset) bytes; empty when there are none. */
  readonly headHash: string;
  /** Of the last min(4 KiB, rawOffset) bytes before rawOffset. */
  readonly tailHash: string;
}

export const NOTHING_CONSUMED: Fingerprint = { rawOffset: 0, headHash: "", tailHash: "" };

/**
 * Whether the file still starts with what was consumed, as far as the fingerprint can tell.
 * Returns the bytes right before `rawOffset` (at most 4 KiB), or undefined when it is another file.
 */
export async function recognise(
  file: OpenFile,
  size: number,
  known: Fingerprint,
): Promise<Buffer | undefined> {
  if (known.rawOffset === 0) return Buffer.alloc(0);
  if (size < known.rawOffset) return undefined;
  const length = Math.min(FINGERPRINT_BYTES, known.rawOffset);
  const tail = Buffer.allocUnsafe(length);
  if ((await file.read(tail, known.rawOffset - length)) < length) return undefined;
  if (hashOf(tail) !== known.tailHash) return undefined;
  if (known.rawOffset === length) return known.headHash === known.tailHash ? tail : undefined;
  const head = Buffer.allocUnsafe(length);
  if ((await file.read(head, 0)) < length) return undefined;
  return hashOf(head) === known.headHash ? tail : undefined;
}

/**
 * The fingerprint of what lies before the offset, read from the file.
 * @param known an earlier one of the same file, to spare reading its beginning again
 */
export async function fingerprintAt(
  file: OpenFile,
  rawOffset: number,
  known: Fingerprint = NOTHING_CONSUMED,
): Promise<Fingerprint> {
  if (rawOffset === 0) return NOTHING_CONSUMED;
  const length = Math.min(FINGERPRINT_BYTES, rawOffset);
  const bytes = Buffer.allocUnsafe(length);
  const tailHash = hashOf(bytes.subarray(0, await file.read(bytes, rawOffset - length)));
  if (rawOffset === length) return { rawOffset, headHash: tailHash, tailHash };
  if (known.rawOffset >= FINGERPRINT_BYTES) return { rawOffset, headHash: known.headHash, tailHash };
  return { rawOffset, headHash: hashOf(bytes.subarray(0, await file.read(bytes, 0))), tailHash };
}

/** Takes the fingerprint of a file while its bytes pass by on a tape. */
export class Fingerprinter {
  /** Complete once it stands for 4 KiB; until then the file's first bytes are kept. */
  #headHash: string | undefined;
  #head: Buffer | undefined;

  constructor(
    readonly tape: Tape,
    known: Fingerprint,
  ) {
    if (known.rawOffset >= FINGERPRINT_BYTES) this.#headHash = known.headHash;
  }

  push(chunk: Buffer): void {
    this.tape.push(chunk);
    if (this.#headHash !== undefined || this.#head?.length === FINGERPRINT_BYTES) return;
    this.#head = this.tape.slice(0, Math.min(FINGERPRINT_BYTES, this.tape.end));
  }

  /** The fingerprint of what lies before the offset. */
  at(rawOffset: number): Fingerprint {
    if (rawOffset === 0) return NOTHING_CONSUMED;
    const length = Math.min(FINGERPRINT_BYTES, rawOffset);
    const tailHash = hashOf(this.tape.slice(rawOffset - length, rawOffset));
    if (rawOffset <= FINGERPRINT_BYTES) return { rawOffset, headHash: tailHash, tailHash };
    this.#headHash ??= hashOf(this.#head!);
    return { rawOffset, headHash: this.#headHash, tailHash };
  }
}

function hashOf(bytes: Buffer): string {
  return hash("sha256", bytes, "base64url");
}
