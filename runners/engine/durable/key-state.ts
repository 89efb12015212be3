/** The state of a key in records: small things in the key's own, the values of large bags in chunks, large maps by entry. */
import type { KeySlot } from "../key-slot.js";
import { type ArrayBag, Cells, type KeyedMultimap, type MapEntry } from "../memory-cells.js";
import { StateReader, StateWriter } from "./state-bytes.js";
import type { CellCodec, ValueCodec } from "./state-codec.js";
import type { StateLog } from "./state-log.js";
import { KEY_BAG_RECORD, KEY_MAP_RECORD, recordKey } from "./state-record.js";

/** A bag's or map's bytes in the record of its key: what is more has records of its own. */
const INLINE_BYTES_MAX = 2_048;

/** Records of a key beside the first. */
export interface SpilledRecords {
  chunk(windowId: string, spill: number, stateId: string, chunk: number): Uint8Array | undefined;
  entries(
    windowId: string,
    spill: number,
    stateId: string,
  ): Iterable<{ readonly mapKeyId: string; readonly value: Uint8Array }>;
}

export class KeyState {
  readonly #owner: string;
  readonly #codecOf: (stateId: string) => CellCodec;
  readonly #codecs = new Map<string, CellCodec>();
  readonly #values = new StateWriter();
  #spills = 0;

  constructor(owner: string, codecOf: (stateId: string) => CellCodec) {
    this.#owner = owner;
    this.#codecOf = codecOf;
  }

  /** How many keys have had records beside the first. */
  get spills(): number {
    return this.#spills;
  }

  restoreSpills(spills: number): void {
    this.#spills = spills;
  }

  /** Into the record of the key; what is too large for it into the log. */
  write(out: StateWriter, slot: KeySlot, log: StateLog): void {
    const { cells } = slot;
    out.count(cells?.bags.length ?? 0);
    if (cells !== undefined) for (const bag of cells.bags) this.#writeBag(out, slot, bag, log);
    out.count(cells?.multimaps.length ?? 0);
    if (cells !== undefined) for (const map of cells.multimaps) this.#writeMap(out, slot, map, log);
  }

  read(input: StateReader, slot: KeySlot, spilled: SpilledRecords): void {
    const bags = input.count();
    const cells = new Cells(slot);
    for (let left = bags; left > 0; left--) this.#readBag(input, slot, cells, spilled);
    const maps = input.count();
    for (let left = maps; left > 0; left--) this.#readMap(input, slot, cells, spilled);
    if (!cells.isEmpty) slot.cells = cells;
  }

  /** Keys of all records that the state has beside the first. */
  *spilledKeys(slot: KeySlot): Generator<string> {
    if (slot.cells === undefined || slot.spill === undefined) return;
    for (const bag of slot.cells.bags) {
      const chunks = Math.max(bag.chunks, bag.takeChunksGone());
      for (let chunk = 0; chunk < chunks; chunk++) yield this.#chunkKey(slot, bag.stateId, chunk);
    }
    for (const map of slot.cells.multimaps) {
      if (!map.isSpilled) continue;
      for (const mapKeyId of map.recorded()) yield this.#entryKey(slot, map.stateId, mapKeyId);
    }
  }

