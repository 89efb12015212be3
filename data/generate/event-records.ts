/** The records of a run, one after the other: new events, repeated ones, and broken ones. */
import { EventTimeFormat, eventTimeLength } from "./event-time.js";
import { malformedKinds } from "./malformed-event.js";
import { RecentRecords } from "./recent-records.js";
import { SeededRandom } from "./seeded-random.js";
import { createShopCatalogue } from "./shop-catalogue.js";
import { type ShopEvent, ShoppingSessions } from "./shopping-sessions.js";
import type { Tally } from "./tally.js";

/** Everything that shapes the records; equal shapes give equal records. */
export interface RecordShape {
  /** Unsigned 32-bit integer. */
  readonly seed: number;
  /** Event time of the first record, ms since 1970, UTC. */
  readonly startMs: number;
  readonly eventsPerSecond: number;
  /** Shares of all records, from 0 to 1, together at most 1. */
  readonly malformedRate: number;
  readonly duplicateRate: number;
}

/** The header of every file, with its line end. */
export const eventHeader = "event_id,user_id,event_type,product_id,price,event_timestamp\n";

/**
 * A deterministic, endless sequence of CSV records. New events are in event-time order; a duplicate is
 * byte for byte one of the last valid records; a malformed record has an id and a user of its own, so
 * that refusing it leaves no hole in anybody's shopping. Written as ASCII bytes: as strings, the garbage
 * of a record costs more than the record.
 */
export class EventRecords {
  readonly #shape: RecordShape;
  readonly #random: SeededRandom;
  readonly #sessions: ShoppingSessions;
  readonly #time: EventTimeFormat;
  readonly #recent = new RecentRecords();

  constructor(shape: RecordShape) {
    this.#shape = shape;
    // The ids depend on all that shapes a record: two runs never give one id to two different events.
    const { seed, startMs, eventsPerSecond, malformedRate, duplicateRate } = shape;
    this.#random = new SeededRandom([seed, startMs, eventsPerSecond, malformedRate, duplicateRate].join(" "));
    this.#sessions = new ShoppingSessions(createShopCatalogue(seed), this.#random, eventsPerSecond);
    this.#time = new EventTimeFormat(startMs);
  }

  /**
   * Writes the next record with its line end at `at` (at most `recordBytesMax` bytes), as of
   * `offsetMicros` after the start; adds it to `tally`; says where it ends.
   */
  write(bytes: Uint8Array, at: number, offsetMicros: number, tally: Tally): number {
    const { duplicateRate, malformedRate } = this.#shape;
    tally.rows += 1;
    const share = this.#random.fraction();
    if (share >= duplicateRate && share < duplicateRate + malformedRate) {
      return this.#writeMalformed(bytes, at, offsetMicros, tally);
    }
    // The very first record has nothing to repeat and is new, whatever the rates.
    if (share < duplicateRate && this.#recent.count > 0) {
      tally.duplicate += 1;
      return this.#recent.write(bytes, at, this.#random.below(this.#recent.count));
    }
    tally.unique += 1;
    const end = this.#writeEvent(bytes, at, offsetMicros, this.#sessions.next());
    this.#recent.remember(bytes, at, end);
    return end;
  }

  #writeEvent(bytes: Uint8Array, at: number, offsetMicros: number, event: ShopEvent): number {
    this.#random.writeUuid(bytes, at);
    let end = writeField(bytes, at + 36, event.userId);
    end = writeField(bytes, end, event.eventType);
    end = writeField(bytes, end, event.product.productId);
    end = writeField(bytes, end, event.product.price);
    bytes[end] = comma;
    this.#time.write(bytes, end + 1, offsetMicros);
    end += 1 + eventTimeLength;
    bytes[end] = newline;
    return end + 1;
  }

  /** A good record first, of nobody's session, then broken. */
  #writeMalformed(bytes: Uint8Array, at: number, offsetMicros: number, tally: Tally): number {
    const kind = malformedKinds[this.#random.below(malformedKinds.length)]!;
    tally.malformed += 1;
    tally.malformedByReason[kind.reason] = (tally.malformedByReason[kind.reason] ?? 0) + 1;
    const end = this.#writeEvent(bytes, at, offsetMicros, this.#sessions.strayView());
    const good = Buffer.from(bytes.subarray(at, end - 1)).toString("latin1");
    const [eventId, userId, eventType, productId, price, eventTimestamp] = good.split(",") as SixFields;
    const bad = kind.record({ eventId, userId, eventType, productId, price, eventTimestamp });
    const text = Buffer.from(`${bad}\n`, "latin1");
    bytes.set(text, at);
    return at + text.length;
  }
}

type SixFields = [string, string, string, string, string, string];

const comma = 0x2c;
const newline = 0x0a;

/** A comma, then the field, which is ASCII without quotes. */
function writeField(bytes: Uint8Array, at: number, field: string): number {
  bytes[at] = comma;
  for (let index = 0; index < field.length; index++) bytes[at + 1 + index] = field.charCodeAt(index);
  return at + 1 + field.length;
}
