/** `pipeline --once` on a folder with every trouble: exact rows, dead letters and counts, and nothing twice. */

import { appendFile, readdir, readFile, unlink, writeFile } from "node:fs/promises";
import { expect } from "chai";
import type { PipelineStatus } from "../../sql/status.js";
import type { Counts } from "../support/oracle.js";
import { jsonLines } from "../support/product.js";
import { ExpectedFile, HEADER, type Letter } from "./expected-file.js";
import { product, session, useFreshProduct } from "./fresh-product.js";
import { event, FORBIDDEN, stored, troubledFiles } from "./troubled-input.js";

const TRIGGER = `
create function refuse_product() returns trigger language plpgsql as $$
begin
  if new.product_id = '${FORBIDDEN}' then raise exception E'not sold:\\n%', repeat('é', 300); end if;
  return new;
end $$;
create trigger refuse_product before insert on user_events for each row execute function refuse_product()`;

const ROWS = `
select event_id, user_id, event_type, product_id, price::text,
  to_char(event_timestamp at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as event_timestamp
from user_events order by id`;

const LETTERS = `
select source_file, generation, line, byte_start, byte_end, reason, messages, raw, epoch, file_id
from dead_letters order by source_file, generation, byte_start`;

interface StoredLetter extends Omit<Letter, "raw"> {
  readonly messages: string[];
  readonly raw: Buffer;
  readonly epoch: number;
  readonly file_id: number;
}

describe("pipeline --once on a troubled folder", () => {
  useFreshProduct();

  const settings: [string, string[]][] = [
    ["in one epoch", []],
    [
      "in epochs of three records, with hardly a memory of ids",
      ["--epoch-records-max=3", "--horizon-records=1"],
    ],
  ];
  for (const [how, flags] of settings) {
    it(`gives exact rows, dead letters and counts ${how}, and nothing more when it runs again`, async () => {
      const expected = await writeTroubledFolder();
      await product.succeed(["migrate"]);
      await session.query(TRIGGER);
      const { stdout } = await product.succeed(["pipeline", "--once", "--json", ...flags]);
      const status = await expectExactly(expected);
      expectJsonToTell(stdout, status);
      await expectMetricsToTell(status);

      const before = await everything();
      await product.succeed(["pipeline", "--once", ...flags]);
      expect(await everything()).to.deep.equal(before);
    });
  }

  it("goes on where files went on: continued, rewritten, repeated in other files", async () => {
    const open = new ExpectedFile("open.csv").text(`${HEADER}\n`).record(event("a1"), stored("a1"), "");
    const closed = new ExpectedFile("closed.csv").text(`${HEADER}\r\n`).record(event("a2"), stored("a2"), "");
    const grown = new ExpectedFile("grown.csv").text(`${HEADER}\n`).record(event("a3"), stored("a3"));
    const other = new ExpectedFile("other.csv").text(`${HEADER}\n`).record(event("a4"), stored("a4"));
    const renamed = new ExpectedFile("renamed.csv").text(`${HEADER}\n`).record(event("a5"), stored("a5"));
    const files = [open, closed, grown, other, renamed];
    for (const [second, file] of files.entries()) await file.write(product.input(file.name), second);
    await product.succeed(["pipeline", "--once"]);
    await expectExactly(files);

    const continued = { dead: "continued_after_quiet" };
    await grow(open, () => open.record("0", continued).record(event("a6"), stored("a6")));
    await grow(closed, () => closed.text("\r\n").record(event("a7"), stored("a7")));
    await grow(grown, () => grown.record(event("a8"), stored("a8")).record(event("a3", "3"), "conflict"));
    other
      .rewritten()
      .text(`${HEADER}\n`)
      .record(event("a4", "1"), "duplicate")
      .record(event("a9"), stored("a9"));
    await unlink(product.input(other.name));
    await other.write(product.input(other.name), 99);
    const repeated = new ExpectedFile("repeated.csv")
      .text(`${HEADER}\n`)
      .record(event("a1", "1"), "duplicate");
    await repeated.write(product.input(repeated.name), 100);
    await product.succeed(["pipeline", "--once", "--quiet-ms=200"]);
    await expectExactly([...files, repeated], { inOrder: false });
    const [letter] = await session.query<StoredLetter>(LETTERS);
    expect(letter!.messages).to.have.lengthOf(1);
    expect(letter!.messages[0]).to.match(/^continues line 2, /);
  });

  it("reads what the options say, and leaves other names alone", async () => {
    const semicolons = event("s1").replaceAll(",", ";");
    const text = `${HEADER.replaceAll(",", ";")}\n${semicolons}\n`;
    for (const name of ["events.txt", "events.csv", ".events.txt", "_events.txt", "events.txt.tmp"]) {
      await writeFile(product.input(name), name === "events.txt" ? text : text.replaceAll("s1", name));
    }
    await product.succeed(["pipeline", "--once", "--glob=*.txt", "--delimiter=;"]);
    expect(await rows()).to.deep.equal([stored("s1").row]);
    const [pipeline] = await product.status();
    expect(pipeline!.files.map(({ path }) => path)).to.deep.equal(["events.txt"]);
  });
});