  #writeBag(out: StateWriter, slot: KeySlot, bag: ArrayBag, log: StateLog): void {
    const { stateId } = bag;
    if (log.isFull) bag.forgetChunks();
    const gone = bag.takeChunksGone();
    for (let chunk = 0; chunk < gone; chunk++) log.remove(this.#chunkKey(slot, stateId, chunk));
    const rest = bag.rest();
    const values = writeValues(this.#values, rest, this.#codec(stateId).value);
    if (values.length <= INLINE_BYTES_MAX) {
      out.text(stateId).count(bag.chunks).append(values);
      return;
    }
    slot.spill ??= this.#spills++;
    log.put(this.#chunkKey(slot, stateId, bag.moveRest()), values.finish());
    out.text(stateId).count(bag.chunks).count(0);
  }

  #readBag(input: StateReader, slot: KeySlot, cells: Cells, spilled: SpilledRecords): void {
    const stateId = input.text();
    const { value } = this.#codec(stateId);
    const bag = cells.bag(stateId);
    const chunks = input.count();
    for (let chunk = 0; chunk < chunks; chunk++) {
      const bytes = spilled.chunk(slot.live.id, slot.spill!, stateId, chunk);
      if (bytes === undefined) throw new Error(`${this.#of(slot, stateId)}, but not its chunk ${chunk}`);
      bag.restore(readValues(new StateReader(bytes), value), chunk + 1);
    }
    const rest = readValues(input, value);
    if (rest.length > 0) bag.restore(rest, 0);
  }

  #writeMap(out: StateWriter, slot: KeySlot, map: KeyedMultimap, log: StateLog): void {
    const { stateId } = map;
    const unsaved = map.takeUnsaved();
    out.text(stateId);
    if (map.isEmpty || (log.isFull && map.isSpilled)) this.#unspill(slot, stateId, map, unsaved, log);
    if (!map.isSpilled) {
      const entries = this.#values.count(map.all.size);
      for (const [mapKeyId, entry] of map.all) this.#writeEntry(entries.text(mapKeyId), stateId, entry);
      if (entries.length <= INLINE_BYTES_MAX) {
        out.flag(false).append(entries);
        return;
      }
      entries.finish();
      slot.spill ??= this.#spills++;
    }
    const changed = map.isSpilled ? unsaved : map.all.keys();
    map.isSpilled = true;
    for (const mapKeyId of changed) {
      const key = this.#entryKey(slot, stateId, mapKeyId);
      const entry = map.all.get(mapKeyId);
      if (entry === undefined) log.remove(key);
      else {
        this.#writeEntry(this.#values, stateId, entry);
        log.put(key, this.#values.finish());
      }
    }
    out.flag(true);
  }

  /** It begins anew in the record of its key. */
  #unspill(
    slot: KeySlot,
    stateId: string,
    map: KeyedMultimap,
    unsaved: readonly string[],
    log: StateLog,
  ): void {
    if (map.isSpilled) for (const mapKeyId of unsaved) log.remove(this.#entryKey(slot, stateId, mapKeyId));
    map.isSpilled = false;
  }

  #writeEntry(out: StateWriter, stateId: string, { order, key, values }: MapEntry): void {
    const codec = this.#codec(stateId);
    out.count(order).bytes(this.#mapKeyOf(codec, stateId).encode(key));
    writeValues(out, values, codec.value);
  }

  #readMap(input: StateReader, slot: KeySlot, cells: Cells, spilled: SpilledRecords): void {
    const stateId = input.text();
    const map = cells.multimap(stateId);
    const found: (readonly [string, MapEntry])[] = [];
    map.isSpilled = input.flag();
    if (map.isSpilled) {
      for (const { mapKeyId, value } of spilled.entries(slot.live.id, slot.spill!, stateId)) {
        found.push([mapKeyId, this.#readEntry(new StateReader(value), stateId)]);
      }
    } else {
      for (let left = input.count(); left > 0; left--)
        found.push([input.text(), this.#readEntry(input, stateId)]);
    }
    found.sort(([, a], [, b]) => a.order - b.order);
    for (const [mapKeyId, entry] of found) map.restore(mapKeyId, entry);
  }

  #readEntry(input: StateReader, stateId: string): MapEntry {
    const codec = this.#codec(stateId);
    const order = input.count();
    const key = this.#mapKeyOf(codec, stateId).decode(input.bytes());
    return { order, key, values: readValues(input, codec.value) };
  }

  #codec(stateId: string): CellCodec {
    let codec = this.#codecs.get(stateId);
    if (codec === undefined) {
      codec = this.#codecOf(stateId);
      this.#codecs.set(stateId, codec);
    }
    return codec;
  }

  #mapKeyOf({ mapKey }: CellCodec, stateId: string): ValueCodec {
    if (mapKey === undefined)
      throw new Error(`state "${stateId}" of step "${this.#owner}" is no map and no set`);
    return mapKey;
  }

  #chunkKey({ live, spill }: KeySlot, stateId: string, chunk: number): string {
    return recordKey(KEY_BAG_RECORD, this.#owner, live.id, spill!, stateId, chunk);
  }

  #entryKey({ live, spill }: KeySlot, stateId: string, mapKeyId: string): string {
    return recordKey(KEY_MAP_RECORD, this.#owner, live.id, spill!, stateId, mapKeyId);
  }

  #of({ keyId, live }: KeySlot, stateId: string): string {
    return `state has "${stateId}" of key ${keyId} of ${this.#owner} in window ${live.id}`;
  }
}

function writeValues(out: StateWriter, values: readonly unknown[], codec: ValueCodec): StateWriter {
  out.count(values.length);
  for (const value of values) out.bytes(codec.encode(value));
  return out;
}

function readValues(input: StateReader, codec: ValueCodec): unknown[] {
  return Array.from({ length: input.count() }, () => codec.decode(input.bytes()));
}
