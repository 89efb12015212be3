/** The coders of records on their way between processes: what goes in comes out, and is rebuilt from the graph. */
import { expect } from "chai";
import fc from "fast-check";
import { FieldsCoder } from "../../transforms/fields-coder.js";
import {
  type DeadLetter,
  type FileRef,
  InputRecord,
  RecordOrigin,
  type ScannedRecord,
  type Sourced,
} from "../../transforms/input-record.js";
import { runnerApi } from "../../transforms/primitives/beam.js";
import { ByteReader } from "../../transforms/primitives/coders/byte-reader.js";
import { ByteWriter } from "../../transforms/primitives/coders/byte-writer.js";
import { coderFromProto } from "../../transforms/primitives/coders/coder-from-proto.js";
import { decodeElements, decodeFromBytes, encodeToBytes } from "../../transforms/primitives/coders/encode.js";
import { registerCoder } from "../../transforms/primitives/coders/register-coder.js";
import { StringUtf8Coder } from "../../transforms/primitives/coders/scalar-coders.js";
import type { Coder } from "../../transforms/primitives/coders/sdk.js";
import { encodeElements } from "../../transforms/primitives/graph-coders.js";
import { DeadLetterCoder, InputRecordCoder, SourcedCoder } from "../../transforms/record-coders.js";
import { TaggedCoder } from "../../transforms/tagged-coder.js";
import { checkProperty } from "../support/check-property.js";

const text = fc.oneof(fc.string({ unit: "binary" }), fc.string({ minLength: 30, maxLength: 90 }));
const files: fc.Arbitrary<FileRef> = fc.record({
  fileId: fc.oneof(fc.nat(300), fc.maxSafeNat()),
  generation: fc.nat(3),
  path: text,
});
const scanned: fc.Arbitrary<ScannedRecord> = fc
  .record({
    line: fc.maxSafeNat(),
    byteStart: fc.oneof(
      fc.nat(1000),
      fc.nat(2 ** 31 - 1).map((n) => n * 1000),
    ),
    before: fc.nat(20),
    raw: fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc
        .constantFrom(0, 127, 128, 8191, 8192, 8193, 70_000)
        .map((length) => new Uint8Array(length).fill(0xff)),
    ),
    /** Beyond the format's cap: these bytes are in the file, and were not kept. */
    cut: fc.oneof(fc.constant(0), fc.nat(100)),
    after: fc.nat(20),
  })
  .map(({ line, byteStart, before, raw, cut, after }) => {
    const chunk = Buffer.concat([Buffer.alloc(before), raw, Buffer.alloc(cut === 0 ? after : 0)]);
    return { line, byteStart, byteEnd: byteStart + raw.length + cut, chunk, chunkStart: before };
  });
const problems = fc.record({ reason: text, messages: fc.array(text) });
const names = fc.oneof(text, fc.constantFrom("event_id", "price", "__proto__", "1", "constructor", ""));
const fields = fc
  .array(fc.tuple(names, text), { maxLength: 8 })
  .map((pairs) => Object.fromEntries(pairs) as Record<string, string>);
const values = fc.oneof(
  fields,
  fc.array(fc.tuple(names, fc.oneof(text, fc.anything()))).map((pairs) => Object.fromEntries(pairs)),
  fc.anything({ withNullPrototype: false }),
);
const records = fc
  .tuple(files, scanned, fc.option(fields, { nil: undefined }), fc.option(problems, { nil: undefined }))
  .map(([file, where, has, problem]) => new InputRecord(file, { ...where, fields: has, problem }));
const origins = fc.tuple(files, scanned).map(([file, where]) => new RecordOrigin(file, where));
const letters: fc.Arbitrary<DeadLetter> = fc.record({ record: origins, problem: problems });

/** What can be seen of an element, wherever its bytes lie; fields in their order. */
function seen(element: InputRecord | Sourced<unknown> | DeadLetter): unknown {
  const origin = element instanceof InputRecord ? element.origin : element.record;
  const { file, line, byteStart, byteEnd, raw } = origin;
  const { fileId, generation, path } = file;
  const { fields: has, problem, value } = element as Partial<InputRecord & Sourced<unknown>>;
  const rest = { fields: has && Object.entries(has), problem, value };
  return { fileId, generation, path, line, byteStart, byteEnd, raw: raw.toString("hex"), ...rest };
}

