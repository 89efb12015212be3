/** The cells that a DoFn reads and writes: value, bag, set, map and combining state over what a host keeps. */
import { keyIdOf } from "../../transforms/primitives/coders/encode.js";
import type {
  BagState,
  CombineFn,
  CombiningState,
  MapState,
  SetState,
  StateSpec,
  ValueState,
} from "../../transforms/primitives/state-spec.js";
import type { BagCell } from "../engine/key-cells.js";
import { type HostCells, type HostMultimap, SET_MEMBER } from "./host.js";
import { whenThere } from "./maybe-promise.js";

type AnyCell =
  | ValueState<unknown>
  | BagState<unknown>
  | SetState<unknown>
  | MapState<unknown, unknown>
  | CombiningState<unknown, unknown>;

/** Makes the cell of a state from the cells of a key and window. */
export type OpenCell = (cells: HostCells) => AnyCell;

/** Value, bag and combining cells are resident: the host loads them before their key's elements. */
export function isResident(spec: StateSpec): boolean {
  return spec.kind === "value" || spec.kind === "bag" || spec.kind === "combining";
}

/** How the cells of a declared state are opened; what its coder has to say is worked out once. */
export function cellOpener(spec: StateSpec, stateId: string): OpenCell {
  switch (spec.kind) {
    case "value":
      return (cells) => new ValueCell(cells.bag(stateId));
    case "bag":
      return (cells) => new BagStateCell(cells.bag(stateId));
    case "combining":
      return (cells) => new CombiningCell(cells.bag(stateId), spec.combineFn);
    case "set": {
      const keyId = keyIdOf(spec.coder);
      return (cells) => new SetCell(cells.multimap(stateId), keyId);
    }
    case "map": {
      const keyId = keyIdOf(spec.keyCoder);
      return (cells) => new MapCell(cells.multimap(stateId), keyId);
    }
  }
}

/** A bag of one value at the most. */
class ValueCell implements ValueState<unknown> {
  constructor(private readonly cell: BagCell) {}

  read(): unknown {
    return this.cell.size === 0 ? undefined : this.cell.values()[0];
  }

  write(value: unknown): void {
    this.cell.set([value]);
  }

  clear(): void {
    this.cell.clear();
  }
}

class BagStateCell implements BagState<unknown> {
  constructor(private readonly cell: BagCell) {}

  read(): Iterable<unknown> {
    return this.cell.values();
  }

  add(value: unknown): void {
    this.cell.append(value);
  }

  isEmpty(): boolean {
    return this.cell.size === 0;
  }

  clear(): void {
    this.cell.clear();
  }
}

/** A bag of accumulators: one of ours, or several that another harness has appended. */
class CombiningCell implements CombiningState<unknown, unknown> {
  constructor(
    private readonly cell: BagCell,
    private readonly combineFn: CombineFn<unknown, unknown, unknown>,
  ) {}

  read(): unknown {
    return this.combineFn.extractOutput(this.#accumulator());
  }

  add(input: unknown): void {
    this.cell.set([this.combineFn.addInput(this.#accumulator(), input)]);
  }

  isEmpty(): boolean {
    return this.cell.size === 0;
  }

  clear(): void {
    this.cell.clear();
  }

  #accumulator(): unknown {
    if (this.cell.size === 0) return this.combineFn.createAccumulator();
    const accumulators = this.cell.values();
    return accumulators.length === 1 ? accumulators[0] : this.combineFn.mergeAccumulators(accumulators);
  }
}

/** A multimap that has `SET_MEMBER` under each member. */
class SetCell implements SetState<unknown> {
  constructor(
    private readonly cell: HostMultimap,
    private readonly keyId: (value: unknown) => string,
  ) {}

  contains(value: unknown): boolean | Promise<boolean> {
    return whenThere(this.cell.get(this.keyId(value), value), (values) => values.length > 0);
  }

  read(): Iterable<unknown> | Promise<Iterable<unknown>> {
    return whenThere(this.cell.entries(), keysOf);
  }

  add(value: unknown): void {
    this.cell.put(this.keyId(value), value, [SET_MEMBER]);
  }

  remove(value: unknown): void {
    this.cell.remove(this.keyId(value), value);
  }

  clear(): void {
    this.cell.clear();
  }
}

/** A multimap of one value a key. */
class MapCell implements MapState<unknown, unknown> {
  constructor(
    private readonly cell: HostMultimap,
    private readonly keyId: (key: unknown) => string,
  ) {}

  get(key: unknown): unknown {
    return whenThere(this.cell.get(this.keyId(key), key), (values) => values[0]);
  }

  keys(): Iterable<unknown> | Promise<Iterable<unknown>> {
    return whenThere(this.cell.entries(), keysOf);
  }

  entries(): Iterable<readonly [unknown, unknown]> | Promise<Iterable<readonly [unknown, unknown]>> {
    return whenThere(this.cell.entries(), (entries) =>
      Array.from(entries, ([key, values]) => [key, values[0]] as const),
    );
  }

  put(key: unknown, value: unknown): void {
    this.cell.put(this.keyId(key), key, [value]);
  }

  remove(key: unknown): void {
    this.cell.remove(this.keyId(key), key);
  }

  clear(): void {
    this.cell.clear();
  }
}

function keysOf(entries: Iterable<readonly [unknown, readonly unknown[]]>): unknown[] {
  return Array.from(entries, ([key]) => key);
}
