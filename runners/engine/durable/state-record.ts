/** State that outlives the process: a set of records, from keys to bytes, and what changed in it. */
import type { KeyChange } from "./cold-keys.js";

export interface StateRecord {
  /** As `recordKey` makes it. */
  readonly key: string;
  readonly value: Uint8Array;
}

/** What brings the records as they were to what they are. A key is in one of the first two at the most. */
export interface StateDelta {
  readonly puts: readonly StateRecord[];
  readonly removed: readonly string[];
  /** Windows, as `windowKey` makes them, whose keys' records all go before anything is put. */
  readonly removedWindows?: readonly string[];
  /** Once more what it does to keys of stateful steps, for a store that keeps them in order. */
  readonly keys?: readonly KeyChange[];
}

/** A window of a stateful step is one record of this kind: without it there is no key in the window. */
export const KEY_WINDOW_RECORD = "key-window";
/** Kinds of records that go with their window. */
export const KEY_RECORD = "key";
export const KEY_BAG_RECORD = "key-bag";
export const KEY_MAP_RECORD = "key-map";
const KEY_KINDS: readonly string[] = [KEY_RECORD, KEY_BAG_RECORD, KEY_MAP_RECORD];

/** A window of a stateful step: how the keys of its keys' records go on behind their kind. */
export function windowKey(owner: string, windowId: string): string {
  return recordKey("", owner, windowId).slice(1);
}

/** A record's key, taken apart. */
export interface RecordName {
  /** What kind of record it is, e.g. `timer`. */
  readonly kind: string;
  /** Of what in the graph: the stable path of a step, the id of a PCollection. */
  readonly owner: string;
  /** Which of the owner's records of the kind: ids of windows and keys, numbers. */
  readonly parts: readonly string[];
}

/** The key of a record: no two names give the same one. */
export function recordKey(kind: string, owner: string, ...parts: readonly (string | number)[]): string {
  let key = `${kind} ${owner.length}:${owner}`;
  for (const part of parts) {
    const text = String(part);
    key += `${text.length}:${text}`;
  }
  return key;
}

/** @throws when the key is none that `recordKey` makes */
export function recordNameOf(key: string): RecordName {
  const space = key.indexOf(" ");
  const parts: string[] = [];
  let at = space + 1;
  while (at < key.length) {
    const colon = key.indexOf(":", at);
    const start = colon + 1;
    const end = start + Number(key.slice(at, colon));
    if (colon < 0 || !(end <= key.length)) throw new Error(`state has a record of a malformed key: ${key}`);
    parts.push(key.slice(start, end));
    at = end;
  }
  const [owner, ...others] = parts;
  if (space <= 0 || owner === undefined) throw new Error(`state has a record of a malformed key: ${key}`);
  return { kind: key.slice(0, space), owner, parts: others };
}

/** Puts what changed into records; a snapshot is a delta to nothing. */
export function applyDelta(
  records: Map<string, Uint8Array>,
  { puts, removed, removedWindows = [] }: StateDelta,
): void {
  if (removedWindows.length > 0) removeWindows(records, new Set(removedWindows));
  for (const key of removed) records.delete(key);
  for (const { key, value } of puts) records.set(key, value);
}

function removeWindows(records: Map<string, Uint8Array>, windows: ReadonlySet<string>): void {
  for (const key of records.keys()) {
    const { kind, owner, parts } = recordNameOf(key);
    if (KEY_KINDS.includes(kind) && windows.has(windowKey(owner, parts[0]!))) records.delete(key);
  }
}
