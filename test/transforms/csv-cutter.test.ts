/** CsvCutter ends records where CsvScanner does, whatever their quotes and however it is fed. */
import { expect } from "chai";
import fc from "fast-check";
import { csvFormat } from "../../transforms/csv-format.js";
import { createRecordCutter, ReadingCutter } from "../../transforms/record-cutter.js";
import {
  createRecordFormat,
  type ReaderPosition,
  type RecordCutter,
} from "../../transforms/record-format.js";
import { checkProperty } from "../support/check-property.js";

const START: ReaderPosition = { byteOffset: 0, line: 1, header: null };

/** Every position that the cutter takes on its way, at least `step` bytes apart. */
function positions(cutter: RecordCutter, bytes: Buffer, step: number, chunkBytes: number): ReaderPosition[] {
  const taken: ReaderPosition[] = [];
  let target = cutter.position.byteOffset + step;
  let readToEndFrom = -1;
  for (;;) {
    while (!cutter.advance(target)) {
      const at = cutter.nextByte;
      const length = Math.min(
        Math.max(chunkBytes, chunkBytes === 0 ? cutter.bytesWanted : 0),
        bytes.length - at,
      );
      if (length <= 0 || at === readToEndFrom) return taken;
      if (at + length === bytes.length) readToEndFrom = at;
      cutter.push(Buffer.from(bytes.subarray(at, at + length)));
      if (at === cutter.nextByte && length < cutter.bytesWanted && chunkBytes > 0) chunkBytes *= 2;
    }
    taken.push(cutter.position);
    target = cutter.position.byteOffset + step;
  }
}

/** CSV and what looks like it: quotes open, closed, doubled, stray; line ends of both kinds; long fields. */
const piece = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.constantFrom("a", "b,c", ",", "\n", "\r\n", "\n", '"x"', '"x","y"', "é", "1,2\n"),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      '"',
      '""',
      '"\n',
      ',"',
      '",',
      '"a\nb"',
      '"a""b",',
      'x"y\n',
      '"q"z\n',
      "\r",
      '"\r\n',
    ),
  },
  { weight: 1, arbitrary: fc.integer({ min: 20, max: 80 }).map((length) => "l".repeat(length)) },
);
const content = fc.array(piece, { maxLength: 120 }).map((pieces) => Buffer.from(pieces.join("")));

describe("CsvCutter", () => {
  const format = (recordBytesMax: number) =>
    createRecordFormat(csvFormat({ columns: ["a"], recordBytesMax }));

  it("advance() takes only positions that the reader takes, and the same ones from the same offsets on", () => {
    checkProperty(
      fc.property(
        content,
        fc.integer({ min: 1, max: 60 }),
        fc.constantFrom(10, 40, 1024),
        fc.constantFrom(0, 16, 37, 4096),
        (body, step, cap, chunkBytes) => {
          const bytes = Buffer.concat([Buffer.from("a,b,c\n"), body]);
          const expected = positions(new ReadingCutter(format(cap), START), bytes, 1, 1);
          const reachable = new Map(expected.map((position) => [position.byteOffset, position]));
          const found = positions(createRecordCutter(format(cap), START), bytes, step, chunkBytes);
          // the reader says nothing of blank lines that it passes on the way to a record
          for (const position of found) {
            const known = reachable.get(position.byteOffset);
            if (known !== undefined) expect(position).to.deep.equal(known);
          }
          expect(readInParts(format(cap), bytes, found)).to.deep.equal(readInParts(format(cap), bytes, []));
        },
      ),
      400,
    );
  });
});

/** All records, read by one reader a part: what each is and where it stands. */
function readInParts(
  format: ReturnType<typeof createRecordFormat>,
  bytes: Buffer,
  cuts: readonly ReaderPosition[],
): unknown[] {
  const records: unknown[] = [];
  const starts = [START, ...cuts];
  for (const [i, start] of starts.entries()) {
    const end = starts[i + 1]?.byteOffset ?? bytes.length;
    const reader = format.createReader(start.byteOffset === 0 ? null : start);
    reader.push(Buffer.from(bytes.subarray(start.byteOffset, end)));
    reader.end();
    for (let record = reader.next(); record !== undefined; record = reader.next()) {
      const { line, byteStart, byteEnd, fields, problem } = record;
      records.push({ line, byteStart, byteEnd, fields, problem });
    }
    const { byteOffset } = reader.position;
    if (byteOffset !== end) records.push({ endedAt: byteOffset, instead: end });
  }
  return records;
}
