/** What a GroupByKey keeps of one key in one window. */
import type { Window } from "./element.js";
import type { LastPane } from "./pane-tracker.js";
import type { TriggerState } from "./triggers/trigger-machine.js";
import { endMs, expiryMs } from "./window-expiry.js";
import type { WindowingStrategy } from "./windowing-strategy.js";

/**
 * One key in one window. All of it is state, plain data apart from the user's key and values, except for what is
 * marked as derived: that follows from the rest, the strategy and the times.
 */
export interface KeyWindow {
  readonly keyId: string;
  readonly key: unknown;
  /**
   * In order of arrival: of the pane to come or, if accumulating, of all panes. Where they are combined as they come, the
   * accumulator alone, if there is one.
   */
  values: unknown[];
  /** Numbers of the values in order of arrival, where windows merge and nothing combines: merged values keep their order. */
  arrivals: number[];
  /** Orders the keys of a window, where windows merge. */
  firstArrival: number;
  /** Elements of the pane to come. */
  unfired: number;
  /** The timestamp combined of those elements of the pane to come that were not late; it holds the watermark. */
  elementHoldMs: number | undefined;
  /** Undefined where the trigger has no state. */
  trigger: TriggerState | undefined;
  /** The trigger has finished: nothing comes any more, and what arrives is dropped. */
  isClosed: boolean;
  lastPane: LastPane | undefined;

  /** What of it is in records; undefined where nothing is recorded. */
  readonly saved: SavedValues | undefined;
  /** Derived; the window in it is state. */
  readonly group: WindowGroup;
  /** Derived: what its hold and its timer are found by. */
  readonly id: string;
}

/** Which records hold the values of a key and window: each a chunk of them, as they came. */
export interface SavedValues {
  /** Keys of a window come in this order. */
  readonly number: number;
  chunks: number[];
  /** Values in the chunks. */
  count: number;
  /** Chunks whose values are not there any more, and that are still to be removed. */
  dropped: number[];
}

/** A window that elements have come into, and its keys in the order of their arrival. All of it is derived. */
export interface WindowGroup {
  readonly window: Window;
  /** The windows of the panes, one array for all. */
  readonly windows: readonly [Window];
  readonly endMs: number;
  readonly expiryMs: number;
  readonly keys: Map<string, KeyWindow>;
  /** Windows that end or expire at the same time do so in this order. */
  order: number;
}

/** Values of nobody; never pushed to. */
export const NO_VALUES: unknown[] = [];
const NO_ARRIVALS: number[] = [];

export function createGroup(window: Window, allowedLatenessMs: number): WindowGroup {
  const end = endMs(window);
  const expiry = Math.max(end, expiryMs(window, allowedLatenessMs));
  return { window, windows: [window], endMs: end, expiryMs: expiry, keys: new Map(), order: 0 };
}

export function createKeyWindow(
  group: WindowGroup,
  keyId: string,
  key: unknown,
  id: string,
  saved?: SavedValues | undefined,
): KeyWindow {
  return {
    keyId,
    key,
    values: NO_VALUES,
    arrivals: NO_ARRIVALS,
    firstArrival: 0,
    unfired: 0,
    elementHoldMs: undefined,
    trigger: undefined,
    isClosed: false,
    lastPane: undefined,
    saved,
    group,
    id,
  };
}

/** Takes the values out: whoever gets them may keep the array. */
export function releaseValues(entry: KeyWindow): unknown[] {
  const values = entry.values;
  entry.values = NO_VALUES;
  entry.arrivals = NO_ARRIVALS;
  if (entry.saved !== undefined) dropChunks(entry.saved);
  return values === NO_VALUES ? [] : values;
}

function dropChunks(saved: SavedValues): void {
  saved.dropped.push(...saved.chunks);
  saved.chunks = [];
  saved.count = 0;
}

/** Counts an element that was not late into the hold of its pane. */
export function combineHold(
  combiner: WindowingStrategy["timestampCombiner"],
  holdMs: number | undefined,
  timestampMs: number,
): number {
  if (holdMs === undefined) return timestampMs;
  return combiner === "latest" ? Math.max(holdMs, timestampMs) : Math.min(holdMs, timestampMs);
}

