/** The record format `csv`: options, header, fields, event time and resuming, through the contract of RecordFormat. */
import { expect } from "chai";
import fc from "fast-check";
import { type CsvOptions, csvFormat } from "../../transforms/csv-format.js";
import { InputRecord, type ScannedRecord } from "../../transforms/input-record.js";
import {
  createRecordFormat,
  type ReaderPosition,
  type RecordReader,
} from "../../transforms/record-format.js";
import { checkProperty } from "../support/check-property.js";
import { cut } from "./csv-oracle.js";

const file = { fileId: 1, generation: 0, path: "events.csv" };

function createReader(options: CsvOptions, resumeAt: ReaderPosition | null = null): RecordReader {
  return createRecordFormat(csvFormat(options)).createReader(resumeAt);
}

function drain(reader: RecordReader): ScannedRecord[] {
  const records: ScannedRecord[] = [];
  for (let record = reader.next(); record !== undefined; record = reader.next()) records.push(record);
  return records;
}

function readAll(options: CsvOptions, content: string): { reader: RecordReader; records: ScannedRecord[] } {
  const reader = createReader(options);
  reader.push(Buffer.from(content));
  reader.end();
  return { reader, records: drain(reader) };
}

/** `reason: messages` or the fields as JSON, for each record. */
function outcomes(options: CsvOptions, content: string): string[] {
  return readAll(options, content).records.map(({ problem, fields }) =>
    problem === undefined ? JSON.stringify(fields) : `${problem.reason}: ${problem.messages.join("; ")}`,
  );
}

describe("csvFormat()", () => {
  it("is a spec of plain JSON that builds the format in any process", () => {
    const spec = csvFormat({
      columns: ["id", "at"],
      delimiter: ";",
      recordBytesMax: 99,
      timestampColumn: "at",
    });
    expect(JSON.parse(JSON.stringify(spec))).to.deep.equal({
      format: "csv",
      options: { columns: ["id", "at"], delimiter: ";", recordBytesMax: 99, timestampColumn: "at" },
    });
    const reader = createRecordFormat(JSON.parse(JSON.stringify(spec))).createReader(null);
    reader.push(Buffer.from("at;id\n1970-01-01 00:00:01;x\n"));
    expect(reader.next()).to.deep.include({
      fields: { id: "x", at: "1970-01-01 00:00:01" },
      timestampMs: 1000,
    });
  });

  const refused: [CsvOptions, string][] = [
    [{ columns: [] }, 'csv option "columns" must name at least one column, got []'],
    [{ columns: ["a", "a"] }, 'csv option "columns" must name each column once, got ["a","a"]'],
    [{ columns: ["__proto__"] }, 'csv option "columns" must not hold "__proto__", got ["__proto__"]'],
    ...["", ",,", '"', "\n", "\r", "\0", "é"].map((delimiter): [CsvOptions, string] => [
      { columns: ["a"], delimiter },
      `csv option "delimiter" must be one ASCII character other than NUL, quote, CR and LF, got ${JSON.stringify(delimiter)}`,
    ]),
    ...[0, -1, 1.5, Number.NaN, 2 ** 31].map((recordBytesMax): [CsvOptions, string] => [
      { columns: ["a"], recordBytesMax },
      `csv option "recordBytesMax" must be an integer from 1 to 536870912, got ${recordBytesMax}`,
    ]),
    [
      { columns: ["a"], timestampColumn: "b" },
      'csv option "timestampColumn" must be one of "columns", got "b"',
    ],
  ];
  for (const [options, message] of refused) {
    it(`refuses ${JSON.stringify(options)}`, () =>
      expect(() => csvFormat(options)).to.throw(RangeError, message));
  }
});

describe("CsvReader header", () => {
  const options = { columns: ["id", "price"] };

  it("gives the columns by name, whatever their order, always with the same keys in the same order", () => {
    for (const content of ["id,price\n1,2\n", "price,id\n2,1\n", "x,price,,id\n0,2,0,1\n"]) {
      const { fields } = readAll(options, content).records[0]!;
      expect(JSON.stringify(fields)).to.equal('{"id":"1","price":"2"}');
    }
  });

  it("counts unknown columns, also when it is resumed", () => {
    const { reader } = readAll(options, "x,price,,id,x\n0,2,0,1,0\n");
    expect(reader.unknownColumns).to.equal(3);
    expect(createReader(options, reader.position).unknownColumns).to.equal(3);
  });

  it("takes names in quotes and after a byte order mark", () => {
    expect(outcomes(options, '\ufeff"id","pri""ce",price\n1,2,3\n')).to.deep.equal([
      '{"id":"1","price":"3"}',
    ]);
  });

  it("compares names exactly", () => {
    expect(outcomes(options, "id, Price\n1,2\n")).to.deep.equal([
      'missing_column: the header has no column "price"',
    ]);
  });

  const badHeaders: [string, string][] = [
    ["a,b", 'the header has no column "id"; the header has no column "price"'],
    ["id,price,id,id", 'the header has column "id" 3 times'],
    ['id,pr"ice', "the header cannot be read"],
    [`id,price,${"x".repeat(200)}`, "the header cannot be read"],
  ];
  for (const [header, message] of badHeaders) {
    it(`makes every record missing_column after ${header.slice(0, 20)}`, () => {
      const records = outcomes(
        { ...options, recordBytesMax: 50 },
        `${header}\n1,2\n\n3\na"\n${"y".repeat(99)}\n4`,
      );
      expect(records).to.deep.equal(Array(5).fill(`missing_column: ${message}`));
    });
  }

  it("ends with its first line when its quote is never closed, and every record is missing_column", () => {
    const message = "missing_column: the header cannot be read";
    expect(outcomes(options, 'id,"price\n1,2\n3,4')).to.deep.equal([message, message]);
  });

  it("remembers a bad header in its position", () => {
    const { reader } = readAll(options, 'id,pr"ice\n1,2\n');
    const resumed = createReader(options, JSON.parse(JSON.stringify(reader.position)));
    resumed.push(Buffer.from("3,4\n"));
    expect(resumed.next()?.problem?.reason).to.equal("missing_column");
  });

  it("is no record, also when it is all there is", () => {
    const { reader, records } = readAll(options, "\nid,price");
    expect(records).to.deep.equal([]);
    expect(reader.position).to.deep.equal({ byteOffset: 9, line: 2, header: ["id", "price"] });
  });
});

