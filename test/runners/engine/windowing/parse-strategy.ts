/** Reads the settings of a table: window functions and triggers written as calls, times as minutes and seconds. */
import type { Window } from "../../../../runners/engine/element.js";
import type { TriggerSpec } from "../../../../runners/engine/windowing-strategy.js";
import { GLOBAL_WINDOW, IntervalWindow } from "../../../../transforms/primitives/window.js";

/** A window function with its assignment, which the engine does not know. */
export interface TableWindowFn {
  readonly isMerging: boolean;
  assign(timestampMs: number): readonly Window[];
  merge(windows: readonly Window[]): readonly { merged: Window; from: readonly Window[] }[];
  startMsOf?: ((window: Window) => number) | undefined;
}

interface Call {
  readonly name: string;
  readonly args: readonly (Call | string)[];
}

const CALL = /[a-z-]+\(|[^(), ]+|[),]/g;

/** "-00:01.500" → -1500 */
export function parseTime(text: string): number {
  const match = /^(-?)(\d+):(\d\d)(?:\.(\d{3}))?$/.exec(text);
  if (match === null) throw new Error(`a time is mm:ss or mm:ss.mmm, got "${text}"`);
  const [, sign, minutes, seconds, millis] = match;
  const ms = Number(minutes) * 60_000 + Number(seconds) * 1000 + Number(millis ?? 0);
  return sign === "-" ? -ms : ms;
}

export function showTime(ms: number): string {
  const abs = Math.abs(ms);
  const pad = (n: number, digits: number) => String(n).padStart(digits, "0");
  const millis = abs % 1000 === 0 ? "" : `.${pad(abs % 1000, 3)}`;
  return `${ms < 0 ? "-" : ""}${pad(Math.floor(abs / 60_000), 2)}:${pad(Math.floor(abs / 1000) % 60, 2)}${millis}`;
}

/** `fixed(00:10)`, `sliding(00:10, 00:05)`, `sessions(00:10)`, `global()`, `same-minute(00:01)`, `grow-to-first(00:10)` */
export function parseWindowFn(text: string): TableWindowFn {
  const { name, args } = parseCall(text);
  const time = (i: number) => parseTime(String(args[i]));
  switch (name) {
    case "global":
      return { isMerging: false, assign: () => [GLOBAL_WINDOW], merge: () => [] };
    case "fixed":
      return slidingWindows(time(0), time(0));
    case "sliding":
      return slidingWindows(time(0), time(1));
    case "sessions":
      return sessionWindows(time(0));
    case "same-minute":
      return sameMinuteWindows(time(0));
    case "grow-to-first":
      return growToFirstWindows(time(0));
    default:
      throw new Error(`no window function ${name}`);
  }
}

export function slidingWindows(sizeMs: number, periodMs: number): TableWindowFn {
  return {
    isMerging: false,
    assign(timestampMs) {
      const windows: Window[] = [];
      const last = Math.floor(timestampMs / periodMs) * periodMs;
      for (let start = last; start > timestampMs - sizeMs; start -= periodMs) {
        windows.push(new IntervalWindow(start, start + sizeMs));
      }
      return windows;
    },
    merge: () => [],
  };
}

export function sessionWindows(gapMs: number): TableWindowFn {
  return {
    isMerging: true,
    assign: (timestampMs) => [new IntervalWindow(timestampMs, timestampMs + gapMs)],
    startMsOf: (window) => (window as IntervalWindow).startMs,
    merge(windows) {
      const sorted = [...(windows as readonly IntervalWindow[])].sort((a, b) => a.startMs - b.startMs);
      const runs: { startMs: number; endMs: number; from: IntervalWindow[] }[] = [];
      for (const window of sorted) {
        const run = runs.at(-1);
        if (run === undefined || window.startMs >= run.endMs) runs.push({ ...window, from: [window] });
        else {
          run.endMs = Math.max(run.endMs, window.endMs);
          run.from.push(window);
        }
      }
      return runs
        .filter(({ from }) => from.length > 1)
        .map(({ startMs, endMs, from }) => ({ merged: new IntervalWindow(startMs, endMs), from }));
    },
  };
}

