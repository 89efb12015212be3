/** The rules of CsvScanner, one table row each: what is a record, where it stands, and what is wrong with it. */
import { expect } from "chai";
import { cut, recordsOf, scannerAtStart } from "./csv-oracle.js";

/** The records of a whole file, the same in one chunk and byte by byte. */
function recordsOfFile(file: string | Buffer, recordBytesMax = 1024): string[] {
  const bytes = Buffer.from(file as string);
  const [first, ...others] = [[bytes], cut(bytes, [1]), cut(bytes, [3, 1, 7])].map((chunks) => {
    const scanner = scannerAtStart({ recordBytesMax });
    const records = chunks.flatMap((chunk) => {
      scanner.push(chunk);
      return recordsOf(scanner);
    });
    scanner.end();
    return [...records, ...recordsOf(scanner)];
  });
  for (const other of others) expect(other).to.deep.equal(first);
  return first!;
}

interface Case {
  readonly rule: string;
  readonly file: string | Buffer;
  readonly max?: number;
  readonly records: readonly string[];
}

const lineRules: Case[] = [
  { rule: "LF ends a record", file: "a,b\nc,d\n", records: ['a|b @1 0-3 "a,b"', 'c|d @2 4-7 "c,d"'] },
  { rule: "CRLF ends a record", file: "a\r\nb\r\n", records: ['a @1 0-1 "a"', 'b @2 3-4 "b"'] },
  { rule: "the end completes a last line", file: "a\nb", records: ['a @1 0-1 "a"', 'b @2 2-3 "b"'] },
  {
    rule: "blank lines are skipped",
    file: "\n\r\na\n\n\r\nb\n\n",
    records: ['a @3 3-4 "a"', 'b @6 8-9 "b"'],
  },
  { rule: "a line of spaces is a record", file: "  \n", records: ['   @1 0-2 "  "'] },
  { rule: "an empty quoted field is a record", file: '""\n', records: [' @1 0-2 "\\"\\""'] },
  { rule: "delimiters alone are empty fields", file: ",,\n", records: ['|| @1 0-2 ",,"'] },
  {
    rule: "a lone CR is content",
    file: "a\rb\n\rc\n",
    records: ['a\rb @1 0-3 "a\\rb"', '\rc @2 4-6 "\\rc"'],
  },
  { rule: "of CR CR LF the last two end the line", file: "a\r\r\n", records: ['a\r @1 0-2 "a\\r"'] },
  { rule: "a CR at the end of the file is content", file: "a\r", records: ['a\r @1 0-2 "a\\r"'] },
  { rule: "no bytes are no record", file: "", records: [] },
];

const quoteRules: Case[] = [
  { rule: "quotes hold delimiters", file: '"a,b",c\n', records: ['a,b|c @1 0-7 "\\"a,b\\",c"'] },
  {
    rule: "two quotes stand for one",
    file: '"a""b",""""\n',
    records: ['a"b|" @1 0-11 "\\"a\\"\\"b\\",\\"\\"\\"\\""'],
  },
  {
    rule: "quotes hold line ends, which count as lines",
    file: '"a\n\r\nb",c\r\nd\n',
    records: ['a\n\r\nb|c @1 0-9 "\\"a\\n\\r\\nb\\",c"', 'd @4 11-12 "d"'],
  },
  {
    rule: "a quote inside an unquoted field",
    file: 'a,b"c,d\ne\n',
    records: ['!invalid_quote @1 0-7 "a,b\\"c,d"', 'e @2 8-9 "e"'],
  },
  {
    rule: "a quote behind a space",
    file: 'a, "b\nc"\n',
    records: ['!invalid_quote @1 0-5 "a, \\"b"', '!invalid_quote @2 6-8 "c\\""'],
  },
  {
    rule: "text after a closing quote",
    file: '"a"b,"c\r\nd\n',
    records: ['!invalid_quote @1 0-7 "\\"a\\"b,\\"c"', 'd @2 9-10 "d"'],
  },
  {
    rule: "text after a closing quote on a later line",
    file: '"a\nb"c\nd\n',
    records: ['!invalid_quote @1 0-6 "\\"a\\nb\\"c"', 'd @3 7-8 "d"'],
  },
  {
    rule: "a lone CR after a closing quote",
    file: '"a"\rb\nc\n',
    records: ['!invalid_quote @1 0-5 "\\"a\\"\\rb"', 'c @2 6-7 "c"'],
  },
  {
    rule: "a CR after a closing quote at the end",
    file: '"a"\r',
    records: ['!invalid_quote @1 0-4 "\\"a\\"\\r"'],
  },
  {
    rule: "a quote never closed gives up its first line only",
    file: 'a,"b\r\nc,d\n\ne',
    records: ['!unterminated_quote @1 0-4 "a,\\"b"', 'c|d @2 6-9 "c,d"', 'e @4 11-12 "e"'],
  },
  {
    rule: "a quote never closed on the last line",
    file: 'a\n"b',
    records: ['a @1 0-1 "a"', '!unterminated_quote @2 2-4 "\\"b"'],
  },
  {
    rule: "a quote never closed that meets the quote of the next line",
    file: '"a\n"b\n',
    records: ['!invalid_quote @1 0-5 "\\"a\\n\\"b"'],
  },
];

