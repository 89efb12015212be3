/** What the ledger of another database says of an entry of the log: to be applied, applied, or that the two do not fit. */
import type { LedgerRow } from "../../../sql/sink-ledger.js";
import type { EpochMark, OutboxEntry } from "../../../sql/sink-outbox.js";

/**
 * - `apply`: the other database stands at the entry before this one.
 * - `applied`: at this one, or behind it.
 * - `lost-here`: at a commit that the coordinating database does not have, as after a failover that lost its last ones.
 * - `lost-there`: at a commit before, or none, although what came between was confirmed. So too where a commit is so
 *   long ago that nobody knows any more whose it was: what is refused can be looked at, what is lost cannot.
 * - `others`: at commits of another coordinating database.
 */
export type LedgerVerdict = "apply" | "applied" | "lost-here" | "lost-there" | "others";

/** What only the coordinating database knows of the commit that the ledger names. */
export interface CommitLookup {
  /** Whether the log has it, for this step. */
  isLogged(mark: EpochMark): Promise<boolean>;
  /** Which run committed the epoch; undefined: nobody has, or it is not known any more. */
  runOfCommit(epoch: number): Promise<string | undefined>;
}

/** Judges by run and epoch: a run's epochs follow one another, so of one run the greater has the lesser behind it. */
export async function judge(
  entry: Pick<OutboxEntry, "epoch" | "runId" | "chain" | "after">,
  { chain, mark }: LedgerRow,
  lookup: CommitLookup,
): Promise<LedgerVerdict> {
  if (chain !== entry.chain) return "others";
  if (isSame(mark, entry.after)) return "apply";
  if (mark === undefined) return "lost-there";
  if (mark.runId === entry.runId && mark.epoch >= entry.epoch) return "applied";
  if (mark.epoch > entry.epoch && (await lookup.isLogged(mark))) return "applied";
  if (mark.epoch >= entry.epoch) return "lost-here";
  const runId = await lookup.runOfCommit(mark.epoch);
  return runId === undefined || runId === mark.runId ? "lost-there" : "lost-here";
}

function isSame(a: EpochMark | undefined, b: EpochMark | undefined): boolean {
  return a?.epoch === b?.epoch && a?.runId === b?.runId;
}
