/** Places where a crash test ends the process, as hard as `kill -9` does. */

/** Every place of an epoch in PostgreSQL, in the order in which it passes them. */
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

/** Every place of an epoch in a commit log before the last two of those above; the snapshots' by themselves. */
export const LOG_FAILPOINTS = ["before-append", "after-append", "after-sync"] as const;
export const SNAPSHOT_FAILPOINTS = [
  "before-snapshot",
  "after-snapshot-write",
  "after-snapshot-sync",
  "after-snapshot-rename",
  "after-snapshot-folder-sync",
  "within-prune",
  "after-prune",
] as const;
/** Every place of a start from a commit log. */
export const CLAIM_FAILPOINTS = ["before-claim", "after-claim", "after-recovery"] as const;

const ALL = [
  ...FAILPOINTS,
  ...REPLAY_FAILPOINTS,
  ...LOG_FAILPOINTS,
  ...SNAPSHOT_FAILPOINTS,
  ...CLAIM_FAILPOINTS,
];

export type Failpoint = (typeof ALL)[number];

const armed = parse(process.env["MILLRACE_FAILPOINT"]);
let hits = 0;

/** What a test in the same process does at every place, e.g. throw. */
export type FailpointListener = (name: Failpoint) => void;

let listener: FailpointListener | undefined;

/** For tests; undefined: nobody. */
export function onFailpoint(listen: FailpointListener | undefined): void {
  listener = listen;
}

/**
 * Does nothing, unless `MILLRACE_FAILPOINT=<name>[:<n>[:SIGSTOP]]` names this place: then the n-th visit kills the
 * process, or stops it.
 */
export function failpoint(name: Failpoint): void {
  listener?.(name);
  if (armed === undefined || armed.name !== name) return;
  hits += 1;
  if (hits === armed.nth) process.kill(process.pid, armed.signal);
}

interface Armed {
  readonly name: string;
  readonly nth: number;
  readonly signal: "SIGKILL" | "SIGSTOP";
}

function parse(text: string | undefined): Armed | undefined {
  if (!text) return undefined;
  const [name = "", nth = "1", signal = "SIGKILL"] = text.split(":");
  if (signal !== "SIGKILL" && signal !== "SIGSTOP")
    throw new Error(`MILLRACE_FAILPOINT must end in SIGKILL or SIGSTOP, got "${signal}"`);
  if (!(ALL as readonly string[]).includes(name)) {
    throw new Error(`MILLRACE_FAILPOINT names no failpoint: "${name}" (known: ${ALL.join(", ")})`);
  }
  return { name, nth: Number(nth), signal };
}
