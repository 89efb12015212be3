/** What has been generated so far, counted the way the manifest tells it. */
import type { MalformedReason } from "./malformed-event.js";

/** Counts of records; `rows` is always the sum of the three kinds. */
export interface Tally {
  rows: number;
  unique: number;
  duplicate: number;
  malformed: number;
  /** Malformed records by the reason they must be refused for. */
  malformedByReason: Partial<Record<MalformedReason, number>>;
}

/** Nothing yet. */
export function emptyTally(): Tally {
  return { rows: 0, unique: 0, duplicate: 0, malformed: 0, malformedByReason: {} };
}

/** Adds the counts of `part` to `total`. */
export function addTally(total: Tally, part: Tally): void {
  total.rows += part.rows;
  total.unique += part.unique;
  total.duplicate += part.duplicate;
  total.malformed += part.malformed;
  for (const [reason, count] of Object.entries(part.malformedByReason)) {
    const key = reason as MalformedReason;
    total.malformedByReason[key] = (total.malformedByReason[key] ?? 0) + count;
  }
}
