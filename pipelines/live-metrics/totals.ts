/** Sums over events: of a minute, of a session, of the products of a window. */
import { registerCombineFn } from "../../transforms/primitives/combine-per-key.js";
import type { CombineFn } from "../../transforms/primitives/state-spec.js";
import type { ShopEvent } from "./shop-event.js";

export interface MinuteTotals {
  readonly events: number;
  readonly revenueCents: number;
}

export interface SessionTotals {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly events: number;
  readonly views: number;
  readonly carts: number;
  readonly purchases: number;
  readonly revenueCents: number;
  /** Earliest view; latest cart, which decides whether one came at or after it; and so on. */
  readonly firstViewMs: number | null;
  readonly cartsMs: readonly number[];
  readonly purchasesMs: readonly number[];
}

export interface ProductTotals {
  readonly product: string;
  readonly purchases: number;
  readonly revenueCents: number;
}

const NO_MINUTE: MinuteTotals = { events: 0, revenueCents: 0 };
const NO_SESSION: SessionTotals = {
  ...{ firstMs: Number.MAX_SAFE_INTEGER, lastMs: Number.MIN_SAFE_INTEGER, events: 0, views: 0, carts: 0 },
  ...{ purchases: 0, revenueCents: 0, firstViewMs: null, cartsMs: [], purchasesMs: [] },
};

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
  createAccumulator: () => NO_SESSION,
  addInput: (sum, event) => joined(sum, sessionOf(event)),
  mergeAccumulators: (sums) => [...sums].reduce(joined, NO_SESSION),
  extractOutput: (sum) => sum,
};

function sessionOf(event: ShopEvent): SessionTotals {
  const { type, atMs } = event;
  return {
    ...{ firstMs: atMs, lastMs: atMs, events: 1, revenueCents: revenueOf(event) },
    ...{ views: type === "view" ? 1 : 0, carts: type === "add_to_cart" ? 1 : 0 },
    purchases: type === "purchase" ? 1 : 0,
    firstViewMs: type === "view" ? atMs : null,
    cartsMs: type === "add_to_cart" ? [atMs] : [],
    purchasesMs: type === "purchase" ? [atMs] : [],
  };
}

function joined(a: SessionTotals, b: SessionTotals): SessionTotals {
  return {
    firstMs: Math.min(a.firstMs, b.firstMs),
    lastMs: Math.max(a.lastMs, b.lastMs),
    events: a.events + b.events,
    views: a.views + b.views,
    carts: a.carts + b.carts,
    purchases: a.purchases + b.purchases,
    revenueCents: a.revenueCents + b.revenueCents,
    firstViewMs:
      a.firstViewMs === null || b.firstViewMs === null
        ? (a.firstViewMs ?? b.firstViewMs)
        : Math.min(a.firstViewMs, b.firstViewMs),
    cartsMs: [...a.cartsMs, ...b.cartsMs],
    purchasesMs: [...a.purchasesMs, ...b.purchasesMs],
  };
}

/** How far a user came in one session: a cart counts at or after the first view, a purchase at or after such a cart. */
export function reachedIn({ firstViewMs, cartsMs, purchasesMs }: SessionTotals): string {
  if (firstViewMs === null) return "nothing";
  const cartMs = Math.min(...cartsMs.filter((at) => at >= firstViewMs));
  if (cartMs === Number.POSITIVE_INFINITY) return "view";
  return purchasesMs.some((at) => at >= cartMs) ? "purchase" : "cart";
}

/** By product; the accumulator is as large as the number of products that are bought within a window. */
type Products = Record<string, readonly [purchases: number, revenueCents: number]>;

/** The products of most revenue, then of most purchases, then by name. */
function topProducts({
  count,
}: {
  readonly count: number;
}): CombineFn<ShopEvent, Products, readonly ProductTotals[]> {
  return {
    createAccumulator: () => ({}),
    addInput: (products, { product, cents }) => withProduct(products, product, 1, cents),
    mergeAccumulators: (all) => {
      const sum: Products = {};
      for (const products of all) {
        for (const [product, [purchases, cents]] of Object.entries(products))
          withProduct(sum, product, purchases, cents);
      }
      return sum;
    },
    extractOutput: (products) =>
      Object.entries(products)
        .map(([product, [purchases, revenueCents]]) => ({ product, purchases, revenueCents }))
        .sort(byRevenue)
        .slice(0, count),
  };
}

function withProduct(products: Products, product: string, purchases: number, cents: number): Products {
  const [knownPurchases, knownCents] = Object.hasOwn(products, product) ? products[product]! : [0, 0];
  products[product] = [knownPurchases + purchases, knownCents + cents];
  return products;
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
