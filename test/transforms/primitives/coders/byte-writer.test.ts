/** Our buffer and reader beside protobufjs' Writer and Reader, for which other people's coders take them. */
import { expect } from "chai";
import fc from "fast-check";
import { ByteReader } from "../../../../transforms/primitives/coders/byte-reader.js";
import { ByteWriter } from "../../../../transforms/primitives/coders/byte-writer.js";
import type { SdkReader, SdkWriter } from "../../../../transforms/primitives/coders/sdk.js";
import { checkProperty } from "../../../support/check-property.js";
import { hexOf, messageOf } from "./encodings.js";
import { protobuf } from "./pristine-sdk.js";

/** A call of a method that writes, and the one that reads what it wrote. */
interface Call {
  readonly method: string;
  readonly argument: unknown;
}

const int32 = fc.integer();
const uint32 = fc.nat({ max: 2 ** 32 - 1 });
const int64 = fc.oneof(
  fc.maxSafeInteger(),
  fc.record({ low: int32, high: int32 }).map((long) => ({ ...long, unsigned: false })),
);
const argumentsOf: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  int32,
  sint32: int32,
  sfixed32: int32,
  uint32,
  fixed32: uint32,
  int64,
  bool: fc.boolean(),
  float: fc.float(),
  double: fc.double(),
  bytes: fc.uint8Array({ maxLength: 300 }),
  string: fc.string({ unit: "binary", maxLength: 80 }),
};
const calls: fc.Arbitrary<Call[]> = fc.array(
  fc.oneof(
    ...Object.entries(argumentsOf).map(([method, argument]) =>
      argument.map((value) => ({ method, argument: value })),
    ),
  ),
);

type Methods = Readonly<Record<string, (argument?: unknown) => unknown>>;

function write(writer: SdkWriter, all: readonly Call[]): Uint8Array {
  writer.fork();
  for (const { method, argument } of all) (writer as unknown as Methods)[method]!(argument);
  return writer.ldelim().int32(7).finish();
}

function read(reader: SdkReader, all: readonly Call[]): unknown[] {
  const values: unknown[] = [reader.uint32()];
  for (const { method } of all) {
    const value = (reader as unknown as Methods)[method]!();
    values.push(value instanceof Uint8Array ? [...value] : plain(value));
  }
  return [...values, reader.int32()];
}

/** A Long as its two halves; protobufjs gives one, or a number where it has no Long. */
function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const { low, high } = value as { low: number; high: number };
  const exact = high * 2 ** 32 + (low >>> 0);
  return Number.isSafeInteger(exact) ? exact : { low, high };
}

describe("ByteWriter and ByteReader", () => {
  it("write and read what protobufjs does", () => {
    checkProperty(
      fc.property(calls, (all) => {
        const theirs = write(protobuf.Writer.create(), all);
        const ours = write(new ByteWriter() as unknown as SdkWriter, all);
        expect(hexOf(ours)).to.equal(hexOf(theirs));
        const decoded = read(new ByteReader(theirs) as unknown as SdkReader, all);
        expect(decoded).to.deep.equal(read(protobuf.Reader.create(theirs), all));
      }),
      300,
    );
  });

  it("take back what was written since the last fork", () => {
    const writer = new ByteWriter();
    writer.string("a").fork().string("b").reset().string("c");
    expect(hexOf(writer.finish())).to.equal("01610163");
    expect(messageOf(() => writer.ldelim())).to.equal("ldelim() without a fork() before it");
  });

  it("refuse to read behind the end", () => {
    const reader = new ByteReader(Uint8Array.of(3, 1));
    expect(messageOf(() => reader.bytes())).to.equal(
      "the encoding is cut off: length 3 at byte 0, 1 bytes are left",
    );
  });
});
