/** Puts up with a database that is away while a command starts. */
import type { Clock, Log } from "../transforms/primitives/do-fn.js";

export interface WaitOptions {
  /** How long to try; undefined: without limit. */
  readonly timeoutMs: number | undefined;
  /** Whether an error may pass by itself. */
  readonly isAway: (error: unknown) => boolean;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Runs `attempt` until it succeeds. False: `signal` fired first.
 * @throws the last error when it cannot pass by itself, or when the time is up
 */
export async function waitForDatabase(attempt: () => Promise<void>, options: WaitOptions): Promise<boolean> {
  const { clock, signal, timeoutMs } = options;
  const startMs = clock.monotonicMs();
  for (let delayMs = DELAY_MIN_MS; !signal.aborted; delayMs = Math.min(delayMs * 2, DELAY_MAX_MS)) {
    try {
      await attempt();
      return true;
    } catch (error) {
      const leftMs = timeoutMs === undefined ? delayMs : timeoutMs - (clock.monotonicMs() - startMs);
      if (!options.isAway(error) || leftMs <= 0) throw error;
      const waitMs = Math.min(delayMs, leftMs);
      options.log.warn(`the database is away; trying again in ${waitMs} ms`, { error });
      await clock.sleep(waitMs, signal);
    }
  }
  return false;
}

const DELAY_MIN_MS = 100;
const DELAY_MAX_MS = 5_000;
