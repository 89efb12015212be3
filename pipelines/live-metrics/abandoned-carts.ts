/** Carts that their user has left: the rule, and the step that waits until it can be told. */
import type { DoFn, ElementContext, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../transforms/primitives/fn-registry.js";
import { bagState, valueState } from "../../transforms/primitives/state-spec.js";
import { eventTimeTimer, type FiredTimer } from "../../transforms/primitives/timer-spec.js";
import type { KV } from "../../transforms/primitives/window.js";
import { moneyOf, type ShopEvent, timeOf } from "./shop-event.js";

/** What is put into a cart, or a purchase, which empties it. */
export interface CartEvent {
  readonly atMs: number;
  /** Undefined: a purchase. */
  readonly cents: number | undefined;
}

export interface AbandonedCart {
  readonly startedMs: number;
  readonly lastAddedMs: number;
  readonly items: number;
  readonly cents: number;
}

/**
 * Which carts of one user are abandoned, when all events before `completeMs` are there, and what must be kept to tell of
 * later ones. A cart is what is put in with less than `patienceMs` from one thing to the next, up to a purchase, which
 * at the same time comes behind. It is abandoned when for `patienceMs` after the last thing nothing follows.
 */
export function abandonedBefore(
  events: readonly CartEvent[],
  completeMs: number,
  patienceMs: number,
): { readonly abandoned: readonly AbandonedCart[]; readonly kept: readonly CartEvent[] } {
  const abandoned: AbandonedCart[] = [];
  let cart: CartEvent[] = [];
  const leave = () => {
    if (cart.length > 0) abandoned.push(cartOf(cart));
    cart = [];
  };
  const sorted = [...events].sort(inOrder);
  for (const [at, event] of sorted.entries()) {
    const lastMs = cart.at(-1)?.atMs;
    if (lastMs !== undefined && event.atMs >= lastMs + patienceMs && lastMs + patienceMs <= completeMs)
      leave();
    // from here on something may come in between
    if (event.atMs >= completeMs) return { abandoned, kept: [...cart, ...sorted.slice(at)] };
    if (event.cents === undefined) cart = [];
    else cart.push(event);
  }
  const lastMs = cart.at(-1)?.atMs;
  if (lastMs !== undefined && lastMs + patienceMs <= completeMs) leave();
  return { abandoned, kept: cart };
}

function inOrder(a: CartEvent, b: CartEvent): number {
  return a.atMs - b.atMs || Number(a.cents === undefined) - Number(b.cents === undefined);
}

function cartOf(added: readonly CartEvent[]): AbandonedCart {
  return {
    startedMs: added[0]!.atMs,
    lastAddedMs: added.at(-1)!.atMs,
    items: added.length,
    cents: added.reduce((sum, { cents = 0 }) => sum + cents, 0),
  };
}

interface AbandonedCartsConfig {
  readonly patienceMs: number;
  /** No event comes later than this behind the watermark. */
  readonly allowedLatenessMs: number;
}

/** Keyed by user; gives a row of `live_abandoned_carts` for each, once nothing can change it any more. */
class AbandonedCarts implements DoFn<KV<string, ShopEvent>> {
  readonly events = bagState<CartEvent>();
  /** Of the earliest of the events that the timer waits for: the others need not be read for each that comes. */
  readonly earliestMs = valueState<number>();
  readonly look = eventTimeTimer();
  readonly #patienceMs: number;
  readonly #waitMs: number;

  constructor({ patienceMs, allowedLatenessMs }: AbandonedCartsConfig) {
    this.#patienceMs = patienceMs;
    this.#waitMs = patienceMs + allowedLatenessMs;
  }

  process({ value: { type, atMs, cents } }: KV<string, ShopEvent>, context: ProcessContext): void {
    if (type === "view") return;
    context.state(this.events).add({ atMs, cents: type === "purchase" ? undefined : cents });
    const earliestMs = context.state(this.earliestMs).read();
    if (earliestMs === undefined || atMs < earliestMs) this.#lookFor(atMs, context);
  }

  onTimer({ fireAtMs }: FiredTimer, context: ElementContext): void {
    const events = context.state(this.events);
    // the watermark may be far beyond: all that it allows is told at once, or new events would keep a user's waiting
    const reachedMs = Math.max(fireAtMs, context.timer(this.look).currentTimeMs());
    const completeMs = reachedMs - (this.#waitMs - this.#patienceMs);
    const { abandoned, kept } = abandonedBefore([...events.read()], completeMs, this.#patienceMs);
    for (const cart of abandoned) context.output(rowOf(String(context.key), cart));
    events.clear();
    for (const event of kept) events.add(event);
    const next = kept.find(({ atMs }) => atMs + this.#waitMs > reachedMs);
    if (next !== undefined) this.#lookFor(next.atMs, context);
    else context.state(this.earliestMs).clear();
  }

  #lookFor(earliestMs: number, context: ElementContext): void {
    context.state(this.earliestMs).write(earliestMs);
    context.timer(this.look).set(earliestMs + this.#waitMs);
  }
}

function rowOf(user: string, { startedMs, lastAddedMs, items, cents }: AbandonedCart) {
  return {
    ...{ user_id: user, started_at: timeOf(startedMs), last_added_at: timeOf(lastAddedMs), items },
    ...{ amount: moneyOf(cents), version: 0 },
  };
}

export const ABANDONED_CARTS = registerDoFn(
  "live-metrics/abandoned-carts@2",
  (config: AbandonedCartsConfig) => new AbandonedCarts(config),
);