/** A custom merging function: windows that begin in the same minute become one, with nothing between them or not. */
function sameMinuteWindows(sizeMs: number): TableWindowFn {
  return {
    ...sessionWindows(sizeMs),
    startMsOf: undefined,
    merge(windows) {
      const minutes = new Map<number, IntervalWindow[]>();
      for (const window of windows as readonly IntervalWindow[]) {
        const minute = Math.floor(window.startMs / 60_000);
        minutes.set(minute, [...(minutes.get(minute) ?? []), window]);
      }
      return [...minutes.values()]
        .filter((from) => from.length > 1)
        .map((from) => {
          const start = Math.min(...from.map((window) => window.startMs));
          const end = Math.max(...from.map((window) => window.endMs));
          return { merged: new IntervalWindow(start, end), from };
        });
    },
  };
}

/** A custom merging function: a window swallows those that begin within it and keeps its own bounds. */
function growToFirstWindows(sizeMs: number): TableWindowFn {
  const sessions = sessionWindows(sizeMs);
  return {
    ...sessions,
    startMsOf: undefined,
    merge: (windows) => sessions.merge(windows).map(({ from }) => ({ merged: from[0]!, from })),
  };
}

/** `repeat(count(2))`, `after-end-of-window(early(count(1)), late(count(1)))`, `delay(00:05)`, … */
export function parseTrigger(text: string): TriggerSpec {
  return toTrigger(parseCall(text));
}

function toTrigger(call: Call | string | undefined): TriggerSpec {
  if (call === undefined || typeof call === "string") throw new Error(`a trigger is a call, got "${call}"`);
  const { name, args } = call;
  const of = () => args.map(toTrigger);
  switch (name) {
    case "default":
    case "never":
    case "always":
    case "after-synchronized-processing-time":
      return { kind: name };
    case "after-end-of-window":
      return { kind: name, ...earlyAndLate(args) };
    case "count":
      return { kind: "after-count", count: Number(args[0]) };
    case "delay":
      return {
        kind: "after-processing-time",
        transforms: [{ kind: "delay", delayMs: parseTime(String(args[0])) }],
      };
    case "align": {
      const [delayMs, periodMs, offsetMs] = args.map((arg) => parseTime(String(arg)));
      return {
        kind: "after-processing-time",
        transforms: [
          { kind: "delay", delayMs: delayMs! },
          { kind: "align", periodMs: periodMs!, offsetMs: offsetMs ?? 0 },
        ],
      };
    }
    case "repeat":
      return { kind: name, of: toTrigger(args[0]) };
    case "after-each":
    case "after-first":
    case "after-all":
      return { kind: name, of: of() };
    case "or-finally":
      return { kind: name, main: toTrigger(args[0]), finally: toTrigger(args[1]) };
    default:
      throw new Error(`no trigger ${name}`);
  }
}

function earlyAndLate(args: Call["args"]): { early?: TriggerSpec; late?: TriggerSpec } {
  const parts: { early?: TriggerSpec; late?: TriggerSpec } = {};
  for (const arg of args) {
    if (typeof arg === "string" || (arg.name !== "early" && arg.name !== "late")) {
      throw new Error("after-end-of-window takes early(…) and late(…)");
    }
    parts[arg.name] = toTrigger(arg.args[0]);
  }
  return parts;
}

function parseCall(text: string): Call {
  const tokens = text.match(CALL) ?? [];
  let next = 0;
  const parse = (): Call | string => {
    const token = tokens[next++];
    if (token === undefined) throw new Error(`"${text}" ends too early`);
    if (!token.endsWith("(")) return token;
    const args: (Call | string)[] = [];
    while (tokens[next] !== ")") {
      args.push(parse());
      if (tokens[next] === ",") next++;
    }
    next++;
    return { name: token.slice(0, -1), args };
  };
  const call = parse();
  if (typeof call === "string" || next !== tokens.length) throw new Error(`"${text}" is not a call`);
  return call;
}
