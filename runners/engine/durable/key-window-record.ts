/** The record of one key in one window of a GroupByKey, its values apart, but with its accumulator. */
import type { KeyWindow, SavedValues } from "../key-window.js";
import type { LastPane } from "../pane-tracker.js";
import type { TriggerState } from "../triggers/trigger-machine.js";
import type { StateReader, StateWriter } from "./state-bytes.js";
import type { ValueCodec } from "./state-codec.js";

const TIMINGS = ["EARLY", "ON_TIME", "LATE"] as const;

export interface RestoredKeyWindow {
  readonly key: unknown;
  readonly number: number;
  readonly firstArrival: number;
  readonly unfired: number;
  readonly elementHoldMs: number | undefined;
  readonly isClosed: boolean;
  readonly lastPane: LastPane | undefined;
  readonly trigger: TriggerState | undefined;
  readonly readyOrder: number | undefined;
  /** Numbers of the chunks that hold its values. */
  readonly chunks: readonly number[];
  /** One at the most, and only where values are combined. */
  readonly accumulators: readonly unknown[];
}

export interface KeyWindowCodecs {
  readonly key: ValueCodec;
  /** Given where values are combined: the record holds the accumulator too. */
  readonly accumulator: ValueCodec | undefined;
}

/** @param out is empty, and is again afterwards */
export function encodeKeyWindow(
  out: StateWriter,
  entry: KeyWindow,
  { number, chunks }: SavedValues,
  readyOrder: number | undefined,
  { key, accumulator }: KeyWindowCodecs,
): Uint8Array {
  const { lastPane, trigger, values } = entry;
  out.bytes(key.encode(entry.key)).count(number).count(entry.firstArrival);
  out.count(entry.unfired).timeOrNone(entry.elementHoldMs).flag(entry.isClosed);
  out.flag(lastPane !== undefined);
  if (lastPane !== undefined) {
    const { timing, index, nonSpeculativeIndex } = lastPane;
    // -1 for an early one
    out
      .count(TIMINGS.indexOf(timing))
      .count(index)
      .count(nonSpeculativeIndex + 1);
  }
  out.flag(trigger !== undefined);
  if (trigger !== undefined) writeTrigger(out, trigger);
  out.timeOrNone(readyOrder).count(chunks.length);
  for (const chunk of chunks) out.count(chunk);
  if (accumulator !== undefined) {
    out.flag(values.length > 0);
    if (values.length > 0) out.bytes(accumulator.encode(values[0]));
  }
  return out.finish();
}

export function decodeKeyWindow(
  input: StateReader,
  { key, accumulator }: KeyWindowCodecs,
): RestoredKeyWindow {
  return {
    key: key.decode(input.bytes()),
    number: input.count(),
    firstArrival: input.count(),
    unfired: input.count(),
    elementHoldMs: input.timeOrNone(),
    isClosed: input.flag(),
    lastPane: input.flag() ? readPane(input) : undefined,
    trigger: input.flag() ? readTrigger(input) : undefined,
    readyOrder: input.timeOrNone(),
    chunks: Array.from({ length: input.count() }, () => input.count()),
    accumulators: accumulator !== undefined && input.flag() ? [accumulator.decode(input.bytes())] : [],
  };
}

function readPane(input: StateReader): LastPane {
  return { timing: TIMINGS[input.count()]!, index: input.count(), nonSpeculativeIndex: input.count() - 1 };
}

function writeTrigger(out: StateWriter, { isFinished, count, readyAtMs, parts }: TriggerState): void {
  out.flag(isFinished).count(count).timeOrNone(readyAtMs).count(parts.length);
  for (const part of parts) writeTrigger(out, part);
}

function readTrigger(input: StateReader): TriggerState {
  return {
    isFinished: input.flag(),
    count: input.count(),
    readyAtMs: input.timeOrNone(),
    parts: Array.from({ length: input.count() }, () => readTrigger(input)),
  };
}
