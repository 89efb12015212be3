/** Sums over the counts of records. */
import type { JobOverview } from "../../job/job-view.js";

export type RecordCounts = JobOverview["totals"];

export function lettersOf(counts: RecordCounts): number {
  return Object.values(counts.deadLetters).reduce((sum, letters) => sum + letters, 0);
}

/** Records that were read and are in no other count: 0, or the ledger is wrong. */
export function unaccounted(counts: RecordCounts): number {
  return counts.recordsRead - counts.eventsWritten - counts.duplicates - counts.conflicts - lettersOf(counts);
}
