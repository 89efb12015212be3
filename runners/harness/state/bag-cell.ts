/** A bag of a key and window while its bundle runs: what the runner has, and what has changed since. */
import type { BeamCoder } from "../../../transforms/primitives/coders/beam-coder.js";
import { ByteWriter } from "../../../transforms/primitives/coders/byte-writer.js";
import { decodeElements } from "../../../transforms/primitives/coders/encode.js";
import type { BagCell } from "../../engine/key-cells.js";

/** What of a cell the runner is to be told. */
export interface CellChange {
  readonly isCleared: boolean;
  /** Comes behind what is there. */
  readonly appended: Uint8Array;
}

/** Everything is in memory; the runner is told of it by `change`. */
export class LoadedBag implements BagCell {
  readonly #coder: BeamCoder<unknown>;
  #values: unknown[];
  /** How many of the values the runner has. */
  #kept: number;
  #isCleared = false;
  /** Somebody holds the array: it is copied before the next change. */
  #isShared = false;

  /** `stored` is what the runner has. @throws DecodeError when it is no bag of this coder. */
  constructor(coder: BeamCoder<unknown>, stored: Uint8Array) {
    this.#coder = coder;
    this.#values = [...decodeElements(coder, stored)];
    this.#kept = this.#values.length;
  }

  get size(): number {
    return this.#values.length;
  }

  values(): readonly unknown[] {
    this.#isShared = true;
    return this.#values;
  }

  append(value: unknown): void {
    if (this.#isShared) this.#values = [...this.#values];
    this.#isShared = false;
    this.#values.push(value);
  }

  set(values: readonly unknown[]): void {
    this.clear();
    this.#values = [...values];
  }

  clear(): void {
    if (this.#kept > 0) this.#isCleared = true;
    this.#kept = 0;
    this.#values = [];
    this.#isShared = false;
  }

  /** Since the last call; undefined: nothing. @throws EncodeError when the coder cannot carry a value. */
  takeChange(): CellChange | undefined {
    const { length } = this.#values;
    if (!this.#isCleared && this.#kept === length) return undefined;
    const out = new ByteWriter();
    for (let i = this.#kept; i < length; i++) this.#coder.write(this.#values[i], out, true);
    const change = { isCleared: this.#isCleared, appended: out.finish() };
    this.#isCleared = false;
    this.#kept = length;
    return change;
  }
}
