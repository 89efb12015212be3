/** Keyed state as a DoFn declares it in a field, and the cells that it then reads and writes. */
import type { Coder } from "./beam.js";

/**
 * What a DoFn's field declares; the field's name is the state's id. State belongs to one key and one
 * window and is gone when the window expires.
 */
export type StateSpec =
  | ValueStateSpec<unknown>
  | BagStateSpec<unknown>
  | SetStateSpec<unknown>
  | MapStateSpec<unknown, unknown>
  // biome-ignore lint/suspicious/noExplicitAny: a CombineFn is invariant in all three
  | CombiningStateSpec<any, any, any>;

export class ValueStateSpec<T> {
  readonly kind = "value";
  constructor(readonly coder: Coder<T> | undefined) {}
}

export class BagStateSpec<T> {
  readonly kind = "bag";
  constructor(readonly coder: Coder<T> | undefined) {}
}

export class SetStateSpec<T> {
  readonly kind = "set";
  constructor(readonly coder: Coder<T> | undefined) {}
}

export class MapStateSpec<K, V> {
  readonly kind = "map";
  constructor(
    readonly keyCoder: Coder<K> | undefined,
    readonly valueCoder: Coder<V> | undefined,
  ) {}
}

export class CombiningStateSpec<In, Accumulator, Out> {
  readonly kind = "combining";
  constructor(
    readonly combineFn: CombineFn<In, Accumulator, Out>,
    readonly accumulatorCoder: Coder<Accumulator> | undefined,
  ) {}
}

/** Beam's CombineFn, as the SDK has it too. `mergeAccumulators` may change and return its first argument. */
export interface CombineFn<In, Accumulator, Out> {
  createAccumulator(): Accumulator;
  addInput(accumulator: Accumulator, input: In): Accumulator;
  mergeAccumulators(accumulators: Iterable<Accumulator>): Accumulator;
  extractOutput(accumulator: Accumulator): Out;
}

/** One value a key and window. Without a coder, the SDK's general one. */
export function valueState<T>(coder?: Coder<T>): ValueStateSpec<T> {
  return new ValueStateSpec(coder);
}

/** Values in the order in which they were added. */
export function bagState<T>(coder?: Coder<T>): BagStateSpec<T> {
  return new BagStateSpec(coder);
}

/** Distinct values, compared by their encoding. */
export function setState<T>(coder?: Coder<T>): SetStateSpec<T> {
  return new SetStateSpec(coder);
}

/** One value a map key, keys compared by their encoding. */
export function mapState<K, V>(keyCoder?: Coder<K>, valueCoder?: Coder<V>): MapStateSpec<K, V> {
  return new MapStateSpec(keyCoder, valueCoder);
}

/** An accumulator that inputs are added to. */
export function combiningState<In, Accumulator, Out>(
  combineFn: CombineFn<In, Accumulator, Out>,
  accumulatorCoder?: Coder<Accumulator>,
): CombiningStateSpec<In, Accumulator, Out> {
  return new CombiningStateSpec(combineFn, accumulatorCoder);
}

/** The cell of a spec. Value, bag and combining cells are resident: plain values, no promise. */
export type StateOf<Spec> =
  Spec extends ValueStateSpec<infer T>
    ? ValueState<T>
    : Spec extends BagStateSpec<infer T>
      ? BagState<T>
      : Spec extends SetStateSpec<infer T>
        ? SetState<T>
        : Spec extends MapStateSpec<infer K, infer V>
          ? MapState<K, V>
          : Spec extends CombiningStateSpec<infer In, infer _, infer Out>
            ? CombiningState<In, Out>
            : never;

export interface ValueState<T> {
  /** Undefined: nothing was written, or it was cleared. */
  read(): T | undefined;
  write(value: T): void;
  clear(): void;
}

export interface BagState<T> {
  /** What is there now; what is added later is not in it. */
  read(): Iterable<T>;
  add(value: T): void;
  isEmpty(): boolean;
  clear(): void;
}

export interface CombiningState<In, Out> {
  /** The output of the accumulator; of a fresh one if nothing was added. */
  read(): Out;
  add(input: In): void;
  isEmpty(): boolean;
  clear(): void;
}

/** Await what is read: a plain value in-process, a promise over the Fn API. */
export interface SetState<T> {
  contains(value: T): boolean | Promise<boolean>;
  /** Each value once, in no particular order. */
  read(): Iterable<T> | Promise<Iterable<T>>;
  add(value: T): void;
  remove(value: T): void;
  clear(): void;
}

/** Await what is read: a plain value in-process, a promise over the Fn API. */
export interface MapState<K, V> {
  get(key: K): V | undefined | Promise<V | undefined>;
  keys(): Iterable<K> | Promise<Iterable<K>>;
  entries(): Iterable<readonly [K, V]> | Promise<Iterable<readonly [K, V]>>;
  put(key: K, value: V): void;
  remove(key: K): void;
  clear(): void;
}
