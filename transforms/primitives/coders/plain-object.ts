/** What counts as data: objects whose fields are all there is to them. */
import { describe, EncodeError } from "./coder-error.js";

const prototypesOfData = new WeakMap<object, boolean>();

/**
 * The names of the object's fields, sorted, so that the order in which they were set does not count.
 * @throws EncodeError if the object is more than its fields: it has methods, or fields named by symbols
 */
export function sortedFields(value: object): readonly string[] {
  const prototype: object | null = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && !isPrototypeOfData(prototype)) {
    throw new EncodeError(`${describe(value)} cannot be encoded: it has methods`);
  }
  if (Object.getOwnPropertySymbols(value).length > 0) {
    throw new EncodeError("a field named by a symbol cannot be encoded");
  }
  const names = Object.keys(value);
  for (let i = 1; i < names.length; i++) {
    if (names[i - 1]! > names[i]!) return sorted(names);
  }
  return names;
}

interface Sorted {
  readonly names: readonly string[];
  readonly sorted: readonly string[];
}

/** By the first name: elements of one kind have the same names in the same order, and sorting is dear. */
const lastSorted = new Map<string, Sorted>();
const LAST_SORTED_MAX = 1_000;

function sorted(names: string[]): readonly string[] {
  const last = lastSorted.get(names[0]!);
  if (last !== undefined && areSame(last.names, names)) return last.sorted;
  if (lastSorted.size >= LAST_SORTED_MAX) lastSorted.clear();
  const now = { names, sorted: names.toSorted() };
  lastSorted.set(names[0]!, now);
  return now.sorted;
}

function areSame(one: readonly string[], other: readonly string[]): boolean {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}

/** @throws EncodeError if the array has holes, or is more than its elements */
export function assertPlainArray(array: readonly unknown[]): void {
  if (Object.getPrototypeOf(array) !== Array.prototype && !isPrototypeOfData(Object.getPrototypeOf(array))) {
    throw new EncodeError(`an array that is ${describe(array)} with methods of its own cannot be encoded`);
  }
  const names = Object.keys(array);
  const { length } = array;
  // Indices come first among the names, so the last name tells whether there are others.
  if (names.length === length && (length === 0 || names[length - 1] === String(length - 1))) return;
  const other = names.find((name) => !/^\d+$/.test(name));
  throw new EncodeError(
    other === undefined
      ? "an array with holes cannot be encoded"
      : `an array with the field ${JSON.stringify(other)} cannot be encoded`,
  );
}

/** Whether objects with this prototype are no more than their fields: a class without methods, for instance. */
function isPrototypeOfData(prototype: object): boolean {
  let isData = prototypesOfData.get(prototype);
  if (isData === undefined) {
    isData = hasNoMembers(prototype);
    prototypesOfData.set(prototype, isData);
  }
  return isData;
}

function hasNoMembers(prototype: object): boolean {
  const parent: object | null = Object.getPrototypeOf(prototype);
  // The root of another realm's objects (or arrays) has methods, which every object there has.
  if (parent === null) return Object.hasOwn(prototype, "hasOwnProperty");
  const isOwnArray = Object.hasOwn(prototype, "copyWithin") && Array.isArray(prototype);
  const members = Reflect.ownKeys(prototype).filter((name) => name !== "constructor");
  return (isOwnArray || members.length === 0) && isPrototypeOfData(parent);
}
