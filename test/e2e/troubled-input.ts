/** A folder with every trouble that a CSV file can have, and what must become of each record of it. */
import { gzipSync } from "node:zlib";
import { ExpectedFile, HEADER, type Row } from "./expected-file.js";

export interface TroubledFile {
  readonly expected: ExpectedFile;
  readonly encode?: (content: Buffer) => Buffer;
}

const AT = "2026-01-01T10:00:00Z";
const STORED_AT = "2026-01-01T10:00:00.000000Z";
const RECORD_BYTES_MAX = 1024 * 1024;

/** A plain record of this id. */
export const event = (id: string, price = "1.00") => `${id},u1,view,p1,${price},${AT}`;
/** The row of `event`. */
export const stored = (id: string, price = "1.00"): { row: Row } => ({
  row: [id, "u1", "view", "p1", price, STORED_AT],
});
/** Product that the test's trigger does not let into the table. */
export const FORBIDDEN = "forbidden";

/** In the order in which they are to be read. */
export function troubledFiles(): TroubledFile[] {
  return [
    { expected: quoted() },
    { expected: windows() },
    { expected: reordered() },
    { expected: missingColumn() },
    { expected: repeatedColumn() },
    { expected: badFields() },
    { expected: badBytes() },
    { expected: unterminated() },
    { expected: tooLong() },
    { expected: repeats() },
    { expected: rejected() },
    { expected: headerOnly() },
    { expected: new ExpectedFile("empty.csv") },
    { expected: compressed(), encode: (content) => gzipSync(content) },
    { expected: checksumCut(), encode: (content) => gzipSync(content).subarray(0, -8) },
    {
      expected: secondMemberCut(),
      encode: (content) => Buffer.concat([gzipSync(content), gzipSync("x").subarray(0, 9)]),
    },
  ];
}

function quoted(): ExpectedFile {
  return new ExpectedFile("quoted.csv")
    .text(`${HEADER}\n`)
    .record(event("q1"), stored("q1"))
    .record(`"q2","u""2","purchase","p,2","1.0","${AT}"`, {
      row: ["q2", 'u"2', "purchase", "p,2", "1.00", STORED_AT],
    })
    .text("\n\n")
    .record(`q3,ü-ß-𝒳,add_to_cart,日本,00000007.5,2026-02-28 23:59:59.1234567+05:30`, {
      row: ["q3", "ü-ß-𝒳", "add_to_cart", "日本", "7.50", "2026-02-28T18:29:59.123456Z"],
    })
    .record(`q4,u1"x,view,p1,1.00,${AT}`, { dead: "invalid_quote" })
    .record(`q5,"u1"x,view,p1,1.00,${AT}`, { dead: "invalid_quote" })
    .record(event("q6"), stored("q6"));
}

/** Byte order mark, CRLF, blank lines of both kinds. */
function windows(): ExpectedFile {
  return new ExpectedFile("windows.csv")
    .text(`\u{feff}${HEADER}\r\n`)
    .record(event("w1"), stored("w1"), "\r\n")
    .text("\r\n\n")
    .record(event("w2", "x"), { dead: "invalid_price" }, "\r\n")
    .record(event("w3"), stored("w3"), "\r\n");
}

/** Columns in another order and more of them, one with line ends in quotes. */
function reordered(): ExpectedFile {
  return new ExpectedFile("reordered.csv")
    .text("note,price,event_timestamp,product_id,event_type,extra,user_id,event_id\n")
    .record(`"two\nlines, ""quoted""",2.50,${AT},p1,view,,u1,o1`, {
      row: ["o1", "u1", "view", "p1", "2.50", STORED_AT],
    })
    .record(`,2.50,${AT},p1,click,,u1,o2`, { dead: "invalid_event_type" })
    .record(`"a\r\nb",2.50,${AT},p1,view,,u1`, { dead: "field_count" })
    .record(`,2.50,${AT},p1,view,,u1,o3`, { row: ["o3", "u1", "view", "p1", "2.50", STORED_AT] });
}

function missingColumn(): ExpectedFile {
  return new ExpectedFile("missing-column.csv")
    .text("event_id,user_id,event_type,product_id,event_timestamp\n")
    .record(`m1,u1,view,p1,${AT}`, { dead: "missing_column" })
    .record("anything", { dead: "missing_column" });
}

function repeatedColumn(): ExpectedFile {
  return new ExpectedFile("repeated-column.csv")
    .text(`${HEADER},price\n`)
    .record(`${event("m2")},1.00`, { dead: "missing_column" });
}

