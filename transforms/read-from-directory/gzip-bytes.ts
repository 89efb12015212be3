/** Inflates a `.gz` file as it grows, piece by piece and only on demand. */
import { createGunzip, type Gunzip } from "node:zlib";
import type { OpenFile } from "./file-system.js";
import { FINGERPRINT_BYTES, Fingerprinter, NOTHING_CONSUMED } from "./fingerprint.js";
import { Tape } from "./tape.js";

const RAW_CHUNK_BYTES = 64 * 1024;
const INFLATED_CHUNK_BYTES = 64 * 1024;
const CAREFUL_STEPS = [256, 1];

/** The bytes of a gzip file from the inflated offset `skip` on. */
export class GzipBytes {
  /** Passes over the raw bytes. */
  readonly raw = new Fingerprinter(new Tape(0, Buffer.alloc(0)), NOTHING_CONSUMED);
  /** What is wrong with the data; everything inflated before has been handed out by then. */
  corruption: string | undefined;
  #gunzip: Gunzip;
  #error: Error | undefined;
  #isWriting = false;
  #notify: () => void = () => undefined;
  /** Raw bytes given to zlib, and those read and not yet given. */
  #rawFed = 0;
  #pending: Buffer = Buffer.alloc(0);
  #skip: number;
  #inflated = 0;
  /** After broken data: the raw range that holds it, and in which steps it is fed again. */
  #careful = { from: Number.POSITIVE_INFINITY, to: Number.POSITIVE_INFINITY, stepIndex: -1 };

  constructor(skip: number) {
    this.#skip = skip;
    this.#gunzip = this.#createGunzip();
  }

  /** Raw bytes that went into what was handed out (or a little more). */
  get rawOffset(): number {
    return this.raw.tape.end;
  }

  /**
   * The next inflated bytes. Undefined: the raw bytes up to `limit` are used up, or `corruption` says
   * why there will be no more.
   */
  async next(file: OpenFile, limit: number): Promise<Buffer | undefined> {
    for (;;) {
      const piece = this.#take();
      if (piece !== undefined) return piece;
      if (this.#error !== undefined) {
        if (!this.#retryCarefully()) return undefined;
      } else if (this.#isWriting && !this.#gunzip.readableEnded) {
        await this.#somethingHappens();
      } else if (!(await this.#feed(file, limit))) return undefined;
    }
  }

  /** Says that there is no more: returns what is left, then undefined. A cut file is a corruption. */
  async finish(): Promise<Buffer | undefined> {
    const gunzip = this.#gunzip;
    if (!gunzip.writableEnded && this.rawOffset > 0) gunzip.end();
    while (this.rawOffset > 0) {
      const piece = this.#take();
      if (piece !== undefined) return piece;
      if (this.#error !== undefined) {
        this.corruption = this.#error.message;
        return undefined;
      }
      if (gunzip.readableEnded) break;
      await this.#somethingHappens();
    }
    return undefined;
  }

  close(): void {
    this.#gunzip.close();
  }

  #createGunzip(): Gunzip {
    const gunzip = createGunzip({ chunkSize: INFLATED_CHUNK_BYTES });
    gunzip.on("error", (error) => {
      if (gunzip === this.#gunzip) this.#error = error;
      this.#notify();
    });
    for (const event of ["readable", "end", "close"]) gunzip.on(event, () => this.#notify());
    return gunzip;
  }

  /** What is inflated already, without the part to be skipped. */
  #take(): Buffer | undefined {
    for (;;) {
      const piece = this.#gunzip.read() as Buffer | null;
      if (piece === null) return undefined;
      const skipped = Math.min(this.#skip, piece.length);
      this.#skip -= skipped;
      this.#inflated += piece.length;
      if (skipped < piece.length) return piece.subarray(skipped);
    }
  }

  /** Gives zlib some more raw bytes; false when there are none below `limit`. */
  async #feed(file: OpenFile, limit: number): Promise<boolean> {
    if (this.#pending.length === 0) {
      const length = Math.min(RAW_CHUNK_BYTES, limit - this.#rawFed);
      if (length <= 0) return false;
      const chunk = Buffer.allocUnsafeSlow(length);
      this.#pending = chunk.subarray(0, await file.read(chunk, this.#rawFed));
      if (this.#pending.length === 0) return false;
    }
    const bytes = this.#pending.subarray(0, this.#stepBytes());
    this.#pending = this.#pending.subarray(bytes.length);
    const known = this.rawOffset - this.#rawFed;
    this.#rawFed += bytes.length;
    if (known < bytes.length) {
      this.raw.push(bytes.subarray(Math.max(0, known)));
      this.raw.tape.trim(this.rawOffset - FINGERPRINT_BYTES);
    }
    this.#write(bytes);
    return true;
  }

  /** How much zlib gets at once: small steps where the data is known to break. */
  #stepBytes(): number {
    const { from, to, stepIndex } = this.#careful;
    if (this.#rawFed < from) return from - this.#rawFed;
    return this.#rawFed < to ? CAREFUL_STEPS[stepIndex]! : RAW_CHUNK_BYTES;
  }

  #write(bytes: Buffer): void {
    const gunzip = this.#gunzip;
    if (gunzip.readableEnded || gunzip.writableEnded) return; // zeros after the last member are padding
    this.#isWriting = true;
    gunzip.write(bytes, () => {
      if (gunzip === this.#gunzip) this.#isWriting = false;
      this.#notify();
    });
  }

  /**
   * zlib drops what it inflated in the very call that finds the error. So everything is inflated once
   * more, the part with the error in small steps, then byte by byte: the records before it are kept.
   */
  #retryCarefully(): boolean {
    const stepIndex = this.#careful.stepIndex + 1;
    if (stepIndex === CAREFUL_STEPS.length) {
      this.corruption ??= this.#error!.message;
      return false;
    }
    this.#gunzip.close();
    const lastStep = stepIndex === 0 ? RAW_CHUNK_BYTES : CAREFUL_STEPS[stepIndex - 1]!;
    this.#careful = { from: Math.max(0, this.#rawFed - lastStep), to: this.#rawFed, stepIndex };
    this.#skip += this.#inflated;
    this.#inflated = 0;
    this.#rawFed = 0;
    this.#pending = Buffer.alloc(0);
    this.#error = undefined;
    this.#isWriting = false;
    this.#gunzip = this.#createGunzip();
    return true;
  }

  /** Resolves with the stream's next event: every state that is waited for ends with one. */
  #somethingHappens(): Promise<void> {
    return new Promise((resolve) => {
      this.#notify = resolve;
    });
  }
}
