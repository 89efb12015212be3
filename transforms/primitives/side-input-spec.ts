/** Side inputs as a DoFn declares them in a field, and what it then reads. */

/** What a DoFn's field declares; the field's name is the local name of the input. */
export type SideInputSpec =
  | IterableSideInputSpec<unknown>
  | SingletonSideInputSpec<unknown>
  | MultimapSideInputSpec<unknown, unknown>
  | MapSideInputSpec<unknown, unknown>;

export class IterableSideInputSpec<T> {
  readonly kind = "iterable";
  /** Marks the type of the elements. */
  declare readonly elements: T;
}

export class SingletonSideInputSpec<T> {
  readonly kind = "singleton";
  constructor(readonly defaultValue: T | undefined) {}
}

export class MultimapSideInputSpec<K, V> {
  readonly kind = "multimap";
  declare readonly entries: readonly [K, V];
}

export class MapSideInputSpec<K, V> {
  readonly kind = "map";
  declare readonly entries: readonly [K, V];
}

/** All elements of the main element's window. */
export function iterableSideInput<T>(): IterableSideInputSpec<T> {
  return new IterableSideInputSpec();
}

/** The one element. Reading it throws where there are several, or none and no default. */
export function singletonSideInput<T>(defaultValue?: T): SingletonSideInputSpec<T> {
  return new SingletonSideInputSpec(defaultValue);
}

/** Elements `{ key, value }` by key: all values of a key. */
export function multimapSideInput<K, V>(): MultimapSideInputSpec<K, V> {
  return new MultimapSideInputSpec();
}

/** Elements `{ key, value }` by key, one value a key. Reading a key that has several throws. */
export function mapSideInput<K, V>(): MapSideInputSpec<K, V> {
  return new MapSideInputSpec();
}

/** What `context.sideInput(spec)` gives. */
export type SideInputOf<Spec> =
  Spec extends IterableSideInputSpec<infer T>
    ? Iterable<T>
    : Spec extends SingletonSideInputSpec<infer T>
      ? T
      : Spec extends MultimapSideInputSpec<infer K, infer V>
        ? MultimapView<K, V>
        : Spec extends MapSideInputSpec<infer K, infer V>
          ? MapView<K, V>
          : never;

/** Await what is read: a plain value in-process, a promise over the Fn API. */
export interface MultimapView<K, V> {
  get(key: K): Iterable<V> | Promise<Iterable<V>>;
  keys(): Iterable<K> | Promise<Iterable<K>>;
}

/** Await what is read: a plain value in-process, a promise over the Fn API. */
export interface MapView<K, V> {
  get(key: K): V | undefined | Promise<V | undefined>;
  keys(): Iterable<K> | Promise<Iterable<K>>;
}