/** In both contexts, one after another as well, by the coder and by what the graph makes of it. */
function assertCarries<T extends InputRecord | Sourced<unknown> | DeadLetter>(
  coder: Coder<T>,
  elements: readonly T[],
): void {
  const expected = elements.map(seen);
  expect(elements.map((one) => seen(decodeFromBytes(coder, encodeToBytes(coder, one))))).to.deep.equal(
    expected,
  );
  const bytes = encodeElements(coder as Coder<unknown>, elements);
  for (const decoder of [coder, rebuilt(coder)]) {
    expect([...decodeElements(decoder, bytes)].map((one) => seen(one as T))).to.deep.equal(expected);
  }
}

/** The coder as a worker makes it from the graph. */
function rebuilt(coder: Coder<never> | Coder<unknown>): Coder<unknown> {
  const components = runnerApi.Components.create();
  const context = {
    getCoderId(one: Coder<unknown>): string {
      const proto = one.toProto(context as never);
      const id = `c${Object.keys(components.coders).length}`;
      components.coders[id] = proto;
      return id;
    },
  };
  const id = context.getCoderId(coder as Coder<unknown>);
  const sent = runnerApi.Components.fromBinary(runnerApi.Components.toBinary(components));
  return coderFromProto(sent, id);
}

const isCarriedByGeneral = (value: unknown): boolean => {
  try {
    encodeToBytes(new FieldsCoder(), value);
    return true;
  } catch {
    return false;
  }
};

