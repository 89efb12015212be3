/** The records that a local store has on the disk, as deltas have brought them: for a start, and for snapshots. */
import {
  KEY_BAG_RECORD,
  KEY_MAP_RECORD,
  KEY_RECORD,
  recordKey,
  type StateRecord,
} from "../../engine/durable/state-record.js";
import { partOf, textAndValue, windowNoOf } from "./store-keys.js";
import type { StoreTables } from "./store-tables.js";

/** How far somebody has read all of it. */
export interface ReadPlace {
  readonly table: number;
  readonly after: Buffer | undefined;
}

export class StoreRecords {
  constructor(private readonly tables: StoreTables) {}

  /** All but those of keys. */
  *withoutKeys(): Generator<StateRecord> {
    for (const { key, value } of this.tables.records.onDisk(undefined)) yield recordOf(key, value);
  }

  /** From where an earlier call has ended, until these are so many bytes. Undefined as the next place: that was all. */
  readOn(
    from: ReadPlace | undefined,
    bytesMax: number,
  ): { readonly records: StateRecord[]; readonly next: ReadPlace | undefined } {
    const records: StateRecord[] = [];
    let bytes = 0;
    const readers = [recordOf, this.#keyRecordOf, this.#partRecordOf];
    const tables = [this.tables.records, this.tables.keys, this.tables.parts];
    for (let table = from?.table ?? 0; table < tables.length; table++) {
      for (const { key, value } of tables[table]!.onDisk(table === from?.table ? from.after : undefined)) {
        const record = readers[table]!.call(this, key, value);
        if (record === undefined) continue;
        records.push(record);
        bytes += record.key.length + record.value.length;
        if (bytes >= bytesMax) return { records, next: { table, after: Buffer.from(key) } };
      }
    }
    return { records, next: undefined };
  }

  #keyRecordOf(key: Buffer, stored: Buffer): StateRecord | undefined {
    const window = this.tables.windows.nameOf(windowNoOf(key));
    if (window === undefined) return undefined;
    const { text, value } = textAndValue(key.subarray(4), stored);
    return { key: recordKey(KEY_RECORD, window.root, window.windowId, text), value };
  }

  #partRecordOf(key: Buffer, stored: Buffer): StateRecord | undefined {
    const window = this.tables.windows.nameOf(windowNoOf(key));
    if (window === undefined) return undefined;
    const { root, windowId } = window;
    const { kind, spill, stateId, end } = partOf(key);
    if (kind === "bag") {
      const name = recordKey(KEY_BAG_RECORD, root, windowId, spill, stateId, end.readUInt32BE(0));
      return { key: name, value: stored };
    }
    const { text, value } = textAndValue(end, stored);
    return { key: recordKey(KEY_MAP_RECORD, root, windowId, spill, stateId, text), value };
  }
}

function recordOf(key: Buffer, stored: Buffer): StateRecord {
  const { text, value } = textAndValue(key, stored);
  return { key: text, value };
}
