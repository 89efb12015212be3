/** How the engine's user values become bytes: given by whoever knows the graph's coders. */
import type { Window } from "../element.js";

export interface ValueCodec<T = unknown> {
  /**
   * The bytes are there until the next encoding: whoever keeps them copies them.
   * @throws when the value is none of its coder's, naming what the value is of
   */
  encode(value: T): Uint8Array;
  /** @throws when the bytes are no encoding of its coder */
  decode(bytes: Uint8Array): T;
}

/** Of a cell of keyed state. */
export interface CellCodec {
  /** Of the values in a bag, or under a key of a multimap. */
  readonly value: ValueCodec;
  /** Of the keys of a multimap. */
  readonly mapKey?: ValueCodec;
}

/** Looked up once for each step and PCollection. @throws where there is no such thing, or its coder is not known */
export interface StateCodec {
  element(collection: string): ValueCodec;
  window(collection: string): ValueCodec<Window>;
  /** Of a PCollection of `{ key, value }`. */
  key(collection: string): ValueCodec;
  groupedValue(collection: string): ValueCodec;
  cell(root: string, stateId: string): CellCodec;
  restriction(root: string): ValueCodec;
  watermarkState(root: string): ValueCodec;
  /** Whether the step's restrictions begin where the last commit ended: then only its elements are kept. */
  restoresPosition(root: string): boolean;
}
