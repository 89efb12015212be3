/** Integers of any size as bytes: two's complement, big-endian, as short as possible, like Java's BigInteger. */

export function twosComplement(value: bigint): Uint8Array {
  const magnitude = (value < 0n ? -value - 1n : value).toString(16);
  const magnitudeBits = magnitude.length * 4 - (Math.clz32(Number.parseInt(magnitude[0]!, 16)) - 28);
  const length = Math.ceil((magnitudeBits + 1) / 8);
  const hex = BigInt.asUintN(length * 8, value).toString(16);
  return Buffer.from(hex.padStart(length * 2, "0"), "hex");
}

/** No bytes are 0. */
export function fromTwosComplement(bytes: Uint8Array): bigint {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex || "0"}`));
}
