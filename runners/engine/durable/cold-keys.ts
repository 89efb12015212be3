/** Keys whose records are not in memory: what the engine asks of the store that has them. */

/** A place in an order: by time, and of those at the same time by number. */
export interface ColdPlace {
  readonly ms: number;
  readonly number: number;
}

export interface ColdFound extends ColdPlace {
  readonly windowId: string;
  readonly keyId: string;
}

export type ColdOrderName = "event-time" | "processing-time" | "hold";

/**
 * Answers at once, as of the last delta that it was given. What it gives of keys that are in memory too, or that are gone,
 * may be older: the engine passes over it.
 */
export interface ColdKeys {
  /** Deltas that it was given: what they say of keys is what it answers. */
  readonly given: number;
  /** The record of a key; the bytes are there until the next call. */
  get(root: string, windowId: string, keyId: string): Uint8Array | undefined;
  /** The records of a key beside the first one: a chunk of a bag, all entries of a map. */
  chunk(
    root: string,
    windowId: string,
    spill: number,
    stateId: string,
    chunk: number,
  ): Uint8Array | undefined;
  entries(
    root: string,
    windowId: string,
    spill: number,
    stateId: string,
  ): Iterable<{ readonly mapKeyId: string; readonly value: Uint8Array }>;
  /** Timers or holds of a root, from a place on. */
  inOrder(root: string, order: ColdOrderName, from: ColdPlace): Iterable<ColdFound>;
  /** Keys in a window that have a cell to expire, by its number. */
  numbered(root: string, windowId: string): Iterable<{ number: number; keyId: string }>;
}

/** Where a timer, or what it holds back, stands in one of the orders. */
export interface TimerPlace extends ColdPlace {
  readonly order: ColdOrderName;
}

/** What a record of a key says of its place among others. */
export interface KeyPlaces {
  readonly timers: readonly TimerPlace[];
  /** Of its cell, where it is to be expired. */
  readonly number: number | undefined;
}

/** What a delta changes of one key. */
export interface KeyChange {
  readonly root: string;
  readonly windowId: string;
  readonly keyId: string;
  /** Undefined: it is gone. */
  readonly value: Uint8Array | undefined;
  readonly before: KeyPlaces;
  readonly after: KeyPlaces;
}

export const NO_PLACES: KeyPlaces = { timers: [], number: undefined };
