/** Orders of values: the natural one, of a field, or by a comparison that somebody has registered. */
import { describe } from "./primitives/coders/coder-error.js";
import type { JsonValue } from "./primitives/fn-registry.js";
import { NamedFactories } from "./primitives/named-factories.js";

/** Negative where `a` comes before `b`, 0 where they are equal, positive else; the same for the same two always. */
// biome-ignore lint/suspicious/noExplicitAny: a comparison takes elements of its own type
type Comparison = (a: any, b: any) => number;

const comparisons = new NamedFactories<Comparison>("comparison");

/** Registers a comparison under a versioned name. Returns the name. @throws when the name is taken. */
export function registerComparison<Config>(name: string, factory: (config: Config) => Comparison): string {
  return comparisons.register(name, factory);
}

/**
 * By what values are compared. By default by themselves: numbers (NaN above all, as in Beam for Java), bigints,
 * strings by their UTF-16 units, booleans, Dates; one kind only.
 */
export type Ordering = {
  /** Objects by the value of this field. */
  readonly field?: string;
  /** Name of a registered comparison; `config` is its configuration. */
  readonly comparison?: string;
  readonly config?: JsonValue;
};

/** @throws unless it is one of the three; `what` names the transform */
export function checkOrdering(what: string, { field, comparison, config }: Ordering): void {
  if (field !== undefined && comparison !== undefined) {
    throw new Error(`${what} is ordered by a field or by a comparison, got "${field}" and "${comparison}"`);
  }
  if (field === "") throw new Error(`field of ${what} must be a name, got ""`);
  if (config !== undefined && comparison === undefined) {
    throw new Error(`config of ${what} is that of a comparison, and must not stand without one`);
  }
}

/** The comparison of an ordering. @throws when it is not registered in this process */
export function comparisonOf({ field, comparison, config = null }: Ordering): Comparison {
  if (comparison !== undefined) return checked(comparison, comparisons.create(comparison, config));
  if (field === undefined) return compareNaturally;
  return (a, b) => compareNaturally(fieldOf(a, field), fieldOf(b, field));
}

/** NaN would be smaller, equal and greater at once. */
function checked(name: string, compare: Comparison): Comparison {
  return (a, b) => {
    const result = compare(a, b);
    if (typeof result === "number" && !Number.isNaN(result)) return result;
    throw new TypeError(`comparison "${name}" must give a number, got ${describe(result)}`);
  };
}

function fieldOf(value: unknown, field: string): unknown {
  if (typeof value === "object" && value !== null) return (value as Record<string, unknown>)[field];
  throw new TypeError(`what is ordered by field "${field}" must be an object, got ${describe(value)}`);
}

/** @throws on values that have no natural order, or not with each other */
export function compareNaturally(a: unknown, b: unknown): number {
  const kind = kindOf(a);
  if (kind !== kindOf(b)) {
    throw new TypeError(`${describe(a)} and ${describe(b)} have no order between them`);
  }
  if (kind === "number") return compareNumbers(a as number, b as number);
  if (kind === "Date") return compareNumbers((a as Date).getTime(), (b as Date).getTime());
  return (a as string) < (b as string) ? -1 : (a as string) > (b as string) ? 1 : 0;
}

function compareNumbers(a: number, b: number): number {
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : 1;
  if (Number.isNaN(b)) return -1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function kindOf(value: unknown): string {
  const kind = value instanceof Date ? "Date" : typeof value;
  if (["number", "bigint", "string", "boolean", "Date"].includes(kind)) return kind;
  throw new TypeError(`${describe(value)} has no natural order: give a field or a comparison`);
}
