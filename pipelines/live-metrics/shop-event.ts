/** An event as the metrics need it, and who lets each event pass once and in time. */
import { hashOf } from "../../transforms/drop-repeats-fn.js";
import type { Sourced } from "../../transforms/input-record.js";
import { StringUtf8Coder } from "../../transforms/primitives/coders/scalar-coders.js";
import type { DoFn, ElementContext, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../transforms/primitives/fn-registry.js";
import { mapState, valueState } from "../../transforms/primitives/state-spec.js";
import { eventTimeTimer, type FiredTimer } from "../../transforms/primitives/timer-spec.js";
import type { KV } from "../../transforms/primitives/window.js";
import type { UserEvent } from "../user-event-schema.js";

export interface ShopEvent {
  readonly id: string;
  readonly user: string;
  readonly type: UserEvent["event_type"];
  readonly product: string;
  /** Whole cents: sums stay exact. */
  readonly cents: number;
  /** Event time, ms since 1970. */
  readonly atMs: number;
  /** The file that it came from. */
  readonly fileId: number;
}

/**
 * How many keys the ids are spread over. What is kept of an id is one entry of its shard's map: as a key of its own each
 * would be a state, a timer and a key, three times the records in every commit, in every snapshot and at every start.
 */
const SHARDS = 64;
/** In one horizon so many sweeps remove what is beyond it, and counts no more: it lies there that much longer at the most. */
const SWEEPS = 8;

/** Keys each event by the shard of its id, the same in every process. */
class KeyByShard implements DoFn<Sourced<UserEvent>> {
  process({ record, value }: Sourced<UserEvent>, context: ProcessContext): void {
    const event: ShopEvent = {
      id: value.event_id,
      user: value.user_id,
      type: value.event_type,
      product: value.product_id,
      cents: Number(value.price.replace(".", "")),
      atMs: context.timestampMs,
      fileId: record.file.fileId,
    };
    context.output({ key: String(hashOf(event.id) % SHARDS), value: event });
  }
}

/** The output for what came too late. */
export const LATE_OUTPUT = "late";

type AcceptConfig = {
  /** How long in event time an id is remembered. */
  readonly horizonMs: number;
  readonly allowedLatenessMs: number;
};

/**
 * Lets the first event of an id pass, keyed by its user, and counts what became of it and of its repeats. Parts those
 * that the watermark has left behind by more than is allowed, before any window sees them: so all metrics are of the
 * same events, and those that are in none of them are known.
 */
class Accept implements DoFn<KV<string, ShopEvent>> {
  /** By id: until when it is remembered, and what the event was. */
  readonly seen = mapState<string, string>(new StringUtf8Coder(), new StringUtf8Coder());
  readonly nextSweepMs = valueState<number>();
  readonly sweep = eventTimeTimer();
  readonly #sweepEveryMs: number;

  constructor(private readonly config: AcceptConfig) {
    this.#sweepEveryMs = Math.ceil(config.horizonMs / SWEEPS);
  }

  process({ key: shard, value: event }: KV<string, ShopEvent>, context: ProcessContext): void {
    const { horizonMs, allowedLatenessMs } = this.config;
    const seen = context.state(this.seen);
    const { id, user, type, product, cents, atMs, fileId } = event;
    const content = `${user}\t${type}\t${product}\t${cents}\t${atMs}`;
    const reachedMs = context.timer(this.sweep).currentTimeMs();
    const known = seen.get(id) as string | undefined;
    if (known !== undefined && untilOf(known) > reachedMs) {
      context.ledger.add(fileId, contentOf(known) === content ? "duplicates" : "conflicts");
      return;
    }
    const fromMs = Math.max(atMs, reachedMs);
    seen.put(id, `${fromMs + horizonMs}\t${content}`);
    this.#sweepLater(Number(shard), fromMs + horizonMs, context);
    context.ledger.add(fileId, "events_written");
    const lateByMs = reachedMs - atMs;
    if (lateByMs <= allowedLatenessMs) context.output({ key: user, value: event });
    else {
      context.metrics.counter("late").inc();
      context.outputTo(LATE_OUTPUT, lateRow(event, lateByMs));
    }
  }

  onTimer({ fireAtMs }: FiredTimer, context: ElementContext): void {
    const seen = context.state(this.seen);
    const reachedMs = Math.max(fireAtMs, context.timer(this.sweep).currentTimeMs());
    let isAnyLeft = false;
    for (const [id, known] of seen.entries() as Iterable<readonly [string, string]>) {
      if (untilOf(known) <= reachedMs) seen.remove(id);
      else isAnyLeft = true;
    }
    if (isAnyLeft) this.#sweepAt(reachedMs + this.#sweepEveryMs, context);
    else context.state(this.nextSweepMs).clear();
  }

  /** Shards are swept one after the other, not all at once. */
  #sweepLater(shard: number, untilMs: number, context: ElementContext): void {
    const nextMs = context.state(this.nextSweepMs).read();
    if (nextMs === undefined) this.#sweepAt(untilMs + (shard / SHARDS) * this.#sweepEveryMs, context);
  }

  #sweepAt(ms: number, context: ElementContext): void {
    const atMs = Math.round(ms);
    context.state(this.nextSweepMs).write(atMs);
    context.timer(this.sweep).set(atMs, { outputTimestampMs: "none" });
  }
}

function untilOf(known: string): number {
  return Number(known.slice(0, known.indexOf("\t")));
}

function contentOf(known: string): string {
  return known.slice(known.indexOf("\t") + 1);
}

function lateRow({ id, user, type, product, cents, atMs }: ShopEvent, lateByMs: number) {
  return {
    ...{ event_id: id, user_id: user, event_type: type, product_id: product, price: moneyOf(cents) },
    ...{ event_timestamp: timeOf(atMs), late_by: `${lateByMs} ms` },
  };
}

/** As PostgreSQL's numeric takes it. */
export function moneyOf(cents: number): string {
  const digits = String(Math.abs(cents)).padStart(3, "0");
  return `${cents < 0 ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** As PostgreSQL's timestamptz takes it. */
export function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

export const KEY_BY_SHARD = registerDoFn("live-metrics/key-by-shard@1", () => new KeyByShard());
export const ACCEPT = registerDoFn("live-metrics/accept@2", (config: AcceptConfig) => new Accept(config));
