/** Records of keyed state: a bag's values in chunks as they were added, a map's entries one by one. */
import type { Cells, CellsOwner } from "../memory-cells.js";
import type { DurableParts } from "./durable-parts.js";
import type { RestoredState } from "./restored-state.js";
import { type StateReader, StateWriter } from "./state-bytes.js";
import type { CellCodec, ValueCodec } from "./state-codec.js";
import type { StateLog } from "./state-log.js";
import { recordKey } from "./state-record.js";

const BAG = "bag";
const MAP = "map";

export class CellsRecords {
  readonly #parts: DurableParts;
  readonly #changed = new Set<Cells>();
  readonly #gone = new Set<string>();
  readonly #codecs = new Map<string, CellCodec>();

  constructor(parts: DurableParts) {
    this.#parts = parts;
  }

  changed(cells: Cells): void {
    this.#changed.add(cells);
    this.#parts.changes.note();
  }

  /** The cells are gone, with all that is in them. */
  remove(cells: Cells): void {
    const { owner } = cells;
    if (owner === undefined) return;
    this.#changed.delete(cells);
    this.#parts.changes.note();
    for (const [stateId, bag] of cells.bags) {
      for (let chunk = 0; chunk < bag.chunks; chunk++) this.#gone.add(keyOf(BAG, owner, stateId, chunk));
    }
    for (const [stateId, multimap] of cells.multimaps) {
      for (const mapKeyId of multimap.recorded()) this.#gone.add(keyOf(MAP, owner, stateId, mapKeyId));
    }
  }

  write(log: StateLog, all: Iterable<Cells>): void {
    for (const key of this.#gone) log.remove(key);
    for (const cells of log.isFull ? all : this.#changed) if (cells.owner) this.#put(log, cells, cells.owner);
    this.#gone.clear();
    this.#changed.clear();
  }

  restore(restored: RestoredState, root: string, cellsOf: (keyId: string, windowId: string) => Cells): void {
    const bags = restored
      .take(BAG, root)
      .map(({ parts, value }) => ({ parts, value, chunk: Number(parts[3]) }));
    for (const { parts, value, chunk } of bags.sort((a, b) => a.chunk - b.chunk)) {
      const [windowId, keyId, stateId] = parts as [string, string, string];
      const values = readValues(value, this.#codec(root, stateId).value);
      cellsOf(keyId, windowId).bag(stateId).restore(values, chunk);
    }
    const entries = restored
      .take(MAP, root)
      .map(({ parts, value }) => ({ parts, value, order: value.count() }));
    for (const { parts, value, order } of entries.sort((a, b) => a.order - b.order)) {
      const [windowId, keyId, stateId, mapKeyId] = parts as [string, string, string, string];
      const codec = this.#codec(root, stateId);
      const key = mapKeyOf(codec, root, stateId).decode(value.bytes());
      const values = readValues(value, codec.value);
      cellsOf(keyId, windowId).multimap(stateId).restore(mapKeyId, { key, values, order });
    }
  }

  #put(log: StateLog, cells: Cells, owner: CellsOwner): void {
    for (const [stateId, bag] of cells.bags) {
      const { chunksGone, chunk, values } = bag.takeChange(log.isFull);
      for (let gone = 0; gone < chunksGone; gone++) log.remove(keyOf(BAG, owner, stateId, gone));
      if (chunk === undefined) continue;
      const codec = this.#codec(owner.root, stateId).value;
      log.put(keyOf(BAG, owner, stateId, chunk), writeValues(new StateWriter(), values, codec).finish());
    }
    for (const [stateId, multimap] of cells.multimaps) {
      for (const [mapKeyId, entry] of multimap.takeChanges(log.isFull)) {
        const key = keyOf(MAP, owner, stateId, mapKeyId);
        if (entry === undefined) {
          log.remove(key);
          continue;
        }
        const codec = this.#codec(owner.root, stateId);
        const mapKey = mapKeyOf(codec, owner.root, stateId).encode(entry.key);
        const out = new StateWriter().count(entry.order).bytes(mapKey);
        log.put(key, writeValues(out, entry.values, codec.value).finish());
      }
    }
  }

  #codec(root: string, stateId: string): CellCodec {
    const id = `${root}\t${stateId}`;
    let codec = this.#codecs.get(id);
    if (codec === undefined) {
      codec = this.#parts.codec.cell(root, stateId);
      this.#codecs.set(id, codec);
    }
    return codec;
  }
}

function keyOf(kind: string, { root, windowId, keyId }: CellsOwner, ...parts: (string | number)[]): string {
  return recordKey(kind, root, windowId, keyId, ...parts);
}

function mapKeyOf({ mapKey }: CellCodec, root: string, stateId: string): ValueCodec {
  if (mapKey === undefined) throw new Error(`state "${stateId}" of step "${root}" is no map and no set`);
  return mapKey;
}

function writeValues(out: StateWriter, values: readonly unknown[], codec: ValueCodec): StateWriter {
  out.count(values.length);
  for (const value of values) out.bytes(codec.encode(value));
  return out;
}

function readValues(input: StateReader, codec: ValueCodec): unknown[] {
  return Array.from({ length: input.count() }, () => codec.decode(input.bytes()));
}
