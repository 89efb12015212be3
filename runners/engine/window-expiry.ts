/** When a window ends and when it expires. */
import type { Window } from "./element.js";

/** The last event time of the global window: no window ends or expires later. */
export const GLOBAL_WINDOW_END_MS = 9223371950454774;

/** A window has ended once the watermark is beyond this. */
export function endMs(window: Window): number {
  return Math.min(window.maxTimestampMs, GLOBAL_WINDOW_END_MS);
}

/** A window has expired once the watermark is beyond this: its elements are dropped, its state is gone. */
export function expiryMs(window: Window, allowedLatenessMs: number): number {
  return Math.min(window.maxTimestampMs + allowedLatenessMs, GLOBAL_WINDOW_END_MS);
}