/** Appends to the file what is added to it now. */
async function grow(file: ExpectedFile, add: () => void): Promise<void> {
  const before = file.content.length;
  add();
  await appendFile(product.input(file.name), file.content.subarray(before));
}

async function writeTroubledFolder(): Promise<ExpectedFile[]> {
  const files = troubledFiles();
  for (const [second, { expected, encode }] of files.entries()) {
    await expected.write(product.input(expected.name), second, encode);
  }
  for (const name of [".hidden.csv", "_draft.csv", "growing.csv.tmp", "growing.csv.partial", "notes.md"]) {
    await writeFile(product.input(name), `${HEADER}\n${event("never")}\n`);
  }
  return files.map(({ expected }) => expected);
}

const rows = async () => (await session.query<Record<string, string>>(ROWS)).map((row) => Object.values(row));

/** Table, dead letters in table and files, and status are what the files say, nothing more and nothing less. */
async function expectExactly(
  files: readonly ExpectedFile[],
  { inOrder = true } = {},
): Promise<PipelineStatus> {
  const expectedRows = files.flatMap((file) => file.rows);
  expect(sorted(await rows(), inOrder)).to.deep.equal(sorted(expectedRows, inOrder));
  await expectLetters(files);
  return await expectStatus(files);
}

async function expectLetters(files: readonly ExpectedFile[]): Promise<void> {
  const letters = await session.query<StoredLetter>(LETTERS);
  const expected = files.flatMap((file) => file.letters).sort(byPlace);
  const found = letters.map(({ messages: _, epoch: __, file_id: ___, raw, ...letter }) => ({
    ...letter,
    raw: raw.toString("latin1"),
  }));
  expect(found.map(shortened)).to.deep.equal(expected.map(shortened));
  expect(found).to.deep.equal(expected);
  for (const { messages } of letters) {
    expect(messages).to.not.be.empty;
    for (const message of messages) expect(Buffer.byteLength(message)).to.be.at.most(200);
  }
  const lines = (await product.ndjson(product.path("data", "error"))) as unknown as FileLetter[];
  const fromFiles = lines.map(({ pipeline, raw, raw_encoding, ...letter }) => {
    expect(pipeline).to.equal("user-events");
    return { ...letter, raw: Buffer.from(raw, raw_encoding).toString("latin1") };
  });
  const fromTable = letters.map(({ raw, ...letter }) => ({ ...letter, raw: raw.toString("latin1") }));
  expect(fromFiles.sort(byPlace).map(shortened)).to.deep.equal(fromTable.map(shortened));
  expect(fromFiles).to.deep.equal(fromTable);
  expect(await readdir(product.path("data", "error", ".pending"))).to.deep.equal([]);
}

interface FileLetter extends Omit<StoredLetter, "raw"> {
  readonly pipeline: string;
  readonly raw: string;
  readonly raw_encoding: "utf8" | "base64";
}

