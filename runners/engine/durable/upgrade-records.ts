/** Records of state format 1 as those of today: what a stateful step keeps of a key was spread over several of them. */
import { StateReader, StateWriter } from "./state-bytes.js";
import { KEY_RECORD, recordKey, recordNameOf } from "./state-record.js";

interface FirstTimer {
  readonly family: string;
  readonly tag: string;
  readonly order: number;
  /** Its domain and times, as they were written and still are. */
  readonly rest: Uint8Array;
}

interface FirstKey {
  readonly owner: string;
  readonly windowId: string;
  readonly keyId: string;
  cell: { readonly number: number; readonly isClosing: boolean; readonly key: Uint8Array } | undefined;
  readonly timers: FirstTimer[];
  /** By state id: chunks by number, and entries. */
  readonly bags: Map<string, { readonly chunk: number; readonly values: Uint8Array[] }[]>;
  readonly maps: Map<string, { readonly mapKeyId: string; readonly entry: Uint8Array }[]>;
}

const HAS_CELL = 1;
const IS_CLOSING = 2;
/** Its cell has an expiration to come: nobody knows, so each is taken to have one. */
const EXPIRES = 8;
const OLD_KINDS = new Set(["window", "cell", "timer", "bag", "map"]);

/**
 * Takes the old records out and puts new ones in their place. Whether keys are told when their window expires the old
 * ones do not say. Where they are not, a store has an order of cells that nobody asks for, until their window is gone.
 */
export function upgradeRecords(records: Map<string, Uint8Array>): void {
  const keys = new Map<string, FirstKey>();
  const windows = new Map<string, { readonly head: Uint8Array; count: number; timers: number }>();
  for (const [recordId, bytes] of records) {
    const { kind, owner, parts } = recordNameOf(recordId);
    if (!OLD_KINDS.has(kind)) continue;
    records.delete(recordId);
    if (kind === "window") {
      windows.set(recordKey("key-window", owner, parts[0]!), { head: bytes, count: 0, timers: 0 });
      continue;
    }
    collect(keyOf(keys, owner, parts[0]!, parts[1]!), kind, parts, new StateReader(bytes), bytes);
  }
  const numbers = new Map<string, { cells: number; settings: number }>();
  for (const [recordId, key] of keys) {
    records.set(recordId, encode(key));
    const window = windows.get(recordKey("key-window", key.owner, key.windowId));
    if (window !== undefined) {
      window.count++;
      window.timers += key.timers.length;
    }
    const known = numbers.get(key.owner) ?? { cells: 0, settings: 0 };
    known.cells = Math.max(known.cells, (key.cell?.number ?? -1) + 1);
    for (const { order } of key.timers) known.settings = Math.max(known.settings, order + 1);
    numbers.set(key.owner, known);
  }
  for (const [recordId, { head, count, timers }] of windows) {
    records.set(recordId, Buffer.concat([head, new StateWriter().count(count).count(timers).finish()]));
  }
  for (const [owner, { cells, settings }] of numbers) {
    records.set(recordKey("keyed", owner), new StateWriter().count(cells).count(settings).count(0).finish());
  }
}

function keyOf(keys: Map<string, FirstKey>, owner: string, windowId: string, keyId: string): FirstKey {
  const recordId = recordKey(KEY_RECORD, owner, windowId, keyId);
  let key = keys.get(recordId);
  if (key === undefined) {
    key = { owner, windowId, keyId, cell: undefined, timers: [], bags: new Map(), maps: new Map() };
    keys.set(recordId, key);
  }
  return key;
}

function collect(
  key: FirstKey,
  kind: string,
  parts: readonly string[],
  input: StateReader,
  bytes: Uint8Array,
): void {
  const [, , name, part] = parts as [string, string, string, string];
  if (kind === "cell") {
    key.cell = { number: input.count(), isClosing: input.flag(), key: input.bytes() };
  } else if (kind === "timer") {
    const order = input.count();
    const rest = bytes.subarray(new StateWriter().count(order).length);
    key.timers.push({ family: name, tag: part, order, rest });
  } else if (kind === "bag") {
    const values = Array.from({ length: input.count() }, () => input.bytes());
    listOf(key.bags, name).push({ chunk: Number(part), values });
  } else {
    listOf(key.maps, name).push({ mapKeyId: part, entry: bytes });
  }
}

function encode({ cell, timers, bags, maps }: FirstKey): Uint8Array {
  const out = new StateWriter().count(
    cell === undefined ? 0 : HAS_CELL | EXPIRES | (cell.isClosing ? IS_CLOSING : 0),
  );
  if (cell !== undefined) out.count(cell.number).bytes(cell.key);
  out.count(timers.length);
  for (const { family, tag, order, rest } of timers.sort((a, b) => a.order - b.order)) {
    out.text(family).text(tag).count(order).raw(rest);
  }
  out.count(bags.size);
  for (const [stateId, chunks] of bags) {
    const values = chunks.sort((a, b) => a.chunk - b.chunk).flatMap((chunk) => chunk.values);
    out.text(stateId).count(0).count(values.length);
    for (const value of values) out.bytes(value);
  }
  out.count(maps.size);
  for (const [stateId, entries] of maps) {
    out.text(stateId).flag(false).count(entries.length);
    for (const { mapKeyId, entry } of entries) out.text(mapKeyId).raw(entry);
  }
  return out.finish();
}

function listOf<T>(lists: Map<string, T[]>, name: string): T[] {
  let list = lists.get(name);
  if (list === undefined) {
    list = [];
    lists.set(name, list);
  }
  return list;
}
