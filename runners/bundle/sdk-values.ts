/** Times, windows and panes between our plain numbers and the SDK's classes; the ends of time become Beam's own. */
import {
  GLOBAL_WINDOW_END_MS,
  MAX_TIMESTAMP_MS,
  MIN_TIMESTAMP_MS,
} from "../../transforms/primitives/timestamp-bounds.js";
import {
  GLOBAL_WINDOW,
  IntervalWindow,
  NO_FIRING,
  type PaneInfo,
  type Window,
} from "../../transforms/primitives/window.js";
import { SdkGlobalWindow, SdkIntervalWindow } from "./sdk-modules.js";

/** A 64-bit whole number, of the class that the SDK uses. */
export interface SdkInstant {
  toString(): string;
  toNumber(): number;
}

export interface SdkWindow {
  maxTimestamp(): SdkInstant;
}

export interface SdkPaneInfo {
  readonly timing: PaneInfo["timing"];
  readonly index: number;
  readonly onTimeIndex: number;
  readonly isFirst: boolean;
  readonly isLast: boolean;
}

const sdkGlobalWindow: SdkWindow = new SdkGlobalWindow();
/** The class itself; the package that it is from is the SDK's dependency, not ours. */
const { fromString } = sdkGlobalWindow.maxTimestamp().constructor as unknown as {
  fromString(digits: string): SdkInstant;
};

/** Beam's ends of time, which no number holds exactly, and ours. */
const ENDS: readonly (readonly [beam: string, ms: number])[] = [
  ["-9223372036854775", MIN_TIMESTAMP_MS],
  ["9223372036854775", MAX_TIMESTAMP_MS],
  ["9223371950454775", GLOBAL_WINDOW_END_MS],
];
const beamOf = new Map(ENDS.map(([beam, ms]) => [ms, fromString(beam)]));
const msOf = new Map<string, number>(ENDS);

export function toSdkInstant(timestampMs: number): SdkInstant {
  return beamOf.get(timestampMs) ?? fromString(String(Math.floor(timestampMs)));
}

/** Takes a number or a bigint too. @throws when it is none of these, or more than a number holds exactly. */
export function fromSdkInstant(instant: unknown): number {
  if (typeof instant === "number" && Number.isFinite(instant)) return instant;
  const digits = instant === undefined || instant === null ? "" : String(instant);
  const end = msOf.get(digits);
  if (end !== undefined) return end;
  const ms = Number(digits);
  if (/^-?\d+$/.test(digits) && (Number.isSafeInteger(ms) || beamOf.has(ms))) return ms;
  throw new TypeError(`an event time must be a Long or a number of ms, got ${digits || String(instant)}`);
}

const sdkWindows = new WeakMap<Window, SdkWindow>();

/** The SDK's window for ours; the same one each time, so that equal references stay equal. */
export function toSdkWindow(window: Window): SdkWindow {
  let made = sdkWindows.get(window);
  if (made === undefined) {
    made = makeSdkWindow(window);
    sdkWindows.set(window, made);
    ourWindows.set(made, window);
  }
  return made;
}

function makeSdkWindow(window: Window): SdkWindow {
  if (window.id === GLOBAL_WINDOW.id) return sdkGlobalWindow;
  if (window instanceof IntervalWindow) {
    return new SdkIntervalWindow(toSdkInstant(window.startMs) as never, toSdkInstant(window.endMs) as never);
  }
  const end = toSdkInstant(window.maxTimestampMs);
  return { maxTimestamp: () => end };
}

const ourWindows = new WeakMap<object, Window>();

/** Our window for one of the SDK's. @throws for one of a class that is not known. */
export function fromSdkWindow(window: unknown): Window {
  if (typeof window === "object" && window !== null) {
    if (window instanceof SdkGlobalWindow) return GLOBAL_WINDOW;
    const known = ourWindows.get(window);
    if (known !== undefined) return known;
    const { start, end } = window as { start?: unknown; end?: unknown };
    if (start !== undefined && end !== undefined) {
      return new IntervalWindow(fromSdkInstant(start), fromSdkInstant(end));
    }
  }
  throw new TypeError(`a window must be a GlobalWindow or an IntervalWindow, got ${String(window)}`);
}

export function toSdkPane(pane: PaneInfo): SdkPaneInfo {
  const { timing, index, nonSpeculativeIndex, isFirst, isLast } = pane;
  return { timing, index, onTimeIndex: nonSpeculativeIndex, isFirst, isLast };
}

export function fromSdkPane(pane: SdkPaneInfo | undefined): PaneInfo {
  if (pane === undefined) return NO_FIRING;
  const { timing, index, onTimeIndex, isFirst, isLast } = pane;
  return { timing, index, nonSpeculativeIndex: onTimeIndex, isFirst, isLast };
}