describe("coders of records", () => {
  it("InputRecordCoder carries every record", () => {
    checkProperty(
      fc.property(fc.array(records), (all) => assertCarries(new InputRecordCoder(), all)),
      300,
    );
  });

  it("SourcedCoder carries every value that the general coder carries", () => {
    const sourced: fc.Arbitrary<Sourced<unknown>> = fc.record({
      record: origins,
      value: values.filter(isCarriedByGeneral),
    });
    checkProperty(
      fc.property(fc.array(sourced), (all) => assertCarries(new SourcedCoder(), all)),
      300,
    );
  });

  it("SourcedCoder takes another coder of the values", () => {
    const sourced: fc.Arbitrary<Sourced<string>> = fc.record({ record: origins, value: text });
    checkProperty(
      fc.property(fc.array(sourced), (all) => assertCarries(new SourcedCoder(new StringUtf8Coder()), all)),
      50,
    );
  });

  it("DeadLetterCoder carries every letter", () => {
    checkProperty(
      fc.property(fc.array(letters), (all) => assertCarries(new DeadLetterCoder(), all)),
      300,
    );
  });

  it("TaggedCoder carries what stands under its tags", () => {
    const coder = new TaggedCoder({ valid: new SourcedCoder<unknown>(), invalid: new DeadLetterCoder() });
    const sourced = fc.record({ record: origins, value: fields });
    const tagged = fc.oneof(
      sourced.map((valid) => ({ valid })),
      letters.map((invalid) => ({ invalid })),
    );
    checkProperty(
      fc.property(fc.array(tagged), (all) => {
        const decoded = [...decodeElements(rebuilt(coder), encodeElements(coder as Coder<unknown>, all))];
        const view = (one: unknown) =>
          Object.entries(one as object).map(([tag, value]) => [tag, seen(value)]);
        expect(decoded.map(view)).to.deep.equal(all.map(view));
      }),
      100,
    );
    expect(() => encodeToBytes(coder, { other: 1 })).to.throw("value: must be under one of valid, invalid");
  });

  it("gives the records of a file one object for it", () => {
    const ref = { fileId: 7, generation: 1, path: "a.csv" };
    const other = { fileId: 8, generation: 0, path: "b.csv" };
    const where = { line: 1, byteStart: 0, byteEnd: 1, chunk: Buffer.from("x"), chunkStart: 0 };
    const all = [ref, other, { ...ref }, ref].map((file) => new InputRecord(file, where));
    const bytes = encodeElements(new InputRecordCoder() as Coder<unknown>, all);
    const decoded = [...decodeElements(new InputRecordCoder(), bytes)].map(({ origin }) => origin.file);
    expect(decoded).to.deep.equal([ref, other, ref, ref]);
    expect(decoded[2]).to.equal(decoded[0]);
    expect(decoded[3]).to.equal(decoded[0]);
  });

  it("keeps nothing of the message that a record came in", () => {
    const where = { line: 1, byteStart: 0, byteEnd: 3, chunk: Buffer.from("abc"), chunkStart: 0 };
    const record = new InputRecord({ fileId: 1, generation: 0, path: "a" }, where);
    const bytes = encodeToBytes(new InputRecordCoder(), record);
    const decoded = decodeFromBytes(new InputRecordCoder(), bytes);
    bytes.fill(0);
    expect(decoded.origin.raw.toString()).to.equal("abc");
  });

  it("keeps the order of fields, names and values apart from record to record", () => {
    const coder = new FieldsCoder();
    const all = [
      { b: "1", a: "2" },
      { a: "2", b: "1" },
      {},
      { b: "", a: "é" },
      { b: 1, a: null },
      { b: "x" },
    ];
    const decoded = [...decodeElements(new FieldsCoder(), encodeElements(coder, all))];
    expect(decoded.map((one) => Object.entries(one as object))).to.deep.equal(
      all.map((one) => Object.entries(one)),
    );
  });

  it("says where a value is that it cannot carry", () => {
    const origin = new RecordOrigin(
      { fileId: 1, generation: 0, path: "a" },
      { line: 1, byteStart: 0, byteEnd: 0, chunk: Buffer.alloc(0), chunkStart: 0 },
    );
    const of = (value: unknown) => () => encodeToBytes(new SourcedCoder(), { record: origin, value });
    expect(of({ id: "\ud800" })).to.throw("value.value: a string with a lone surrogate cannot be encoded");
    expect(of({ id: "a", run: () => 1 })).to.throw("value.value.run: a function cannot be encoded");
    const letter = { record: origin, problem: { reason: "r", messages: ["a", "\udc00"] } };
    expect(() => encodeToBytes(new DeadLetterCoder(), letter)).to.throw(
      "value.problem.messages[1]: a string with a lone surrogate cannot be encoded",
    );
    const negative = new RecordOrigin(
      { fileId: -1, generation: 0, path: "a" },
      { line: 1, byteStart: 0, byteEnd: 0, chunk: Buffer.alloc(0), chunkStart: 0 },
    );
    expect(() => encodeToBytes(new DeadLetterCoder(), { ...letter, record: negative })).to.throw(
      "value.file.fileId: must be a whole number from 0, got -1",
    );
    expect(() => encodeToBytes(new InputRecordCoder(), {} as InputRecord)).to.throw(
      "must be a record, got an object",
    );
  });

  it("refuses bytes that are no encoding, whatever is cut off or changed", () => {
    const record = new InputRecord(
      { fileId: 300, generation: 1, path: "a/b.csv" },
      {
        ...{ line: 3, byteStart: 9, byteEnd: 12, chunk: Buffer.from("abc"), chunkStart: 0 },
        fields: { id: "évt", price: "1" },
        problem: { reason: "r", messages: ["m"] },
      },
    );
    const bytes = encodeToBytes(new InputRecordCoder(), record);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeFromBytes(new InputRecordCoder(), bytes.subarray(0, length))).to.throw();
    }
    const out = new ByteWriter();
    out.byte(3);
    expect(() => new FieldsCoder().read(new ByteReader(out.finish()), true)).to.throw("0, 1 or 2, got 3");
  });

  it("registerCoder() refuses a URN that is taken", () => {
    const factory = { components: 0, make: () => new DeadLetterCoder() };
    expect(() => registerCoder(DeadLetterCoder.URN, factory, DeadLetterCoder)).to.throw(
      'coder URN "millrace:coder:dead_letter:v1" is already registered',
    );
  });
});
