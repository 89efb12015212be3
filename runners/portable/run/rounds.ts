/** A stream made of bounded runs: one round after the other, until somebody asks for the end. */
import type { Clock } from "../../../transforms/primitives/do-fn.js";

/** What may come of a failed round: nothing more, another try of so many, or as many as it takes. */
export type RoundVerdict = "end" | "counted-retry" | "retry";

export interface RoundsOptions {
  /** From the beginning of one round to that of the next; one that takes longer is followed at once. */
  readonly intervalMs: number;
  /** Reads what is new, to its end. */
  readonly round: () => Promise<void>;
  /** Of what a round has thrown. */
  readonly judge: (error: unknown) => RoundVerdict;
  /** Told before each pause that a failed round is followed by. */
  readonly onRetry: (error: unknown, attempt: number, delayMs: number) => Promise<void>;
  /** No further round begins once it has fired; one that is under way comes to its end. */
  readonly stop: AbortSignal;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
}

/** So often in a row a failed round is tried again. */
export const ROUND_RETRIES_MAX = 5;
export const ROUND_BACKOFF_BASE_MS = 1_000;
export const ROUND_BACKOFF_MAX_MS = 60_000;

/** @throws what a round has thrown that is not tried again, because of what it is, how often it came, or a stop */
export async function runRounds({
  intervalMs,
  round,
  judge,
  onRetry,
  stop,
  clock,
}: RoundsOptions): Promise<void> {
  let attempts = 0;
  let counted = 0;
  while (!stop.aborted) {
    const beganAtMs = clock.monotonicMs();
    try {
      await round();
      attempts = counted = 0;
      await clock.sleep(beganAtMs + intervalMs - clock.monotonicMs(), stop);
    } catch (error) {
      const verdict = judge(error);
      if (verdict === "counted-retry") counted += 1;
      if (verdict === "end" || counted > ROUND_RETRIES_MAX || stop.aborted) throw error;
      attempts += 1;
      const delayMs = roundBackoffMs(attempts);
      await onRetry(error, attempts, delayMs);
      await clock.sleep(delayMs, stop);
      if (stop.aborted) throw error;
    }
  }
}

/** The pause before attempt `attempt` (1, 2, …). */
function roundBackoffMs(attempt: number): number {
  return Math.min(ROUND_BACKOFF_MAX_MS, ROUND_BACKOFF_BASE_MS * 2 ** (attempt - 1));
}
