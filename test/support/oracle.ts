/** What a database and an error folder must hold after a given input, worked out from the input alone. */
import { expect } from "chai";
import { type Found, type FoundLetter, findResults, type Results } from "./results.js";
import type { ShopEvent, WrittenFile } from "./shop-input.js";

export interface OracleOptions {
  /** Whether the database has been told to reject this event. */
  readonly isRejected?: (event: ShopEvent) => boolean;
}

/** As `status` tells them. */
export interface Counts {
  records_read: number;
  events_written: number;
  duplicates: number;
  conflicts: number;
  dead_letters: Record<string, number>;
}

interface Expected {
  readonly rows: readonly string[];
  readonly letters: readonly string[];
  readonly totals: Counts;
  readonly files: Readonly<Record<string, Counts>>;
}

/**
 * Asserts that the input went in exactly once: the table row for row, the dead letters in table and
 * files, the counts in all and by file, the epochs without a gap.
 */
export async function expectExact(
  results: Results,
  input: readonly WrittenFile[],
  options: OracleOptions = {},
): Promise<void> {
  const found = await findResults(results);
  const expected = foretell(input, options);
  expectSame("user_events", found.rows.map(joined), expected.rows);
  expectSame("dead_letters", found.letters.map(placeOf), expected.letters);
  expectSame("NDJSON files", found.fileLetters.map(wholeOf), found.letters.map(wholeOf).sort());
  expect(found.pending, "files left pending").deep.equal([]);
  expectEpochs(found);
  const [status] = found.status;
  expect(found.status.length, "pipelines in the status").equal(1);
  expect(countsOf(status!), "counts in all").deep.equal(expected.totals);
  const byFile = Object.fromEntries(status!.files.map((file) => [file.path, countsOf(file)]));
  expect(byFile, "counts by file").deep.equal(expected.files);
  expect(status!.files_read, "files_read").equal(input.length);
}

/** Input order decides: the first acceptable record of an id is the event, later ones repeat it. */
function foretell(input: readonly WrittenFile[], { isRejected = () => false }: OracleOptions): Expected {
  const rows = new Map<string, string>();
  const letters: string[] = [];
  const totals = noCounts();
  const files: Record<string, Counts> = {};
  for (const { path, records } of input) {
    const counts = noCounts();
    for (const { event, line, byteStart, byteEnd, raw, reason } of records) {
      const first = event && rows.get(event.event_id);
      counts.records_read += 1;
      if (event && first !== undefined) {
        counts[first === joined(event) ? "duplicates" : "conflicts"] += 1;
      } else if (event && !isRejected(event)) {
        rows.set(event.event_id, joined(event));
        counts.events_written += 1;
      } else {
        const why = reason ?? "rejected_by_database";
        counts.dead_letters[why] = (counts.dead_letters[why] ?? 0) + 1;
        const place = { source_file: path, line, byte_start: byteStart, byte_end: byteEnd, reason: why };
        letters.push(placeOf({ ...place, generation: 0, raw: raw.toString("hex") }));
      }
    }
    files[path] = counts;
    addTo(totals, counts);
  }
  return { rows: [...rows.values()].sort(), letters: letters.sort(), totals, files };
}

function expectEpochs({ commits, fileLetters, letters, status, fileNames }: Found): void {
  expect(
    commits.map(({ epoch }) => epoch),
    "epochs in commits",
  ).deep.equal(commits.map((_, index) => index + 1));
  expect(status[0]?.epoch, "epoch of the pipeline").equal(commits.length);
  const lettersOf = new Map<number, number>();
  for (const { epoch } of letters) lettersOf.set(epoch, (lettersOf.get(epoch) ?? 0) + 1);
  for (const { epoch, dead_letters } of commits) {
    expect(dead_letters, `dead letters that commit ${epoch} counts`).equal(lettersOf.get(epoch) ?? 0);
  }
  expect([...fileNames].sort(), "NDJSON files").deep.equal(
    [...lettersOf.keys()].map((epoch) => `user-events-${epoch}.ndjson`).sort(),
  );
  const sums = { records_read: 0, events_written: 0, duplicates: 0, conflicts: 0 };
  for (const commit of commits) {
    for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += commit[name];
  }
  const { dead_letters: _, ...counts } = countsOf(status[0]!);
  expect(sums, "sum over commits").deep.equal(counts);
  for (const { epoch, in_file } of fileLetters) expect(epoch, `epoch of a line in ${in_file}`).equal(in_file);
}

/** As `deep.equal` on sorted lists, but it names the few that differ and not the thousands that do not. */
function expectSame(what: string, found: readonly string[], expected: readonly string[]): void {
  const left = new Map<string, number>();
  for (const one of expected) left.set(one, (left.get(one) ?? 0) + 1);
  const surplus: string[] = [];
  for (const one of found) {
    const count = left.get(one) ?? 0;
    if (count === 0) surplus.push(one);
    else left.set(one, count - 1);
  }
  const missing = [...left].filter(([, count]) => count > 0).map(([one]) => one);
  const show = (list: readonly string[]) =>
    `${list.length}${list
      .slice(0, 5)
      .map((one) => `\n    ${one}`)
      .join("")}`;
  expect(
    surplus.length + missing.length,
    `${what}: ${found.length} found, ${expected.length} expected\n  missing ${show(missing)}\n  surplus ${show(surplus)}\n `,
  ).equal(0);
}

function joined(event: ShopEvent): string {
  const { event_id, user_id, event_type, product_id, price, event_timestamp } = event;
  return [event_id, user_id, event_type, product_id, price, event_timestamp].join("\t");
}

/** A dead letter without what only the database can say of it. */
function placeOf(letter: Omit<FoundLetter, "epoch" | "file_id" | "messages">): string {
  const { source_file, generation, line, byte_start, byte_end, reason, raw } = letter;
  return JSON.stringify([source_file, generation, line, byte_start, byte_end, reason, raw]);
}

function wholeOf(letter: FoundLetter): string {
  return JSON.stringify([placeOf(letter), letter.epoch, letter.file_id, letter.messages]);
}

function countsOf({ records_read, events_written, duplicates, conflicts, dead_letters }: Counts): Counts {
  return { records_read, events_written, duplicates, conflicts, dead_letters };
}

function noCounts(): Counts {
  return { records_read: 0, events_written: 0, duplicates: 0, conflicts: 0, dead_letters: {} };
}

function addTo(sum: Counts, counts: Counts): void {
  sum.records_read += counts.records_read;
  sum.events_written += counts.events_written;
  sum.duplicates += counts.duplicates;
  sum.conflicts += counts.conflicts;
  for (const [reason, count] of Object.entries(counts.dead_letters)) {
    sum.dead_letters[reason] = (sum.dead_letters[reason] ?? 0) + count;
  }
}
