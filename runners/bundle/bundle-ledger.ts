/** The counts of one bundle, by file and in all. */

import type { RecordCounts } from "../../sql/ledger.js";
import type { Ledger, LedgerCounter } from "../../transforms/primitives/do-fn.js";

/** What became of the records of one file. */
export interface FileCounts {
  readonly fileId: number;
  recordsRead: number;
  eventsWritten: number;
  duplicates: number;
  conflicts: number;
  deadLetters: Record<string, number>;
}

const FIELDS = {
  records_read: "recordsRead",
  events_written: "eventsWritten",
  duplicates: "duplicates",
  conflicts: "conflicts",
} as const;

export class BundleLedger implements Ledger {
  readonly #files = new Map<number, FileCounts>();
  /** Records come file by file, so the last one is nearly always the next one. */
  #last: FileCounts | undefined;

  add(fileId: number, counter: LedgerCounter, count = 1): void {
    this.#of(fileId)[FIELDS[counter]] += count;
  }

  addDeadLetter(fileId: number, reason: string, count = 1): void {
    const { deadLetters } = this.#of(fileId);
    deadLetters[reason] = (deadLetters[reason] ?? 0) + count;
  }

  get isEmpty(): boolean {
    return this.#files.size === 0;
  }

  get files(): FileCounts[] {
    return [...this.#files.values()];
  }

  /** The sum over all files. */
  total(): RecordCounts {
    return this.files.reduce<RecordCounts>(addCounts, NO_COUNTS);
  }

  #of(fileId: number): FileCounts {
    if (this.#last?.fileId === fileId) return this.#last;
    let counts = this.#files.get(fileId);
    if (counts === undefined) {
      counts = { fileId, recordsRead: 0, eventsWritten: 0, duplicates: 0, conflicts: 0, deadLetters: {} };
      this.#files.set(fileId, counts);
    }
    this.#last = counts;
    return counts;
  }
}

export const NO_COUNTS: RecordCounts = {
  recordsRead: 0,
  eventsWritten: 0,
  duplicates: 0,
  conflicts: 0,
  deadLetters: {},
};

/** Adds counts field by field, dead letters by reason; a reason of which none is left goes. */
export function addCounts(a: RecordCounts, b: RecordCounts): RecordCounts {
  const deadLetters: Record<string, number> = { ...a.deadLetters };
  for (const [reason, count] of Object.entries(b.deadLetters)) {
    const sum = (deadLetters[reason] ?? 0) + count;
    if (sum === 0) delete deadLetters[reason];
    else deadLetters[reason] = sum;
  }
  return {
    recordsRead: a.recordsRead + b.recordsRead,
    eventsWritten: a.eventsWritten + b.eventsWritten,
    duplicates: a.duplicates + b.duplicates,
    conflicts: a.conflicts + b.conflicts,
    deadLetters,
  };
}