async function expectStatus(files: readonly ExpectedFile[]): Promise<PipelineStatus> {
  const list = await product.status();
  expect(list).to.have.lengthOf(1);
  const status = list[0]!;
  const counts = ["records_read", "events_written", "duplicates", "conflicts", "dead_letters"];
  const names = ["pipeline", "pid", "files_read", ...counts, "epoch", "last_commit_at", "files"];
  expect(Object.keys(status)).to.deep.equal(names);
  for (const file of status.files) {
    expect(Object.keys(file)).to.deep.equal(["path", "generation", "state", "byte_offset", ...counts]);
  }
  expect(status.last_commit_at).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  expect(status.files).to.deep.equal(files.map((file) => file.status));
  const { pipeline, pid, files_read } = status;
  expect({ pipeline, pid, files_read }).to.deep.equal({
    pipeline: "user-events",
    pid: null,
    files_read: files.length,
  });
  const sum = (name: "records_read" | "events_written" | "duplicates" | "conflicts") =>
    files.reduce((total, file) => total + file.status[name], 0);
  const dead: Record<string, number> = {};
  for (const { reason } of files.flatMap((file) => file.letters)) dead[reason] = (dead[reason] ?? 0) + 1;
  expect(countsOf(status)).to.deep.equal({
    records_read: sum("records_read"),
    events_written: sum("events_written"),
    duplicates: sum("duplicates"),
    conflicts: sum("conflicts"),
    dead_letters: dead,
  });
  return status;
}

/** Every line is a commit and the last one the end; the commits add up to the status. */
function expectJsonToTell(stdout: string, status: PipelineStatus): void {
  const events = jsonLines(stdout);
  const end = events.at(-1)!;
  expect(events.map((one) => one["event"])).to.deep.equal([
    ...new Array(events.length - 1).fill("commit"),
    "end",
  ]);
  const counts = countsOf(status);
  expect(end).to.deep.equal({
    ...{ event: "end", pipeline: "user-events", state: "DONE", exit_code: 0, error: null },
    ...counts,
  });
  expect(sumOf(events.slice(0, -1))).to.deep.equal(counts);
  expect(events.at(-2)).to.deep.include({ totals: counts, epoch: status.epoch });
}

/** One line a commit under the names of Spark's StreamingQueryProgress. */
async function expectMetricsToTell(status: PipelineStatus): Promise<void> {
  const lines = jsonLines(await readFile(product.path("logs", "streaming_metrics.log"), "utf8"));
  const names = ["id", "runId", "name", "timestamp", "batchId", "batchDuration", "numInputRows"];
  const more = ["inputRowsPerSecond", "processedRowsPerSecond", "durationMs", "eventTime", "stateOperators"];
  for (const line of lines) expect(line).to.include.all.keys(...names, ...more, "sources", "sink");
  expect(lines.map((line) => line["batchId"])).to.deep.equal(lines.map((_, at) => at + 1));
  const sum = (value: (line: Record<string, unknown>) => unknown) =>
    lines.reduce((total, line) => total + (value(line) as number), 0);
  const rowsIn = sum((line) => line["numInputRows"]);
  const rowsOut = sum((line) => (line["sink"] as Record<string, unknown>)["numOutputRows"]);
  expect([rowsIn, rowsOut]).to.deep.equal([status.records_read, status.events_written]);
}

function countsOf({
  records_read,
  events_written,
  duplicates,
  conflicts,
  dead_letters,
}: PipelineStatus): Counts {
  return { records_read, events_written, duplicates, conflicts, dead_letters };
}

function sumOf(commits: readonly Record<string, unknown>[]): Counts {
  const sums: Counts = { records_read: 0, events_written: 0, duplicates: 0, conflicts: 0, dead_letters: {} };
  for (const commit of commits as unknown as Counts[]) {
    for (const name of ["records_read", "events_written", "duplicates", "conflicts"] as const) {
      sums[name] += commit[name];
    }
    for (const [reason, count] of Object.entries(commit.dead_letters)) {
      sums.dead_letters[reason] = (sums.dead_letters[reason] ?? 0) + count;
    }
  }
  return sums;
}

/** All that a run could have changed. */
async function everything() {
  const folder = product.path("data", "error");
  return {
    rows: await session.query("select * from user_events order by id"),
    letters: await session.query("select * from dead_letters order by id"),
    status: await product.status(),
    files: (await readdir(folder, { recursive: true })).sort(),
  };
}

function sorted(list: readonly (readonly string[])[], inOrder: boolean): string[][] {
  const copy = list.map((row) => [...row]);
  return inOrder ? copy : copy.sort((a, b) => compare(a[0]!, b[0]!));
}

function byPlace<Place extends Pick<Letter, "source_file" | "generation" | "byte_start">>(
  a: Place,
  b: Place,
) {
  const byFile = compare(a.source_file, b.source_file);
  return byFile || a.generation - b.generation || a.byte_start - b.byte_start;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** For a message that can be read when it fails. */
function shortened<Place extends Letter>({ raw, ...letter }: Place) {
  return { ...letter, raw: raw.slice(0, 100) };
}
