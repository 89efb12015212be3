/** Places where a crash test ends the process, as hard as `kill -9` does. */

/** Every place, in the order in which an epoch passes them. */
export const FAILPOINTS = [
  "before-transaction",
  "after-begin",
  "after-stage",
  "after-rows",
  "after-dead-letters",
  "after-pending-file",
  "after-positions",
  "after-state",
  "after-ledger",
  "before-commit",
  "after-commit",
  "after-apply",
  "before-publish",
  "after-publish",
  "before-finalize",
  "after-finalize",
] as const;

/** The same of an epoch's replay into another database, behind its commit. */
export const REPLAY_FAILPOINTS = [
  "before-replay",
  "mid-replay",
  "before-replay-commit",
  "after-replay",
  "before-confirmation",
] as const;

const ALL: readonly string[] = [...FAILPOINTS, ...REPLAY_FAILPOINTS];

export type Failpoint = (typeof FAILPOINTS)[number] | (typeof REPLAY_FAILPOINTS)[number];

const armed = parse(process.env["MILLRACE_FAILPOINT"]);
let hits = 0;

/** Does nothing, unless `MILLRACE_FAILPOINT=<name>[:<n>]` names this place: then the n-th visit kills the process. */
export function failpoint(name: Failpoint): void {
  if (armed === undefined || armed.name !== name) return;
  hits += 1;
  if (hits === armed.nth) process.kill(process.pid, "SIGKILL");
}

function parse(text: string | undefined): { name: string; nth: number } | undefined {
  if (!text) return undefined;
  const [name = "", nth = "1"] = text.split(":");
  if (!ALL.includes(name)) {
    throw new Error(`MILLRACE_FAILPOINT names no failpoint: "${name}" (known: ${ALL.join(", ")})`);
  }
  return { name, nth: Number(nth) };
}
