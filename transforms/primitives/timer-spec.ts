/** Timers as a DoFn declares them in a field, and the handle by which it sets them. */

/** `event-time` fires when the watermark passes the time, `processing-time` when the clock does. */
export type TimeDomain = "event-time" | "processing-time";

/** What a DoFn's field declares; the field's name is the family's id. A timer is a family, a key, a window, a tag. */
export class TimerSpec {
  constructor(readonly domain: TimeDomain) {}
}

/**
 * At the end of the input, drained or not, the watermark goes to the end of time: a timer that always sets itself
 * again goes on to the end of its window. In the global window that is for ever, as in Beam: whoever loops there must
 * say when it is enough, or the job ends only when it is cancelled.
 */
export function eventTimeTimer(): TimerSpec {
  return new TimerSpec("event-time");
}

/** At the end of the input one that is set fires at once, and what it sets then is dropped. */
export function processingTimeTimer(): TimerSpec {
  return new TimerSpec("processing-time");
}

/** A timer of the current key and window. Setting it again replaces the earlier setting. */
export interface Timer {
  /**
   * Sets it to fire at a time of its domain, ms since 1970. `outputTimestampMs` is the event time of
   * what it will emit and holds the output watermark until then; by default the firing time of an
   * event-time timer, and for a processing-time timer the time of the element or timer being processed.
   * @throws when an event-time timer is set behind its window's end plus allowed lateness, when the
   * output time is before the current element's, or, for event time, after the firing time.
   */
  set(fireAtMs: number, options?: { readonly outputTimestampMs?: number }): void;
  /** Sets it `delayMs` after the element's event time, or after the clock's now. @throws as `set`. */
  setRelative(delayMs: number, options?: { readonly outputTimestampMs?: number }): void;
  /** Forgets it, if it is set. */
  clear(): void;
}

/** A timer that has fired. */
export interface FiredTimer {
  /** Name of the DoFn's field. */
  readonly family: string;
  /** The tag given when it was set; "" by default. */
  readonly tag: string;
  /** What it was set to, in its domain. */
  readonly fireAtMs: number;
}
