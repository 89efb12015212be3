/** Sums over events: of a minute, of a session, of the products of a window. */
import { registerCombineFn } from "../../transforms/primitives/combine-per-key.js";
import type { CombineFn } from "../../transforms/primitives/state-spec.js";
import type { ShopEvent } from "./shop-event.js";

export interface MinuteTotals {
  readonly events: number;
  readonly revenueCents: number;
}

/** Accumulators are changed in place: a session may have many events. */
export interface SessionTotals {
  firstMs: number;
  lastMs: number;
  events: number;
  views: number;
  purchases: number;
  revenueCents: number;
  firstViewMs: number | null;
  lastPurchaseMs: number | null;
  /** Which of them came at or behind the first view is known at the end alone. */
  readonly cartsMs: number[];
}

export interface ProductTotals {
  readonly product: string;
  readonly purchases: number;
  readonly revenueCents: number;
}

const NO_MINUTE: MinuteTotals = { events: 0, revenueCents: 0 };
const revenueOf = ({ type, cents }: ShopEvent) => (type === "purchase" ? cents : 0);

const minuteTotals: CombineFn<ShopEvent, MinuteTotals, MinuteTotals> = {
  createAccumulator: () => NO_MINUTE,
  addInput: (sum, event) => ({
    events: sum.events + 1,
    revenueCents: sum.revenueCents + revenueOf(event),
  }),
  mergeAccumulators: (sums) =>
    [...sums].reduce(
      (a, b) => ({ events: a.events + b.events, revenueCents: a.revenueCents + b.revenueCents }),
      NO_MINUTE,
    ),
  extractOutput: (sum) => sum,
};

const sessionTotals: CombineFn<ShopEvent, SessionTotals, SessionTotals> = {
  createAccumulator: () => ({
    ...{
      firstMs: Number.MAX_SAFE_INTEGER,
      lastMs: Number.MIN_SAFE_INTEGER,
      events: 0,
      views: 0,
      purchases: 0,
    },
    ...{ revenueCents: 0, firstViewMs: null, lastPurchaseMs: null, cartsMs: [] },
  }),
  addInput: (sum, event) => {
    const { type, atMs } = event;
    sum.firstMs = Math.min(sum.firstMs, atMs);
    sum.lastMs = Math.max(sum.lastMs, atMs);
    sum.events += 1;
    sum.revenueCents += revenueOf(event);
    if (type === "view") {
      sum.views += 1;
      sum.firstViewMs = ofTwo(Math.min, sum.firstViewMs, atMs);
    } else if (type === "purchase") {
      sum.purchases += 1;
      sum.lastPurchaseMs = ofTwo(Math.max, sum.lastPurchaseMs, atMs);
    } else sum.cartsMs.push(atMs);
    return sum;
  },
  mergeAccumulators: (sums) => {
    const [first, ...others] = sums;
    return others.reduce(merge, first ?? sessionTotals.createAccumulator());
  },
  extractOutput: (sum) => sum,
};

function merge(sum: SessionTotals, other: SessionTotals): SessionTotals {
  sum.firstMs = Math.min(sum.firstMs, other.firstMs);
  sum.lastMs = Math.max(sum.lastMs, other.lastMs);
  sum.events += other.events;
  sum.views += other.views;
  sum.purchases += other.purchases;
  sum.revenueCents += other.revenueCents;
  sum.firstViewMs = ofTwo(Math.min, sum.firstViewMs, other.firstViewMs);
  sum.lastPurchaseMs = ofTwo(Math.max, sum.lastPurchaseMs, other.lastPurchaseMs);
  for (const atMs of other.cartsMs) sum.cartsMs.push(atMs);
  return sum;
}

function ofTwo(choose: (a: number, b: number) => number, a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : choose(a, b);
}

/** How far a user came in one session: a cart counts at or after the first view, a purchase at or after such a cart. */
export function reachedIn({ firstViewMs, cartsMs, lastPurchaseMs }: SessionTotals): string {
  if (firstViewMs === null) return "nothing";
  let cartMs = Number.POSITIVE_INFINITY;
  for (const atMs of cartsMs) if (atMs >= firstViewMs) cartMs = Math.min(cartMs, atMs);
  if (cartMs === Number.POSITIVE_INFINITY) return "view";
  return lastPurchaseMs !== null && lastPurchaseMs >= cartMs ? "purchase" : "cart";
}

/**
 * By product, changed in place; as large as the number of products that are bought within a window. A product may be
 * called like anything, `__proto__` too.
 */
type Products = Map<string, readonly [purchases: number, revenueCents: number]>;

/** The products of most revenue, then of most purchases, then by name. */
function topProducts({
  count,
}: {
  readonly count: number;
}): CombineFn<ShopEvent, Products, readonly ProductTotals[]> {
  return {
    createAccumulator: () => new Map(),
    addInput: (products, { product, cents }) => withProduct(products, product, 1, cents),
    mergeAccumulators: (all) => {
      const [sum = new Map(), ...others] = all;
      for (const products of others) {
        for (const [product, [purchases, cents]] of products) withProduct(sum, product, purchases, cents);
      }
      return sum;
    },
    extractOutput: (products) =>
      Array.from(products, ([product, [purchases, revenueCents]]) => ({ product, purchases, revenueCents }))
        .sort(byRevenue)
        .slice(0, count),
  };
}

function withProduct(products: Products, product: string, purchases: number, cents: number): Products {
  const [knownPurchases, knownCents] = products.get(product) ?? [0, 0];
  return products.set(product, [knownPurchases + purchases, knownCents + cents]);
}

function byRevenue(a: ProductTotals, b: ProductTotals): number {
  return (
    b.revenueCents - a.revenueCents ||
    b.purchases - a.purchases ||
    Buffer.compare(Buffer.from(a.product), Buffer.from(b.product))
  );
}

export const MINUTE_TOTALS = registerCombineFn("live-metrics/minute-totals@1", () => minuteTotals);
export const SESSION_TOTALS = registerCombineFn("live-metrics/session-totals@1", () => sessionTotals);
export const TOP_PRODUCTS = registerCombineFn("live-metrics/top-products@1", topProducts);