/** Where the output watermark may not pass for the panes that this key and window may still give. */
export function holdOf(
  entry: KeyWindow,
  strategy: WindowingStrategy,
  hasWindowEnded: boolean,
): number | undefined {
  if (entry.isClosed) return undefined;
  if (entry.elementHoldMs !== undefined) return entry.elementHoldMs;
  const { endMs, expiryMs } = entry.group;
  // Late elements cannot come out in time, but must not be dropped by the next GroupByKey either.
  if (entry.unfired > 0) return hasWindowEnded ? expiryMs : endMs;
  const isOnTimePaneToCome = entry.lastPane === undefined || entry.lastPane.timing === "EARLY";
  if (!hasWindowEnded && isOnTimePaneToCome && strategy.onTimeBehavior === "fire-always") return endMs;
  return strategy.closingBehavior === "emit-always" ? expiryMs : undefined;
}

/**
 * Takes what `sources` hold over into `target`, which is new or was one of them. Triggers and panes apart.
 * @param combined the accumulator that theirs became, as `values`; undefined where nothing is combined
 */
export function mergeInto(
  target: KeyWindow,
  sources: readonly KeyWindow[],
  combiner: WindowingStrategy["timestampCombiner"],
  hasWindowEnded: boolean,
  combined: unknown[] | undefined,
): void {
  const holds = sources.flatMap(({ elementHoldMs }) => (elementHoldMs === undefined ? [] : [elementHoldMs]));
  target.unfired = sources.reduce((sum, source) => sum + source.unfired, 0);
  target.firstArrival = Math.min(...sources.map((source) => source.firstArrival));
  if (combiner === "end-of-window") {
    const isHeld = holds.length > 0 || (target.unfired > 0 && !hasWindowEnded);
    target.elementHoldMs = isHeld ? target.group.endMs : undefined;
  } else {
    const combined = holds.reduce<number | undefined>((a, b) => combineHold(combiner, a, b), undefined);
    target.elementHoldMs = combined;
  }
  if (combined !== undefined) {
    target.values = combined;
    return;
  }
  let { values, arrivals } = sources[0]!;
  for (const source of sources.slice(1)) {
    ({ values, arrivals } = mergeByArrival({ values, arrivals }, source));
  }
  target.values = values;
  target.arrivals = arrivals;
  if (target.saved !== undefined) mergeSaved(target.saved, sources);
}

/** The values of the sources stay in the records in which they are. */
function mergeSaved(target: SavedValues, sources: readonly KeyWindow[]): void {
  for (const { saved } of sources) {
    if (saved === undefined || saved === target) continue;
    target.chunks.push(...saved.chunks);
    target.count += saved.count;
    target.dropped.push(...saved.dropped);
    saved.chunks = [];
    saved.count = 0;
    saved.dropped = [];
  }
}

interface Arrived {
  readonly values: unknown[];
  readonly arrivals: number[];
}

function mergeByArrival(a: Arrived, b: Arrived): Arrived {
  if (b.arrivals.length === 0) return a;
  if (a.arrivals.length === 0) return b;
  if (b.arrivals.at(-1)! < a.arrivals[0]!) return mergeByArrival(b, a);
  if (a.arrivals.at(-1)! < b.arrivals[0]!) {
    // Nearly always one of them is short.
    for (let i = 0; i < b.arrivals.length; i++) {
      a.values.push(b.values[i]);
      a.arrivals.push(b.arrivals[i]!);
    }
    return a;
  }
  const values: unknown[] = [];
  const arrivals: number[] = [];
  for (let i = 0, j = 0; i < a.arrivals.length || j < b.arrivals.length; ) {
    const isFromA = j === b.arrivals.length || (i < a.arrivals.length && a.arrivals[i]! < b.arrivals[j]!);
    values.push(isFromA ? a.values[i] : b.values[j]);
    arrivals.push(isFromA ? a.arrivals[i++]! : b.arrivals[j++]!);
  }
  return { values, arrivals };
}
