/** When to look at the directory again: soon while files arrive, ever later while nothing happens. */

const DELAY_MS_MIN = 50;
const DELAY_MS_MAX = 5000;
const GROWTH = 1.5;
/** Between two polls while there is work. */
const WHILE_READING_MS = 1000;
/** After a poll, before a wake-up leads to the next. */
const WAKE_GAP_MS = 5;
/** Polls take at most this share of the time: a huge directory is listed less often. */
const SHARE_MAX = 0.2;

/** All times are monotonic, in ms. */
export class PollPace {
  #delayMs = DELAY_MS_MIN;
  #endedMs = Number.NEGATIVE_INFINITY;
  #dueMs = 0;

  /** A poll took place. */
  polled(startedMs: number, endedMs: number, hasNews: boolean): void {
    this.#endedMs = endedMs;
    this.#delayMs = hasNews ? DELAY_MS_MIN : Math.min(DELAY_MS_MAX, this.#delayMs * GROWTH);
    const restMs = (endedMs - startedMs) * (1 / SHARE_MAX - 1);
    this.#dueMs = endedMs + Math.max(this.#delayMs, Math.min(restMs, DELAY_MS_MAX));
  }

  /** Something is to be looked at by then, whatever the pace. */
  notLaterThan(timeMs: number): void {
    this.#dueMs = Math.min(this.#dueMs, timeMs);
  }

  isDue(nowMs: number, isAwake: boolean): boolean {
    return this.delayMs(nowMs, isAwake) <= 0;
  }

  /** Whether to look for new files in between, although there is enough to read. */
  isDueWhileReading(nowMs: number): boolean {
    return nowMs - this.#endedMs >= WHILE_READING_MS;
  }

  /** How long until the next poll. */
  delayMs(nowMs: number, isAwake: boolean): number {
    const wokenMs = isAwake ? this.#endedMs + WAKE_GAP_MS : Number.POSITIVE_INFINITY;
    return Math.max(0, Math.min(this.#dueMs, wokenMs) - nowMs);
  }
}
