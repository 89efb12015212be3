/** Encodings in both contexts, through our buffer and through protobufjs, for tests of coders. */
import { expect } from "chai";
import { ByteReader } from "../../../../transforms/primitives/coders/byte-reader.js";
import { ByteWriter } from "../../../../transforms/primitives/coders/byte-writer.js";
import { decodeFromBytes, encodeToBytes } from "../../../../transforms/primitives/coders/encode.js";
import {
  type Coder,
  Context,
  type SdkReader,
  type SdkWriter,
} from "../../../../transforms/primitives/coders/sdk.js";
import { protobuf } from "./pristine-sdk.js";

/** Stands behind a nested encoding, which must not touch it. */
const NEXT_BYTE = 0xa5;

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

export function nestedBytes<T>(coder: Coder<T>, value: T): Uint8Array {
  const out = new ByteWriter();
  coder.encode(value, out as unknown as SdkWriter, Context.needsDelimiters);
  return out.finish();
}

/** Both ways of encoding give the same bytes, and both ways of decoding the value, in both contexts. */
export function assertCarries<T>(coder: Coder<T>, value: T): void {
  const whole = encodeToBytes(coder, value);
  expect(decodeFromBytes(coder, whole)).to.deep.equal(value);

  const nested = nestedBytes(coder, value);
  const input = new ByteReader(Uint8Array.of(...nested, NEXT_BYTE));
  expect(coder.decode(input as unknown as SdkReader, Context.needsDelimiters)).to.deep.equal(value);
  expect(input.pos).to.equal(nested.length);

  const writer = protobuf.Writer.create();
  coder.encode(value, writer, Context.needsDelimiters);
  coder.encode(value, writer, Context.wholeStream);
  const both = writer.finish();
  expect(hexOf(both)).to.equal(hexOf(nested) + hexOf(whole));
  const reader = protobuf.Reader.create(both);
  expect(coder.decode(reader, Context.needsDelimiters)).to.deep.equal(value);
  expect(coder.decode(reader, Context.wholeStream)).to.deep.equal(value);
  expect(reader.pos).to.equal(both.length);
}

/** The message of what `run` throws. */
export function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
}
