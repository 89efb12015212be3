/** Window functions: which windows an event time belongs to, and how they stand in a graph. */

import { type runnerApi, standardWindowFns } from "./beam.js";
import { CALENDAR_DAYS_URN, CALENDAR_MONTHS_URN, calendarDays, calendarMonths } from "./calendar-windows.js";
import type { JsonValue } from "./fn-registry.js";
import { mustBeJson } from "./json-config.js";
import { GLOBAL_WINDOW_END_MS } from "./timestamp-bounds.js";
import { GLOBAL_WINDOW, IN_GLOBAL_WINDOW, IntervalWindow, type Window } from "./window.js";
import { checkWholeMs, jsonPayload, readJsonPayload, type WindowFn } from "./window-fn.js";

export { calendarDays, calendarMonths } from "./calendar-windows.js";
export type { WindowFn } from "./window-fn.js";

export const GLOBAL_WINDOWS_URN = "beam:window_fn:global_windows:v1";
export const FIXED_WINDOWS_URN = "beam:window_fn:fixed_windows:v1";
export const SLIDING_WINDOWS_URN = "beam:window_fn:sliding_windows:v1";
export const SESSION_WINDOWS_URN = "beam:window_fn:session_windows:v1";
/** A window function registered by `registerWindowFn`, in JSON. */
export const REGISTERED_WINDOW_FN_URN = "millrace:window_fn:registered:v1";

const { FixedWindowsPayload, SlidingWindowsPayload, SessionWindowsPayload } = standardWindowFns;

/** Everything in one window. */
export function globalWindows(): WindowFn {
  return {
    isMerging: false,
    assignsToOneWindow: true,
    windowCoder: "global",
    assign: () => IN_GLOBAL_WINDOW,
    sideInputWindow: () => GLOBAL_WINDOW,
    toProto: () => ({ urn: GLOBAL_WINDOWS_URN, payload: new Uint8Array() }),
  };
}

/** Windows of `sizeMs`, one after the other, one of them starting at `offsetMs` after 1970. */
export function fixedWindows(
  sizeMs: number,
  { offsetMs = 0 }: { readonly offsetMs?: number } = {},
): WindowFn<IntervalWindow> {
  checkWholeMs("sizeMs of fixedWindows", sizeMs, 1);
  checkWholeMs("offsetMs of fixedWindows", offsetMs);
  let latest: readonly IntervalWindow[] = [];
  let startMs = Number.NaN;
  const assign = (timestampMs: number) => {
    const start = startOf(timestampMs, sizeMs, offsetMs);
    if (start !== startMs) {
      startMs = start;
      latest = [interval(start, start + sizeMs)];
    }
    return latest;
  };
  return {
    isMerging: false,
    assignsToOneWindow: true,
    windowCoder: "interval",
    assign,
    sideInputWindow: (main) => assign(main.maxTimestampMs)[0]!,
    toProto: () => {
      const payload = { size: toDuration(sizeMs), offset: toDuration(offsetMs) };
      return { urn: FIXED_WINDOWS_URN, payload: FixedWindowsPayload.toBinary(payload) };
    },
  };
}

/** Windows of `sizeMs`, one starting every `periodMs`. With a period above the size, times between windows are in none. */
export function slidingWindows({
  sizeMs,
  periodMs,
  offsetMs = 0,
}: {
  readonly sizeMs: number;
  readonly periodMs: number;
  readonly offsetMs?: number;
}): WindowFn<IntervalWindow> {
  checkWholeMs("sizeMs of slidingWindows", sizeMs, 1);
  checkWholeMs("periodMs of slidingWindows", periodMs, 1);
  checkWholeMs("offsetMs of slidingWindows", offsetMs);
  let latest: readonly IntervalWindow[] = [];
  let lastMs = Number.NaN;
  const assign = (timestampMs: number) => {
    const last = startOf(timestampMs, periodMs, offsetMs);
    // In small numbers: at the end of time the next time that a number can hold is two further.
    const count = Math.max(0, Math.ceil((sizeMs - (timestampMs - last)) / periodMs));
    if (count !== latest.length || last !== lastMs) {
      latest = slide(latest, last, count, { sizeMs, periodMs });
      lastMs = last;
    }
    return latest;
  };
  return {
    isMerging: false,
    assignsToOneWindow: false,
    windowCoder: "interval",
    assign,
    // The earliest that holds the main window's end, as in Beam for Java.
    sideInputWindow: (main) => sideWindowOf(assign(main.maxTimestampMs)[0], main),
    toProto: () => {
      const payload = {
        size: toDuration(sizeMs),
        period: toDuration(periodMs),
        offset: toDuration(offsetMs),
      };
      return { urn: SLIDING_WINDOWS_URN, payload: SlidingWindowsPayload.toBinary(payload) };
    },
  };
}