describe("CsvReader records", () => {
  const options = { columns: ["id", "price"], recordBytesMax: 20 };

  it("names what is wrong with a record", () => {
    const content = `id,price\n1\n1,2,3\n1,2\nx"\n${"y".repeat(21)}\n""\n"1`;
    expect(outcomes(options, content)).to.deep.equal([
      "field_count: expected 2 fields, got 1",
      "field_count: expected 2 fields, got 3",
      '{"id":"1","price":"2"}',
      "invalid_quote: a quote inside an unquoted field, or text after a closing quote",
      "record_too_long: the record is longer than 20 bytes",
      "field_count: expected 2 fields, got 1",
      "unterminated_quote: a quoted field has no closing quote",
    ]);
  });

  it("finds bytes that are not UTF-8 in any column", () => {
    const reader = createReader(options);
    reader.push(Buffer.from("id,price,note\n1,2,\xff\n1,2,\xc3\xbf\n", "latin1"));
    expect(reader.next()?.problem).to.deep.equal({
      reason: "invalid_encoding",
      messages: ["the record is not valid UTF-8"],
    });
    expect(reader.next()?.fields).to.deep.equal({ id: "1", price: "2" });
  });

  it("gives the raw bytes of each record, only the first recordBytesMax of one that is too long", () => {
    const { records } = readAll(options, `id,price\r\n1,"é\r\n"\r\n${"y".repeat(1000)}\n"1`);
    const raw = records.map((record) => new InputRecord(file, record).origin.raw.toString());
    expect(raw).to.deep.equal(['1,"é\r\n"', "y".repeat(20), '"1']);
    expect(records.map(({ byteStart, byteEnd }) => [byteStart, byteEnd])).to.deep.equal([
      [10, 18],
      [20, 1020],
      [1021, 1023],
    ]);
  });

  it("gives the event time of records that show one", () => {
    const content = "id,at\n1,2025-01-01T00:00:00.5Z\n2,yesterday\n3\n";
    const times = readAll({ columns: ["id", "at"], timestampColumn: "at" }, content).records;
    expect(times.map(({ timestampMs }) => timestampMs)).to.deep.equal([
      1_735_689_600_500,
      undefined,
      undefined,
    ]);
    const { records } = readAll({ columns: ["id", "at"] }, content);
    expect(records.map(({ timestampMs }) => timestampMs)).to.deep.equal([undefined, undefined, undefined]);
  });

  it("counts the fields of a record of a million", () => {
    const reasons = outcomes({ columns: ["id"] }, `id\n${",".repeat(1_000_000)}\n`);
    expect(reasons).to.deep.equal(["field_count: expected 1 fields, got 1000001"]);
  });
});

describe("CsvReader position", () => {
  const options = { columns: ["b", "a"], recordBytesMax: 12 };
  const part = fc.constantFrom(
    "1",
    ",",
    "1,2,3\n",
    '"x\ny",é,\r\n',
    '"',
    "\n",
    "\xff",
    "1,2,3,4\n",
    "z".repeat(15),
  );
  const content = fc
    .array(part, { maxLength: 20 })
    .map((parts) => Buffer.from(`\ufeff\nc,a,b\n${parts.join("")}`));

  it("resumes at every record boundary with the same rest", () => {
    const property = fc.property(content, fc.integer({ min: 1, max: 20 }), (bytes, chunkBytes) => {
      const reader = createReader(options);
      reader.push(bytes);
      reader.end();
      const positions: ReaderPosition[] = [{ byteOffset: 0, line: 1, header: null }];
      const records: unknown[] = [];
      for (let record = reader.next(); record !== undefined; record = reader.next()) {
        records.push(comparable(record));
        positions.push(reader.position);
      }
      for (const [i, position] of positions.entries()) {
        const resumed = createReader(options, JSON.parse(JSON.stringify(position)));
        const rest = cut(bytes.subarray(position.byteOffset), [chunkBytes]).flatMap((chunk) => {
          resumed.push(chunk);
          return drain(resumed);
        });
        resumed.end();
        expect([...rest, ...drain(resumed)].map(comparable)).to.deep.equal(records.slice(i));
        expect(resumed.position).to.deep.equal(reader.position);
      }
    });
    checkProperty(property, 300);
  });

  function comparable(record: ScannedRecord): unknown {
    const { chunk: _chunk, chunkStart: _chunkStart, ...rest } = record;
    return { ...rest, raw: new InputRecord(file, record).origin.raw.toString("latin1") };
  }
});
