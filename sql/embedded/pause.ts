/** Waiting that an abort signal ends. */
import { setTimeout as sleep } from "node:timers/promises";
import { EmbeddedPostgresError } from "./embedded-postgres-error.js";

/** @throws EmbeddedPostgresError `aborted` as soon as the signal fires. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  throwIfAborted(signal);
  await sleep(ms, undefined, signal ? { signal } : {}).catch(() => throwIfAborted(signal));
}

/** @throws EmbeddedPostgresError `aborted` if the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new EmbeddedPostgresError("aborted", "stopped while waiting for the embedded PostgreSQL", {
    cause: signal.reason,
  });
}