/** The `count` windows up to the one that starts at `lastMs`; those that were there before stay the same objects. */
function slide(
  before: readonly IntervalWindow[],
  lastMs: number,
  count: number,
  { sizeMs, periodMs }: { readonly sizeMs: number; readonly periodMs: number },
): readonly IntervalWindow[] {
  const known = new Map(before.map((window) => [window.startMs, window]));
  return Array.from({ length: count }, (_, index) => {
    const start = lastMs - (count - 1 - index) * periodMs;
    return known.get(start) ?? interval(start, start + sizeMs);
  });
}

/** Per key, elements less than `gapMs` apart are in one window, which ends `gapMs` after the last of them. */
export function sessions(gapMs: number): WindowFn<IntervalWindow> {
  checkWholeMs("gapMs of sessions", gapMs, 1);
  let latest: readonly IntervalWindow[] = [];
  let startMs = Number.NaN;
  return {
    isMerging: true,
    assignsToOneWindow: true,
    windowCoder: "interval",
    assign: (timestampMs) => {
      if (timestampMs !== startMs) {
        startMs = timestampMs;
        latest = [interval(timestampMs, timestampMs + gapMs)];
      }
      return latest;
    },
    merge: mergeOverlapping,
    startMsOf: (window) => (window as IntervalWindow).startMs,
    sideInputWindow: refuseSideInputWindow("sessions"),
    toProto: () => ({
      urn: SESSION_WINDOWS_URN,
      payload: SessionWindowsPayload.toBinary({ gapSize: toDuration(gapMs) }),
    }),
  };
}

/** Windows that overlap become their span; windows that only touch stay apart, as in Beam. */
export function mergeOverlapping(
  windows: readonly IntervalWindow[],
): { merged: IntervalWindow; from: IntervalWindow[] }[] {
  const sorted = [...windows].sort((a, b) => a.startMs - b.startMs || a.endMs - b.endMs);
  const groups: { from: IntervalWindow[]; endMs: number }[] = [];
  for (const window of sorted) {
    const group = groups.at(-1);
    if (group !== undefined && window.startMs < group.endMs) {
      group.from.push(window);
      group.endMs = Math.max(group.endMs, window.endMs);
    } else {
      groups.push({ from: [window], endMs: window.endMs });
    }
  }
  return groups
    .filter(({ from }) => from.length > 1)
    .map(({ from, endMs }) => ({ merged: new IntervalWindow(from[0]!.startMs, endMs), from }));
}

/** A window function of somebody's own: merging if it says so. Windows are intervals unless it says `custom`. */
export interface CustomWindowFn<W extends Window = Window> {
  readonly isMerging?: boolean;
  readonly assignsToOneWindow?: boolean;
  /** `custom` windows are JSON objects with `id` and `maxTimestampMs`. */
  readonly windowCoder?: "interval" | "custom";
  assign(timestampMs: number, value: unknown): readonly W[];
  merge?(windows: readonly W[]): readonly { readonly merged: W; readonly from: readonly W[] }[];
  sideInputWindow?(main: Window): W;
}

// biome-ignore lint/suspicious/noExplicitAny: a factory makes functions of its own window type
type WindowFnFactory<Config> = (config: Config) => CustomWindowFn<any>;

const factories = new Map<string, WindowFnFactory<never>>();

/** Registers a window function under a versioned name. Returns the name. @throws when the name is taken. */
export function registerWindowFn<Config>(name: string, factory: WindowFnFactory<Config>): string {
  const known = factories.get(name);
  if (known !== undefined && known !== factory) {
    throw new Error(`window function name "${name}" is already registered`);
  }
  factories.set(name, factory as WindowFnFactory<never>);
  return name;
}

export function isWindowFnRegistered(name: string): boolean {
  return factories.has(name);
}

