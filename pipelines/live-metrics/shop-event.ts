/** An event as the metrics need it, and who lets each event pass once and in time. */
import type { Sourced } from "../../transforms/input-record.js";
import type { DoFn, ElementContext, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../transforms/primitives/fn-registry.js";
import { valueState } from "../../transforms/primitives/state-spec.js";
import { eventTimeTimer } from "../../transforms/primitives/timer-spec.js";
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

/** Keys each event by its id. */
class KeyById implements DoFn<Sourced<UserEvent>> {
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
    context.output({ key: event.id, value: event });
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
  readonly first = valueState<string>();
  readonly expiry = eventTimeTimer();

  constructor(private readonly config: AcceptConfig) {}

  process({ value: event }: KV<string, ShopEvent>, context: ProcessContext): void {
    const { horizonMs, allowedLatenessMs } = this.config;
    const first = context.state(this.first);
    const { user, type, product, cents, atMs, fileId } = event;
    const content = `${user}\t${type}\t${product}\t${cents}\t${atMs}`;
    const known = first.read();
    if (known !== undefined) {
      context.ledger.add(fileId, known === content ? "duplicates" : "conflicts");
      return;
    }
    const expiry = context.timer(this.expiry);
    const lateByMs = expiry.currentTimeMs() - atMs;
    first.write(content);
    expiry.setRelative(Math.max(horizonMs, lateByMs + horizonMs), { outputTimestampMs: "none" });
    context.ledger.add(fileId, "events_written");
    if (lateByMs <= allowedLatenessMs) context.output({ key: user, value: event });
    else {
      context.metrics.counter("late").inc();
      context.outputTo(LATE_OUTPUT, lateRow(event, lateByMs));
    }
  }

  onTimer(_timer: unknown, context: ElementContext): void {
    context.state(this.first).clear();
  }
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

export const KEY_BY_ID = registerDoFn("live-metrics/key-by-id@1", () => new KeyById());
export const ACCEPT = registerDoFn("live-metrics/accept@1", (config: AcceptConfig) => new Accept(config));
