/** What deltas change in the tables of a local store. */
import { type KeyChange, NO_PLACES, type TimerPlace } from "../../engine/durable/cold-keys.js";
import { placesIn } from "../../engine/durable/key-record.js";
import {
  KEY_BAG_RECORD,
  KEY_MAP_RECORD,
  KEY_RECORD,
  KEY_WINDOW_RECORD,
  recordNameOf,
  type StateDelta,
} from "../../engine/durable/state-record.js";
import {
  chunkKey,
  keyText,
  numberKey,
  partStart,
  placeKey,
  slotKey,
  valueIn,
  windowNoOf,
  windowStart,
  withText,
} from "./store-keys.js";
import type { StoreTables } from "./store-tables.js";

const KEY_PREFIX = `${KEY_RECORD} `;
const WINDOW_PREFIX = `${KEY_WINDOW_RECORD} `;
const PART_PREFIXES = [`${KEY_BAG_RECORD} `, `${KEY_MAP_RECORD} `];

export class StoreChanges {
  constructor(private readonly tables: StoreTables) {}

  /** Some of them it may have already: that changes nothing, once all have come. */
  take(delta: StateDelta): void {
    const { windows } = this.tables;
    for (const window of delta.removedWindows ?? []) windows.retire(window);
    const isTold = delta.keys !== undefined;
    for (const key of delta.removed) this.#remove(key, isTold);
    for (const { key, value } of delta.puts) this.#put(key, value, isTold);
    for (const change of delta.keys ?? []) this.#change(change);
    // Its keys are gone, one by one: a window without any is never heard of again.
    for (const key of delta.removed) {
      if (key.startsWith(WINDOW_PREFIX)) windows.retire(key.slice(WINDOW_PREFIX.length));
    }
  }

  /** @param isTold the delta tells of keys by themselves */
  #put(key: string, value: Uint8Array, isTold: boolean): void {
    if (key.startsWith(KEY_PREFIX)) {
      if (!isTold) this.#change(this.#changeOf(key, value));
      return;
    }
    if (isPart(key)) {
      const part = this.#partKeyOf(key);
      this.tables.parts.put(part.key, part.text === undefined ? value : withText(...part.text, value));
      return;
    }
    const { bytes, isWhole } = keyText(key);
    this.tables.records.put(bytes, withText(key, isWhole, value));
  }

  #remove(key: string, isTold: boolean): void {
    if (key.startsWith(KEY_PREFIX)) {
      if (!isTold) this.#change(this.#changeOf(key, undefined));
      return;
    }
    if (!isPart(key)) {
      this.tables.records.remove(keyText(key).bytes);
      return;
    }
    const { owner, parts } = recordNameOf(key);
    if (this.tables.windows.find(owner, parts[0]!) === undefined) return;
    this.tables.parts.remove(this.#partKeyOf(key).key);
  }

  /** What a record alone says of a change: what it was before is here. */
  #changeOf(key: string, value: Uint8Array | undefined): KeyChange {
    const { owner, parts } = recordNameOf(key);
    const [windowId, keyId] = parts as [string, string];
    const windowNo = this.tables.windows.find(owner, windowId);
    const stored = windowNo === undefined ? undefined : this.tables.keys.get(slotKey(windowNo, keyId).key);
    return {
      ...{ root: owner, windowId, keyId, value },
      before: stored === undefined ? NO_PLACES : placesIn(valueIn(stored)),
      after: value === undefined ? NO_PLACES : placesIn(value),
    };
  }

  #change({ root, windowId, keyId, value, before, after }: KeyChange): void {
    const { windows, keys, order, numbers } = this.tables;
    // What a window that is gone had goes with it.
    if (value === undefined && windows.find(root, windowId) === undefined) return;
    const windowNo = windows.number(root, windowId);
    const rootNo = windows.rootNo(root);
    const { key, isWhole } = slotKey(windowNo, keyId);
    if (value === undefined) keys.remove(key);
    else keys.put(key, withText(keyId, isWhole, value));
    const areMoved = !areSame(before.timers, after.timers);
    if (areMoved) for (const place of before.timers) order.remove(placeKey(rootNo, place.order, place));
    if (areMoved && after.timers.length > 0) {
      const whose = isWhole ? key : Buffer.concat([windowStart(windowNo), Buffer.from(keyId)]);
      for (const place of after.timers) order.put(placeKey(rootNo, place.order, place), whose);
    }
    if (before.number === after.number) return;
    if (before.number !== undefined) numbers.remove(numberKey(windowNo, before.number));
    if (after.number !== undefined) numbers.put(numberKey(windowNo, after.number), Buffer.from(keyId));
  }

  /** Of a record beside the first of a key; the text where its value has it. */
  #partKeyOf(key: string): { readonly key: Buffer; readonly text: readonly [string, boolean] | undefined } {
    const { kind, owner, parts } = recordNameOf(key);
    const [windowId, spill, stateId, end] = parts as [string, string, string, string];
    const windowNo = this.tables.windows.number(owner, windowId);
    if (kind === KEY_BAG_RECORD) {
      return { key: chunkKey(windowNo, Number(spill), stateId, Number(end)), text: undefined };
    }
    const start = partStart(windowNo, "map", Number(spill), stateId);
    const { bytes, isWhole } = keyText(end, start.length);
    return { key: Buffer.concat([start, bytes]), text: [end, isWhole] };
  }
}

function areSame(a: readonly TimerPlace[], b: readonly TimerPlace[]): boolean {
  return (
    a.length === b.length &&
    a.every(
      ({ order, ms, number }, at) => order === b[at]!.order && ms === b[at]!.ms && number === b[at]!.number,
    )
  );
}

function isPart(key: string): boolean {
  return PART_PREFIXES.some((prefix) => key.startsWith(prefix));
}

/** Within a transaction: removes some of what windows have left that are gone. */
export function sweepWindows({ windows, keys, order, numbers, parts }: StoreTables, max: number): void {
  let left = max;
  for (const { windowNo, rootNo } of windows.retired()) {
    const [start, end] = [windowStart(windowNo), windowStart(windowNo + 1)];
    for (const { key, value } of [...take(keys.range(start, end), left)]) {
      for (const place of placesIn(valueIn(value)).timers) {
        const at = placeKey(rootNo, place.order, place);
        const whose = order.get(at);
        // Where a snapshot had a window that its deltas make anew, it may be the same timer of the same key.
        if (whose !== undefined && windowNoOf(whose) === windowNo) order.removeNow(at);
      }
      keys.removeNow(key);
      left--;
    }
    for (const table of [numbers, parts]) {
      for (const key of [...take(table.keysOnDisk(start, end), left)]) {
        table.removeNow(key);
        left--;
      }
    }
    if (left <= 0) return;
    windows.forget(windowNo);
  }
}

function* take<T>(items: Iterable<T>, max: number): Generator<T> {
  let left = max;
  if (left <= 0) return;
  for (const item of items) {
    yield item;
    if (--left <= 0) return;
  }
}