/** The window function registered as `name`. @throws when there is none, or it merges without saying how. */
export function registeredWindowFn(name: string, config: JsonValue): WindowFn {
  const factory = factories.get(name);
  if (factory === undefined) {
    const names = [...factories.keys()].sort().join(", ");
    throw new Error(`no window function is registered as "${name}" (registered: ${names || "none"})`);
  }
  const fn: CustomWindowFn = factory(config as never);
  const isMerging = fn.isMerging ?? false;
  if (isMerging && fn.merge === undefined) {
    throw new Error(`the merging window function "${name}" must have a merge function`);
  }
  const firstOf = (main: Window) => sideWindowOf(fn.assign(main.maxTimestampMs, undefined)[0], main);
  return {
    isMerging,
    assignsToOneWindow: fn.assignsToOneWindow ?? false,
    windowCoder: fn.windowCoder ?? "interval",
    assign: (timestampMs, value) => fn.assign(timestampMs, value),
    ...(fn.merge && { merge: (windows: readonly Window[]) => fn.merge!(windows) }),
    sideInputWindow:
      fn.sideInputWindow !== undefined
        ? (main) => fn.sideInputWindow!(main)
        : isMerging
          ? refuseSideInputWindow(name)
          : firstOf,
    toProto: () => {
      mustBeJson(name, config);
      return { urn: REGISTERED_WINDOW_FN_URN, payload: jsonPayload({ fn: name, config }) };
    },
  };
}

/** The window function of a windowing strategy: Beam's four, calendar windows, registered ones. @throws on any other. */
export function windowFnFromProto(spec: runnerApi.FunctionSpec | undefined): WindowFn {
  const payload = spec?.payload ?? new Uint8Array();
  switch (spec?.urn) {
    case GLOBAL_WINDOWS_URN:
      return globalWindows();
    case FIXED_WINDOWS_URN: {
      const { size, offset } = FixedWindowsPayload.fromBinary(payload);
      return fixedWindows(toMs(size, "size"), { offsetMs: toMs(offset, "offset") }) as unknown as WindowFn;
    }
    case SLIDING_WINDOWS_URN: {
      const { size, period, offset } = SlidingWindowsPayload.fromBinary(payload);
      return slidingWindows({
        sizeMs: toMs(size, "size"),
        periodMs: toMs(period, "period"),
        offsetMs: toMs(offset, "offset"),
      }) as unknown as WindowFn;
    }
    case SESSION_WINDOWS_URN:
      return sessions(
        toMs(SessionWindowsPayload.fromBinary(payload).gapSize, "gap size"),
      ) as unknown as WindowFn;
    case CALENDAR_DAYS_URN:
      return calendarDays(readJsonPayload(payload)) as unknown as WindowFn;
    case CALENDAR_MONTHS_URN:
      return calendarMonths(readJsonPayload(payload)) as unknown as WindowFn;
    case REGISTERED_WINDOW_FN_URN: {
      const { fn, config } = readJsonPayload<{ fn: string; config: JsonValue }>(payload);
      return registeredWindowFn(fn, config);
    }
    default:
      throw new Error(`window function "${spec?.urn ?? "none"}" is not known`);
  }
}

/** Rounds down to a multiple of `periodMs` after `offsetMs`, also before 1970. */
function startOf(timestampMs: number, periodMs: number, offsetMs: number): number {
  const rest = (timestampMs - offsetMs) % periodMs;
  return timestampMs - (rest < 0 ? rest + periodMs : rest);
}

/** Behind the last event time, which a window may hold: that is one less in Beam, and odd, so two more than ours. */
const LAST_WINDOW_END_MS = GLOBAL_WINDOW_END_MS + 2;

/** No window ends behind the global one. */
function interval(startMs: number, endMs: number): IntervalWindow {
  return new IntervalWindow(startMs, Math.max(startMs + 1, Math.min(endMs, LAST_WINDOW_END_MS)));
}

function sideWindowOf<W>(window: W | undefined, main: Window): W {
  if (window !== undefined) return window;
  throw new Error(`no window of the side input holds ${main.maxTimestampMs}, the end of window "${main.id}"`);
}

function refuseSideInputWindow(name: string): () => never {
  return () => {
    throw new Error(`a side input must not be in merging windows (${name}): they are known only per key`);
  };
}

/** Duration and Timestamp are alike: seconds, and nanoseconds that are never negative. */
function toDuration(ms: number): { seconds: bigint; nanos: number } {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: (ms - seconds * 1000) * 1_000_000 };
}

function toMs(duration: { seconds: bigint; nanos: number } | undefined, what: string): number {
  const { seconds = 0n, nanos = 0 } = duration ?? {};
  if (nanos % 1_000_000 !== 0) {
    throw new Error(`${what} of a window function must be whole milliseconds, got ${seconds} s ${nanos} ns`);
  }
  return Number(seconds) * 1000 + nanos / 1_000_000;
}
