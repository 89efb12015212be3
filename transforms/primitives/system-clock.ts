/** The real clock: the only place that reads the machine's time for whoever takes a `Clock`. */
import type { Clock } from "./do-fn.js";

/** The machine's own time. Tests move a clock of their own instead. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep,
};

/** A longer delay overflows Node's timers, which then fire at once. */
const timerDelayMsMax = 2 ** 31 - 1;

async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  let remainingMs = ms;
  while (!signal?.aborted) {
    const delayMs = Math.min(Math.max(remainingMs, 0), timerDelayMsMax);
    await delay(delayMs, signal);
    remainingMs -= delayMs;
    if (remainingMs <= 0) return;
  }
}

/** One timer; the listener goes with it, so that a long-lived signal does not collect them. */
function delay(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end, { once: true });
  });
}
