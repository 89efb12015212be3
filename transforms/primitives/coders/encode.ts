/** Values to bytes and back, and keys to the ids by which they are grouped. */
import { asBeamCoder } from "./beam-coder.js";
import { ByteReader, type StateResolver } from "./byte-reader.js";
import { ByteWriter } from "./byte-writer.js";
import { DecodeError } from "./coder-error.js";
import { GeneralObjectCoder } from "./general-object-coder.js";
import { isWellFormed } from "./growing-buffer.js";
import { StringUtf8Coder } from "./scalar-coders.js";
import type { Coder } from "./sdk.js";

/** Begins the id of a key that is not its own. */
const ENCODED_KEY_PREFIX = "\u0001";

/** Kept between encodings; undefined while one is under way, should a coder encode within it. */
let spare: ByteWriter | undefined = new ByteWriter();

/**
 * The value's encoding as a whole stream, without a length that nobody asks for.
 * @throws EncodeError with the path to what the coder cannot carry
 */
export function encodeToBytes<T>(coder: Coder<T>, value: T): Uint8Array {
  return encodeWith(coder, value, (out) => out.finish());
}

/**
 * As `encodeToBytes`, without a copy: the bytes are there until the next encoding, by whatever coder.
 * @throws EncodeError with the path to what the coder cannot carry
 */
export function encodeToView<T>(coder: Coder<T>, value: T): Uint8Array {
  return encodeWith(coder, value, (out) => out.view());
}

/**
 * What `encodeToBytes` made bytes of. `resolveState` is asked for the rest of iterables that are in a
 * runner's state.
 * @throws DecodeError if the bytes are no encoding of this coder, or more than one
 */
export function decodeFromBytes<T>(coder: Coder<T>, bytes: Uint8Array, resolveState?: StateResolver): T {
  const input = new ByteReader(bytes, resolveState);
  const value = asBeamCoder(coder).read(input, false);
  if (input.pos !== input.len) {
    throw new DecodeError(`${input.len - input.pos} bytes are left over at byte ${input.pos}`);
  }
  return value;
}

/** The elements whose nested encodings follow one another to the end of the bytes. */
export function* decodeElements<T>(coder: Coder<T>, bytes: Uint8Array): Generator<T, void> {
  const own = asBeamCoder(coder);
  const input = new ByteReader(bytes);
  while (input.pos < input.len) yield own.read(input, true);
}

/**
 * A function that gives a key's id: two keys have the same id exactly if they have the same encoding. A
 * string under a coder of strings or of anything is its own id; any other key's is a prefix and its
 * encoding (as by `encodeToBytes`), each byte a character. Keys without a coder of their own: the general one.
 */
export function keyIdOf(coder: Coder<unknown> = new GeneralObjectCoder()): (key: unknown) => string {
  const own = asBeamCoder(coder);
  const encodedId = (key: unknown) => encodeWith(own, key, prefixedLatin1);
  if (!(own instanceof GeneralObjectCoder || own instanceof StringUtf8Coder)) return encodedId;
  return (key) => (typeof key === "string" && isOwnId(key) ? key : encodedId(key));
}

/** Not one that could be taken for the id of another key, nor one that has no encoding. */
function isOwnId(key: string): boolean {
  return key.charCodeAt(0) !== 1 && isWellFormed(key);
}

function prefixedLatin1(out: ByteWriter): string {
  return ENCODED_KEY_PREFIX + out.finishAsLatin1();
}

function encodeWith<T, Result>(coder: Coder<T>, value: T, finish: (out: ByteWriter) => Result): Result {
  const out = spare ?? new ByteWriter();
  spare = undefined;
  try {
    asBeamCoder(coder).write(value, out, false);
    return finish(out);
  } finally {
    out.clear();
    spare = out;
  }
}
