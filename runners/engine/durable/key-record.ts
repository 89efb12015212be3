/** The record of one key in one window of a stateful step: its cell, its timers, and as much of its state as is small. */
import type { KeyedTimer, KeySlot, TimerSetting } from "../key-slot.js";
import { type KeyPlaces, NO_PLACES, type TimerPlace } from "./cold-keys.js";
import { StateReader, type StateWriter } from "./state-bytes.js";
import type { ValueCodec } from "./state-codec.js";

const HAS_CELL = 1;
const IS_CLOSING = 2;
const HAS_SPILL = 4;
/** Its cell has an expiration to come. */
const EXPIRES = 8;

export interface KeyHead {
  readonly cell: { readonly number: number; readonly isClosing: boolean; readonly key: unknown } | undefined;
  readonly spill: number | undefined;
  readonly timers: readonly TimerSetting[];
}

/** Cell and timers; the state follows. */
export function writeHead(
  out: StateWriter,
  { cell, spill }: KeySlot,
  timers: readonly KeyedTimer[],
  key: ValueCodec,
  expires: boolean,
): void {
  let flags = cell === undefined ? 0 : HAS_CELL;
  if (cell?.isClosing) flags |= IS_CLOSING;
  if (spill !== undefined) flags |= HAS_SPILL;
  if (cell !== undefined && expires) flags |= EXPIRES;
  out.count(flags);
  if (cell !== undefined) out.count(cell.number).bytes(key.encode(cell.key));
  if (spill !== undefined) out.count(spill);
  writeTimers(out, timers);
}

export function writeTimers(out: StateWriter, timers: readonly TimerSetting[]): void {
  out.count(timers.length);
  for (const { family, tag, order, domain, fireAtMs, outputTimestampMs, holdMs } of timers) {
    out.text(family).text(tag).count(order);
    out
      .flag(domain === "event-time")
      .time(fireAtMs)
      .timeOrNone(outputTimestampMs)
      .timeOrNone(holdMs);
  }
}

export function readHead(input: StateReader, key: ValueCodec): KeyHead {
  const flags = input.count();
  const cell =
    (flags & HAS_CELL) === 0
      ? undefined
      : { number: input.count(), key: key.decode(input.bytes()), isClosing: (flags & IS_CLOSING) !== 0 };
  const spill = (flags & HAS_SPILL) === 0 ? undefined : input.count();
  return { cell, spill, timers: readTimers(input) };
}

function readTimers(input: StateReader): TimerSetting[] {
  return Array.from({ length: input.count() }, () => ({
    family: input.text(),
    tag: input.text(),
    order: input.count(),
    domain: input.flag() ? ("event-time" as const) : ("processing-time" as const),
    fireAtMs: input.time(),
    outputTimestampMs: input.timeOrNone(),
    holdMs: input.timeOrNone(),
  }));
}

export function placesOf(
  timers: readonly TimerSetting[],
  cellNumber: number | undefined,
  expires: boolean,
): KeyPlaces {
  if (timers.length === 0 && !expires) return NO_PLACES;
  const places: TimerPlace[] = [];
  for (const { domain, fireAtMs, holdMs, order } of timers) {
    places.push({ order: domain, ms: fireAtMs, number: order });
    if (holdMs !== undefined) places.push({ order: "hold", ms: holdMs, number: order });
  }
  return { timers: places, number: expires ? cellNumber : undefined };
}

/** Of a record alone: whoever keeps an order of keys need not know their coders. */
export function placesIn(record: Uint8Array): KeyPlaces {
  const input = new StateReader(record);
  const flags = input.count();
  let number: number | undefined;
  if ((flags & HAS_CELL) !== 0) {
    number = input.count();
    input.bytes();
  }
  if ((flags & HAS_SPILL) !== 0) input.count();
  return placesOf(readTimers(input), number, (flags & EXPIRES) !== 0);
}
