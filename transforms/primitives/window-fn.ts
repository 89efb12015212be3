/** What a window function is, and what the files of window functions share. */
import type { runnerApi } from "./beam.js";
import type { JsonValue } from "./fn-registry.js";
import type { Window } from "./window.js";

export interface WindowFn<W extends Window = Window> {
  readonly isMerging: boolean;
  readonly assignsToOneWindow: boolean;
  /** How windows are encoded: Beam's global or interval window, or JSON of their own. */
  readonly windowCoder: "global" | "interval" | "custom";
  /** The windows of an element, often the very array given before: not to be changed. Empty: it is in none and dropped. */
  assign(timestampMs: number, value: unknown): readonly W[];
  /** Which windows of one key belong together; one that stands in no result stays as it is. */
  merge?(windows: readonly W[]): readonly { readonly merged: W; readonly from: readonly W[] }[];
  /** Given where exactly those windows merge that overlap: the first time in a window. */
  startMsOf?(window: Window): number;
  /** Window of a side input for a main window: by default the one that holds the main window's maxTimestampMs. */
  sideInputWindow(main: Window): W;
  /** Under Beam's standard URN where it has one. */
  toProto(): runnerApi.FunctionSpec;
}

/** @throws unless it is a whole number, of at least `minMs` if given. */
export function checkWholeMs(what: string, ms: number, minMs?: number): void {
  if (!Number.isSafeInteger(ms)) throw new Error(`${what} must be a whole number, got ${ms}`);
  if (minMs !== undefined && ms < minMs) throw new Error(`${what} must be at least ${minMs}, got ${ms}`);
}

export function jsonPayload(json: JsonValue): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(json));
}

export function readJsonPayload<T>(payload: Uint8Array): T {
  return JSON.parse(new TextDecoder().decode(payload)) as T;
}
