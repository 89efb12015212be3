/** Comparison, size function and checks of the composites' test: imported by it and by each worker. */
import "../../transforms/all-do-fns.js";
import { registerCheck } from "../../transforms/assert-that-fn.js";
import { registerSizeFn } from "../../transforms/group-into-batches-fn.js";
import { registerComparison } from "../../transforms/ordering.js";
import { registerDoFn } from "../../transforms/primitives/fn-registry.js";
import type { KV } from "../../transforms/primitives/window.js";

/** Passes times on that the clock has reached, and fails at any other. */
export const NEVER_EARLY = registerDoFn("composites/never-early@1", (_: null) => ({
  process(dueMs: number) {
    const earlyMs = dueMs - Date.now();
    if (earlyMs > 0) throw new Error(`it came ${earlyMs} ms early`);
    return [dueMs];
  },
}));

export interface Sale {
  readonly shop: string;
  readonly price: number;
}

export const BY_SHOP = registerComparison(
  "composites/by-shop@1",
  ({ sign }: { readonly sign: number }) =>
    (a: Sale, b: Sale) =>
      sign * (a.shop < b.shop ? -1 : a.shop > b.shop ? 1 : 0),
);

/** Each value is of the size that it says. */
export const AS_IT_SAYS = registerSizeFn("composites/as-it-says@1", (_: null) => (value: number) => value);

interface Batches {
  /** By key, the values of all its batches. */
  readonly values: { readonly [key: string]: readonly number[] };
  readonly sizeMax?: number;
  readonly sumMax?: number;
}

/** No runner promises which values share a batch, only how large one is and that nothing is lost or doubled. */
export const ARE_BATCHES_OF = registerCheck(
  "composites/are-batches-of@1",
  ({ values, sizeMax = Number.POSITIVE_INFINITY, sumMax = Number.POSITIVE_INFINITY }: Batches) =>
    (batches: KV<string, number[]>[]) => {
      const all: Record<string, number[]> = {};
      for (const { key, value } of batches) {
        const sum = value.reduce((a, b) => a + b, 0);
        const isRight = value.length <= sizeMax && (sum <= sumMax || value.length === 1) && value.length > 0;
        if (!isRight) throw new Error(`a batch of "${key}" is [${value}]`);
        all[key] = [...(all[key] ?? []), ...value];
      }
      const text = (lists: { readonly [key: string]: readonly number[] }) =>
        Object.keys(lists)
          .sort()
          .map((key) => `${key}: ${[...lists[key]!].sort((a, b) => a - b)}`)
          .join("; ");
      if (text(all) !== text(values)) throw new Error(`expected ${text(values)}, got ${text(all)}`);
    },
);

/** Batches in a number that says that some were full. */
export const ARE_AT_MOST = registerCheck(
  "composites/are-at-most@1",
  (max: number) => (elements: unknown[]) => {
    if (elements.length > max) throw new Error(`there are ${elements.length}`);
  },
);

/** A join's values in no particular order. */
export const JOINED = registerCheck(
  "composites/joined@1",
  (expected: readonly string[]) => (groups: KV<string, { left: number[]; right: string[] }>[]) => {
    const lines = groups.map(
      ({ key, value: { left, right } }) => `${key} ${left.sort((a, b) => a - b)} ${right.sort()}`,
    );
    if (lines.sort().join("\n") !== [...expected].sort().join("\n")) throw new Error(lines.join("; "));
  },
);