function badFields(): ExpectedFile {
  const bad = (reason: string) => ({ dead: reason });
  return new ExpectedFile("bad-fields.csv")
    .text(`${HEADER}\n`)
    .record(`,u1,view,p1,1.00,${AT}`, bad("invalid_event_id"))
    .record(`${"x".repeat(65)},u1,view,p1,1.00,${AT}`, bad("invalid_event_id"))
    .record(`b1, u1,view,p1,1.00,${AT}`, bad("invalid_user_id"))
    .record(`b1,u1,View,p1,1.00,${AT}`, bad("invalid_event_type"))
    .record(`b1,u1,view,p\u00a01,1.00,${AT}`, bad("invalid_product_id"))
    .record(`b1,u1,view,p\0,1.00,${AT}`, bad("invalid_product_id"))
    .record(`b1,u1,view,p1,1e2,${AT}`, bad("invalid_price"))
    .record(`b1,u1,view,p1,1.005,${AT}`, bad("invalid_price"))
    .record(`b1,u1,view,p1,123456789,${AT}`, bad("invalid_price"))
    .record("b1,u1,view,p1,1.00,2026-02-29T00:00:00Z", bad("invalid_event_timestamp"))
    .record("b1,u1,view,p1,1.00,", bad("invalid_event_timestamp"))
    .record(`,,Click,,-1,yesterday`, bad("invalid_event_id"))
    .record(`b1,u1,view,p1,1.00`, bad("field_count"))
    .record(`b1,u1,view,p1,1.00,${AT},`, bad("field_count"))
    .record(`${"é".repeat(64)},u1,view,p1,99999999.99,0001-01-01T00:00:00`, {
      row: ["é".repeat(64), "u1", "view", "p1", "99999999.99", "0001-01-01T00:00:00.000000Z"],
    });
}

function badBytes(): ExpectedFile {
  const latin1 = Buffer.from(`e1,caf\xe9,view,p1,1.00,${AT}`, "latin1");
  return new ExpectedFile("bad-bytes.csv")
    .text(`${HEADER}\n`)
    .record(latin1, { dead: "invalid_encoding" })
    .record(event("e2"), stored("e2"));
}

/** The quote takes the rest of the file; given up, the lines behind it are records of their own. */
function unterminated(): ExpectedFile {
  return new ExpectedFile("unterminated.csv")
    .text(`${HEADER}\n`)
    .record(event("t1"), stored("t1"))
    .record(`t2,"u1,view,p1,1.00,${AT}`, { dead: "unterminated_quote" })
    .record(event("t3"), stored("t3"))
    .record(event("t4"), stored("t4"));
}

function tooLong(): ExpectedFile {
  const long = `l1,${"y".repeat(RECORD_BYTES_MAX)},view,p1,1.00,${AT}`;
  return new ExpectedFile("too-long.csv")
    .text(`${HEADER}\n`)
    .record(long, { dead: "record_too_long", raw: long.slice(0, RECORD_BYTES_MAX) })
    .record(event("l2"), stored("l2"));
}

/** Ids of this file and of one before, in other spellings and with other payloads. */
function repeats(): ExpectedFile {
  return new ExpectedFile("repeats.csv")
    .text(`${HEADER}\n`)
    .record(event("r1"), stored("r1"))
    .record(event("r1", "1"), "duplicate")
    .record(`"r1",u1,view,p1,1.0,2026-01-01 11:00:00+01:00`, "duplicate")
    .record(event("r1", "1.01"), "conflict")
    .record(event("q1"), "duplicate")
    .record(`q1,u2,view,p1,1.00,${AT}`, "conflict")
    .record(event("r1", "free"), { dead: "invalid_price" });
}

/** What a trigger of the table refuses does not count as seen. */
function rejected(): ExpectedFile {
  const refused = `j1,u1,view,${FORBIDDEN},1.00,${AT}`;
  return new ExpectedFile("rejected.csv")
    .text(`${HEADER}\n`)
    .record(event("j0"), stored("j0"))
    .record(refused, { dead: "rejected_by_database" })
    .record(refused, { dead: "rejected_by_database" })
    .record(event("j1"), stored("j1"))
    .record(event("j2"), stored("j2"));
}

function headerOnly(): ExpectedFile {
  return new ExpectedFile("header-only.csv").text(HEADER);
}

function compressed(): ExpectedFile {
  return new ExpectedFile("compressed.csv.gz")
    .text(`${HEADER}\n`)
    .record(event("z1"), stored("z1"))
    .record(event("z2", "-"), { dead: "invalid_price" })
    .record(event("z3"), stored("z3"), "");
}

/** All data are there, and the checksum is not: nothing behind the last record, so its line end is the letter. */
function checksumCut(): ExpectedFile {
  const file = new ExpectedFile("checksum-cut.csv.gz")
    .text(`${HEADER}\n`)
    .record(event("c1"), stored("c1"))
    .record(event("c2"), stored("c2"), "")
    .record("\n", { dead: "corrupt_gzip" }, "");
  file.state = "corrupt";
  return file;
}

/** Breaks off in the middle of a record. */
function secondMemberCut(): ExpectedFile {
  const file = new ExpectedFile("second-member-cut.csv.gz")
    .text(`${HEADER}\n`)
    .record(event("d1"), stored("d1"))
    .record("d2,u1,vi", { dead: "corrupt_gzip" }, "");
  file.state = "corrupt";
  return file;
}
