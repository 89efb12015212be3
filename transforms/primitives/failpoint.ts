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

export type Failpoint = (typeof FAILPOINTS)[number];

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
  if (!(FAILPOINTS as readonly string[]).includes(name)) {
    throw new Error(`MILLRACE_FAILPOINT names no failpoint: "${name}" (known: ${FAILPOINTS.join(", ")})`);
  }
  return { name, nth: Number(nth) };
}
