/** The record of a dead letter that is tried again: its place, its bytes, and what it is told. */
import { expect } from "chai";
import "../../transforms/csv-format.js";
import type { PendingRetry } from "../../sql/dead-letter-retries.js";
import type { SetupContext } from "../../transforms/primitives/do-fn.js";
import { ReadDeadLetterRetriesFn } from "../../transforms/read-dead-letter-retries-fn.js";
import { readRetry } from "../../transforms/read-retry.js";
import { createRecordFormat } from "../../transforms/record-format.js";
import { RetriedRecord } from "../../transforms/retried-record.js";

const columns = ["id", "at"];
const spec = { format: "csv", options: { columns, timestampColumn: "at" } };
const format = createRecordFormat(spec);

function retryOf(text: string, changes: Partial<PendingRetry> = {}): PendingRetry {
  const raw = Buffer.from(text);
  const file = { fileId: 7, generation: 1, sourceFile: "a.csv", line: 3 };
  const place = { byteStart: 20, byteEnd: 20 + raw.length };
  return { id: 5, ...file, ...place, reason: "r", raw, isEdited: false, header: columns, ...changes };
}

describe("RetriedRecord", () => {
  it("stands at its letter's place with its edited bytes, however long they are", () => {
    const record = new RetriedRecord(retryOf("longer than before", { byteEnd: 24, isEdited: true }));
    const { file, line, byteStart, byteEnd } = record;
    expect({ file, line, byteStart, byteEnd }).to.deep.equal({
      ...{ file: { fileId: 7, generation: 1, path: "a.csv" }, line: 3, byteStart: 20, byteEnd: 24 },
    });
    expect(record.raw.toString()).to.equal("longer than before");
    expect(record.letter.problem).to.deep.equal({ reason: "r", messages: [] });
  });

  it("became() takes one outcome; two, or none at the end, are bugs that name the letter", () => {
    const record = new RetriedRecord(retryOf("a"));
    expect(() => record.settled).to.throw("retried dead letter 5 is at its bundle's end, and became nothing");
    const problem = { reason: "again", messages: ["m"] };
    record.became("rejected", problem);
    expect(record.settled).to.deep.equal({ id: 5, outcome: "rejected", problem });
    expect(() => record.became("written")).to.throw("retried dead letter 5 became rejected, then written");
  });
});

describe("readRetry()", () => {
  const problemOf = (retry: PendingRetry) => readRetry(retry, format, columns).record.problem;

  it("reads the fields by the file's header, and the event time", () => {
    const { record, timestampMs } = readRetry(
      retryOf('2026-01-01T00:00:00Z,x,"a\nb"', { header: ["at", "more", "id"] }),
      format,
      columns,
    );
    expect(record.fields).to.deep.equal({ id: "a\nb", at: "2026-01-01T00:00:00Z" });
    expect(timestampMs).to.equal(Date.UTC(2026, 0, 1));
    expect(record.origin.letterId).to.equal(5);
  });

  it("keeps the reader's own reason for a record that is broken", () => {
    expect(problemOf(retryOf('a,"b'))).to.deep.include({ reason: "unterminated_quote" });
    expect(problemOf(retryOf("a"))).to.deep.equal({
      reason: "field_count",
      messages: ["expected 2 fields, got 1"],
    });
    const invalid = Buffer.from([0x61, 0x2c, 0xff]);
    expect(problemOf(retryOf("", { raw: invalid, byteEnd: 23 }))).to.deep.include({
      reason: "invalid_encoding",
    });
  });

  it("takes one record: a last line end is none, two records are two", () => {
    expect(problemOf(retryOf("a,b\r\n\n", { isEdited: true }))).to.equal(undefined);
    const several = { reason: "invalid_record", messages: ["record: must be one record, got several"] };
    expect(problemOf(retryOf("a,b\nc,d", { isEdited: true }))).to.deep.equal(several);
    const none = { reason: "invalid_record", messages: ["record: must not be empty"] };
    expect(problemOf(retryOf("\n", { isEdited: true }))).to.deep.equal(none);
  });

  it("takes an edited record by the pipeline's columns where the header is of no use, any other for unknown", () => {
    for (const header of [null, ["id"], ["id", "id", "at"]]) {
      expect(
        readRetry(retryOf("a,b", { header, isEdited: true }), format, columns).record.fields,
      ).to.deep.equal({
        ...{ id: "a", at: "b" },
      });
      expect(problemOf(retryOf("a,b", { header }))).to.deep.include({ reason: "missing_column" });
    }
    expect(problemOf(retryOf("a,b", { header: null }))!.messages).to.deep.equal([
      "the header of a.csv, generation 1 is not known any more: retry it edited, as id, at",
    ]);
  });
});

describe("ReadDeadLetterRetriesFn", () => {
  it("refuses a host whose bundles may repeat", () => {
    const fn = new ReadDeadLetterRetriesFn({ format: spec, columns });
    const context = { step: "ReadRetries/ReadRequests", bundlesMayRepeat: true } as SetupContext;
    expect(() => fn.setup(context)).to.throw(
      "ReadRetries/ReadRequests reads retries of dead letters, which needs bundles that never repeat",
    );
  });
});
