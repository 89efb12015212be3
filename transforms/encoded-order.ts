/** Values by their encodings: when two are the same, and which of two that are equal by anything else comes first. */
import { decodeFromBytes, encodeToBytes } from "./primitives/coders/encode.js";
import { type CoderJson, coderFromJson, ITERABLE_CODER_URN } from "./primitives/graph-coders.js";

/**
 * A function that gives a value's bytes: two values have the same exactly if they are the same under the coder. A
 * list and what else can be iterated over are encoded differently, so what holds iterables is read once in between.
 */
export function encoderOf(coderJson: CoderJson): (value: unknown) => Uint8Array {
  const coder = coderFromJson(coderJson);
  if (!hasIterables(coderJson)) return (value) => encodeToBytes(coder, value);
  return (value) => encodeToBytes(coder, decodeFromBytes(coder, encodeToBytes(coder, value)));
}

/** Compares bytes from the first on, a shorter encoding before one that goes on; 0 only where they are equal. */
export function encodedOrder(coderJson: CoderJson): (a: unknown, b: unknown) => number {
  const encode = encoderOf(coderJson);
  return (a, b) => Buffer.compare(encode(a), encode(b));
}

function hasIterables({ urn, components }: CoderJson): boolean {
  return urn === ITERABLE_CODER_URN || components.some(hasIterables);
}