const capRules: Case[] = [
  {
    rule: "a record of just the cap passes",
    file: "abcd\nabcd\r\nab,d",
    max: 4,
    records: ['abcd @1 0-4 "abcd"', 'abcd @2 5-9 "abcd"', 'ab|d @3 11-15 "ab,d"'],
  },
  {
    rule: "one byte more is too long, and only the cap is kept",
    file: "abcde\nf\nabcde\r\nf\nabcde",
    max: 4,
    records: [
      '!record_too_long @1 0-5 "abcd"',
      'f @2 6-7 "f"',
      '!record_too_long @3 8-13 "abcd"',
      'f @4 15-16 "f"',
      '!record_too_long @5 17-22 "abcd"',
    ],
  },
  {
    rule: "far more is too long, up to its line end",
    file: `${"x".repeat(50)}"\r\nb\n`,
    max: 4,
    records: ['!record_too_long @1 0-51 "xxxx"', 'b @2 53-54 "b"'],
  },
  {
    rule: "a line end inside quotes counts in a record that is too long",
    file: '"\n",cdefghi\nb\n',
    max: 5,
    records: ['!record_too_long @1 0-11 "\\"\\n\\",c"', 'b @3 12-13 "b"'],
  },
  {
    rule: "a bad quote beyond the cap does not matter, one before it neither",
    file: 'abcdefg"h\na"bcdefg\n',
    max: 4,
    records: ['!record_too_long @1 0-9 "abcd"', '!record_too_long @2 10-18 "a\\"bc"'],
  },
  {
    rule: "a quote open at the cap gives up its first line",
    file: '"a\nb\nc\nd\ne"\n',
    max: 5,
    records: [
      '!unterminated_quote @1 0-2 "\\"a"',
      'b @2 3-4 "b"',
      'c @3 5-6 "c"',
      'd @4 7-8 "d"',
      '!invalid_quote @5 9-11 "e\\""',
    ],
  },
  {
    rule: "a quote open at the cap whose first line is longer",
    file: '"abcdefghi\nb\n',
    max: 4,
    records: ['!unterminated_quote @1 0-10 "\\"abc"', 'b @2 11-12 "b"'],
  },
  {
    rule: "the same at the end of the file",
    file: '"abcdefghi',
    max: 4,
    records: ['!unterminated_quote @1 0-10 "\\"abc"'],
  },
];

const encodingRules: Case[] = [
  {
    rule: "UTF-8 is decoded",
    file: 'é,"€","\u{1f600}"",x"\n',
    records: [`é|€|\u{1f600}",x @1 0-19 "${latin1OfUtf8('é,"€","\u{1f600}"",x"')}"`],
  },
  {
    rule: "bytes that are not UTF-8",
    file: Buffer.from("a,\xff\nb\n", "latin1"),
    records: [`!invalid_encoding @1 0-3 "a,\u00ff"`, 'b @2 4-5 "b"'],
  },
  {
    rule: "an encoded surrogate",
    file: Buffer.from("\xed\xa0\x80\n", "latin1"),
    records: ['!invalid_encoding @1 0-3 "\u00ed\u00a0\u0080"'],
  },
  {
    rule: "a character cut off by the line end",
    file: Buffer.from("\xc3\n\xa9\n", "latin1"),
    records: ['!invalid_encoding @1 0-1 "\u00c3"', '!invalid_encoding @2 2-3 "\u00a9"'],
  },
  {
    rule: "a bad quote is judged before the encoding",
    file: Buffer.from('\xff"\n', "latin1"),
    records: ['!invalid_quote @1 0-2 "\u00ff\\""'],
  },
  {
    rule: "a byte order mark at the start is skipped",
    file: '\ufeff"a",b\n',
    records: ['a|b @1 3-8 "\\"a\\",b"'],
  },
  {
    rule: "a byte order mark elsewhere is content",
    file: "a\n\ufeffb\n",
    records: ['a @1 0-1 "a"', '\ufeffb @2 2-6 "\u00ef\u00bb\u00bfb"'],
  },
  { rule: "a byte order mark alone is no record", file: "\ufeff", records: [] },
  {
    rule: "half a byte order mark is content",
    file: Buffer.from("\xef\xbb", "latin1"),
    records: ['!invalid_encoding @1 0-2 "\u00ef\u00bb"'],
  },
  {
    rule: "other text with the first byte of a byte order mark",
    file: "ﬁé\n",
    records: [`ﬁé @1 0-5 "${latin1OfUtf8("ﬁé")}"`],
  },
];

function latin1OfUtf8(text: string): string {
  return JSON.stringify(Buffer.from(text).toString("latin1")).slice(1, -1);
}

function check(cases: readonly Case[]): void {
  for (const { rule, file, max, records } of cases) {
    it(rule, () => expect(recordsOfFile(file, max)).to.deep.equal(records));
  }
}

describe("CsvScanner lines", () => check(lineRules));
describe("CsvScanner quotes", () => check(quoteRules));
describe("CsvScanner recordBytesMax", () => check(capRules));
describe("CsvScanner encoding", () => check(encodingRules));
