/**
 * The work of the benchmark of workers: events from CSV files, checked, grouped by id, the first of each kept. It is
 * written against the Beam SDK alone, so that the SDK's own worker, in a process without Millrace, can run it too.
 */
import "../../transforms/primitives/node-util.js";
import { appendFileSync, readFileSync } from "node:fs";
import * as beam from "apache-beam";
import { requireForSerialization } from "apache-beam/serialization";
import { impulse } from "apache-beam/transforms/internal";

export interface SparkWork {
  /** Absolute paths of CSV files with a header. */
  readonly files: readonly string[];
  /** Takes a line of JSON from each bundle of a step that counts. */
  readonly reportFile: string;
}

/** What the work comes to, whoever does it. */
export interface WorkResult {
  readonly invalid: number;
  readonly repeats: number;
  readonly kept: number;
  /** Of the kept rows' hashes, so that no order counts. */
  readonly checksum: number;
}

export function buildSparkWork(root: beam.Root, { files, reportFile }: SparkWork): void {
  root
    .apply(beam.withName("Impulse", impulse()))
    .apply(beam.withName("ListFiles", beam.parDo(new ListFiles([...files]))))
    .apply(beam.withName("SpreadFiles", beam.groupBy<File, string>("path")))
    .apply(beam.withName("ReadLines", beam.parDo(new ReadLines())))
    .apply(beam.withName("ParseEvents", beam.parDo(new ParseEvents(reportFile))))
    .apply(beam.withName("GroupById", beam.groupBy<Row, string>("event_id")))
    .apply(beam.withName("KeepFirst", beam.parDo(new KeepFirst(reportFile))));
}

/** What bundles have reported, added up. */
export function reportedResult(reportFile: string): WorkResult {
  const total = { invalid: 0, repeats: 0, kept: 0, checksum: 0 };
  for (const line of readFileSync(reportFile, "utf8").split("\n").filter(Boolean)) {
    const part = JSON.parse(line) as Partial<WorkResult>;
    for (const name of Object.keys(total) as (keyof WorkResult)[]) total[name] += part[name] ?? 0;
  }
  return total;
}

/** The same without Beam: a loop over the files. */
export function expectedResult(files: readonly string[]): WorkResult {
  const seen = new Set<string>();
  const total = { invalid: 0, repeats: 0, kept: 0, checksum: 0 };
  for (const path of files) {
    for (const line of linesOf(path)) {
      const row = parseRow(line);
      if (row === undefined) total.invalid++;
      else if (seen.has(row.event_id)) total.repeats++;
      else {
        seen.add(row.event_id);
        total.kept++;
        total.checksum += hashOf(row);
      }
    }
  }
  return total;
}

interface File {
  readonly path: string;
  /** Its place among the files. */
  readonly place: number;
}

interface Line {
  readonly place: number;
  readonly number: number;
  readonly text: string;
}

interface Row {
  readonly event_id: string;
  readonly user_id: string;
  readonly event_type: string;
  readonly product_id: string;
  readonly price: number;
  readonly event_timestamp: string;
  /** Where it was read, by which the first is told. */
  readonly place: number;
  readonly number: number;
}

type Group<T> = { readonly key: string; readonly value: Iterable<T> };

class ListFiles {
  readonly beamName = "ListFiles";
  constructor(readonly files: readonly string[]) {}
  *process(): Iterable<File> {
    for (const [place, path] of this.files.entries()) yield { path, place };
  }
}

class ReadLines {
  readonly beamName = "ReadLines";
  *process({ value: files }: Group<File>): Iterable<Line> {
    for (const { path, place } of files) yield* linesOf(path, place);
  }
}

class ParseEvents {
  readonly beamName = "ParseEvents";
  invalid = 0;
  constructor(readonly reportFile: string) {}
  startBundle(): void {
    this.invalid = 0;
  }
  *process(line: Line): Iterable<Row> {
    const row = parseRow(line);
    if (row === undefined) this.invalid++;
    else yield row;
  }
  finishBundle(): void {
    const { invalid } = this;
    if (invalid > 0) appendFileSync(this.reportFile, `${JSON.stringify({ invalid })}\n`);
  }
}

class KeepFirst {
  readonly beamName = "KeepFirst";
  kept = 0;
  repeats = 0;
  checksum = 0;
  constructor(readonly reportFile: string) {}
  startBundle(): void {
    this.kept = 0;
    this.repeats = 0;
    this.checksum = 0;
  }
  process({ value: rows }: Group<Row>): void {
    let first: Row | undefined;
    for (const row of rows) {
      this.repeats++;
      if (first === undefined || isBefore(row, first)) first = row;
    }
    this.repeats--;
    this.kept++;
    this.checksum += hashOf(first!);
  }
  finishBundle(): void {
    const { kept, repeats, checksum } = this;
    if (kept > 0) appendFileSync(this.reportFile, `${JSON.stringify({ kept, repeats, checksum })}\n`);
  }
}

/** By these names the steps are found again where they run. */
requireForSerialization("millrace_bench_spark_work", { ListFiles, ReadLines, ParseEvents, KeepFirst });

function* linesOf(path: string, place = 0): Iterable<Line> {
  const [, ...lines] = readFileSync(path, "utf8").split("\n");
  for (let at = 0; at < lines.length; at++) {
    if (lines[at] !== "") yield { place, number: at, text: lines[at]! };
  }
}

/** Six fields without quotes: id, user, type, product, price, time. */
const RECORD =
  /^([!#-+\--~]{1,64}),([!#-+\--~]{1,64}),(view|add_to_cart|purchase),([!#-+\--~]{1,64}),(\d{1,8}(?:\.\d\d?)?),(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)?)$/;

function parseRow({ place, number, text }: Line): Row | undefined {
  const fields = RECORD.exec(text);
  if (fields === null || !exists(fields[6]!)) return undefined;
  return {
    event_id: fields[1]!,
    user_id: fields[2]!,
    event_type: fields[3]!,
    product_id: fields[4]!,
    price: Number(fields[5]),
    event_timestamp: fields[6]!,
    place,
    number,
  };
}

/** No thirtieth of February, no sixty-first minute. */
function exists(time: string): boolean {
  const [year, month, day, hour, minute, second] = time
    .slice(0, 19)
    .split(/[^0-9]/)
    .map(Number);
  const date = new Date(Date.UTC(year!, month! - 1, day, hour, minute, second));
  return date.toISOString().slice(0, 19) === time.slice(0, 19).replace(" ", "T");
}

function isBefore(one: Row, other: Row): boolean {
  return one.place === other.place ? one.number < other.number : one.place < other.place;
}

/** FNV-1a of id and price, 32 bits: two million of them add up to less than what a number holds exactly. */
export function hashOf({ event_id, price }: Pick<Row, "event_id" | "price">): number {
  let hash = 0x811c9dc5 ^ Math.round(price * 100);
  for (let at = 0; at < event_id.length; at++) {
    hash = Math.imul(hash ^ event_id.charCodeAt(at), 0x01000193);
  }
  return hash >>> 0;
}
