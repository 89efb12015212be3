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

/** How a timer is set. */
export interface TimerOptions {
  /**
   * Event time of what the timer will emit, ms since 1970: it holds the output watermark until the timer has
   * fired. `"none"`: it holds nothing back, and must emit nothing (Beam's `withNoOutputTimestamp`).
   */
  readonly outputTimestampMs?: number | "none";
}

/** A timer of the current key and window. Setting it again replaces the earlier setting. */
export interface Timer {
  /**
   * Sets it to fire at a time of its domain, ms since 1970. Its output time is by default the firing time of
   * an event-time timer, and for a processing-time timer that of the element or timer being processed, which
   * is none for a timer that has none.
   * @throws when an event-time timer is set behind its window's end plus allowed lateness, when the
   * output time is before the current element's, or, for event time, after the firing time.
   */
  set(fireAtMs: number, options?: TimerOptions): void;
  /**
   * Sets it `delayMs` after the element's event time, but at its window's end plus allowed lateness at the
   * latest, or after the clock's now. @throws as `set`, and for an event-time timer when the timer being
   * processed has no output time to count from.
   */
  setRelative(delayMs: number, options?: TimerOptions): void;
  /** Forgets it, if it is set. */
  clear(): void;
  /**
   * How far its time domain has come, ms since 1970: the clock, or for event time the step's input watermark, behind
   * which whatever comes is late. A worker is not told that: there it is the time of the element or timer being
   * processed, as in Beam's workers.
   */
  currentTimeMs(): number;
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
