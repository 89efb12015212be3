/** Coders of single values: limits, and what they refuse instead of changing it. */
import { expect } from "chai";
import { decodeFromBytes, encodeToBytes } from "../../../../transforms/primitives/coders/encode.js";
import {
  BoolCoder,
  BytesCoder,
  DoubleCoder,
  StringUtf8Coder,
  VarIntCoder,
} from "../../../../transforms/primitives/coders/scalar-coders.js";
import type { Coder } from "../../../../transforms/primitives/coders/sdk.js";
import { hexOf, messageOf } from "./encodings.js";

function refusal<T>(coder: Coder<T>, value: unknown): string {
  return messageOf(() => encodeToBytes(coder, value as T));
}

describe("VarIntCoder", () => {
  const coder = new VarIntCoder();

  it("carries all 64 bits: numbers where they are exact, else bigints", () => {
    const cases: [number | bigint, string][] = [
      [2 ** 31, "8080808008"],
      [1_700_000_000_000, "80d095ffbc31"],
      [-(2 ** 31) - 1, "fffffffff7ffffffff01"],
      [Number.MAX_SAFE_INTEGER, "ffffffffffffff0f"],
      [Number.MIN_SAFE_INTEGER, "81808080808080f0ff01"],
      [2n ** 53n, "8080808080808010"],
      [2n ** 63n - 1n, "ffffffffffffffff7f"],
      [-(2n ** 63n), "80808080808080808001"],
    ];
    for (const [value, hex] of cases) {
      expect(hexOf(encodeToBytes(coder, value))).to.equal(hex);
      expect(decodeFromBytes(coder, Buffer.from(hex, "hex"))).to.equal(value);
    }
    expect(decodeFromBytes(coder, encodeToBytes(coder, 5n))).to.equal(5);
  });

  it("refuses everything but integers of 64 bits", () => {
    expect(refusal(coder, 1.5)).to.equal("value: must be an integer, got 1.5");
    expect(refusal(coder, Number.NaN)).to.equal("value: must be an integer, got NaN");
    expect(refusal(coder, Number.POSITIVE_INFINITY)).to.equal("value: must be an integer, got Infinity");
    expect(refusal(coder, "7")).to.equal('value: must be an integer, got the string "7"');
    expect(refusal(coder, -0)).to.equal("value: -0 is no integer that a varint can carry");
    expect(refusal(coder, 2 ** 53)).to.match(/^value: 9007199254740992 is beyond the safe integers/);
    expect(refusal(coder, 2n ** 63n)).to.equal(
      "value: 9223372036854775808n does not fit a signed 64-bit integer",
    );
  });

  it("refuses varints of more than 64 bits, and ones cut off", () => {
    const decode = (hex: string) => messageOf(() => decodeFromBytes(coder, Buffer.from(hex, "hex")));
    expect(decode("ff".repeat(10))).to.equal("a varint is longer than 64 bits at byte 10");
    expect(decode("80")).to.equal("the encoding is cut off: 1 bytes are needed at byte 1, 0 are there");
  });
});

describe("DoubleCoder, BoolCoder, StringUtf8Coder, BytesCoder", () => {
  it("DoubleCoder writes every NaN as the same bits", () => {
    const other = new Float64Array(new BigUint64Array([0xfff8000000000001n]).buffer)[0]!;
    expect(hexOf(encodeToBytes(new DoubleCoder(), other))).to.equal("7ff8000000000000");
  });

  it("refuse values of other types", () => {
    expect(refusal(new DoubleCoder(), 1n)).to.equal("value: must be a number, got 1n");
    expect(refusal(new BoolCoder(), 1)).to.equal("value: must be true or false, got 1");
    expect(refusal(new StringUtf8Coder(), null)).to.equal("value: must be a string, got null");
    expect(refusal(new BytesCoder(), [1])).to.equal("value: must be a Uint8Array, got an array");
  });

  it("StringUtf8Coder refuses lone surrogates, and keeps U+FFFD and a byte order mark", () => {
    const coder = new StringUtf8Coder();
    expect(refusal(coder, "\ud83d")).to.equal("value: a string with a lone surrogate cannot be encoded");
    for (const text of ["\ufffd", "\ufeffa", "a\ufeff".repeat(30), "😀".repeat(20)]) {
      expect(decodeFromBytes(coder, encodeToBytes(coder, text))).to.equal(text);
    }
  });

  it("BytesCoder gives bytes of their own, not a view of the input", () => {
    const input = Uint8Array.of(1, 2, 3);
    const decoded = decodeFromBytes(new BytesCoder(), input);
    input[0] = 9;
    expect(decoded).to.deep.equal(Uint8Array.of(1, 2, 3));
    expect(decoded.constructor).to.equal(Uint8Array);
  });
});
