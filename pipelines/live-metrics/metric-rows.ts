/** From totals of a window to rows of the tables; a row's version is the number of the window's firing. */
import type { DoFn, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../transforms/primitives/fn-registry.js";
import type { IntervalWindow, KV } from "../../transforms/primitives/window.js";
import { moneyOf, type ShopEvent, timeOf } from "./shop-event.js";
import { type MinuteTotals, type ProductTotals, reachedIn, type SessionTotals } from "./totals.js";

class KeyByType implements DoFn<KV<string, ShopEvent>> {
  process({ value }: KV<string, ShopEvent>, context: ProcessContext): void {
    context.output({ key: value.type, value });
  }
}

/** All of them together: a window's products are compared with one another. */
class PurchasesTogether implements DoFn<KV<string, ShopEvent>> {
  process({ value }: KV<string, ShopEvent>, context: ProcessContext): void {
    if (value.type === "purchase") context.output({ key: "all", value });
  }
}

class MinuteRow implements DoFn<KV<string, MinuteTotals>> {
  readonly observesWindows = true;

  process({ key, value }: KV<string, MinuteTotals>, context: ProcessContext): void {
    context.output({
      minute: timeOf((context.window as IntervalWindow).startMs),
      event_type: key,
      events: value.events,
      revenue: moneyOf(value.revenueCents),
      version: context.pane.index,
    });
  }
}

class SessionRow implements DoFn<KV<string, SessionTotals>> {
  process({ key, value }: KV<string, SessionTotals>, context: ProcessContext): void {
    const { firstMs, lastMs, events, views, cartsMs, purchases, revenueCents } = value;
    context.output({
      ...{ user_id: key, started_at: timeOf(firstMs), ended_at: timeOf(lastMs) },
      ...{ events, views, carts: cartsMs.length, purchases },
      ...{ revenue: moneyOf(revenueCents), reached: reachedIn(value) },
      version: context.pane.index,
    });
  }
}

/** A row for each rank: of a later firing there are as many or more, so none is left over. */
class TopProductRows implements DoFn<KV<string, readonly ProductTotals[]>> {
  readonly observesWindows = true;

  process({ value }: KV<string, readonly ProductTotals[]>, context: ProcessContext): void {
    const window_start = timeOf((context.window as IntervalWindow).startMs);
    for (const [at, { product, purchases, revenueCents }] of value.entries()) {
      context.output({
        ...{ window_start, rank: at + 1, product_id: product, purchases, revenue: moneyOf(revenueCents) },
        version: context.pane.index,
      });
    }
  }
}

export const KEY_BY_TYPE = registerDoFn("live-metrics/key-by-type@1", () => new KeyByType());
export const PURCHASES_TOGETHER = registerDoFn(
  "live-metrics/purchases-together@1",
  () => new PurchasesTogether(),
);
export const MINUTE_ROW = registerDoFn("live-metrics/minute-row@1", () => new MinuteRow());
export const SESSION_ROW = registerDoFn("live-metrics/session-row@1", () => new SessionRow());
export const TOP_PRODUCT_ROWS = registerDoFn("live-metrics/top-product-rows@1", () => new TopProductRows());
