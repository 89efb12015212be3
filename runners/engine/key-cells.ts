/** Cells of keyed state as a step reads and writes them. */

/** A bag of values: what value, bag and combining state lie on. */
export interface BagCell {
  readonly size: number;
  /** What is there now: what is appended later is not in it. Not to be changed by whoever reads it. */
  values(): readonly unknown[];
  append(value: unknown): void;
  /** Replaces everything. */
  set(values: readonly unknown[]): void;
  clear(): void;
}

/** Values by map key: what set and map state lie on. Map keys are canonical strings beside the real key. */
export interface MultimapCell {
  get(keyId: string): readonly unknown[];
  put(keyId: string, key: unknown, values: readonly unknown[]): void;
  remove(keyId: string): void;
  clear(): void;
  entries(): Iterable<readonly [key: unknown, values: readonly unknown[]]>;
}

/** The cells of one key and window, made as they are asked for. */
export interface KeyCells {
  bag(stateId: string): BagCell;
  multimap(stateId: string): MultimapCell;
}
